package query_test

import (
	"fmt"
	"math"
	"net/netip"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

func batchOf(records ...flow.Record) arrow.RecordBatch {
	b := columns.NewBuilder(columns.Flows(), columns.MaxRows)
	b.Append(records)
	return b.NewBatch()
}

// noon is the time that the records of these tests are counted from.
var noon = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)

// shop returns a few records that are easy to add up by hand.
func shop() []flow.Record {
	record := func(after time.Duration, from, to string, bytes uint64) flow.Record {
		end := flow.Time(noon.Add(after).UnixNano())
		return flow.Record{
			Start: end, End: end, Proto: flow.TCP, Primary: true, Sampling: 1,
			Src: flow.Endpoint{Addr: netip.MustParseAddr("10.0.0.1"), Port: 1000, Identity: flow.Identity{Name: from}},
			Dst: flow.Endpoint{Addr: netip.MustParseAddr("10.0.0.2"), Port: 80, Identity: flow.Identity{Name: to}},
			Fwd: flow.Volume{Bytes: bytes, Packets: 1},
		}
	}
	records := []flow.Record{
		record(0, "front", "cart", 100),
		record(10*time.Second, "front", "cart", 200),
		record(70*time.Second, "front", "pay", 1000),
		record(80*time.Second, "batch", "pay", 50),
		record(80*time.Second, "front", "pay", 5),
		record(130*time.Second, "", "cart", 7),
		record(140*time.Second, "batch", "cart", 30),
	}
	records[3].Sampling = 10
	records[5].Proto = flow.ICMPv4
	records[6].Primary = false
	return records
}

// compile makes the plan of a request over the ten minutes from noon.
func compile(t testing.TB, r query.Request) *query.Compiled {
	t.Helper()
	if r.Last == "" && r.From == "" {
		r.Last = "10m"
	}
	compiled, err := query.Compile(&r, noon.Add(10*time.Minute))
	if err != nil {
		t.Fatalf("%+v: %v", r, err)
	}
	return compiled
}

// lines writes a block: the names of its columns, "~" behind those that are estimated, then its rows.
func lines(b *query.Block) string {
	var text strings.Builder
	for i, c := range b.Columns {
		if i > 0 {
			text.WriteByte(' ')
		}
		text.WriteString(c.Name + map[bool]string{true: "~"}[c.Estimated])
	}
	for row := range b.Rows {
		text.WriteByte('\n')
		for i := range b.Columns {
			if i > 0 {
				text.WriteByte(' ')
			}
			text.Write(b.Columns[i].AppendJSON(nil, row))
		}
		if b.Other != nil && b.Other[row] {
			text.WriteString(" other")
		}
	}
	return strings.ReplaceAll(text.String(), "2026-03-01T", "")
}

