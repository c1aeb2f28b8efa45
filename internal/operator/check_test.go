package operator

import (
	"os"
	"strings"
	"testing"

	apiextensions "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions"
	apiextensionsv1 "k8s.io/apiextensions-apiserver/pkg/apis/apiextensions/v1"
	structuralschema "k8s.io/apiextensions-apiserver/pkg/apiserver/schema"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/schema/pruning"
	"k8s.io/apiextensions-apiserver/pkg/apiserver/validation"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// invalid are FlowCollectors' specs that are refused, with the field, and what is said of it.
var invalid = []struct{ spec, field, says string }{
	{`{namespace: Not_A_Name}`, "spec.namespace", "should match"},
	{`{deploymentModel: Direkt}`, "spec.deploymentModel", "supported values"},
	{`{deploymentModel: Kafka}`, "spec.deploymentModel", "want Service"},
	{`{agent: {type: ebpf}}`, "spec.agent.type", "supported values"},
	{`{agent: {type: IPFIX}}`, "spec.agent.type", "want eBPF"},
	{`{agent: {ebpf: {sampling: -1}}}`, "spec.agent.ebpf.sampling", "greater than or equal to 0"},
	{`{agent: {ebpf: {sampling: "1"}}}`, "spec.agent.ebpf.sampling", "must be of type integer"},
	{`{agent: {ebpf: {smapling: 1}}}`, "spec.agent.ebpf.smapling", "unknown field"},
	{`{agent: {ebpf: {cacheActiveTimeout: soon}}}`, "spec.agent.ebpf.cacheActiveTimeout", "should match"},
	{`{agent: {ebpf: {cacheActiveTimeout: 1ms}}}`, "spec.agent.ebpf.cacheActiveTimeout", "at least 100ms"},
	{`{agent: {ebpf: {cacheMaxFlows: 0}}}`, "spec.agent.ebpf.cacheMaxFlows", "greater than or equal to 1"},
	{`{agent: {ebpf: {cacheMaxFlows: 99999999}}}`, "spec.agent.ebpf.cacheMaxFlows", "less than or equal to"},
	{`{agent: {ebpf: {interfaces: ["/[/"]}}}`, "spec.agent.ebpf.interfaces[0]", "missing closing ]"},
	{`{agent: {ebpf: {excludeInterfaces: [lo, "a b"]}}}`, "spec.agent.ebpf.excludeInterfaces[1]", "regular expression"},
	{`{agent: {ebpf: {logLevel: loud}}}`, "spec.agent.ebpf.logLevel", "supported values"},
	{`{agent: {ebpf: {imagePullPolicy: Sometimes}}}`, "spec.agent.ebpf.imagePullPolicy", "supported values"},
	{`{agent: {ebpf: {features: [PacketTranslations]}}}`, "spec.agent.ebpf.features[0]", "supported values"},
	{`{agent: {ebpf: {privileged: "no"}}}`, "spec.agent.ebpf.privileged", "must be of type boolean"},
	{`{agent: {ebpf: {advanced: {capOverride: [CAP_BPF]}}}}`, "spec.agent.ebpf.advanced.capOverride[0]", "without CAP_"},
	{`{agent: {ebpf: {advanced: {env: {"A B": x}}}}}`, "spec.agent.ebpf.advanced.env", "name of a variable"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: []}}}}`, "spec.agent.ebpf.flowFilter.rules", "at least 1"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{action: Drop}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].action", "supported values"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{protocol: HTTP}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].protocol", "supported values"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{cidr: 10.0.0.0}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].cidr", "want a CIDR"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{peerIP: here}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].peerIP", "want an IP address"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{ports: 80-, protocol: TCP}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].ports", "want a port"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{ports: 70000}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].ports", "want a port"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{protocol: UDP, tcpFlags: SYN}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0]", "want proto tcp"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{pktDrops: true}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].pktDrops", "left out"},
	{`{agent: {ebpf: {flowFilter: {enable: true, rules: [{sampling: 5}]}}}}`, "spec.agent.ebpf.flowFilter.rules[0].sampling", "one sampling"},
	{`{agent: {ebpf: {flowFilter: {enable: true, cidr: nowhere}}}}`, "spec.agent.ebpf.flowFilter.cidr", "want a CIDR"},
	{`{processor: {logTypes: Everything}}`, "spec.processor.logTypes", "supported values"},
	{`{processor: {subnetLabels: {customLabels: [{name: a, cidrs: [1.2.3.4/40]}]}}}`, "spec.processor.subnetLabels.customLabels[0].cidrs[0]", "want a CIDR"},
	{`{processor: {subnetLabels: {customLabels: [{cidrs: [10.0.0.0/8]}]}}}`, "spec.processor.subnetLabels.customLabels[0].name", "Required value"},
	{`{processor: {subnetLabels: {customLabels: [{name: a=b, cidrs: [10.0.0.0/8]}]}}}`, "spec.processor.subnetLabels.customLabels[0].name", "without ="},
	{`{exporters: [{type: Carrier}]}`, "spec.exporters[0].type", "supported values"},
	{`{exporters: [{type: Kafka}]}`, "spec.exporters[0].type", "want kafka beside it"},
	{`{exporters: [{type: IPFIX, kafka: {address: "a:1", topic: t}}]}`, "spec.exporters[0].type", "want ipfix beside it"},
	{`{exporters: [{type: Kafka, kafka: {address: kafka, topic: t}}]}`, "spec.exporters[0].kafka.address", "want host:port"},
	{`{exporters: [{type: Kafka, kafka: {address: "a:1,b", topic: t}}]}`, "spec.exporters[0].kafka.address", "want host:port"},
	{`{exporters: [{type: Kafka, kafka: {address: "a:1"}}]}`, "spec.exporters[0].kafka.topic", "want 1 to 249"},
	{`{exporters: [{type: Kafka, kafka: {address: "a:1", topic: t, compression: rar}}]}`, "spec.exporters[0].kafka.compression", "supported values"},
	{kafkaWith(`sasl: {type: Plain}`), "spec.exporters[0].kafka.sasl.clientIDReference.type", "want secret or configmap"},
	{kafkaWith(`sasl: {type: ScramSHA256}`), "spec.exporters[0].kafka.sasl.type", "supported values"},
	{kafkaWith(`sasl: {type: Plain, clientIDReference: {type: secret, name: s, file: id}, clientSecretReference: {type: secret, name: s}}`), "spec.exporters[0].kafka.sasl.clientSecretReference.file", "name of a key"},
	{kafkaWith(`tls: {enable: true, caCert: {type: vault, name: ca, certFile: ca.crt}}`), "spec.exporters[0].kafka.tls.caCert.type", "supported values"},
	{kafkaWith(`tls: {enable: true, caCert: {type: secret, name: "../ca", certFile: ca.crt}}`), "spec.exporters[0].kafka.tls.caCert.name", "name of a Secret"},
	{kafkaWith(`tls: {enable: true, caCert: {type: secret, name: ca, certFile: ../ca.crt}}`), "spec.exporters[0].kafka.tls.caCert.certFile", "name of a key"},
	{kafkaWith(`tls: {enable: true, userCert: {type: secret, name: ca, certFile: tls.crt}}`), "spec.exporters[0].kafka.tls.userCert.certKey", "name of a key"},
	{kafkaWith(`tls: {enable: true, caCert: {type: secret, name: ca, namespace: kafka, certFile: ca.crt}}`), "spec.exporters[0].kafka.tls.caCert.namespace", "want it left out, or netobserv: pods mount what is in their own namespace, so copy secret ca there"},
	{`{exporters: [{type: IPFIX, ipfix: {}}]}`, "spec.exporters[0].ipfix.targetHost", "want a name"},
	{`{exporters: [{type: IPFIX, ipfix: {targetHost: "collector:4739"}}]}`, "spec.exporters[0].ipfix.targetHost", "want a name"},
	{`{exporters: [{type: IPFIX, ipfix: {targetHost: a, targetPort: 70000}}]}`, "spec.exporters[0].ipfix.targetPort", "less than or equal to"},
	{`{exporters: [{type: IPFIX, ipfix: {targetHost: a, transport: SCTP}}]}`, "spec.exporters[0].ipfix.transport", "supported values"},
	{`{exporters: [{type: IPFIX, ipfix: {targetHost: a, enterpriseID: -1}}]}`, "spec.exporters[0].ipfix.enterpriseID", "greater than or equal to 0"},
	{`{exporters: [{type: IPFIX, ipfix: {targetHost: a, enterpriseID: 29305}}]}`, "spec.exporters[0].ipfix.enterpriseID", "want another"},
	{`{exporters: [{type: OpenTelemetry}]}`, "spec.exporters[0].type", "want openTelemetry beside it"},
	{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: "http://a"}}]}`, "spec.exporters[0].openTelemetry.targetHost", "want a name"},
	{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: a, protocol: thrift}}]}`, "spec.exporters[0].openTelemetry.protocol", "supported values"},
	{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: a, headers: {"a b": c}}}]}`, "spec.exporters[0].openTelemetry.headers", `"a b": want the name`},
	{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: a, headers: {Host: c}}}]}`, "spec.exporters[0].openTelemetry.headers", "the protocol sets this one"},
	{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: a, headers: {A: b, a: c}}}]}`, "spec.exporters[0].openTelemetry.headers", "want it once"},
	{`{exporters: [{type: OpenTelemetry, openTelemetry: {targetHost: a, headers: {A: "b\nc"}}}]}`, "spec.exporters[0].openTelemetry.headers", "printable ASCII"},
	{`{networkPolicy: {enable: "on"}}`, "spec.networkPolicy.enable", "must be of type boolean"},
	{`{execution: {mode: Paused}}`, "spec.execution.mode", "supported values"},
	{`{loki: yes please}`, "spec.loki", "must be of type object"},
}

