package format_test

import (
	"bytes"
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

// TestNetObserv writes rows as the agent that made them would have.
func TestNetObserv(t *testing.T) {
	compiled, err := query.Compile(&query.Request{From: "1970-01-01T00:00:00Z", To: "2262-01-01T00:00:00Z", Limit: 1}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	compiled.Plan.Filter = nil // It left out records that are not primary.
	for _, r := range querytest.RandomRecords(1, 200) {
		builder := columns.NewBuilder(columns.Flows(), 1)
		builder.Append([]flow.Record{r})
		batch := builder.NewBatch()
		b, _ := query.Evaluate(compiled.Plan, []arrow.RecordBatch{batch})
		batch.Release()
		var out bytes.Buffer
		w, err := format.NewNetObserv(&out, b.Columns)
		if err != nil {
			t.Fatal(err)
		}
		if err := errors.Join(w.Write(b), w.Close()); err != nil {
			t.Fatal(err)
		}
		// The store has the character for bytes of no character as itself, and IPv4 addresses as such.
		want := strings.NewReplacer(`\ufffd`, "\uFFFD", `"::ffff:`, `"`).Replace(string(flow.NetObserv{}.Append(nil, &r)))
		if diff := cmp.Diff(want, out.String()); diff != "" {
			t.Fatalf("flow logs (-want +got):\n%s", diff)
		}
	}
}

// TestNetObservWantsAll refuses rows that lack what a flow log is made of.
func TestNetObservWantsAll(t *testing.T) {
	_, err := format.NewNetObserv(&bytes.Buffer{}, []query.Column{{Name: "src.addr", Kind: flow.AddrField}})
	if refused, ok := errors.AsType[*query.Error](err); !ok || refused.Kind != query.UnsupportedError {
		t.Errorf("got %v; want it unsupported", err)
	}
}
