package operator

import (
	"os"
	"strings"
	"testing"

	"helm.sh/helm/v4/pkg/chart/common"
	"sigs.k8s.io/yaml"
)

// TestFull shows the values that come of a long FlowCollector, and what of it is said to be without effect.
func TestFull(t *testing.T) {
	text, err := os.ReadFile("testdata/full.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fc := read(t, text)
	v, err := valuesOf(fc, map[string]any{"image": map[string]any{"repository": "registry.example/seine"}})
	if err != nil {
		t.Fatal(err)
	}
	got, err := yaml.Marshal(map[string]any{"values": v, "withoutEffect": withoutEffect(fc)})
	if err != nil {
		t.Fatal(err)
	}
	golden(t, "testdata/full.golden", got)
	if objects := rendered(t, fc, nil); len(objects) == 0 || objects[0].GetNamespace() != "observe" {
		t.Errorf("the chart gives %d objects", len(objects))
	}
}

// TestHold leaves nothing that runs.
func TestHold(t *testing.T) {
	fc := read(t, []byte("{spec: {execution: {mode: OnHold}}}"))
	for _, o := range rendered(t, fc, nil) {
		t.Errorf("%s %s is there", o.GetKind(), o.GetName())
	}
}

// TestBaseStays has FlowCollectors not change what they start from.
func TestBaseStays(t *testing.T) {
	base := map[string]any{"agent": map[string]any{"logLevel": "warn"}}
	v, err := valuesOf(read(t, []byte("{spec: {agent: {ebpf: {logLevel: debug}}}}")), base)
	if err != nil {
		t.Fatal(err)
	}
	if got := v["agent"].(map[string]any)["logLevel"]; got != "debug" {
		t.Errorf("log level %v; want debug", got)
	}
	if got := base["agent"].(map[string]any)["logLevel"]; got != "warn" {
		t.Errorf("the base became %v", got)
	}
}

// TestNumbers takes numbers where people write them, and their tools make none of a text.
func TestNumbers(t *testing.T) {
	for tag, want := range map[any]string{1: "x/seine:1", 20261126: "x/seine:20261126", "1.10": "x/seine:1.10"} {
		base := map[string]any{"image": map[string]any{"repository": "x/seine", "tag": tag}, "server": map[string]any{"maxAge": 0, "maxBytes": 0}}
		var all strings.Builder
		for _, o := range rendered(t, read(t, []byte("{spec: {}}")), base) {
			text, err := yaml.Marshal(o.Object)
			if err != nil {
				t.Fatal(err)
			}
			all.Write(text)
		}
		for _, part := range []string{"image: " + want + "\n", "--max-age=0\n", "--max-bytes=0\n"} {
			if !strings.Contains(all.String(), part) {
				t.Errorf("tag %v: want %q in\n%s", tag, part, all.String())
			}
		}
	}
}

// TestWrongBase refuses values that the chart does not take.
func TestWrongBase(t *testing.T) {
	r, err := newRenderer(common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	v, err := valuesOf(read(t, []byte("{spec: {}}")), map[string]any{"sever": map[string]any{}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := r.render("x", v); err == nil || !strings.Contains(err.Error(), "sever") {
		t.Errorf("got %v; want an error that names sever", err)
	}
}
