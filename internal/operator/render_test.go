package operator

import (
	"bytes"
	"flag"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"helm.sh/helm/v4/pkg/chart/common"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/yaml"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

var update = flag.Bool("update", false, "rewrite golden files")

// read reads a FlowCollector as a user writes it.
func read(t *testing.T, text []byte) *flowcollector.FlowCollector {
	t.Helper()
	fc := &flowcollector.FlowCollector{}
	if err := yaml.UnmarshalStrict(text, fc); err != nil {
		t.Fatal(err)
	}
	return fc
}

func rendered(t *testing.T, fc *flowcollector.FlowCollector, base map[string]any) []*unstructured.Unstructured {
	t.Helper()
	r, err := newRenderer(common.DefaultCapabilities)
	if err != nil {
		t.Fatal(err)
	}
	v, err := valuesOf(fc, base)
	if err != nil {
		t.Fatal(err)
	}
	objects, err := r.render(namespaceOf(fc), v)
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// TestBlog has all that comes of the FlowCollector that NetObserv's users write for translated endpoints.
func TestBlog(t *testing.T) {
	text, err := os.ReadFile("testdata/blog.yaml")
	if err != nil {
		t.Fatal(err)
	}
	fc := read(t, text)
	if refused, without := check(fc), withoutEffect(fc); len(refused) > 0 || len(without) > 0 {
		t.Errorf("refused %q, without effect %q; want all of it to count", refused, without)
	}
	var got bytes.Buffer
	for _, o := range rendered(t, fc, nil) {
		document, err := yaml.Marshal(o.Object)
		if err != nil {
			t.Fatal(err)
		}
		got.WriteString("---\n" + string(document))
	}
	golden(t, "testdata/blog.golden", got.Bytes())
}

func golden(t *testing.T, name string, got []byte) {
	t.Helper()
	if *update {
		if err := os.WriteFile(name, got, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(strings.Split(string(want), "\n"), strings.Split(string(got), "\n")); diff != "" {
		t.Errorf("%s (-want +got), go test -update takes what is got:\n%s", name, diff)
	}
}
