package query

import (
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// Compiled is a request that was checked: the plan, and what it needs to be answered in full.
type Compiled struct {
	// Plan asks for the period of the request.
	Plan *Plan
	// Compare asks for the earlier period; nil if the request has none. Both answers then go through Join.
	Compare *Plan
	// Primary says that the plan counts each connection once, by its primary record, since the request named nothing
	// that tells reporters apart.
	Primary bool

	// order and limit are applied by Join, since what is to be sorted and cut is known only there.
	order []Order
	limit int
}

// Compile checks a request and makes its plan; now is the end of a period that has none. Errors are of type *Error.
func Compile(r *Request, now time.Time) (*Compiled, error) {
	name := r.Dataset
	if name == "" {
		name = columns.Flows().Name
	}
	d, ok := columns.ByName(name)
	if !ok {
		return nil, refuse(UnknownName, "dataset", "want "+columns.Names(), "no dataset is called %q", shortened(name))
	}
	c := &compilation{request: r, dataset: d, plan: &Plan{Dataset: d.Name, Other: r.Other}}
	for _, step := range []func() error{
		func() error { return c.period(now) },
		c.filter, c.names, c.measures, c.step, c.order, c.limit,
	} {
		if err := step(); err != nil {
			return nil, err
		}
	}
	compiled := &Compiled{Plan: c.plan, Primary: c.countOnce()}
	return compiled, c.compare(compiled)
}

// compilation is the state of Compile.
type compilation struct {
	request *Request
	dataset *columns.Dataset
	plan    *Plan
}

// The earliest and latest time that a record can have.
var (
	firstTime = time.Unix(0, 0).UTC()
	lastTime  = time.Unix(0, 1<<63-1).UTC()
)

func (c *compilation) period(now time.Time) error {
	to, err := parseTime("to", c.request.To, now)
	if err != nil {
		return err
	}
	last := time.Hour
	if c.request.Last != "" {
		if c.request.From != "" {
			return refuse(ValueError, "last", "give one of them", "both last and from are given")
		}
		if last, err = parsePositive("last", c.request.Last); err != nil {
			return err
		}
	}
	from, err := parseTime("from", c.request.From, to.Add(-last))
	if err != nil {
		return err
	}
	if from.Before(firstTime) {
		from = firstTime
	}
	if !from.Before(to) {
		return refuse(ValueError, "from", "", "period begins at %s, which is not before its end %s",
			from.Format(time.RFC3339), to.Format(time.RFC3339))
	}
	c.plan.From, c.plan.To = flow.Time(from.UnixNano()), flow.Time(to.UnixNano())
	return nil
}

func parseTime(member, text string, otherwise time.Time) (time.Time, error) {
	if text == "" {
		return otherwise, nil
	}
	t, err := time.Parse(time.RFC3339Nano, text)
	if err != nil || t.Before(firstTime) || t.After(lastTime) {
		return t, refuse(ValueError, member, "want a time between 1970 and 2262 such as 2026-03-01T12:00:00Z",
			"%q is not an RFC 3339 time", shortened(text))
	}
	return t, nil
}

func parsePositive(member, text string) (time.Duration, error) {
	d, err := ParseDuration(text)
	if err != nil {
		return 0, refuse(ValueError, member, "", "%s", err)
	}
	if d <= 0 {
		return 0, refuse(ValueError, member, "", "duration %q is not above 0", shortened(text))
	}
	return d, nil
}

func (c *compilation) filter() error {
	if strings.TrimSpace(c.request.Filter) == "" {
		return nil
	}
	filter, err := CompileFilter(c.dataset, c.request.Filter)
	c.plan.Filter = filter
	return err
}

// names takes the fields and the keys.
func (c *compilation) names() (err error) {
	r := c.request
	for _, list := range []struct {
		member string
		names  []string
	}{{"fields", r.Fields}, {"group_by", r.GroupBy}, {"measures", r.Measures}} {
		if len(list.names) > maxNames {
			return refuse(TooLargeError, list.member, "", "%d names are given, want at most %d", len(list.names), maxNames)
		}
	}
	if c.plan.GroupBy, err = findKeys(c.dataset, r.GroupBy); err != nil {
		return err
	}
	if len(r.Measures) > 0 {
		if len(r.Fields) > 0 {
			return refuse(ValueError, "fields", "name the keys in group_by", "fields go only with rows, which have no measures")
		}
		return nil
	}
	return c.rows()
}

// rows takes the fields of a request without measures.
func (c *compilation) rows() (err error) {
	switch r := c.request; {
	case len(r.GroupBy) > 0:
		return refuse(ValueError, "group_by", `add measures, such as ["count()"]`, "groups have no measures")
	case r.Other:
		return refuse(ValueError, "other", `add measures, such as ["count()"]`, "only groups have others")
	}
	if len(c.request.Fields) > 0 {
		c.plan.Fields, err = findFields(c.dataset, "fields", c.request.Fields)
		return err
	}
	c.plan.Fields = c.dataset.Askable()
	return nil
}

func (c *compilation) measures() error {
	for i, text := range c.request.Measures {
		if slices.Contains(c.request.Measures[:i], text) {
			return refuse(ValueError, "measures", "", "measure %s is named twice", shortened(text))
		}
		m, err := parseMeasure(c.dataset, text)
		if err != nil {
			return err
		}
		c.plan.Measures = append(c.plan.Measures, m)
	}
	return nil
}

func (c *compilation) step() error {
	if c.request.Step == "" {
		return nil
	}
	if len(c.plan.Measures) == 0 {
		return refuse(ValueError, "step", `add measures, such as ["count()"]`, "only measures are computed by step")
	}
	step, err := parsePositive("step", c.request.Step)
	if err != nil {
		return err
	}
	if buckets := int64(c.plan.To-c.plan.From) / int64(step); buckets > maxBuckets {
		return refuse(TooLargeError, "step", "take a longer step or a shorter period",
			"period has %d steps, want at most %d", buckets, maxBuckets)
	}
	c.plan.Step = step
	return nil
}

func (c *compilation) order() error {
	order, err := parseOrder(c.request.Order, c.columns())
	c.plan.Order = order
	return err
}

// parseOrder reads names of columns, separated by commas, with "-" in front for descending.
func parseOrder(text string, answer []Column) ([]Order, error) {
	if strings.TrimSpace(text) == "" {
		return nil, nil
	}
	var order []Order
	for _, part := range splitOutside(text, ',') {
		name, descending := strings.CutPrefix(strings.TrimSpace(part), "-")
		if !slices.ContainsFunc(answer, func(c Column) bool { return c.Name == name }) {
			return nil, refuse(UnknownName, "order", "want one of "+columnNames(answer), "answer has no column %q", shortened(name))
		}
		if len(order) == len(answer) {
			return nil, refuse(TooLargeError, "order", "", "more columns are named than the answer has")
		}
		order = append(order, Order{name, descending})
	}
	return order, nil
}

func columnNames(answer []Column) string {
	names := make([]string, len(answer))
	for i, c := range answer {
		names[i] = c.Name
	}
	return strings.Join(names, ", ")
}

func (c *compilation) limit() error {
	limit := c.request.Limit
	if limit < 0 || limit > MaxLimit {
		return refuse(ValueError, "limit", "the export has no limit", "limit is %d, want 1 to %d", limit, MaxLimit)
	}
	c.plan.Limit = limit
	if limit == 0 {
		c.plan.Limit = DefaultLimit
	}
	return nil
}

// countOnce adds the condition that counts each connection once, unless the request names a field that tells the
// reports of one connection apart.
func (c *compilation) countOnce() bool {
	if c.dataset.Primary == nil || slices.ContainsFunc(c.named(), tellsReporters) {
		return false
	}
	primary := &Expr{Operator: Equal, Field: c.dataset.Primary, Numbers: []int64{1}}
	if c.plan.Filter == nil {
		c.plan.Filter = primary
	} else {
		c.plan.Filter = &Expr{Operator: And, Args: []*Expr{primary, c.plan.Filter}}
	}
	return true
}

func tellsReporters(f *flow.Field) bool {
	return f.Name == "primary" || f.Name == "reporter" || f.Name == "node"
}

// named returns the fields that the request names.
func (c *compilation) named() []*flow.Field {
	var named []*flow.Field
	for _, f := range c.plan.GroupBy {
		named = append(append(named, f), f.FirstOf...)
	}
	if len(c.request.Fields) > 0 {
		named = append(named, c.plan.Fields...)
	}
	for i := range c.plan.Measures {
		c.plan.Measures[i].All(func(m *Measure) {
			if m.Field != nil {
				named = append(named, m.Field)
			}
			named = append(named, m.Where.fields()...)
		})
	}
	return append(named, c.plan.Filter.fields()...)
}

// fields returns the fields that a condition names.
func (x *Expr) fields() []*flow.Field {
	if x == nil {
		return nil
	}
	if x.Field != nil {
		return []*flow.Field{x.Field}
	}
	var fields []*flow.Field
	for _, arg := range x.Args {
		fields = append(fields, arg.fields()...)
	}
	return fields
}
