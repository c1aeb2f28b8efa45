package operator

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	"sigs.k8s.io/yaml"
)

// samples are values of fields for which any text or number would not do, by the last part of their path.
var samples = map[string]any{
	"cidr": "10.1.0.0/16", "cidrs": []any{"10.1.0.0/16"}, "peerCIDR": "10.2.0.0/16", "peerIP": "10.2.0.3", "cacheActiveTimeout": "7s",
	"destPorts": 80, "sourcePorts": 80, "ports": 80, "namespace": "observe", "capOverride": []any{"NET_RAW"}, "env": map[string]any{"A": "b"},
}

// beside are fields without which another one does nothing, or is refused, by the beginning of its path.
var beside = map[string]map[string]any{
	"agent.ebpf.flowFilter.":                 {"agent.ebpf.flowFilter.enable": true},
	"agent.ebpf.flowFilter.icmp":             {"agent.ebpf.flowFilter.protocol": "ICMP"},
	"agent.ebpf.flowFilter.tcpFlags":         {"agent.ebpf.flowFilter.protocol": "TCP"},
	"agent.ebpf.flowFilter.rules[].":         {"agent.ebpf.flowFilter.rules[].cidr": "10.3.0.0/16"},
	"agent.ebpf.flowFilter.rules[].icmp":     {"agent.ebpf.flowFilter.rules[].protocol": "ICMP"},
	"agent.ebpf.flowFilter.rules[].tcpFlags": {"agent.ebpf.flowFilter.rules[].protocol": "TCP"},
	"processor.subnetLabels.customLabels[].": {
		"processor.subnetLabels.customLabels[].name": "b", "processor.subnetLabels.customLabels[].cidrs": []any{"10.4.0.0/16"},
	},
	"networkPolicy.additionalNamespaces": {"networkPolicy.enable": true},
	"exporters[].kafka.": {
		"exporters[].type": "Kafka", "exporters[].kafka.address": "kafka:9092", "exporters[].kafka.topic": "flows",
	},
	"exporters[].kafka.tls.":          {"exporters[].kafka.tls.enable": true},
	"exporters[].kafka.tls.caCert.":   keysOf("exporters[].kafka.tls.caCert.", "certFile"),
	"exporters[].kafka.tls.userCert.": keysOf("exporters[].kafka.tls.userCert.", "certFile", "certKey"),
	"exporters[].kafka.sasl.": {
		"exporters[].kafka.sasl.type":                   "Plain",
		"exporters[].kafka.sasl.clientIDReference.type": "secret", "exporters[].kafka.sasl.clientIDReference.name": "s", "exporters[].kafka.sasl.clientIDReference.file": "f",
		"exporters[].kafka.sasl.clientSecretReference.type": "secret", "exporters[].kafka.sasl.clientSecretReference.name": "s", "exporters[].kafka.sasl.clientSecretReference.file": "f",
	},
	"exporters[].ipfix.": {"exporters[].type": "IPFIX", "exporters[].ipfix.targetHost": "collector"},
	"exporters[].openTelemetry.": {
		"exporters[].type": "OpenTelemetry", "exporters[].openTelemetry.targetHost": "collector", "exporters[].openTelemetry.protocol": "grpc",
	},
	"exporters[].openTelemetry.tls.":          {"exporters[].openTelemetry.tls.enable": true},
	"exporters[].openTelemetry.tls.caCert.":   keysOf("exporters[].openTelemetry.tls.caCert.", "certFile"),
	"exporters[].openTelemetry.tls.userCert.": keysOf("exporters[].openTelemetry.tls.userCert.", "certFile", "certKey"),
}

// keysOf refers to keys of a Secret.
func keysOf(path string, keys ...string) map[string]any {
	set := map[string]any{path + "type": "secret", path + "name": "s"}
	for _, key := range keys {
		set[path+key] = "f"
	}
	return set
}

