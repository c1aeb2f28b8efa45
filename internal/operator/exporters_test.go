package operator

import (
	gocmp "cmp"
	"encoding/base64"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/yaml"

	"github.com/seine-net/seine/deploy"
	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/export/ipfix"
	"github.com/seine-net/seine/internal/export/kafka"
	"github.com/seine-net/seine/internal/export/otlp"
)

// serverOf returns the server of rendered objects, and its file of exporters; "" if there is none.
func serverOf(t *testing.T, objects []*unstructured.Unstructured) (*appsv1.StatefulSet, string) {
	t.Helper()
	var server appsv1.StatefulSet
	var file string
	for _, o := range objects {
		switch o.GetKind() {
		case "StatefulSet":
			if err := runtime.DefaultUnstructuredConverter.FromUnstructured(o.Object, &server); err != nil {
				t.Fatal(err)
			}
		case "Secret":
			encoded, _, _ := unstructured.NestedString(o.Object, "data", "exporters.yaml")
			decoded, err := base64.StdEncoding.DecodeString(encoded)
			if err != nil {
				t.Fatal(err)
			}
			file += string(decoded)
		}
	}
	return &server, file
}

// TestExporters has the server read exporters from a file, and mount each file that this names.
func TestExporters(t *testing.T) {
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	server, file := serverOf(t, rendered(t, read(t, text), nil))
	if args := strings.Join(server.Spec.Template.Spec.Containers[0].Args, " "); !strings.Contains(args, "--exporters=/etc/seine/exporters/exporters.yaml") {
		t.Errorf("the server's arguments are %s", args)
	}
	if server.Spec.Template.Annotations["checksum/exporters"] == "" {
		t.Error("pods would not be renewed with their exporters")
	}
	parsed, err := export.Parse([]byte(file))
	if err != nil {
		t.Fatal(err)
	}
	if x := parsed.Exporters[0].IPFIX; len(parsed.Exporters) != 3 || x == nil || *x.EnterpriseID != 4294967295 {
		t.Errorf("the server reads %+v", parsed.Exporters)
	}
	var all any
	if err := yaml.Unmarshal([]byte(file), &all); err != nil {
		t.Fatal(err)
	}
	files := filesIn(all)
	if len(files) != 6 {
		t.Errorf("the exporters name files %q, want 6", files)
	}
	for _, name := range files {
		if source := mounted(&server.Spec.Template.Spec, path.Dir(name)); source != path.Base(path.Dir(name)) {
			t.Errorf("%s is of %q", name, source)
		}
	}
}

// filesIn returns the texts within a value that name files of exporters.
func filesIn(value any) []string {
	var found []string
	switch v := value.(type) {
	case map[string]any:
		for _, inner := range v {
			found = append(found, filesIn(inner)...)
		}
	case []any:
		for _, inner := range v {
			found = append(found, filesIn(inner)...)
		}
	case string:
		if strings.HasPrefix(v, "/etc/seine/") {
			found = append(found, v)
		}
	}
	return found
}

// mounted returns the name of the Secret or ConfigMap that is mounted at a folder, to read alone.
func mounted(pod *corev1.PodSpec, folder string) string {
	for _, m := range pod.Containers[0].VolumeMounts {
		for _, v := range pod.Volumes {
			switch {
			case m.MountPath != folder || m.Name != v.Name || !m.ReadOnly:
			case v.Secret != nil:
				return v.Secret.SecretName
			case v.ConfigMap != nil:
				return v.ConfigMap.Name
			}
		}
	}
	return ""
}