// kafkaWith is an exporter of Kafka with something more.
func kafkaWith(more string) string {
	return "{exporters: [{type: Kafka, kafka: {address: 'a:1', topic: t, " + more + "}}]}"
}

// definition returns the schema of the custom resource, as the API server would use it.
func definition(t *testing.T) (*apiextensions.JSONSchemaProps, *structuralschema.Structural) {
	t.Helper()
	var crd apiextensionsv1.CustomResourceDefinition
	if err := yaml.UnmarshalStrict(crdYAML, &crd); err != nil {
		t.Fatal(err)
	}
	var schema apiextensions.JSONSchemaProps
	if err := apiextensionsv1.Convert_v1_JSONSchemaProps_To_apiextensions_JSONSchemaProps(crd.Spec.Versions[0].Schema.OpenAPIV3Schema, &schema, nil); err != nil {
		t.Fatal(err)
	}
	structural, err := structuralschema.NewStructural(&schema)
	if err != nil {
		t.Fatal(err)
	}
	return &schema, structural
}

// refusals returns what the API server, and then the operator, has against a spec.
func refusals(t *testing.T, spec string) []string {
	t.Helper()
	schema, structural := definition(t)
	validator, _, err := validation.NewSchemaValidator(schema)
	if err != nil {
		t.Fatal(err)
	}
	var raw map[string]any
	text := "apiVersion: flows.netobserv.io/v1beta2\nkind: FlowCollector\nmetadata: {name: cluster}\nspec: " + spec
	if err := yaml.Unmarshal([]byte(text), &raw); err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, e := range validation.ValidateCustomResource(nil, raw, validator) {
		all = append(all, e.Error())
	}
	if len(all) > 0 {
		return all
	}
	for _, path := range pruning.PruneWithOptions(raw, structural, true, structuralschema.UnknownFieldPathOptions{TrackUnknownFieldPaths: true}) {
		all = append(all, path+": unknown field")
	}
	if len(all) > 0 {
		return all
	}
	var fc flowcollector.FlowCollector
	if err := runtime.DefaultUnstructuredConverter.FromUnstructured(raw, &fc); err != nil {
		t.Fatalf("%s passes the schema and cannot be read: %v", spec, err)
	}
	return check(&fc)
}