func TestEvaluate(t *testing.T) {
	batches := []arrow.RecordBatch{batchOf(shop()[:3]...), batchOf(), batchOf(shop()[3:]...)}
	f := func(r query.Request, cut string, want ...string) {
		t.Helper()
		block, summary := query.Evaluate(compile(t, r).Plan, batches)
		if diff := cmp.Diff(strings.Join(want, "\n"), lines(block)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", r, diff)
		}
		if summary.Truncated != (cut != "") || summary.Cut != cut || summary.Rows != int64(block.Rows) || summary.Scanned != 7 {
			t.Errorf("%+v: summary is %+v", r, summary)
		}
	}
	names := []string{"src.name"}
	f(query.Request{Fields: []string{"src.name", "fwd.bytes"}}, "",
		`src.name fwd.bytes`, `"" 7`, `"batch" 50`, `"front" 5`, `"front" 1000`, `"front" 200`, `"front" 100`)
	f(query.Request{Fields: []string{"src.name", "fwd.bytes"}, Limit: 2}, "limit", `src.name fwd.bytes`, `"" 7`, `"batch" 50`)
	f(query.Request{Fields: []string{"src.port", "fwd.bytes"}, Order: "src.port,-fwd.bytes", Filter: "fwd.bytes <= 50"}, "",
		`src.port fwd.bytes`, `null 7`, `1000 50`, `1000 5`)
	f(query.Request{Fields: []string{"src.port", "fwd.bytes"}, Order: "-src.port", Filter: "fwd.bytes <= 50"}, "",
		`src.port fwd.bytes`, `1000 5`, `1000 50`, `null 7`)

	f(query.Request{Measures: []string{"count()"}}, "", `count()`, `6`)
	f(query.Request{Measures: []string{"count()"}, Filter: "primary || !primary"}, "", `count()`, `7`)
	all := []string{"count()", "sum(fwd.bytes)", "avg(fwd.bytes)", "min(fwd.bytes)", "p50(fwd.bytes)", "count_distinct(src.name)"}
	f(query.Request{Measures: all, Filter: "fwd.bytes > 10000"}, "",
		`count() sum(fwd.bytes) avg(fwd.bytes) min(fwd.bytes) p50(fwd.bytes) count_distinct(src.name)`, `0 0 null null null 0`)
	f(query.Request{GroupBy: names, Measures: []string{"count()"}, Filter: "fwd.bytes > 10000"}, "", `src.name count()`)
	f(query.Request{GroupBy: names, Measures: []string{"sum(fwd.bytes)", "avg(fwd.bytes)", "max(fwd.bytes)", "min(end)"}}, "",
		`src.name sum(fwd.bytes)~ avg(fwd.bytes)~ max(fwd.bytes)~ min(end)`,
		`"" 7 7 7 "12:02:10Z"`, `"batch" 500 500 50 "12:01:20Z"`, `"front" 1305 326.25 1000 "12:00:00Z"`)
	f(query.Request{GroupBy: names, Measures: []string{"sum(fwd.bytes)"}, Filter: `src.name == "front"`}, "",
		`src.name sum(fwd.bytes)`, `"front" 1305`)
	f(query.Request{GroupBy: []string{"src.port"}, Measures: []string{"count()", "count_distinct(src.name)"}}, "",
		`src.port count() count_distinct(src.name)`, `null 1 0`, `1000 5 2`)
	f(query.Request{GroupBy: []string{"primary"}, Measures: []string{"count()"}}, "", `primary count()`, `false 1`, `true 6`)

	f(query.Request{GroupBy: names, Measures: []string{"sum(fwd.bytes)"}, Order: "-sum(fwd.bytes)", Limit: 1}, "limit",
		`src.name sum(fwd.bytes)`, `"front" 1305`)
	f(query.Request{GroupBy: names, Measures: []string{"sum(fwd.bytes)"}, Order: "-sum(fwd.bytes)", Limit: 1, Other: true}, "",
		`src.name sum(fwd.bytes)~`, `"front" 1305`, `null 507 other`)
	f(query.Request{GroupBy: names, Measures: []string{"count()"}, Limit: 3, Other: true}, "",
		`src.name count()`, `"" 1`, `"batch" 1`, `"front" 4`)

	f(query.Request{Measures: []string{"count()"}, Step: "1m"}, "",
		`time count()`, `"12:00:00Z" 2`, `"12:01:00Z" 3`, `"12:02:00Z" 1`)
	f(query.Request{Measures: []string{"count()"}, Step: "11m", Order: "-time"}, "", `time count()`, `"11:53:00Z" 6`)
	f(query.Request{GroupBy: names, Measures: []string{"sum(fwd.bytes)"}, Step: "1m", Order: "-sum(fwd.bytes)", Limit: 2, Other: true}, "",
		`time src.name sum(fwd.bytes)~`,
		`"12:00:00Z" "front" 300`, `"12:01:00Z" "front" 1005`, `"12:01:00Z" "batch" 500`, `"12:02:00Z" null 7 other`)
	f(query.Request{GroupBy: names, Measures: []string{"count()"}, Step: "1m", Order: "-time,count()", Limit: 2}, "limit",
		`time src.name count()`, `"12:02:00Z" "" 1`, `"12:01:00Z" "batch" 1`)
}