// TestNoExporters has nothing of exporters where there are none, and another checksum where they are others.
func TestNoExporters(t *testing.T) {
	server, file := serverOf(t, rendered(t, read(t, []byte("{spec: {}}")), nil))
	if file != "" || strings.Contains(strings.Join(server.Spec.Template.Spec.Containers[0].Args, " "), "--exporters") || len(server.Spec.Template.Annotations) > 0 {
		t.Errorf("there is %q, %v", file, server.Spec.Template.Annotations)
	}
	sums := map[string]bool{}
	for _, host := range []string{"a", "b", "a"} {
		spec := "{spec: {exporters: [{type: IPFIX, ipfix: {targetHost: " + host + "}}]}}"
		server, _ := serverOf(t, rendered(t, read(t, []byte(spec)), nil))
		sums[server.Spec.Template.Annotations["checksum/exporters"]] = true
	}
	if len(sums) != 2 {
		t.Errorf("got checksums %v, want 2", sums)
	}
}

// TestWrongExporter refuses values of exporters that the chart does not take.
func TestWrongExporter(t *testing.T) {
	r, err := newRenderer(nil)
	if err != nil {
		t.Fatal(err)
	}
	for wrong, says := range map[string]string{
		`exporters: [{name: a}]`:                                                                         "oneOf",
		`exporters: [{ipfix: {}}]`:                                                                       "collector",
		`exporters: [{ipfix: {collector: "a:1", tarnsport: udp}}]`:                                       "tarnsport",
		`exporters: [{ipfix: {collector: "a:1", transport: sctp}}]`:                                      "transport",
		`exporters: [{ipfix: {collector: "a:1"}, queue: 5}]`:                                             "queue",
		`exporters: [{ipfix: {collector: "a:1"}, kafka: {brokers: ["a:1"], topic: t}}]`:                  "oneOf",
		`exporters: [{kafka: {brokers: [], topic: t}}]`:                                                  "brokers",
		`exporters: [{kafka: {brokers: ["a:1"], topic: t, sasl: {mechanism: plain, password: secret}}}]`: "password",
		`exporters: [{ipfix: {collector: "a:1", template_refresh: 60}}]`:                                 "template_refresh",
		`exporterSecrets: ["../x"]`:                                                                      "exporterSecrets",
		`exporterConfigMaps: [a, a]`:                                                                     "exporterConfigMaps",
	} {
		var base map[string]any
		if err := yaml.Unmarshal([]byte("server: {"+wrong+"}"), &base); err != nil {
			t.Fatal(err)
		}
		v, err := valuesOf(read(t, []byte("{spec: {}}")), base)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := r.render("x", v); err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("%s: got %v, want %q", wrong, err, says)
		}
	}
}

// TestSchemaOfExporters has the chart take the members that the exporters have, and no others.
func TestSchemaOfExporters(t *testing.T) {
	text, err := deploy.Chart.ReadFile(deploy.ChartDir + "/values.schema.json")
	if err != nil {
		t.Fatal(err)
	}
	var schema struct{ Definitions map[string]schemaPart }
	if err := yaml.Unmarshal(text, &schema); err != nil {
		t.Fatal(err)
	}
	exporter := schema.Definitions["exporter"].Properties
	for name, c := range map[string]struct {
		part   schemaPart
		config any
	}{
		"kafka": {exporter["kafka"], kafka.Config{}},
		"sasl":  {exporter["kafka"].Properties["sasl"], kafka.SASL{}},
		"ipfix": {exporter["ipfix"], ipfix.Config{}},
		"otlp":  {exporter["otlp"], otlp.Config{}},
		"entry": {schema.Definitions["exporter"], export.Entry{}},
		"tls":   {schema.Definitions["clientTLS"], credential.Client{}},
	} {
		if diff := cmp.Diff(members(reflect.TypeOf(c.config)), slices.Sorted(maps.Keys(c.part.Properties))); diff != "" {
			t.Errorf("%s (-has, +chart takes):\n%s", name, diff)
		}
	}
}

type schemaPart struct{ Properties map[string]schemaPart }

// members returns the names of a configuration's members in YAML.
func members(of reflect.Type) []string {
	var all []string
	for _, f := range reflect.VisibleFields(of) {
		name, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		if options != "inline" && name != "-" {
			all = append(all, gocmp.Or(name, strings.ToLower(f.Name)))
		}
	}
	slices.Sort(all)
	return all
}
