package storetest

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
)

// Open opens an engine over a folder. What an engine kept there before it was closed is there again. It fails the test
// if it cannot.
type Open func(t testing.TB, dir string) store.Engine

// Run runs the suite. Plans is how many random plans are compared with query.Evaluate.
func Run(t *testing.T, open Open, plans int) {
	for _, c := range []struct {
		name string
		test func(*testing.T, Open)
	}{
		{"Empty", testEmpty},
		{"FoundOnceAppended", testFound},
		{"RepeatsAreRefused", testRepeats},
		{"RepeatsAreRefusedAfterReopening", testRepeatsReopened},
		{"ConcurrentAppends", testConcurrent},
		{"BadBatch", testBadBatch},
		{"Datasets", testDatasets},
		{"Values", testValues},
		{"Cancelled", testCancelled},
		{"SinkError", testSinkError},
		{"Stats", testStats},
		{"AfterClose", testAfterClose},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, open) })
	}
	t.Run("RandomPlans", func(t *testing.T) { testRandomPlans(t, open, plans) })
}

// Batch returns records as a batch, which is released with the test.
func Batch(t testing.TB, records []flow.Record) arrow.RecordBatch {
	t.Helper()
	batch := NewBatch(records)
	t.Cleanup(batch.Release)
	return batch
}

// NewBatch returns records as a batch, which is the caller's.
func NewBatch(records []flow.Record) arrow.RecordBatch {
	b := columns.NewBuilder(columns.Flows(), len(records))
	b.Append(records)
	return b.NewBatch()
}

// CountAll returns how many rows the engine finds.
func CountAll(t testing.TB, e store.Engine) int64 {
	t.Helper()
	plan := all()
	plan.Measures = []query.Measure{{Name: "count()", Aggregation: query.Count}}
	return answer(t, e, plan).Columns[0].Ints[0]
}

// all returns a plan over the time of random records.
func all() *query.Plan {
	return &query.Plan{
		Dataset: "flows",
		From:    flow.Time(querytest.Begin.UnixNano()), To: flow.Time(querytest.Begin.Add(querytest.Span).UnixNano()),
	}
}

// answer returns the whole answer of a plan as one block.
func answer(t testing.TB, e store.Engine, plan *query.Plan) *query.Block {
	t.Helper()
	whole, _, err := Collect(e, plan)
	if err != nil {
		t.Fatal(err)
	}
	return whole
}

// Collect returns the whole answer of a plan as one block.
func Collect(e store.Engine, plan *query.Plan) (*query.Block, query.Summary, error) {
	whole := &query.Block{Columns: plan.Columns()}
	summary, err := e.Query(context.Background(), plan, func(b *query.Block) error {
		appendBlock(whole, b)
		return nil
	})
	return whole, summary, err
}

func appendBlock(whole, b *query.Block) {
	for i := range whole.Columns {
		c, more := &whole.Columns[i], b.Columns[i]
		c.Estimated = c.Estimated || more.Estimated
		c.Texts = append(c.Texts, more.Texts...)
		c.Ints = append(c.Ints, more.Ints...)
		c.Floats = append(c.Floats, more.Floats...)
		c.Null = appendMarks(c.Null, whole.Rows, more.Null, b.Rows)
	}
	whole.Other = appendMarks(whole.Other, whole.Rows, b.Other, b.Rows)
	whole.Rows += b.Rows
}

func appendMarks(marks []bool, rows int, more []bool, moreRows int) []bool {
	if marks == nil && more == nil {
		return nil
	}
	if marks == nil {
		marks = make([]bool, rows)
	}
	if more == nil {
		more = make([]bool, moreRows)
	}
	return append(marks, more...)
}

func mustAppend(t testing.TB, e store.Engine, b store.Batch) {
	t.Helper()
	if err := e.Append(t.Context(), b); err != nil {
		t.Fatal(err)
	}
}

func closed(t testing.TB, e store.Engine) {
	t.Helper()
	if err := e.Close(); err != nil {
		t.Error(err)
	}
}

func testEmpty(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	if n := CountAll(t, e); n != 0 {
		t.Errorf("got %d rows", n)
	}
	if s := e.Stats(); s.Rows != 0 || s.Oldest != 0 {
		t.Errorf("got %+v", s)
	}
}

func testFound(t *testing.T, open Open) {
	dir := t.TempDir()
	e := open(t, dir)
	for seed := range uint64(5) {
		mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, querytest.RandomRecords(seed, 100))})
		if n, want := CountAll(t, e), int64(100*(seed+1)); n != want {
			t.Errorf("after batch %d: got %d rows, want %d", seed, n, want)
		}
	}
	closed(t, e)
	e = open(t, dir)
	defer closed(t, e)
	if n := CountAll(t, e); n != 500 {
		t.Errorf("after reopening: got %d rows, want 500", n)
	}
}

