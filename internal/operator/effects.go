package operator

import (
	"fmt"
	"reflect"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// An effect is what a field does here, and all below it that has no line of its own.
type effect struct {
	path string
	// without is why the field does nothing; empty, it is honoured.
	without string
}

const (
	noKafka   = "agents speak to the server themselves"
	noLoki    = "the server keeps records itself and needs no Loki"
	noConsole = "the server has a console of its own"
	noMetrics = "metrics come from records when they are asked for"
	always    = "it is always on"
	notYet    = "Seine cannot do this yet"
)

// effects has every field of a FlowCollector's spec. The one that is longest decides. A test holds it against the schema.
var effects = []effect{
	{"namespace", ""},
	{"deploymentModel", ""}, // Of its values, below.
	{"agent.type", ""},
	{"agent.ipfix", "it is for an agent that Seine has not"},
	{"agent.ebpf", ""},
	{"agent.ebpf.kafkaBatchSize", noKafka},
	{"agent.ebpf.metrics", "the agent tells the server how it is, and opens no port on the node"},
	{"processor.imagePullPolicy", "agents and server are one image, whose policy is that of agent.ebpf.imagePullPolicy"},
	{"processor.logLevel", ""},
	{"processor.resources", ""},
	{"processor.consumerReplicas", "there is one server, which has the store"},
	{"processor.unmanagedReplicas", "there is one server, which has the store"},
	{"processor.kafkaConsumerReplicas", noKafka},
	{"processor.kafkaConsumerAutoscaler", noKafka},
	{"processor.kafkaConsumerQueueCapacity", noKafka},
	{"processor.kafkaConsumerBatchSize", noKafka},
	{"processor.logTypes", ""},
	{"processor.clusterName", notYet},
	{"processor.multiClusterDeployment", notYet},
	{"processor.addZone", "zones are always in records"},
	{"processor.subnetLabels", ""},
	{"processor.subnetLabels.openShiftAutoDetect", notYet},
	{"processor.deduper", "a connection is one record, so that nothing is there twice"},
	{"processor.filters", notYet},
	{"processor.slicesConfig", notYet},
	{"processor.service", "agents and server always speak TLS, with certificates that the operator renews"},
	{"processor.metrics", noMetrics},
	{"processor.advanced.env", ""},
	{"processor.advanced.scheduling", ""},
	{"processor.advanced", "the server needs no such setting"},
	{"consolePlugin", noConsole},
	{"loki", noLoki},
	{"prometheus", noMetrics},
	{"kafka", noKafka},
	{"exporters", ""},
	{"exporters.kafka.tls.caCert.certKey", "the key of who signs is nobody's business here"},
	{"exporters.openTelemetry.fieldsMapping", "fields have the names that Seine gives them"},
	{"exporters.openTelemetry.metrics", "the server has metrics at /metrics, for Prometheus"},
	{"exporters.openTelemetry.tls.caCert.certKey", "the key of who signs is nobody's business here"},
	{"networkPolicy", ""},
	{"execution", ""},
}

// features says of each value of agent.ebpf.features what it does here; empty, it is what the agent does anyhow.
var features = map[string]string{
	"PacketTranslation": "", "FlowRTT": "", "PacketDrop": "", "DNSTracking": "",
	"NetworkEvents": notYet,
	"EbpfManager":   "the agent loads its programs itself",
	"UDNMapping":    notYet,
	"IPSec":         notYet,
	"TLSTracking":   notYet,
}

// effectOf returns what the field at a path does; false if the table does not know it.
func effectOf(path string) (effect, bool) {
	var best effect
	for _, e := range effects {
		if len(e.path) > len(best.path) && (path == e.path || strings.HasPrefix(path, e.path+".")) {
			best = e
		}
	}
	return best, best.path != ""
}

// withoutEffect names, one sentence each, all that a spec says and that does nothing here.
func withoutEffect(fc *flowcollector.FlowCollector) []string {
	found := make(map[string]bool)
	spec := make(values)
	spec.setPlain("spec", fc.Spec)
	said, _ := spec["spec"].(map[string]any)
	walk(said, "", func(path string) {
		switch e, ok := effectOf(path); {
		case !ok:
			found[fmt.Sprintf("spec.%s: Seine does not know it", path)] = true
		case e.without != "":
			found[fmt.Sprintf("spec.%s: %s", e.path, e.without)] = true
		}
	})
	for _, f := range ebpf(fc).Features {
		if why := features[f]; why != "" {
			found[fmt.Sprintf("spec.agent.ebpf.features %s: %s", f, why)] = true
		}
	}
	if why := filterWithout(ebpf(fc).FlowFilter); why != "" {
		found["spec.agent.ebpf.flowFilter: "+why] = true
	}
	if fc.Spec.DeploymentModel == "Direct" {
		found["spec.deploymentModel Direct: "+noKafka+", as with Service"] = true
	}
	if p := fc.Spec.Processor; p != nil && p.LogTypes != "" && p.LogTypes != "Flows" {
		found[fmt.Sprintf("spec.processor.logTypes %s: records are connections, once an interval", p.LogTypes)] = true
	}
	for _, sentence := range exportersWithout(fc.Spec.Exporters) {
		found[sentence] = true
	}
	sorted := make([]string, 0, len(found))
	for sentence := range found {
		sorted = append(sorted, sentence)
	}
	slices.Sort(sorted)
	return sorted
}

// filterWithout says what of a filter does nothing.
func filterWithout(f *flowcollector.FlowFilter) string {
	if f == nil {
		return ""
	}
	own := !reflect.ValueOf(f.Rule).IsZero()
	switch on := f.Enable != nil && *f.Enable; {
	case !on && (own || len(f.Rules) > 0):
		return "enable is not true"
	case on && own && len(f.Rules) > 0:
		return "beside rules, the conditions of the filter itself do nothing"
	}
	return ""
}

// walk calls f with the path of everything in an object that is no object with members itself. The objects of a list are
// walked under the list's own path; other lists count as a whole.
func walk(object map[string]any, path string, f func(path string)) {
	for name, value := range object {
		at := strings.TrimPrefix(path+"."+name, ".")
		items, isList := value.([]any)
		if !isList {
			items = []any{value}
		}
		for _, item := range items {
			if inner, ok := item.(map[string]any); ok && len(inner) > 0 {
				walk(inner, at, f)
				continue
			}
			f(at)
		}
	}
}
