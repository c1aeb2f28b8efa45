package health

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/query"
)

// Engine answers plans; a store.Engine is one.
type Engine interface {
	Query(ctx context.Context, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error)
}

// Facts are what a rule judges of one subject in one period.
type Facts struct {
	Bad, Of, BadBack, OfBack float64
	// Seen is the volume of all reports, where Of and OfBack may be that of the primary ones alone.
	Seen float64
	// Value is that of the rule's measure, NaN where there is none.
	Value float64
}

func noFacts() Facts { return Facts{Value: math.NaN()} }

// plus adds what can be added. Of a value that cannot, the one of the larger volume is kept.
func (f Facts) plus(g Facts) Facts {
	sum := Facts{f.Bad + g.Bad, f.Of + g.Of, f.BadBack + g.BadBack, f.OfBack + g.OfBack, f.Seen + g.Seen, f.Value}
	if math.IsNaN(f.Value) || g.Of > f.Of && !math.IsNaN(g.Value) {
		sum.Value = g.Value
	}
	return sum
}

func (f Facts) bad() float64    { return f.Bad + f.BadBack }
func (f Facts) volume() float64 { return f.Of + f.OfBack }

// share is how large a part of the volume is bad.
func (f Facts) share() float64 {
	if f.volume() <= 0 {
		return 0
	}
	return f.bad() / f.volume()
}

// question is one query, for several rules at once.
type question struct {
	dataset string
	rules   []*Rule
	keys    []string
	filter  string
	from    time.Time
	to      time.Time
	step    time.Duration
	limit   int
}

// measures are those of all rules, each once, the volume of the first rule first.
func (q *question) measures() []string {
	var all []string
	for _, r := range q.rules {
		for _, m := range r.measures() {
			if !slices.Contains(all, m) {
				all = append(all, m)
			}
		}
	}
	return all
}

// add adds the rules of findings, each once.
func (q *question) add(findings []*finding) {
	for _, f := range findings {
		if !slices.Contains(q.rules, f.rule) {
			q.rules = append(q.rules, f.rule)
		}
	}
}

func (r *Rule) measures() []string {
	return slices.DeleteFunc([]string{r.Of, r.Bad, r.OfBack, r.BadBack, r.Value}, func(m string) bool { return m == "" })
}

func (q *question) request() *query.Request {
	r := &query.Request{
		Dataset: q.dataset, From: q.from.UTC().Format(time.RFC3339Nano), To: q.to.UTC().Format(time.RFC3339Nano),
		Filter: q.filter, GroupBy: append(slices.Clone(q.keys), primaryKey), Measures: q.measures(), Limit: q.limit,
	}
	if q.step > 0 {
		r.Step = q.step.String()
	}
	r.Order = "-" + r.Measures[0]
	return r
}

// primaryKey tells the report that sums count from the others. Since the request names it, it gets all reports.
const primaryKey = "primary"

// answerBytes bounds what one answer takes in memory.
const answerBytes = 32 << 20

// ask answers a question, row by row. It says what the answer was cut by, if it was.
func (c *check) ask(ctx context.Context, q *question, visit func(answerRow)) (cut string, err error) {
	compiled, err := query.Compile(q.request(), q.to)
	if err != nil {
		return "", fmt.Errorf("ask for %s: %w", strings.Join(q.measures(), ", "), err)
	}
	if c.within != nil {
		compiled.Within(c.within)
	}
	collector := query.NewCollector(compiled.Plan, answerBytes, c.take)
	summary, err := c.engine.Query(ctx, compiled.Plan, collector.Add)
	if err != nil {
		return "", err
	}
	block := collector.Whole()
	columns := make(map[string]int)
	for i := range block.Columns {
		columns[block.Columns[i].Name] = i
	}
	for row := range block.Rows {
		visit(answerRow{block, columns, row})
	}
	return summary.Cut, nil
}

// facts reads what a rule judges of a row. What a node reports, all its records tell.
func (r answerRow) facts(rule *Rule) Facts {
	f := noFacts()
	f.Seen = r.number(rule.Of) + r.number(rule.OfBack)
	primary := r.value(primaryKey) == 1 || rule.By == ByNode
	if primary || rule.AllReports {
		f.Bad, f.BadBack = r.number(rule.Bad), r.number(rule.BadBack)
	}
	if primary {
		f.Of, f.OfBack, f.Value = r.number(rule.Of), r.number(rule.OfBack), r.value(rule.Value)
	}
	return f
}

// number is a measure's value, 0 where there is none.
func (r answerRow) number(measure string) float64 {
	if x := r.value(measure); !math.IsNaN(x) {
		return x
	}
	return 0
}

// value is a measure's value, NaN where there is none.
func (r answerRow) value(measure string) float64 {
	i, ok := r.columns[measure]
	if !ok {
		return math.NaN()
	}
	c := &r.block.Columns[i]
	switch {
	case c.Null != nil && c.Null[r.row]:
		return math.NaN()
	case c.Floats != nil:
		return c.Floats[r.row]
	}
	return float64(c.Ints[r.row])
}

// begin is the begin of the row's bucket.
func (r answerRow) begin() time.Time {
	return time.Unix(0, r.block.Columns[r.columns[query.TimeColumn]].Ints[r.row])
}
