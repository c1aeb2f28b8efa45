package query_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/query"
)

// TestMeasuresThatCompute asks the records of shop for shares, rates and ratios. One of them was sampled, 1 in 10.
func TestMeasuresThatCompute(t *testing.T) {
	f := func(r query.Request, want ...string) {
		t.Helper()
		answer, _ := query.Evaluate(compile(t, r).Plan, []arrow.RecordBatch{batchOf(shop()...)})
		if diff := cmp.Diff(strings.Join(want, "\n"), lines(answer)); diff != "" {
			t.Errorf("%+v (-want +got):\n%s", r, diff)
		}
	}
	one := func(measure string, want ...string) {
		t.Helper()
		f(query.Request{Measures: []string{measure}}, append([]string{measure}, want...)...)
	}
	one(`count(dst.name == "pay")`, `3`)
	one(`count(dst.name == "pay") / count()`, `0.5`)
	one(`100*count(src.name in ["front", "batch"] && dst.name=="pay" )/count()`, `50`)
	one(`sum(fwd.bytes, dst.name == "cart")`, `307`)
	one(`sum(fwd.bytes, dst.name == "nobody")`, `0`)
	one(`max(fwd.bytes, dst.name == "nobody")`, `null`)
	one(`sum(fwd.bytes, dst.name == "cart") / sum(fwd.packets, proto == "SCTP")`, `null`)
	one(`count_distinct(dst.name, src.name == "front")`, `2`)
	one(`(count() + 2) * 3 - 4 / 2`, `22`)
	one(`count() - 1 - 2`, `3`)
	one(`count(src.name == "a)\",(b" || src.name == 'x")')`, `0`)
	one(`rate(fwd.bytes, src.name == "front")`, `2.175`)
	f(query.Request{Measures: []string{"rate(fwd.bytes)"}}, "rate(fwd.bytes)~", `3.02`)
	// The first bucket begins before the period, the last ends after it.
	f(query.Request{
		Measures: []string{"rate(fwd.bytes)", "sum(fwd.bytes) / sum(fwd.packets)"}, Step: "1m", From: "2026-03-01T12:00:05Z", To: "2026-03-01T12:02:12Z",
	}, `time rate(fwd.bytes)~ sum(fwd.bytes) / sum(fwd.packets)~`,
		`"12:00:00Z" 3.6363636363636362 200`, `"12:01:00Z" 25.083333333333332 125.41666666666667`, `"12:02:00Z" 0.5833333333333334 7`)
	f(query.Request{
		GroupBy: []string{"src.name"}, Measures: []string{`count(dst.name == "cart")/count()`}, Order: `-count(dst.name == "cart")/count(),src.name`,
	}, `src.name count(dst.name == "cart")/count()`, `"" 1`, `"front" 0.5`, `"batch" 0`)
}

// TestUnits has the unit and the kind of what is computed.
func TestUnits(t *testing.T) {
	f := func(measure, wantKind, wantUnit string) {
		t.Helper()
		c := compile(t, query.Request{Measures: []string{measure}}).Plan.Columns()[0]
		if c.Kind.String() != wantKind || c.Unit != wantUnit {
			t.Errorf("%s is a %s in %q, want a %s in %q", measure, c.Kind, c.Unit, wantKind, wantUnit)
		}
	}
	f("rate(total.bytes)", "bytes", "bytes/s")
	f("rate(total.bytes) * 8", "bytes", "bytes/s")
	f("sum(total.bytes) / sum(fwd.bytes)", "count", "")
	f("sum(total.bytes) / count()", "bytes", "bytes")
	f("sum(total.bytes) / sum(total.packets)", "count", "bytes/packets")
	f("sum(total.bytes) - sum(fwd.bytes)", "bytes", "bytes")
	f("2 * sum(total.bytes)", "bytes", "bytes")
	f("sum(total.bytes) + sum(total.packets)", "count", "")
	f("max(end) - min(start)", "count", "nanoseconds")
	f("avg(tcp.rtt)", "duration", "microseconds")
	f("count() / 60", "count", "")
}

// A condition that tells reports apart makes the sums count all of them, as it does in the filter.
func TestMeasureConditionTellsReporters(t *testing.T) {
	for measure, want := range map[string]bool{
		"count(dst.port == 80)": true, "count(primary)": false, `sum(fwd.bytes, reporter == "client")`: false,
		`count() / count(node == "a")`: false, "count(!(src.port == 1 || !primary))": false,
	} {
		if compiled := compile(t, query.Request{Measures: []string{measure}}); compiled.Primary != want {
			t.Errorf("%s: counts primary records alone: %t, want %t", measure, compiled.Primary, want)
		}
	}
}

// Errors in a condition have their place in the measure.
func TestMeasureErrorPosition(t *testing.T) {
	_, err := query.Compile(&query.Request{Measures: []string{`count() / count(known(ä) || dst.prt == 80)`}}, noon)
	refused, ok := errors.AsType[*query.Error](err)
	if !ok || refused.Position == nil || refused.Position.Offset != 22 {
		t.Errorf("got %+v", err)
	}
	_, err = query.Compile(&query.Request{Measures: []string{`count() / count(nat != "" || dst.prt == 80)`}}, noon)
	if refused, ok := errors.AsType[*query.Error](err); !ok || refused.Position == nil || refused.Position.Column != 30 {
		t.Errorf("got %+v", err)
	}
}

func FuzzMeasure(f *testing.F) {
	for _, text := range []string{
		"count()", "p99.9(total.bytes)", `sum(fwd.bytes, src.name == "a)b") / count() * 100`, "((1+count()))-2", `count("`, "rate(", "1e9*count()",
	} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		compiled, err := query.Compile(&query.Request{Measures: []string{text}}, noon)
		if err == nil && compiled.Plan.Columns()[0].Name != text {
			t.Errorf("%q: column is %q", text, compiled.Plan.Columns()[0].Name)
		}
		if _, ok := errors.AsType[*query.Error](err); err != nil && !ok {
			t.Errorf("%q: error is of type %T", text, err)
		}
	})
}
