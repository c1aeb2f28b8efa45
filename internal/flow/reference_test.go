package flow

import (
	"bytes"
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestFieldDocsAreCurrent(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFieldDocs(&b); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(readFile(t, "../../docs/reference/fields.md"), b.String()); diff != "" {
		t.Errorf("docs/reference/fields.md is not current, run go generate ./internal/flow (- committed, + wanted):\n%s", diff)
	}
}

func TestFieldTable(t *testing.T) {
	var b bytes.Buffer
	if err := WriteFieldTable(&b); err != nil {
		t.Fatal(err)
	}
	for _, f := range fields {
		if !strings.Contains(b.String(), "\n"+f.Name+" ") {
			t.Errorf("%s is missing", f.Name)
		}
	}
	const want = "nat                        enum      -             key        nat      flows, dns  Which addresses were translated on the way. One of none, dnat, snat, dnat+snat.\n"
	if !strings.Contains(b.String(), want) {
		t.Errorf("got\n%s\nwhich lacks\n%s", b.String(), want)
	}
}

type brokenWriter struct{}

var errBroken = errors.New("broken")

func (brokenWriter) Write([]byte) (int, error) { return 0, errBroken }

func TestReferenceReportsWriteErrors(t *testing.T) {
	if err := WriteFieldTable(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("table: %v", err)
	}
	if err := WriteFieldDocs(brokenWriter{}); !errors.Is(err, errBroken) {
		t.Errorf("docs: %v", err)
	}
}
