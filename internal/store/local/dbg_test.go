package local_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

func TestDbg(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, local.Config{})
	var batches []arrow.RecordBatch
	for i := range 12 {
		b := storetest.Batch(t, querytest.RandomRecords(uint64(3500+i), 10+(i*7)%60))
		batches = append(batches, b)
		if err := e.Append(t.Context(), store.Batch{Dataset: "flows", Rows: b}); err != nil {
			t.Fatal(err)
		}
		if i == 6 {
			e.Close()
			e = mustOpen(t, dir, local.Config{})
		}
	}
	for seed := 3500; seed < 3510; seed++ {
		p := querytest.RandomPlan(uint64(seed))
		want, _ := query.Evaluate(p, batches)
		got, sum, err := storetest.Collect(e, p)
		t.Log(e.Stats().Notes)
		t.Log(seed, want.Rows, got.Rows, sum, err, p.From, p.To)
	}
}