// The period is From <= end < To.
func TestPeriod(t *testing.T) {
	f := func(from, to string, want int) {
		t.Helper()
		plan := compile(t, query.Request{From: "2026-03-01T" + from, To: "2026-03-01T" + to, Fields: []string{"end"}}).Plan
		if block, _ := query.Evaluate(plan, []arrow.RecordBatch{batchOf(shop()...)}); block.Rows != want {
			t.Errorf("%s to %s: %d rows, want %d", from, to, block.Rows, want)
		}
	}
	f("12:00:00Z", "12:00:10Z", 1)
	f("12:00:00Z", "12:00:10.000000001Z", 2)
	f("12:00:00.000000001Z", "12:00:10Z", 0)
}

// Sums and scaled values stop at the largest number instead of turning negative.
func TestSumsStop(t *testing.T) {
	records := shop()[:2]
	records[0].Fwd.Bytes, records[0].Sampling = math.MaxUint64, 1000
	block, _ := query.Evaluate(compile(t, query.Request{Measures: []string{"sum(fwd.bytes)", "sum(total.bytes)"}}).Plan,
		[]arrow.RecordBatch{batchOf(records...)})
	if got := lines(block); got != "sum(fwd.bytes)~ sum(total.bytes)~\n9223372036854775807 9223372036854775807" {
		t.Error(got)
	}
}

// Quantiles are within 1 % of the value at that rank.
func TestQuantiles(t *testing.T) {
	var records []flow.Record
	for i := range 1000 {
		r := shop()[0]
		r.Fwd.Bytes = uint64(i) * uint64(i)
		records = append(records, r)
	}
	block, _ := query.Evaluate(compile(t, query.Request{
		Measures: []string{"p0(fwd.bytes)", "p50(fwd.bytes)", "p99.9(fwd.bytes)", "p100(fwd.bytes)"},
	}).Plan, []arrow.RecordBatch{batchOf(records...)})
	for i, want := range []float64{0, 499 * 499, 998 * 998, 999 * 999} {
		if got := block.Columns[i].Floats[0]; math.Abs(got-want) > 0.01*want {
			t.Errorf("%s is %f, want %f", block.Columns[i].Name, got, want)
		}
	}
}

// Merged sketches answer as one sketch of all values.
func TestSketchesMerge(t *testing.T) {
	whole, parts := query.NewSketch(), []*query.Sketch{query.NewSketch(), query.NewSketch(), query.NewSketch()}
	distinct, halves := query.NewDistinct(), []*query.Distinct{query.NewDistinct(), query.NewDistinct()}
	for i := range int64(50_000) {
		whole.Add(i * i)
		parts[i%3].Add(i * i)
		distinct.AddNumber(i)
		halves[i%2].AddNumber(i)
	}
	parts[0].Merge(parts[1])
	parts[0].Merge(parts[2])
	for q := 0.0; q <= 1; q += 0.01 {
		a, _ := whole.Quantile(q)
		if b, _ := parts[0].Quantile(q); a != b {
			t.Errorf("quantile %f is %f, of merged sketches %f", q, a, b)
		}
	}
	halves[0].Merge(halves[1])
	if a, b := distinct.Count(), halves[0].Count(); a != b || math.Abs(float64(a)-50_000) > 2000 {
		t.Errorf("%d distinct values, of merged sketches %d, want about 50000", a, b)
	}
	if _, ok := query.NewSketch().Quantile(0.5); ok {
		t.Error("an empty sketch has a quantile")
	}
}

