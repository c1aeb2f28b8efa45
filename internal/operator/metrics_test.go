package operator

import (
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"
)

// renderedOf renders the chart with values of a user.
func renderedOf(t *testing.T, v map[string]any) map[string]*unstructured.Unstructured {
	t.Helper()
	r, err := newRenderer(nil)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := r.render("net", v)
	if err != nil {
		t.Fatal(err)
	}
	byKind := make(map[string]*unstructured.Unstructured)
	for _, o := range objects {
		byKind[o.GetKind()+" "+o.GetName()] = o
	}
	return byKind
}

// TestMonitor has the chart tell the Prometheus operator what to scrape and which rules there are, if it is asked to.
func TestMonitor(t *testing.T) {
	const monitor, rules = "ServiceMonitor seine-server", "PrometheusRule seine-server"
	without := renderedOf(t, map[string]any{})
	if without[monitor] != nil || without[rules] != nil {
		t.Error("a ServiceMonitor or a PrometheusRule that nobody asked for")
	}
	got := renderedOf(t, map[string]any{"metrics": map[string]any{
		"maxEdges":       7,
		"serviceMonitor": map[string]any{"enabled": true, "labels": map[string]any{"release": "prometheus"}},
		"rules":          map[string]any{"enabled": true, "labels": map[string]any{"role": "alert"}},
	}})
	if got[monitor] == nil || got[rules] == nil {
		t.Fatal("no ServiceMonitor or no PrometheusRule")
	}
	if got[monitor].GetLabels()["release"] != "prometheus" || got[rules].GetLabels()["role"] != "alert" {
		t.Errorf("labels are %v and %v", got[monitor].GetLabels(), got[rules].GetLabels())
	}
	endpoints, _, err := unstructured.NestedSlice(got[monitor].Object, "spec", "endpoints")
	if err != nil {
		t.Fatal(err)
	}
	want := []any{map[string]any{
		"port": "api", "path": "/metrics", "scheme": "https", "interval": "30s", "scrapeTimeout": "10s",
		"tlsConfig": map[string]any{
			"serverName": "seine-server.net.svc",
			"ca":         map[string]any{"secret": map[string]any{"name": "seine-server-tls", "key": "ca.crt"}},
		},
		"authorization": map[string]any{"credentials": map[string]any{"name": "seine-api-tokens", "key": "tokens"}},
	}}
	if diff := cmp.Diff(want, endpoints); diff != "" {
		t.Errorf("endpoints (-want +got):\n%s", diff)
	}
	checkScraped(t, got)
	checkRules(t, got[rules])
}

// checkScraped wants what the ServiceMonitor names to be there: the Service by its labels with its port, and the Secrets.
func checkScraped(t *testing.T, all map[string]*unstructured.Unstructured) {
	t.Helper()
	selector, _, _ := unstructured.NestedStringMap(all["ServiceMonitor seine-server"].Object, "spec", "selector", "matchLabels")
	service := all["Service seine-server"]
	for name, value := range selector {
		if service.GetLabels()[name] != value {
			t.Errorf("the Service has label %s=%q, want %q", name, service.GetLabels()[name], value)
		}
	}
	for secret, key := range map[string]string{"seine-server-tls": "ca.crt", "seine-api-tokens": "tokens"} {
		if o := all["Secret "+secret]; o == nil {
			t.Errorf("no Secret %s", secret)
		} else if text, _, _ := unstructured.NestedString(o.Object, "data", key); text == "" {
			t.Errorf("Secret %s has no %s", secret, key)
		}
	}
	text, err := yaml.Marshal(all["StatefulSet seine-server"].Object)
	if err != nil || !strings.Contains(string(text), "- --metrics-max-edges=7\n") {
		t.Errorf("the server does not get --metrics-max-edges=7: %v", err)
	}
}

// checkRules wants the rules to be those of Prometheus' file.
func checkRules(t *testing.T, o *unstructured.Unstructured) {
	t.Helper()
	text, err := os.ReadFile("../../deploy/prometheus/rules.yaml")
	if err != nil {
		t.Fatal(err)
	}
	var want map[string]any
	if err := yaml.Unmarshal(text, &want); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(want, o.Object["spec"]); diff != "" {
		t.Errorf("rules (-want +got):\n%s", diff)
	}
}

// TestMonitorSchema refuses values that make no sense.
func TestMonitorSchema(t *testing.T) {
	r, err := newRenderer(nil)
	if err != nil {
		t.Fatal(err)
	}
	f := func(metrics map[string]any, want string) {
		t.Helper()
		if _, err := r.render("net", map[string]any{"metrics": metrics}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%v: error %v, want one with %q", metrics, err, want)
		}
	}
	f(map[string]any{"maxEdges": -1}, "maxEdges")
	f(map[string]any{"serviceMonitor": map[string]any{"enable": true}}, "enable")
	f(map[string]any{"serviceMonitor": map[string]any{"interval": "often"}}, "interval")
}

// TestMonitorRights gives the operator rights to the Prometheus operator's objects where its values ask for them alone.
func TestMonitorRights(t *testing.T) {
	f := func(metrics map[string]any, want bool) {
		t.Helper()
		all := renderedOf(t, map[string]any{"operator": map[string]any{"enabled": true, "values": map[string]any{"metrics": metrics}}})
		text, err := yaml.Marshal(all["ClusterRole seine-operator"].Object)
		if err != nil || strings.Contains(string(text), "monitoring.coreos.com") != want {
			t.Errorf("%v: rights to monitoring.coreos.com %v, want %v (error %v)", metrics, !want, want, err)
		}
		if all["ServiceMonitor seine-server"] != nil {
			t.Errorf("%v: a ServiceMonitor of a server that comes with a FlowCollector", metrics)
		}
	}
	f(map[string]any{}, false)
	f(map[string]any{"serviceMonitor": map[string]any{"enabled": true}}, true)
	f(map[string]any{"rules": map[string]any{"enabled": true}}, true)
}