// put sets a value at a path, in which [] is the only item of a list.
func put(object map[string]any, path string, value any) {
	name, rest, nested := strings.Cut(path, ".")
	list := strings.HasSuffix(name, "[]")
	name = strings.TrimSuffix(name, "[]")
	if !nested {
		object[name] = value
		return
	}
	inner, _ := object[name].(map[string]any)
	if items, ok := object[name].([]any); ok {
		inner = items[0].(map[string]any)
	}
	if inner == nil {
		inner = make(map[string]any)
	}
	put(inner, rest, value)
	object[name] = inner
	if list {
		object[name] = []any{inner}
	}
}

// fieldsOf calls f with the path and the schema of each field that has no fields itself, those of lists' items included.
func fieldsOf(path string, s *apiextensions.JSONSchemaProps, f func(path string, s *apiextensions.JSONSchemaProps)) {
	if s.Items != nil && s.Items.Schema != nil && len(s.Items.Schema.Properties) > 0 {
		path, s = path+"[]", s.Items.Schema
	}
	if len(s.Properties) == 0 {
		f(path, s)
	}
	for name := range s.Properties {
		inner := s.Properties[name]
		fieldsOf(strings.TrimPrefix(path+"."+name, "."), &inner, f)
	}
}

// valuesFor returns what a field may be set to: every value of an enumeration, both truths, else one of its type.
func valuesFor(path string, s *apiextensions.JSONSchemaProps) []any {
	if special, ok := samples[path[strings.LastIndex(path, ".")+1:]]; ok {
		return []any{special}
	}
	switch {
	case len(s.Enum) > 0:
		all := make([]any, len(s.Enum))
		for i := range s.Enum {
			all[i] = s.Enum[i]
		}
		return all
	case s.XIntOrString:
		return []any{80}
	case s.Type == "boolean":
		return []any{true, false}
	case s.Type == "integer":
		number := int64(7)
		if s.Minimum != nil {
			number = max(number, int64(*s.Minimum)+1)
		}
		return []any{number}
	case s.Type == "array" && s.Items != nil && s.Items.Schema != nil:
		var all []any
		for _, v := range valuesFor(path, s.Items.Schema) {
			all = append(all, []any{v})
		}
		return all
	case s.Type == "object" && s.AdditionalProperties != nil && s.AdditionalProperties.Schema != nil:
		return []any{map[string]any{"cpu": valuesFor(path, s.AdditionalProperties.Schema)[0]}}
	case s.Type == "object":
		return []any{map[string]any{"a": "b"}}
	}
	return []any{"x"}
}

// outcome is all that comes of a spec: the chart's values, what is refused, and what is said to be without effect.
func outcome(t *testing.T, set map[string]any) (effect string, without []string) {
	t.Helper()
	spec := make(map[string]any)
	for _, path := range slices.Sorted(maps.Keys(set)) {
		put(spec, path, set[path])
	}
	text, err := yaml.Marshal(map[string]any{"spec": spec})
	if err != nil {
		t.Fatal(err)
	}
	fc := read(t, text)
	v, err := valuesOf(fc, nil)
	if err != nil {
		t.Fatal(err)
	}
	all, err := yaml.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return fmt.Sprintf("%s%q%s", all, check(fc), namespaceOf(fc)), withoutEffect(fc)
}