// Beyond the limit distinct values are estimated, and the column says so.
func TestDistinctBeyondLimit(t *testing.T) {
	count := func(n int) (int64, bool) {
		var batches []arrow.RecordBatch
		for begin := 0; begin < n; begin += columns.MaxRows {
			records := slices.Repeat(shop()[:1], min(columns.MaxRows, n-begin))
			for i := range records {
				records[i].Start = flow.Time(begin + i)
			}
			batches = append(batches, batchOf(records...))
		}
		block, _ := query.Evaluate(compile(t, query.Request{Measures: []string{"count_distinct(start)"}}).Plan, batches)
		return block.Columns[0].Ints[0], block.Columns[0].Estimated
	}
	if got, estimated := count(query.DistinctLimit); got != query.DistinctLimit || estimated {
		t.Errorf("%d, estimated %t", got, estimated)
	}
	if got, estimated := count(query.DistinctLimit + 1); math.Abs(float64(got)-query.DistinctLimit) > 3000 || !estimated {
		t.Errorf("%d, estimated %t", got, estimated)
	}
}

// The matcher finds the rows that the evaluator does, for random conditions, whatever columns the batch has.
func TestMatcherAgreesWithEvaluate(t *testing.T) {
	const seeds = 1500
	start, _ := flow.FieldByName("start")
	matched, all := 0, 0
	for seed := range uint64(seeds) {
		records := querytest.RandomRecords(seed%10, 60)
		for i := range records {
			records[i].Start = flow.Time(i)
		}
		batch := batchOf(records...)
		filter := querytest.RandomFilter(seed)
		plan := &query.Plan{Dataset: "flows", To: math.MaxInt64, Filter: filter, Fields: []*flow.Field{start}, Order: []query.Order{{Column: "start"}}}
		block, _ := query.Evaluate(plan, []arrow.RecordBatch{batch})
		matcher := query.NewMatcher(filter)
		for range 2 { // A matcher is used for many batches.
			var got []int64
			for _, row := range matcher.Match(nil, batch) {
				got = append(got, int64(row))
			}
			if diff := cmp.Diff(block.Columns[0].Ints, got); diff != "" {
				t.Fatalf("seed %d: %s (-evaluator +matcher):\n%s", seed, fmt.Sprint(filter), diff)
			}
		}
		matched, all = matched+block.Rows, all+len(records)
	}
	if matched < all/20 || matched > all*19/20 {
		t.Errorf("%d of %d rows matched, which tests little", matched, all)
	}
	if got := query.NewMatcher(nil).Match([]int32{7}, batchOf(shop()...)); len(got) != 8 || got[0] != 7 {
		t.Errorf("without a condition rows %v match", got)
	}
}

// Rows reads what the evaluator does.
func TestRows(t *testing.T) {
	batch := batchOf(querytest.RandomRecords(5, 40)...)
	fields := flow.DefaultFields(flow.Connections)
	end, _ := flow.FieldByName("end")
	all := query.NewMatcher(nil).Match(nil, batch)
	got := query.Rows(batch, all, append(fields, end))
	for i, row := range all {
		one, _ := query.Evaluate(&query.Plan{Dataset: "flows", To: math.MaxInt64, Fields: fields}, []arrow.RecordBatch{batch.NewSlice(int64(row), int64(row)+1)})
		for j := range fields {
			a, b := one.Columns[j].AppendJSON(nil, 0), got.Columns[j].AppendJSON(nil, i)
			if string(a) != string(b) {
				t.Errorf("row %d: %s is %s, want %s", row, fields[j].Name, b, a)
			}
		}
	}
}

// TestQuantileIsNotBeyond wants no quantile above the largest value or below the smallest, though the sketch's buckets
// reach further.
func TestQuantileIsNotBeyond(t *testing.T) {
	s, other := query.NewSketch(), query.NewSketch()
	s.Add(70)
	other.Add(71)
	s.Merge(other)
	for q, want := range map[float64]float64{0: 70, 1: 71} {
		if got, ok := s.Quantile(q); !ok || got < 70 || got > 71 || q == 1 && got != want {
			t.Errorf("quantile %v = %v, %t; want %v", q, got, ok, want)
		}
	}
}