func testRepeats(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	f := func(origin string, sequence uint64, want error) {
		t.Helper()
		err := e.Append(t.Context(), store.Batch{
			Dataset: "flows", Origin: origin, Sequence: sequence, Rows: Batch(t, querytest.RandomRecords(1, 10)),
		})
		if !errors.Is(err, want) {
			t.Errorf("%s %d: got %v, want %v", origin, sequence, err, want)
		}
	}
	f("a", 1, nil)
	f("a", 1, store.ErrRepeated)
	f("a", 5, nil)
	f("a", 4, store.ErrRepeated)
	f("b", 1, nil)
	f("", 1, nil)
	f("", 1, nil)
	if n := CountAll(t, e); n != 50 {
		t.Errorf("got %d rows, want 50", n)
	}
}

func testRepeatsReopened(t *testing.T, open Open) {
	dir := t.TempDir()
	for range 3 {
		e := open(t, dir)
		err := e.Append(t.Context(), store.Batch{
			Dataset: "flows", Origin: "a", Sequence: 1, Rows: Batch(t, querytest.RandomRecords(1, 10)),
		})
		if err != nil && !errors.Is(err, store.ErrRepeated) {
			t.Error(err)
		}
		if n := CountAll(t, e); n != 10 {
			t.Errorf("got %d rows, want 10", n)
		}
		closed(t, e)
	}
}

func testConcurrent(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	const origins, batches, rows = 8, 20, 50
	var group sync.WaitGroup
	for o := range origins {
		group.Go(func() {
			for sequence := range batches {
				batch := Batch(t, querytest.RandomRecords(uint64(o*batches+sequence), rows))
				err := e.Append(t.Context(), store.Batch{
					Dataset: "flows", Origin: fmt.Sprint(o), Sequence: uint64(sequence + 1), Rows: batch,
				})
				if err != nil {
					t.Error(err)
				}
				if n := CountAll(t, e); n < rows {
					t.Errorf("got %d rows", n)
				}
			}
		})
	}
	group.Wait()
	if n := CountAll(t, e); n != origins*batches*rows {
		t.Errorf("got %d rows, want %d", n, origins*batches*rows)
	}
}

func testBadBatch(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	if err := e.Append(t.Context(), store.Batch{Dataset: "nothing", Rows: Batch(t, nil)}); err == nil {
		t.Error("an unknown dataset was accepted")
	}
	if _, err := e.Query(t.Context(), &query.Plan{Dataset: "nothing"}, func(*query.Block) error { return nil }); err == nil {
		t.Error("an unknown dataset was queried")
	}
	mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, nil)})
}

func testValues(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	var records []flow.Record
	for i, namespace := range []string{"shop", "shop", "shop", "shipping", "shipping", "other", ""} {
		r := querytest.RandomRecords(uint64(i), 1)[0]
		r.Src.Namespace = namespace
		records = append(records, r)
	}
	mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, records)})
	f := func(prefix string, limit int, want ...store.Value) {
		t.Helper()
		got, err := e.Values(t.Context(), store.ValuesRequest{Plan: all(), Field: "src.namespace", Prefix: prefix, Limit: limit})
		if err != nil {
			t.Error(err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (- want, + got):\n%s", prefix, diff)
		}
	}
	f("sh", 10, store.Value{Text: "shop", Rows: 3}, store.Value{Text: "shipping", Rows: 2})
	f("sh", 1, store.Value{Text: "shop", Rows: 3})
	f("", 10, store.Value{Text: "shop", Rows: 3}, store.Value{Text: "shipping", Rows: 2}, store.Value{Text: "other", Rows: 1})
	f("x", 10)
	if _, err := e.Values(t.Context(), store.ValuesRequest{Plan: all(), Field: "src.port", Limit: 1}); err == nil {
		t.Error("values of a field of numbers were listed")
	}
}

func testCancelled(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, querytest.RandomRecords(1, 100))})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	for _, measures := range [][]query.Measure{nil, {{Name: "count()", Aggregation: query.Count}}} {
		plan := all()
		plan.Measures = measures
		plan.Fields = flow.DefaultFields(flow.Connections)[:1]
		if _, err := e.Query(ctx, plan, func(*query.Block) error { return nil }); !errors.Is(err, context.Canceled) {
			t.Errorf("got %v, want %v", err, context.Canceled)
		}
	}
}

func testSinkError(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, querytest.RandomRecords(1, 100))})
	plan, want := all(), errors.New("the reader went away")
	plan.Fields = flow.DefaultFields(flow.Connections)[:1]
	if _, err := e.Query(t.Context(), plan, func(*query.Block) error { return want }); !errors.Is(err, want) {
		t.Errorf("got %v, want %v", err, want)
	}
}

func testStats(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	defer closed(t, e)
	records := querytest.RandomRecords(1, 100)
	mustAppend(t, e, store.Batch{Dataset: "flows", Rows: Batch(t, records)})
	oldest := records[0].End
	for _, r := range records {
		oldest = min(oldest, r.End)
	}
	if s := e.Stats(); s.Rows != 100 || s.Bytes == 0 || s.Oldest != int64(oldest) {
		t.Errorf("got %+v, want 100 rows since %d", s, oldest)
	}
}

func testAfterClose(t *testing.T, open Open) {
	e := open(t, t.TempDir())
	closed(t, e)
	if err := e.Append(t.Context(), store.Batch{Dataset: "flows", Rows: Batch(t, querytest.RandomRecords(1, 1))}); err == nil {
		t.Error("a closed engine accepted a batch")
	}
	closed(t, e)
}