// TestEveryFieldDoesWhatIsSaid sets each field of the schema by itself: one that is honoured changes what is installed, or is
// refused, by at least one of its values; one that is said to be without effect changes nothing, and is named.
func TestEveryFieldDoesWhatIsSaid(t *testing.T) {
	schema, _ := definition(t)
	spec := schema.Properties["spec"]
	honoured, named := 0, 0
	fieldsOf("", &spec, func(path string, s *apiextensions.JSONSchemaProps) {
		if path == "agent.ebpf.features" || path == "processor.logTypes" {
			return // By their values: TestEffects, TestWithoutEffect.
		}
		base := make(map[string]any)
		for prefix, more := range beside {
			if strings.HasPrefix(path, prefix) {
				maps.Copy(base, more)
			}
		}
		delete(base, path)
		before, _ := outcome(t, base)
		changes, silent := false, ""
		is, _ := effectOf(strings.ReplaceAll(path, "[]", ""))
		for _, value := range valuesFor(path, s) {
			set := maps.Clone(base)
			set[path] = value
			after, without := outcome(t, set)
			changes = changes || after != before
			if !slices.Contains(without, fmt.Sprintf("spec.%s: %s", is.path, is.without)) && after == before {
				silent = fmt.Sprint(value)
			}
		}
		switch {
		case is.without == "" && !changes:
			t.Errorf("spec.%s is taken for honoured, and does nothing with any of %v", path, valuesFor(path, s))
		case is.without != "" && changes:
			t.Errorf("spec.%s is said to be without effect, and has one", path)
		case is.without != "" && silent != "":
			t.Errorf("spec.%s: %s does nothing, and is not named", path, silent)
		case is.without == "":
			honoured++
		default:
			named++
		}
	})
	t.Logf("%d fields are honoured or refused, %d are named as without effect", honoured, named)
	if honoured < 150 || named < 30 {
		t.Errorf("%d fields are honoured, %d named: has the schema lost some?", honoured, named)
	}
}

// TestWithoutEffect names what does nothing by its value, or beside what else is said.
func TestWithoutEffect(t *testing.T) {
	for _, c := range []struct{ spec, says string }{
		{`{processor: {logTypes: Flows}}`, ""},
		{`{processor: {logTypes: All}}`, "spec.processor.logTypes All: "},
		{`{deploymentModel: Service}`, ""},
		{`{deploymentModel: Direct}`, "spec.deploymentModel Direct: "},
		{`{agent: {ebpf: {features: [DNSTracking, FlowRTT, PacketDrop]}}}`, ""},
		{`{agent: {ebpf: {features: [UDNMapping]}}}`, "spec.agent.ebpf.features UDNMapping: "},
		{`{agent: {ebpf: {flowFilter: {enable: true, cidr: 10.0.0.0/8}}}}`, ""},
		{`{agent: {ebpf: {flowFilter: {cidr: 10.0.0.0/8}}}}`, "spec.agent.ebpf.flowFilter: enable is not true"},
		{`{agent: {ebpf: {flowFilter: {enable: false, rules: [{cidr: 10.0.0.0/8}]}}}}`, "spec.agent.ebpf.flowFilter: enable is not true"},
		{`{agent: {ebpf: {flowFilter: {enable: true, cidr: 10.0.0.0/8, rules: [{cidr: 10.1.0.0/16}]}}}}`, "spec.agent.ebpf.flowFilter: beside rules, the conditions of the filter itself do nothing"},
		{`{agent: {ebpf: {flowFilter: {enable: false}}}}`, ""},
		{`{exporters: [{type: IPFIX, ipfix: {targetHost: a}, kafka: {address: "", topic: ""}}]}`, ""},
		{`{exporters: [{type: IPFIX, ipfix: {targetHost: a}, kafka: {address: "a:1"}}]}`, "spec.exporters[0].kafka: the exporter's type is IPFIX"},
		{kafkaWith(`tls: {enable: false, insecureSkipVerify: false, caCert: {namespace: ""}}`), ""},
		{kafkaWith(`tls: {caCert: {type: secret, name: a, certFile: b}}`), "spec.exporters[0].kafka.tls: enable is not true"},
		{kafkaWith(`tls: {enable: true, insecureSkipVerify: true, caCert: {type: secret, name: a, certFile: b}}`), "spec.exporters[0].kafka.tls.caCert: insecureSkipVerify is true"},
		{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: a, tls: {userCert: {type: secret, name: a}}}}]}`, "spec.exporters[0].openTelemetry.tls: enable is not true"},
		{kafkaWith(`sasl: {type: Disabled}`), ""},
		{kafkaWith(`sasl: {clientIDReference: {type: secret, name: a, file: b}}`), "spec.exporters[0].kafka.sasl: type is neither"},
	} {
		got := strings.Join(withoutEffect(read(t, []byte("spec: "+c.spec))), "\n")
		if c.says == "" && got != "" || !strings.Contains(got, c.says) {
			t.Errorf("%s: got %q, want %q", c.spec, got, c.says)
		}
	}
}
