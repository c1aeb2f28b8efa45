package operator

import (
	"fmt"
	"regexp"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// minInterval is the shortest time between reports that an agent takes.
const minInterval = 100 * time.Millisecond

var (
	capabilityName = regexp.MustCompile(`^[A-Z_]+$`)
	variableName   = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
)

// check refuses, beyond what the schema does, what makes no sense here: one sentence for each field.
func check(fc *flowcollector.FlowCollector) []string {
	var refused []string
	refuse := func(format string, args ...any) { refused = append(refused, "spec."+fmt.Sprintf(format, args...)) }
	if fc.Spec.DeploymentModel == "Kafka" {
		refuse("deploymentModel: Kafka: want Service: Seine's agents speak to its server themselves")
	}
	if a := fc.Spec.Agent; a != nil && a.Type == "IPFIX" {
		refuse("agent.type: IPFIX: want eBPF: Seine has no other agent")
	}
	checkAgent(ebpf(fc), refuse)
	checkLabels(processor(fc).SubnetLabels, refuse)
	if a := processor(fc).Advanced; a != nil {
		checkEnvironment("processor", a.Env, refuse)
	}
	checkExporters(fc.Spec.Exporters, namespaceOf(fc), refuse)
	return refused
}

func checkAgent(e *flowcollector.EBPF, refuse func(string, ...any)) {
	d, err := timeoutOf(e.CacheActiveTimeout)
	if err != nil || e.CacheActiveTimeout != "" && d < minInterval {
		refuse("agent.ebpf.cacheActiveTimeout: %q: want a time of at least %v, such as 5s", e.CacheActiveTimeout, minInterval)
	}
	for _, list := range []struct {
		field string
		names []string
	}{{"interfaces", e.Interfaces}, {"excludeInterfaces", e.ExcludeInterfaces}} {
		for i, name := range list.names {
			if err := capture.CheckInterfaces([]string{name}); err != nil {
				refuse("agent.ebpf.%s[%d]: %v", list.field, i, err)
			}
		}
	}
	checkFilter(e.FlowFilter, refuse)
	if e.Advanced == nil {
		return
	}
	for i, c := range e.Advanced.CapOverride {
		if !capabilityName.MatchString(c) || strings.HasPrefix(c, "CAP_") {
			refuse("agent.ebpf.advanced.capOverride[%d]: %q: want a capability without CAP_, such as NET_ADMIN", i, c)
		}
	}
	checkEnvironment("agent.ebpf", e.Advanced.Env, refuse)
}

func checkEnvironment(part string, env map[string]string, refuse func(string, ...any)) {
	for name := range env {
		if !variableName.MatchString(name) {
			refuse("%s.advanced.env: %q: want the name of a variable: letters, digits and _", part, name)
		}
	}
}

// checkFilter refuses rules that the agent cannot do: it would not be what was asked for.
func checkFilter(f *flowcollector.FlowFilter, refuse func(string, ...any)) {
	if f == nil || f.Enable == nil || !*f.Enable {
		return
	}
	rules := f.Rules
	if len(rules) == 0 {
		rules = []flowcollector.Rule{f.Rule}
	}
	for i := range rules {
		at := fmt.Sprintf("agent.ebpf.flowFilter.rules[%d]", i)
		if len(f.Rules) == 0 {
			at = "agent.ebpf.flowFilter"
		}
		if p := rules[i].PktDrops; p != nil && *p {
			refuse("%s.pktDrops: true: want it left out: filters decide before packets are dropped", at)
		}
		if rules[i].Sampling != nil {
			refuse("%s.sampling: %d: want it left out: there is one sampling, agent.ebpf.sampling", at, *rules[i].Sampling)
		}
		one := flowcollector.FlowFilter{Enable: f.Enable, Rules: rules[i : i+1]}
		if _, _, err := rulesOf(&one); err != nil {
			refuse("%s.%s", at, strings.TrimPrefix(err.Error(), "rules[0]."))
		}
	}
	if _, _, err := rulesOf(f); err != nil && len(rules) > 1 && strings.Contains(err.Error(), "filter rules:") {
		refuse("agent.ebpf.flowFilter.rules: %v", err)
	}
}

func checkLabels(l *flowcollector.SubnetLabels, refuse func(string, ...any)) {
	if l == nil {
		return
	}
	for i, label := range l.CustomLabels {
		if strings.Contains(label.Name, "=") {
			refuse("processor.subnetLabels.customLabels[%d].name: %q: want a name without =", i, label.Name)
		}
		for j, cidr := range label.CIDRs {
			if _, err := prefixOf(cidr); err != nil || cidr == "" {
				refuse("processor.subnetLabels.customLabels[%d].cidrs[%d]: %q: want a CIDR such as 10.0.0.0/8", i, j, cidr)
			}
		}
	}
}
