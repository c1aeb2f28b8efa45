package operator

import (
	"cmp"
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// defaultNamespace is where agents and server go unless told otherwise.
const defaultNamespace = "netobserv"

// levels leads from the log levels of a FlowCollector to ours.
var levels = map[string]string{
	"trace": "debug", "debug": "debug", "info": "info", "warn": "warn", "error": "error", "fatal": "error", "panic": "error",
}

func namespaceOf(fc *flowcollector.FlowCollector) string {
	return cmp.Or(fc.Spec.Namespace, defaultNamespace)
}

// ebpf returns the agent's configuration, empty if there is none.
func ebpf(fc *flowcollector.FlowCollector) *flowcollector.EBPF {
	if fc.Spec.Agent == nil || fc.Spec.Agent.EBPF == nil {
		return &flowcollector.EBPF{}
	}
	return fc.Spec.Agent.EBPF
}

func processor(fc *flowcollector.FlowCollector) *flowcollector.Processor {
	if fc.Spec.Processor == nil {
		return &flowcollector.Processor{}
	}
	return fc.Spec.Processor
}

// values are values of the chart.
type values map[string]any

// set puts a value at a path such as agent.interval.
func (v values) set(path string, value any) {
	parent, name, nested := strings.Cut(path, ".")
	if !nested {
		v[path] = value
		return
	}
	inner, ok := v[parent].(map[string]any)
	if !ok {
		inner = make(map[string]any)
		v[parent] = inner
	}
	values(inner).set(name, value)
}

// setPlain sets a value as it is in JSON, unless that is empty.
func (v values) setPlain(path string, value any) {
	text, err := json.Marshal(value)
	if err != nil || string(text) == "null" || string(text) == "{}" || string(text) == "[]" {
		return
	}
	var plain any
	if json.Unmarshal(text, &plain) == nil {
		v.set(path, plain)
	}
}

// valuesOf makes values of a checked FlowCollector on top of those that all start from. The base is not changed.
func valuesOf(fc *flowcollector.FlowCollector, base map[string]any) (values, error) {
	text, err := json.Marshal(base)
	if err != nil {
		return nil, fmt.Errorf("values of the operator: %w", err)
	}
	var v values
	if err := json.Unmarshal(text, &v); err != nil {
		return nil, fmt.Errorf("values of the operator: %w", err)
	}
	if v == nil {
		v = make(values)
	}
	v.set("fullnameOverride", "seine")
	v.set("operator", map[string]any{"enabled": false})
	v.set("tls.mode", "operator")
	v.setAgent(ebpf(fc))
	v.setServer(processor(fc))
	v.setExporters(fc.Spec.Exporters)
	v.setPolicy(fc)
	if e := fc.Spec.Execution; e != nil && e.Mode == "OnHold" {
		v.set("agent.enabled", false)
		v.set("server.enabled", false)
	}
	return v, nil
}

func (v values) setAgent(e *flowcollector.EBPF) {
	if e.ImagePullPolicy != "" {
		v.set("image.pullPolicy", e.ImagePullPolicy)
	}
	if e.Sampling != nil {
		v.set("agent.sampling", max(*e.Sampling, 1))
	}
	if d, err := timeoutOf(e.CacheActiveTimeout); err == nil && d > 0 {
		v.set("agent.interval", d.String())
	}
	if e.CacheMaxFlows != 0 {
		v.set("agent.maxFlows", e.CacheMaxFlows)
	}
	if e.LogLevel != "" {
		v.set("agent.logLevel", levels[e.LogLevel])
	}
	if e.Privileged != nil {
		v.set("agent.privileged", *e.Privileged)
	}
	v.setPlain("agent.interfaces", e.Interfaces)
	v.setPlain("agent.excludeInterfaces", e.ExcludeInterfaces)
	v.setPlain("agent.resources", e.Resources)
	if rules, fallback, err := rulesOf(e.FlowFilter); err == nil && len(rules) > 0 {
		v.setPlain("agent.filters", rules)
		v.set("agent.filterDefault", fallback)
	}
	if a := e.Advanced; a != nil {
		v.setPlain("agent.capabilities", a.CapOverride)
		v.setPlain("agent.extraEnv", environment(a.Env))
		v.setScheduling("agent", a.Scheduling)
	}
}

func (v values) setServer(p *flowcollector.Processor) {
	if p.LogLevel != "" {
		v.set("server.logLevel", levels[p.LogLevel])
	}
	v.setPlain("server.resources", p.Resources)
	if l := p.SubnetLabels; l != nil && len(l.CustomLabels) > 0 {
		v.set("server.extraArgs", append(v.list("server", "extraArgs"), subnets(l.CustomLabels)...))
	}
	if a := p.Advanced; a != nil {
		v.setPlain("server.extraEnv", environment(a.Env))
		v.setScheduling("server", a.Scheduling)
	}
}

// list returns a list that the values have; nil if there is none.
func (v values) list(part, name string) []any {
	inner, _ := v[part].(map[string]any)
	list, _ := inner[name].([]any)
	return list
}

// subnets are the server's arguments that label networks.
func subnets(labels []flowcollector.SubnetLabel) []any {
	var all []any
	for _, l := range labels {
		all = append(all, fmt.Sprintf("--subnet=%s=%s", l.Name, strings.Join(l.CIDRs, ",")))
	}
	return all
}

func (v values) setScheduling(part string, s *flowcollector.Scheduling) {
	if s == nil {
		return
	}
	v.setPlain(part+".tolerations", s.Tolerations)
	v.setPlain(part+".nodeSelector", s.NodeSelector)
	v.setPlain(part+".affinity", s.Affinity)
	if s.PriorityClassName != "" {
		v.set(part+".priorityClassName", s.PriorityClassName)
	}
}

func (v values) setPolicy(fc *flowcollector.FlowCollector) {
	p := fc.Spec.NetworkPolicy
	if p == nil {
		return
	}
	if p.Enable != nil {
		v.set("networkPolicy.enabled", *p.Enable)
	}
	var from []any
	for _, name := range p.AdditionalNamespaces {
		from = append(from, map[string]any{"namespaceSelector": map[string]any{
			"matchLabels": map[string]any{"kubernetes.io/metadata.name": name},
		}})
	}
	v.setPlain("networkPolicy.apiFrom", from)
}

// environment lists variables in the order of their names.
func environment(env map[string]string) []map[string]string {
	var all []map[string]string
	for _, name := range slices.Sorted(maps.Keys(env)) {
		all = append(all, map[string]string{"name": name, "value": env[name]})
	}
	return all
}

// timeoutOf reads a time such as 15s; a number alone is of seconds, as it is there. Empty is 0.
func timeoutOf(text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	if !strings.HasSuffix(text, "s") && !strings.HasSuffix(text, "m") {
		text += "s"
	}
	return time.ParseDuration(text)
}
