package storetest

import (
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
)

// Queries returns records of DNS queries as a batch, which is released with the test.
func Queries(t testing.TB, records []flow.Record) arrow.RecordBatch {
	t.Helper()
	b := columns.NewBuilder(columns.Queries(), len(records))
	b.Append(records)
	batch := b.NewBatch()
	t.Cleanup(batch.Release)
	return batch
}

// lookups are DNS queries of as many outcomes: every fourth fails, every tenth is not answered at all.
func lookups(n int) []flow.Record {
	records := querytest.RandomRecords(7, n)
	for i := range records {
		d := flow.DNS{Name: "cart.shop.svc", Type: "A", RCode: "NOERROR", Latency: uint64(100 + i), Answers: "10.0.0.1"}
		switch {
		case i%10 == 0:
			d = flow.DNS{Name: "slow.example", Type: "AAAA", RCode: flow.DNSTimeout, Retries: 2}
		case i%4 == 0:
			d = flow.DNS{Name: "bad.example", Type: "A", RCode: "SERVFAIL", Latency: 50}
		}
		records[i].Sampling, records[i].DNS = 1, &d
	}
	return records
}

// testDatasets keeps rows of two datasets, of which a plan finds its own alone, also after reopening.
func testDatasets(t *testing.T, open Open) {
	dir := t.TempDir()
	e := open(t, dir)
	records := lookups(200)
	mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, querytest.RandomRecords(1, 300))})
	mustAppend(t, e, store.Batch{Dataset: "dns", Rows: Queries(t, records)})
	askDatasets(t, e, records)
	closed(t, e)
	e = open(t, dir)
	defer closed(t, e)
	askDatasets(t, e, records)
}

func askDatasets(t *testing.T, e store.Engine, records []flow.Record) {
	t.Helper()
	if n := CountAll(t, e); n != 300 {
		t.Errorf("got %d flows, want 300", n)
	}
	compiled, err := query.Compile(&query.Request{
		Dataset: "dns", From: querytest.Begin.Format(time.RFC3339), To: querytest.Begin.Add(querytest.Span).Format(time.RFC3339),
		Filter: `dns.rcode != "" && (primary || !primary)`, GroupBy: []string{"dns.rcode"},
		Measures: []string{"count()", "sum(dns.failures)", "sum(dns.timeouts)", "sum(dns.retries)", "p99(dns.latency)", "max(dns.latency)"},
	}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	got := answer(t, e, compiled.Plan)
	want, _ := query.Evaluate(compiled.Plan, []arrow.RecordBatch{Queries(t, records)})
	if want.Rows != 3 {
		t.Fatalf("%d outcomes are wanted, want 3", want.Rows)
	}
	compareBlocks(t, want, got)
}

// compareBlocks wants two answers to be the same, value by value.
func compareBlocks(t *testing.T, want, got *query.Block) {
	t.Helper()
	if got.Rows != want.Rows {
		t.Fatalf("got %d rows, want %d", got.Rows, want.Rows)
	}
	for i := range want.Columns {
		for row := range want.Rows {
			w, g := want.Columns[i].AppendJSON(nil, row), got.Columns[i].AppendJSON(nil, row)
			if string(w) != string(g) {
				t.Errorf("%s of row %d is %s, want %s", want.Columns[i].Name, row, g, w)
			}
		}
	}
}
