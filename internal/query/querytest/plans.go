package querytest

import (
	"fmt"
	"net/netip"
	"regexp"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// RandomPlan returns a plan that Compile could have made, over the time of random records and some time around it.
func RandomPlan(seed uint64) *query.Plan {
	g := newGenerator(seed)
	from := Begin.Add(time.Duration(g.Int64N(int64(Span+20*time.Minute))) - 10*time.Minute)
	p := &query.Plan{
		Dataset: columns.Flows().Name,
		From:    flow.Time(from.UnixNano()),
		To:      flow.Time(from.Add(1 + time.Duration(g.Int64N(int64(Span)))).UnixNano()),
		Limit:   pick(g, 0, 0, 1, 2, 5, 20, 1000),
	}
	if g.chance(3) {
		p.From, p.To = flow.Time(Begin.UnixNano()), flow.Time(Begin.Add(Span).UnixNano())
	}
	if !g.chance(4) {
		p.Filter = g.condition(3)
	}
	if g.chance(3) {
		p.Fields = g.fields(queryable(), 1+g.IntN(6))
	} else {
		g.measures(p)
	}
	p.Order = g.order(p.Columns())
	return p
}

// RandomFilter returns a condition.
func RandomFilter(seed uint64) *query.Expr { return newGenerator(seed).condition(4) }

// queryable returns the fields that can be asked for.
func queryable() []*flow.Field { return flow.DefaultFields(flow.Connections) }

func keys() []*flow.Field {
	return slices.DeleteFunc(queryable(), func(f *flow.Field) bool { return f.Role == flow.RoleMeasure })
}

// fields returns up to n different fields.
func (g *generator) fields(from []*flow.Field, n int) []*flow.Field {
	g.Shuffle(len(from), func(i, j int) { from[i], from[j] = from[j], from[i] })
	return from[:n]
}

func (g *generator) measures(p *query.Plan) {
	if !g.chance(4) {
		p.GroupBy = g.fields(keys(), g.IntN(4))
	}
	if g.chance(5) {
		p.GroupBy = append(p.GroupBy, g.first())
	}
	if g.chance(3) {
		p.Step = pick(g, time.Minute, 7*time.Minute, time.Hour, 24*time.Hour)
	}
	p.Other = g.chance(2)
	names := make(map[string]bool)
	for range 1 + g.IntN(4) {
		if m := g.measure(); !names[m.Name] {
			names[m.Name] = true
			p.Measures = append(p.Measures, m)
		}
	}
}

// first returns a key made of several texts, some of which few records have.
func (g *generator) first() *flow.Field {
	texts := slices.DeleteFunc(keys(), func(f *flow.Field) bool { return !columns.IsText(f) })
	parts := g.fields(texts, 1+g.IntN(3))
	return &flow.Field{Name: fmt.Sprintf("first(%d)", g.Uint32()), Kind: flow.NameField, Role: flow.RoleKey, FirstOf: parts}
}

// amounts returns the fields that measures such as p99 take, counters those of them that can be summed.
func amounts() []*flow.Field {
	return slices.DeleteFunc(queryable(), func(f *flow.Field) bool {
		return f.Kind != flow.BytesField && f.Kind != flow.CountField && f.Kind != flow.DurationField
	})
}

func counters() []*flow.Field {
	return slices.DeleteFunc(queryable(), func(f *flow.Field) bool { return f.Aggregate != flow.AggSum })
}

func times() []*flow.Field {
	return slices.DeleteFunc(queryable(), func(f *flow.Field) bool { return f.Kind != flow.TimeField })
}

// measure returns a measure of any kind, some with a condition, some that compute with others.
func (g *generator) measure() query.Measure { return g.computed(2) }

func (g *generator) computed(depth int) query.Measure {
	if depth > 0 && g.chance(5) {
		operator := g.IntN(4)
		a, b := g.computed(depth-1), g.computed(depth-1)
		if g.chance(4) {
			b = query.Measure{Name: "60", Aggregation: query.Constant, Constant: 60}
		}
		return query.Measure{
			Name:        fmt.Sprintf("(%s %c %s)", a.Name, "+-*/"[operator], b.Name),
			Aggregation: query.Plus + query.Aggregation(operator), Args: []query.Measure{a, b},
		}
	}
	m := g.aggregate()
	if g.chance(4) {
		m.Where = g.condition(2)
		m.Name = fmt.Sprintf("%s where %d", m.Name, g.Uint32())
	}
	return m
}

func (g *generator) aggregate() query.Measure {
	amount, scaled, ordered := pick(g, amounts()...), pick(g, counters()...), pick(g, append(times(), amounts()...)...)
	key := pick(g, keys()...)
	quantile := pick(g, 0, 0.5, 0.9, 0.999, 1)
	return pick(g,
		query.Measure{Name: "count()", Aggregation: query.Count},
		query.Measure{Name: "sum(" + scaled.Name + ")", Aggregation: query.Sum, Field: scaled},
		query.Measure{Name: "rate(" + scaled.Name + ")", Aggregation: query.Rate, Field: scaled},
		query.Measure{Name: "avg(" + amount.Name + ")", Aggregation: query.Average, Field: amount},
		query.Measure{Name: "min(" + ordered.Name + ")", Aggregation: query.Min, Field: ordered},
		query.Measure{Name: "max(" + ordered.Name + ")", Aggregation: query.Max, Field: ordered},
		query.Measure{Name: "count_distinct(" + key.Name + ")", Aggregation: query.CountDistinct, Field: key},
		query.Measure{
			Name: fmt.Sprintf("p%g(%s)", 100*quantile, amount.Name), Aggregation: query.Quantile, Field: amount, Quantile: quantile,
		},
	)
}

func (g *generator) order(columns []query.Column) []query.Order {
	var order []query.Order
	for range g.IntN(3) {
		o := query.Order{Column: pick(g, columns...).Name, Descending: g.chance(2)}
		if !slices.ContainsFunc(order, func(other query.Order) bool { return other.Column == o.Column }) {
			order = append(order, o)
		}
	}
	return order
}

// condition returns a condition of at most the depth.
func (g *generator) condition(depth int) *query.Expr {
	if depth == 0 || g.chance(2) {
		return g.comparison()
	}
	operator := pick(g, query.And, query.Or, query.Not)
	x := &query.Expr{Operator: operator}
	parts := 1
	if operator != query.Not {
		parts = 1 + g.IntN(3)
	}
	for range parts {
		x.Args = append(x.Args, g.condition(depth-1))
	}
	return x
}

func (g *generator) comparison() *query.Expr {
	f := pick(g, queryable()...)
	switch {
	case f.Kind == flow.AddrField && g.chance(2):
		return &query.Expr{Operator: query.Within, Field: f, Prefixes: []netip.Prefix{g.prefix()}}
	case g.chance(6):
		return &query.Expr{Operator: query.Known, Field: f}
	case columns.IsText(f):
		return g.textComparison(f)
	}
	return g.numberComparison(f)
}

func (g *generator) prefix() netip.Prefix {
	return netip.MustParsePrefix(pick(g, "10.0.0.0/8", "10.1.0.0/16", "10.0.2.0/24", "2001:db8::/32", "fe80::/10", "0.0.0.0/0"))
}

var comparisons = []query.Operator{query.Equal, query.Less, query.LessOrEqual, query.Greater, query.GreaterOrEqual}

func (g *generator) textComparison(f *flow.Field) *query.Expr {
	x := &query.Expr{Field: f, Texts: []string{g.text(f)}}
	x.Operator = pick(g, append(comparisons, query.In, query.Contains, query.HasPrefix, query.HasSuffix, query.Matches)...)
	switch x.Operator {
	case query.In:
		for range g.IntN(12) {
			x.Texts = append(x.Texts, g.text(f))
		}
	case query.Matches:
		x.Texts = []string{pick(g, "1$", "^(ns|pod)-", "[0-4]", "^$", "(?i)POD")}
		x.Regexp = regexp.MustCompile(x.Texts[0])
	}
	return x
}

// text returns a text that the field may have, sometimes only a part of it.
func (g *generator) text(f *flow.Field) string {
	batch := columns.NewBuilder(columns.Flows(), 1)
	batch.Append([]flow.Record{g.record()})
	text := columns.TextsOf(batch.NewBatch(), f).Value(0)
	if g.chance(4) && len(text) > 1 {
		return text[1:]
	}
	return text
}

func (g *generator) numberComparison(f *flow.Field) *query.Expr {
	x := &query.Expr{Field: f, Numbers: []int64{g.number(f)}}
	x.Operator = pick(g, append(comparisons, query.In)...)
	if x.Operator == query.In {
		for range g.IntN(12) {
			x.Numbers = append(x.Numbers, g.number(f))
		}
	}
	return x
}

// number returns a number that the field may have, or one next to it.
func (g *generator) number(f *flow.Field) int64 {
	r := g.record()
	value := int64(min(f.Uint(&r), 1<<63-1))
	if g.chance(4) {
		return value - 1
	}
	return value
}