func TestInvalid(t *testing.T) {
	for _, c := range invalid {
		got := strings.Join(refusals(t, c.spec), "\n")
		if !strings.Contains(got, c.field) || !strings.Contains(got, c.says) {
			t.Errorf("%s: got %q; want it refused for %s with %q", c.spec, got, c.field, c.says)
		}
	}
}

// TestValid takes what makes sense.
func TestValid(t *testing.T) {
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var full struct{ Spec any }
	if err := yaml.Unmarshal(text, &full); err != nil {
		t.Fatal(err)
	}
	spec, err := yaml.Marshal(full.Spec)
	if err != nil {
		t.Fatal(err)
	}
	indented := "\n  " + strings.ReplaceAll(string(spec), "\n", "\n  ")
	for _, s := range []string{"{}", "{agent: {ebpf: {}}}", indented} {
		if got := refusals(t, s); len(got) > 0 {
			t.Errorf("%s: refused: %q", s, got)
		}
	}
}

// TestEffects has a word for every field of the schema: it is honoured, or is said to be without effect.
func TestEffects(t *testing.T) {
	schema, _ := definition(t)
	var look func(path string, s *apiextensions.JSONSchemaProps)
	look = func(path string, s *apiextensions.JSONSchemaProps) {
		if _, known := effectOf(path); path != "" && len(s.Properties) == 0 && !known {
			t.Errorf("spec.%s has no line in effects", path)
		}
		for name := range s.Properties {
			inner := s.Properties[name]
			look(strings.TrimPrefix(path+"."+name, "."), &inner)
		}
	}
	spec := schema.Properties["spec"]
	look("", &spec)
	for _, value := range spec.Properties["agent"].Properties["ebpf"].Properties["features"].Items.Schema.Enum {
		if _, known := features[value.(string)]; !known {
			t.Errorf("feature %v has no line in features", value)
		}
	}
}
