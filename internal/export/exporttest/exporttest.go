// Package exporttest has what the tests of exporters' targets share: plans, blocks as the runner makes them, and sending as
// it sends.
package exporttest

import (
	"context"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// Target is what is tested; see package export.
type Target interface {
	Send(ctx context.Context, rows *query.Block) (refused int, err error)
	Close() error
}

// Plan asks for rows of a dataset, with all fields if none is named.
func Plan(t testing.TB, dataset string, fields ...string) *query.Plan {
	t.Helper()
	compiled, err := query.Compile(&query.Request{Dataset: dataset, Fields: fields}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	return compiled.Plan
}

// Block makes a block of records for a plan.
func Block(t testing.TB, plan *query.Plan, records []flow.Record) *query.Block {
	t.Helper()
	dataset, ok := columns.ByName(plan.Dataset)
	if !ok {
		t.Fatalf("no dataset %q", plan.Dataset)
	}
	builder := columns.NewBuilder(dataset, len(records))
	if builder.Append(records) != len(records) {
		t.Fatalf("%d records are too many for a batch", len(records))
	}
	batch := builder.NewBatch()
	defer batch.Release()
	rows := make([]int32, len(records))
	for i := range rows {
		rows[i] = int32(i)
	}
	return query.Rows(batch, rows, plan.Fields)
}

// Opened takes what a target's Open returned, and closes the target with the test.
func Opened[T Target](t testing.TB, target T, err error) T {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	})
	return target
}

// Send delivers a block at once and returns how many rows were refused.
func Send(t testing.TB, target Target, block *query.Block) int {
	t.Helper()
	refused, err := target.Send(t.Context(), block)
	if err != nil {
		t.Fatal(err)
	}
	return refused
}

// UntilSent sends a block until all of it is taken, for up to a minute.
func UntilSent(t testing.TB, target Target, block *query.Block) {
	t.Helper()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(100 * time.Millisecond) {
		refused, err := target.Send(t.Context(), block)
		switch {
		case err == nil && refused == 0:
			return
		case err == nil:
			t.Fatalf("%d rows refused", refused)
		case time.Now().After(deadline):
			t.Fatal(err)
		}
	}
}

// PerRow reports a benchmark's time for each of a block's rows.
func PerRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}
