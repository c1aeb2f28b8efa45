package query_test

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

func TestDecodeRequest(t *testing.T) {
	got, err := query.DecodeRequest(strings.NewReader(`{"dataset":"flows","last":"10m","filter":"primary","group_by":["src.addr"],
		"measures":["count()"],"step":"1m","order":"-count()","limit":5,"other":true,"compare":"1h"}`))
	if err != nil {
		t.Fatal(err)
	}
	want := &query.Request{
		Dataset: "flows", Last: "10m", Filter: "primary", GroupBy: []string{"src.addr"}, Measures: []string{"count()"},
		Step: "1m", Order: "-count()", Limit: 5, Other: true, Compare: "1h",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	f := func(body string, kind query.ErrorKind, message, position string) {
		t.Helper()
		_, err := query.DecodeRequest(strings.NewReader(body))
		var refused *query.Error
		if !errors.As(err, &refused) || refused.Kind != kind || !strings.Contains(refused.Message, message) {
			t.Errorf("%.80s: error is %v, want %s: %s", body, err, kind, message)
			return
		}
		if at, _ := json.Marshal(refused.Position); string(at) != position {
			t.Errorf("%.80s: position is %s, want %s", body, at, position)
		}
	}
	f(``, query.SyntaxError, "EOF", `null`)
	f("{\n \"last\": 1h}", query.SyntaxError, "invalid character 'h'", `{"line":2,"column":12,"offset":13}`)
	f(`{"last":7}`, query.TypeError, `member "last" is a number, want a string`, `{"line":1,"column":10,"offset":9}`)
	f(`{"group_by":"src.addr"}`, query.TypeError, `member "group_by" is a string, want an array of strings`, `{"line":1,"column":23,"offset":22}`)
	f(`{"limit":1.5}`, query.TypeError, `want a whole number`, `{"line":1,"column":13,"offset":12}`)
	f(`[]`, query.TypeError, `want an object`, `{"line":1,"column":2,"offset":1}`)
	f(`{"lats":"1h"}`, query.SyntaxError, `unknown field "lats"`, `null`)
	f(`{} {}`, query.SyntaxError, "text follows", `null`)
	f(`{"filter":"`+strings.Repeat("x", 300_000)+`"}`, query.TooLargeError, "more than 262144 bytes", `null`)
	f(strings.Repeat(`[`, 100_000), query.SyntaxError, "", `{"line":1,"column":10002,"offset":10001}`)
}

func FuzzDecodeRequest(f *testing.F) {
	f.Add(`{"last":"10m","filter":"primary","group_by":["src.addr"],"measures":["p99(total.bytes)"],"step":"1m","compare":"1h"}`)
	f.Add(`{"from":"2026-03-01T12:00:00Z","to":"2026-03-01T13:00:00Z","fields":["src.addr"],"order":"-src.addr","limit":7}`)
	f.Add(`{"last":"2w","limit":-1}`)
	f.Fuzz(func(t *testing.T, body string) {
		request, err := query.DecodeRequest(strings.NewReader(body))
		if err != nil {
			return
		}
		compiled, err := query.Compile(request, noon)
		if _, refused := errors.AsType[*query.Error](err); err != nil && !refused {
			t.Errorf("error is a %T: %v", err, err)
		}
		if err == nil {
			query.Evaluate(compiled.Plan, []arrow.RecordBatch{batchOf(shop()...)})
		}
	})
}

func TestCompile(t *testing.T) {
	now := noon
	f := func(r query.Request, check func(*query.Compiled) bool) {
		t.Helper()
		compiled, err := query.Compile(&r, now)
		if err != nil {
			t.Errorf("%+v: %v", r, err)
		} else if !check(compiled) {
			t.Errorf("%+v: compiled to %+v", r, compiled.Plan)
		}
	}
	period := func(from, to time.Time) func(*query.Compiled) bool {
		return func(c *query.Compiled) bool {
			return c.Plan.From == flow.Time(from.UnixNano()) && c.Plan.To == flow.Time(to.UnixNano())
		}
	}
	f(query.Request{}, period(now.Add(-time.Hour), now))
	f(query.Request{Last: "90s"}, period(now.Add(-90*time.Second), now))
	f(query.Request{Last: "2d"}, period(now.Add(-48*time.Hour), now))
	f(query.Request{From: "2026-03-01T11:59:00+00:00"}, period(now.Add(-time.Minute), now))
	f(query.Request{To: "2026-03-01T11:00:00Z", Last: "1m"}, period(now.Add(-time.Hour-time.Minute), now.Add(-time.Hour)))
	f(query.Request{Last: "3000w"}, period(time.Unix(0, 0), now))

	f(query.Request{}, func(c *query.Compiled) bool {
		return c.Plan.Dataset == "flows" && len(c.Plan.Fields) == len(flow.DefaultFields(flow.Connections)) && c.Plan.Limit == query.DefaultLimit
	})
	once := func(want bool) func(*query.Compiled) bool {
		return func(c *query.Compiled) bool { return c.Primary == want && (c.Plan.Filter != nil) == want }
	}
	f(query.Request{}, once(true))
	f(query.Request{GroupBy: []string{"src.name"}, Measures: []string{"count()"}}, once(true))
	f(query.Request{GroupBy: []string{"node"}, Measures: []string{"count()"}}, once(false))
	f(query.Request{GroupBy: []string{"first(src.node, node)"}, Measures: []string{"count()"}}, once(false))
	f(query.Request{GroupBy: []string{"first(src.workload.name,src.addr )"}, Measures: []string{"count()"}, Order: "first(src.workload.name,src.addr )"},
		func(c *query.Compiled) bool {
			first := c.Plan.GroupBy[0].FirstOf
			return c.Primary && len(first) == 2 && first[1].Name == "src.addr" && c.Plan.Order[0].Column == c.Plan.GroupBy[0].Name
		})
	f(query.Request{Measures: []string{"count_distinct(reporter)"}}, once(false))
	f(query.Request{Fields: []string{"end", "primary"}}, once(false))
	f(query.Request{Filter: `src.name == "a" || !(node in ["b"])`}, func(c *query.Compiled) bool {
		return !c.Primary && c.Plan.Filter.Operator == query.Or
	})
	f(query.Request{Filter: `src.node == "a"`}, func(c *query.Compiled) bool {
		return c.Primary && c.Plan.Filter.Operator == query.And && c.Plan.Filter.Args[0].Field.Name == "primary"
	})
	f(query.Request{Measures: []string{"p99.9(total.bytes)", "p50(fwd.packets)"}}, func(c *query.Compiled) bool {
		return c.Plan.Measures[0].Quantile == 0.9990000000000001 || c.Plan.Measures[0].Quantile == 0.999
	})
}

func TestCompileErrors(t *testing.T) {
	f := func(r query.Request, member string, kind query.ErrorKind, message string) {
		t.Helper()
		_, err := query.Compile(&r, noon)
		refused, ok := errors.AsType[*query.Error](err)
		if !ok {
			t.Errorf("%+v: error is %v", r, err)
		} else if refused.Member != member || refused.Kind != kind || !strings.Contains(refused.Message, message) {
			t.Errorf("%+v: error is %+v, want %s about %s: %s", r, refused, kind, member, message)
		}
	}
	count, names := []string{"count()"}, []string{"src.name"}
	f(query.Request{Dataset: "logs"}, "dataset", query.UnknownName, `"logs"`)
	f(query.Request{Last: "soon"}, "last", query.ValueError, `"soon"`)
	f(query.Request{Last: "-1h"}, "last", query.ValueError, "not above 0")
	f(query.Request{Last: "1h", From: "2026-03-01T11:00:00Z"}, "last", query.ValueError, "both")
	f(query.Request{From: "yesterday"}, "from", query.ValueError, `"yesterday"`)
	f(query.Request{To: "0001-01-01T00:00:00Z"}, "to", query.ValueError, "0001")
	f(query.Request{From: "2026-03-01T12:00:00Z"}, "from", query.ValueError, "not before its end")
	f(query.Request{Filter: "src.nam == 'x'"}, "filter", query.UnknownName, "src.nam")
	f(query.Request{Fields: []string{"src.nam"}}, "fields", query.UnknownName, "src.nam")
	f(query.Request{Fields: []string{"community_id"}}, "fields", query.UnsupportedError, "not stored")
	f(query.Request{Fields: []string{"end", "end"}}, "fields", query.ValueError, "twice")
	f(query.Request{Fields: names, Measures: count}, "fields", query.ValueError, "only with rows")
	f(query.Request{GroupBy: names}, "group_by", query.ValueError, "no measures")
	f(query.Request{GroupBy: []string{"total.bytes"}, Measures: count}, "group_by", query.TypeError, "total.bytes")
	f(query.Request{GroupBy: make([]string, 65), Measures: count}, "group_by", query.TooLargeError, "65")
	f(query.Request{GroupBy: []string{"first(src.name, src.nam)"}, Measures: count}, "group_by", query.UnknownName, "src.nam")
	f(query.Request{GroupBy: []string{"first(src.name, src.port)"}, Measures: count}, "group_by", query.TypeError, "src.port")
	f(query.Request{GroupBy: []string{"first()"}, Measures: count}, "group_by", query.UnknownName, `""`)
	f(query.Request{GroupBy: []string{"first(src.name"}, Measures: count}, "group_by", query.UnknownName, "first(")
	f(query.Request{GroupBy: slices.Repeat([]string{"first(src.name)"}, 2), Measures: count}, "group_by", query.ValueError, "twice")
	f(query.Request{GroupBy: []string{"first(" + strings.Repeat("src.name,", 8) + "src.app)"}, Measures: count}, "group_by", query.TooLargeError, "9")
	f(query.Request{Measures: []string{"sum"}}, "measures", query.SyntaxError, "no parentheses")
	f(query.Request{Measures: []string{"median(end)"}}, "measures", query.UnknownName, `"median"`)
	f(query.Request{Measures: []string{"p101(total.bytes)"}}, "measures", query.UnknownName, `"p101"`)
	f(query.Request{Measures: []string{"pNaN(total.bytes)"}}, "measures", query.UnknownName, `"pNaN"`)
	f(query.Request{Measures: []string{"count(end)"}}, "measures", query.TypeError, "want a condition")
	f(query.Request{Measures: []string{"count(primary, primary)"}}, "measures", query.SyntaxError, "one condition")
	f(query.Request{Measures: []string{"sum(fwd.bytes, dst.prt == 1)"}}, "measures", query.UnknownName, "dst.prt")
	f(query.Request{Measures: []string{"sum(fwd.bytes, )"}}, "measures", query.SyntaxError, "")
	f(query.Request{Measures: []string{"sum()"}}, "measures", query.UnknownName, `""`)
	f(query.Request{Measures: []string{""}}, "measures", query.SyntaxError, "ends early")
	f(query.Request{Measures: []string{"count() /"}}, "measures", query.SyntaxError, "ends early")
	f(query.Request{Measures: []string{"(count()"}}, "measures", query.SyntaxError, "ends early")
	f(query.Request{Measures: []string{"count() count()"}}, "measures", query.SyntaxError, `from "count()" on`)
	f(query.Request{Measures: []string{"count(nat == ')'"}}, "measures", query.SyntaxError, "not closed")
	f(query.Request{Measures: []string{"1.2.3 * count()"}}, "measures", query.ValueError, "no number")
	f(query.Request{Measures: []string{"2 * 3"}}, "measures", query.SyntaxError, "no measure")
	f(query.Request{Measures: []string{"count()" + strings.Repeat("+count()", 40)}}, "measures", query.TooLargeError, "operators")
	f(query.Request{Measures: []string{strings.Repeat("(", 9000)}}, "measures", query.TooLargeError, "bytes")
	f(query.Request{Measures: []string{"rate(src.port)"}}, "measures", query.TypeError, "does not take src.port")
	f(query.Request{Measures: []string{"sum(src.port)"}}, "measures", query.TypeError, "does not take src.port")
	f(query.Request{Measures: []string{"sum(sampling)"}}, "measures", query.TypeError, "does not take sampling")
	f(query.Request{Measures: []string{"p99(src.name)"}}, "measures", query.TypeError, "does not take src.name")
	f(query.Request{Measures: []string{"count_distinct(total.bytes)"}}, "measures", query.TypeError, "total.bytes")
	f(query.Request{Measures: []string{"sum(x)"}}, "measures", query.UnknownName, `"x"`)
	f(query.Request{Measures: []string{"count()", "count()"}}, "measures", query.ValueError, "twice")
	f(query.Request{Step: "1m"}, "step", query.ValueError, "only measures")
	f(query.Request{Measures: count, Step: "0s"}, "step", query.ValueError, "not above 0")
	f(query.Request{Measures: count, Last: "52w", Step: "1ms"}, "step", query.TooLargeError, "steps")
	f(query.Request{Measures: count, Order: "-sum(total.bytes)"}, "order", query.UnknownName, "sum(total.bytes)")
	f(query.Request{Measures: count, Order: "count(),count()"}, "order", query.TooLargeError, "more columns")
	f(query.Request{Limit: -1}, "limit", query.ValueError, "-1")
	f(query.Request{Limit: query.MaxLimit + 1}, "limit", query.ValueError, "want 1 to")
	f(query.Request{Other: true}, "other", query.ValueError, "only groups")
	f(query.Request{Compare: "1h"}, "compare", query.ValueError, "only measures")
	f(query.Request{Compare: "x", Measures: count}, "compare", query.ValueError, `"x"`)
	f(query.Request{Compare: "1h", Measures: count, Other: true}, "compare", query.UnsupportedError, "others")
	f(query.Request{Compare: "1h", Measures: count, GroupBy: names, Step: "1m"}, "compare", query.UnsupportedError, "step by step")
	f(query.Request{Compare: "90s", Measures: count, Step: "1m"}, "compare", query.ValueError, "not a multiple")
	f(query.Request{Compare: "4000w", Measures: count}, "compare", query.ValueError, "before 1970")
}

func TestParseDuration(t *testing.T) {
	f := func(text string, want time.Duration, ok bool) {
		t.Helper()
		if got, err := query.ParseDuration(text); got != want || (err == nil) != ok {
			t.Errorf("%q is %s, %v; want %s", text, got, err, want)
		}
	}
	f("90s", 90*time.Second, true)
	f("1h30m", 90*time.Minute, true)
	f("7d", 7*24*time.Hour, true)
	f("2w", 14*24*time.Hour, true)
	f("d", 0, false)
	f("-1d", 0, false)
	f("99999999999w", 0, false)
	f("", 0, false)
}

// join answers a request that compares, over the records of shop.
func join(t *testing.T, r query.Request) (string, bool) {
	t.Helper()
	compiled := compile(t, r)
	batches := []arrow.RecordBatch{batchOf(shop()...)}
	now, _ := query.Evaluate(compiled.Plan, batches)
	before, _ := query.Evaluate(compiled.Compare, batches)
	joined, cut := compiled.Join(now, before)
	return lines(joined), cut
}

func TestJoin(t *testing.T) {
	f := func(r query.Request, wantCut bool, want ...string) {
		t.Helper()
		r.From, r.To = "2026-03-01T12:01:00Z", "2026-03-01T12:03:00Z"
		got, cut := join(t, r)
		if diff := cmp.Diff(strings.Join(want, "\n"), got); diff != "" || cut != wantCut {
			t.Errorf("%+v: cut %t (-want +got):\n%s", r, cut, diff)
		}
	}
	names := []string{"src.name"}
	f(query.Request{Measures: []string{"count()"}, Compare: "1m"}, false, `count() previous(count()) change(count())`, `4 5 -1`)
	f(query.Request{GroupBy: names, Measures: []string{"sum(fwd.bytes)", "max(fwd.bytes)"}, Compare: "2m"}, false,
		`src.name sum(fwd.bytes)~ previous(sum(fwd.bytes)) change(sum(fwd.bytes))~ max(fwd.bytes)~ previous(max(fwd.bytes)) change(max(fwd.bytes))~`,
		`"" 7 0 7 7 null null`, `"batch" 500 0 500 50 null null`, `"front" 1005 300 705 1000 200 800`)
	f(query.Request{
		GroupBy: []string{"dst.name"}, Measures: []string{"count()"}, Compare: "2m", Order: "-previous(count())", Limit: 1,
		Filter: `src.name == "front"`,
	}, true, `dst.name count() previous(count()) change(count())`, `"cart" 0 2 -2`)
	f(query.Request{Measures: []string{"sum(fwd.bytes)"}, Step: "1m", Compare: "1m", Order: "-time"}, false,
		`time sum(fwd.bytes)~ previous(sum(fwd.bytes))~ change(sum(fwd.bytes))~`,
		`"12:02:00Z" 7 1505 -1498`, `"12:01:00Z" 1505 300 1205`)
	f(query.Request{Measures: []string{"max(end)"}, Compare: "1m"}, false,
		`max(end) previous(max(end)) change(max(end))`, `"12:02:10Z" "12:01:20Z" 50000000000`)
}

func TestAnswerJSON(t *testing.T) {
	compiled := compile(t, query.Request{
		GroupBy: []string{"proto", "tcp.flags", "primary"}, Measures: []string{"max(end)", "avg(fwd.bytes)"}, Filter: "primary", Limit: 1, Other: true,
	})
	block, summary := query.Evaluate(compiled.Plan, []arrow.RecordBatch{batchOf(shop()...)})
	answer := query.Answer{Block: block, Truncated: summary.Truncated, Losses: map[string]uint64{"queue_full": 3, `a"b`: 1}}
	want := `{"columns":[
{"field":"proto","kind":"proto","unit":"","estimated":false,"values":["ICMP",null]},
{"field":"tcp.flags","kind":"flags","unit":"","estimated":false,"values":[null,null]},
{"field":"primary","kind":"bool","unit":"","estimated":false,"values":[true,null]},
{"field":"max(end)","kind":"time","unit":"","estimated":false,"values":["2026-03-01T12:02:10Z","2026-03-01T12:01:20Z"]},
{"field":"avg(fwd.bytes)","kind":"bytes","unit":"bytes","estimated":true,"values":[7,361]}
],"rows":2,"truncated":false,"other":[1],"losses":{"a\"b":1,"queue_full":3}}`
	if diff := cmp.Diff(strings.ReplaceAll(want, "\n", ""), jsonOf(t, &answer)); diff != "" {
		t.Errorf("answer (-want +got):\n%s", diff)
	}
	cut := query.Answer{Block: &query.Block{}, Truncated: true, Cut: "limit", Primary: true}
	if got, want := jsonOf(t, &cut), `{"columns":[],"rows":0,"truncated":true,"cut":"limit","scope":"primary","losses":{}}`; got != want {
		t.Errorf("empty answer is\n%s, want\n%s", got, want)
	}
}

// An answer in several blocks is written as if it were one.
func TestAnswerJSONInBlocks(t *testing.T) {
	plan := compile(t, query.Request{GroupBy: []string{"proto"}, Measures: []string{"max(end)", "avg(fwd.bytes)"}, Limit: 1, Other: true}).Plan
	first, _ := query.Evaluate(plan, []arrow.RecordBatch{batchOf(shop()[5])})
	second, _ := query.Evaluate(plan, []arrow.RecordBatch{batchOf(slicesWithout(shop(), 5)...)})
	second.Other = make([]bool, second.Rows)
	second.Other[second.Rows-1] = true
	c := query.NewCollector(plan, 10_000, freely)
	for _, block := range []*query.Block{first, second} {
		if err := c.Add(block); err != nil {
			t.Fatal(err)
		}
	}
	apart := query.Answer{Block: c.First(), More: c.More()}
	got := jsonOf(t, &apart)
	if other := fmt.Sprintf(`"other":[%d]`, first.Rows+second.Rows-1); len(apart.More) != 1 || !strings.Contains(got, other) {
		t.Errorf("%d blocks are more, the answer is %s, want it to contain %s", len(apart.More), got, other)
	}
	if diff := cmp.Diff(jsonOf(t, &query.Answer{Block: c.Whole()}), got); diff != "" {
		t.Errorf("answer in blocks (-whole +blocks):\n%s", diff)
	}
}

func jsonOf(t *testing.T, a *query.Answer) string {
	t.Helper()
	var text strings.Builder
	w := bufio.NewWriterSize(&text, 16) // So that values are larger than what is left of it.
	if err := errors.Join(a.WriteJSON(w), w.Flush()); err != nil {
		t.Fatal(err)
	}
	return text.String()
}

func freely(int) error { return nil }

// A collector holds what one block would, and stops at its bound.
func TestCollector(t *testing.T) {
	plan := compile(t, query.Request{GroupBy: []string{"src.port"}, Measures: []string{"avg(fwd.bytes)", "count_distinct(src.name)"}}).Plan
	whole, _ := query.Evaluate(plan, []arrow.RecordBatch{batchOf(shop()...)})
	first, _ := query.Evaluate(plan, []arrow.RecordBatch{batchOf(shop()[5])})
	second, _ := query.Evaluate(plan, []arrow.RecordBatch{batchOf(slicesWithout(shop(), 5)...)})
	c := query.NewCollector(plan, 10_000, freely)
	for _, block := range []*query.Block{first, second} {
		if err := c.Add(block); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(lines(whole), lines(c.Whole())); diff != "" {
		t.Errorf("collected blocks (-whole +collected):\n%s", diff)
	}
	var refused *query.Error
	if err := query.NewCollector(plan, 10, freely).Add(whole); !errors.As(err, &refused) || refused.Kind != query.TooLargeError {
		t.Errorf("beyond the bound the error is %v", err)
	}
	want := errors.New("no room")
	if err := query.NewCollector(plan, 10_000, func(int) error { return want }).Add(whole); !errors.Is(err, want) {
		t.Errorf("without room the error is %v, want %v", err, want)
	}
}

// What a value counts is its JSON with all escapes, or its memory where that is more.
func TestCollectorBytes(t *testing.T) {
	f := func(c query.Column, want int) {
		t.Helper()
		plan := &query.Plan{Fields: []*flow.Field{field(t, "src.name")}}
		taken := 0
		collector := query.NewCollector(plan, 1<<20, func(bytes int) error { taken += bytes; return nil })
		none, one := query.Block{Columns: []query.Column{{}}}, query.Block{Columns: []query.Column{c}, Rows: 1}
		if err := collector.Add(&none); err != nil {
			t.Fatal(err)
		}
		empty := taken
		if err := collector.Add(&one); err != nil {
			t.Fatal(err)
		}
		if got := taken - 2*empty; got != want || collector.Bytes() != taken {
			t.Errorf("%v counts %d bytes of %d, want %d", c, got, collector.Bytes(), want)
		}
	}
	f(query.Column{Kind: flow.NameField, Texts: []string{"ab"}}, 2+18)
	f(query.Column{Kind: flow.NameField, Texts: []string{strings.Repeat("\x01", 100)}}, 2+602)
	f(query.Column{Kind: flow.CountField, Ints: []int64{7}}, 2+8)
	f(query.Column{Kind: flow.TimeField, Ints: []int64{0}}, 2+22)
	f(query.Column{Kind: flow.CountField, Ints: []int64{0}, Null: []bool{true}}, 2+8)
}

func field(t *testing.T, name string) *flow.Field {
	t.Helper()
	f, ok := flow.FieldByName(name)
	if !ok {
		t.Fatalf("no field is called %s", name)
	}
	return f
}

func slicesWithout(records []flow.Record, i int) []flow.Record {
	return append(records[:i:i], records[i+1:]...)
}
