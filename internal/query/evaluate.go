package query

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// Evaluate answers a plan by going through all rows of the batches, one after the other. It is what plans mean: it
// keeps every row of a group and computes each measure from them, so that it is easy to check and slow. Stores are
// tested against it.
func Evaluate(plan *Plan, batches []arrow.RecordBatch) (*Block, Summary) {
	d, ok := columns.ByName(plan.Dataset)
	if !ok {
		panic("BUG: plan of an unknown dataset " + plan.Dataset)
	}
	e := &evaluation{plan: plan, dataset: d}
	var rows []row
	for _, batch := range batches {
		rows = append(rows, e.matching(batch)...)
	}
	if len(plan.Measures) == 0 {
		e.listRows(rows)
	} else {
		e.group(rows)
	}
	e.summary.Rows = int64(len(e.lines))
	return e.block(), e.summary
}

// evaluation is the state of one call of Evaluate.
type evaluation struct {
	plan    *Plan
	dataset *columns.Dataset
	lines   []line
	summary Summary
}

// row reads one row of a batch.
type row struct {
	dataset *columns.Dataset
	columns map[flow.FieldID]column
	index   int
}

// column is a field's column, in one of the two forms.
type column struct {
	texts   columns.Texts
	numbers columns.Numbers
}

// line is a line of the answer.
type line struct {
	values []value
	other  bool
}

// value is a value of the answer: null, or one of the others.
type value struct {
	null   bool
	text   string
	number int64
	float  float64
	// estimated says that sampled packets went into a measure, or that it was not counted.
	estimated bool
	// counted is how many distinct values were counted for it.
	counted int64
}

// matching returns the rows of a batch that the plan asks for.
func (e *evaluation) matching(batch arrow.RecordBatch) []row {
	all := make(map[flow.FieldID]column)
	for _, f := range e.dataset.Askable() {
		if columns.IsText(f) {
			all[f.ID] = column{texts: columns.TextsOf(batch, f)}
		} else {
			all[f.ID] = column{numbers: columns.NumbersOf(batch, f)}
		}
	}
	var matching []row
	for i := range int(batch.NumRows()) {
		e.summary.Scanned++
		r := row{e.dataset, all, i}
		end := r.end()
		inTime := !end.null && end.number >= int64(e.plan.From) && end.number < int64(e.plan.To)
		if inTime && (e.plan.Filter == nil || holds(e.plan.Filter, r)) {
			matching = append(matching, r)
		}
	}
	return matching
}

// get returns the row's value of a field.
func (r row) get(f *flow.Field) value {
	for _, part := range f.FirstOf {
		if v := r.get(part); v.text != "" {
			return v
		}
	}
	c := r.columns[f.ID]
	if columns.IsText(f) {
		return value{text: c.texts.Value(r.index)}
	}
	if c.numbers.IsNull(r.index) {
		return value{null: true}
	}
	return value{number: c.numbers.Values[r.index]}
}

func (r row) end() value { return r.get(r.dataset.End) }

func (r row) list(fields []*flow.Field) []value {
	values := make([]value, len(fields))
	for i, f := range fields {
		values[i] = r.get(f)
	}
	return values
}

// listRows answers a plan without measures.
func (e *evaluation) listRows(rows []row) {
	if len(e.plan.Order) == 0 {
		slices.SortStableFunc(rows, func(a, b row) int { return cmp.Compare(b.end().number, a.end().number) })
	}
	newest := make([]int64, len(rows))
	lines := make([]line, len(rows))
	for i, r := range rows {
		newest[i] = r.end().number
		lines[i] = line{values: r.list(e.plan.Fields)}
	}
	if len(e.plan.Order) == 0 {
		sortEqualRuns(lines, newest)
	} else {
		e.sort(lines, e.plan.Order)
	}
	e.lines = lines[:e.limit(len(lines))]
	if len(e.lines) < len(lines) {
		e.summary.Truncated, e.summary.Cut = true, "limit"
	}
}

// sortEqualRuns sorts the lines of equal time, which stand together already, by their values.
func sortEqualRuns(lines []line, times []int64) {
	for start := 0; start < len(lines); {
		end := start
		for end < len(lines) && times[end] == times[start] {
			end++
		}
		slices.SortFunc(lines[start:end], compareLines)
		start = end
	}
}

func (e *evaluation) limit(lines int) int {
	if e.plan.Limit == 0 {
		return lines
	}
	return min(lines, e.plan.Limit)
}

// sort sorts lines that have no bucket.
func (e *evaluation) sort(lines []line, order []Order) {
	columns := slices.DeleteFunc(e.plan.Columns(), func(c Column) bool { return c.Name == TimeColumn })
	sortLines(lines, columns, order)
}

// sortLines sorts by the columns of the order, then by all. An order by a column that is not there has no effect.
func sortLines(lines []line, columns []Column, order []Order) {
	slices.SortFunc(lines, func(a, b line) int {
		for _, o := range order {
			i := slices.IndexFunc(columns, func(c Column) bool { return c.Name == o.Column })
			if i < 0 {
				continue
			}
			if c := compareValues(a.values[i], b.values[i]); c != 0 {
				if o.Descending {
					return -c
				}
				return c
			}
		}
		return compareLines(a, b)
	})
}

func compareLines(a, b line) int { return slices.CompareFunc(a.values, b.values, compareValues) }

func compareValues(a, b value) int {
	switch {
	case a.null && b.null:
		return 0
	case a.null:
		return -1
	case b.null:
		return 1
	}
	return cmp.Or(strings.Compare(a.text, b.text), cmp.Compare(a.number, b.number), cmp.Compare(a.float, b.float))
}

// group holds the rows that agree in the keys.
type group struct {
	keys  []value
	rows  []row
	other bool
}

// group answers a plan with measures.
func (e *evaluation) group(rows []row) {
	groups := e.ranked(e.groups(rows))
	kept := e.limit(len(groups))
	if cut := groups[kept:]; len(cut) > 0 {
		groups = groups[:kept]
		if e.plan.Other {
			groups = append(groups, e.others(cut))
		} else {
			e.summary.Truncated, e.summary.Cut = true, "limit"
		}
	}
	if e.emit(groups, false); e.distinct() > DistinctLimit {
		e.lines = nil
		e.emit(groups, true)
	}
}

// groups puts rows together that agree in the keys.
func (e *evaluation) groups(rows []row) []*group {
	var groups []*group
	byKey := make(map[string]*group)
	if len(e.plan.GroupBy) == 0 && e.plan.Step == 0 {
		groups = append(groups, &group{})
		byKey[keyName(nil)] = groups[0]
	}
	for _, r := range rows {
		keys := r.list(e.plan.GroupBy)
		name := keyName(keys)
		g := byKey[name]
		if g == nil {
			g = &group{keys: keys}
			byKey[name] = g
			groups = append(groups, g)
		}
		g.rows = append(g.rows, r)
	}
	return groups
}

func keyName(keys []value) string { return fmt.Sprintf("%#v", append([]value{}, keys...)) }

// ranked sorts groups by their keys and measures over all buckets.
func (e *evaluation) ranked(groups []*group) []*group {
	lines := make([]line, len(groups))
	byLine := make(map[*value]*group)
	for i, g := range groups {
		lines[i] = e.line(g.keys, g.rows, e.plan.Seconds(), false)
		byLine[&lines[i].values[0]] = g
	}
	e.sort(lines, e.plan.Order)
	for i := range lines {
		groups[i] = byLine[&lines[i].values[0]]
	}
	return groups
}

func (e *evaluation) others(cut []*group) *group {
	other := &group{keys: make([]value, len(e.plan.GroupBy)), other: true}
	for i := range other.keys {
		other.keys[i].null = true
	}
	for _, g := range cut {
		other.rows = append(other.rows, g.rows...)
	}
	return other
}

// line computes a line of the answer, without the bucket.
func (e *evaluation) line(keys []value, rows []row, seconds float64, estimate bool) line {
	values := slices.Clone(keys)
	for i := range e.plan.Measures {
		values = append(values, e.plan.Measures[i].of(rows, seconds, estimate))
	}
	return line{values: values}
}

// emit appends the lines of the answer for the groups, which are ranked.
func (e *evaluation) emit(groups []*group, estimate bool) {
	if e.plan.Step == 0 {
		for _, g := range groups {
			l := e.line(g.keys, g.rows, e.plan.Seconds(), estimate)
			l.other = g.other
			e.lines = append(e.lines, l)
		}
		return
	}
	for _, bucket := range e.buckets(groups) {
		for _, g := range groups {
			e.emitBucket(g, bucket, estimate)
		}
	}
}

func (e *evaluation) emitBucket(g *group, bucket int64, estimate bool) {
	var rows []row
	for _, r := range g.rows {
		if bucketOf(r.end().number, e.plan.Step) == bucket {
			rows = append(rows, r)
		}
	}
	if len(rows) == 0 {
		return
	}
	l := e.line(g.keys, rows, e.plan.BucketSeconds(bucket), estimate)
	e.lines = append(e.lines, line{append([]value{{number: bucket}}, l.values...), g.other})
}

func bucketOf(end int64, step time.Duration) int64 { return end - end%int64(step) }

// buckets returns the begins of the buckets that have rows, in the order of the answer.
func (e *evaluation) buckets(groups []*group) []int64 {
	var buckets []int64
	for _, g := range groups {
		for _, r := range g.rows {
			buckets = append(buckets, bucketOf(r.end().number, e.plan.Step))
		}
	}
	slices.Sort(buckets)
	buckets = slices.Compact(buckets)
	if slices.Contains(e.plan.Order, Order{TimeColumn, true}) {
		slices.Reverse(buckets)
	}
	return buckets
}

// distinct returns how many distinct values were counted in all lines.
func (e *evaluation) distinct() int64 {
	var counted int64
	for _, l := range e.lines {
		for _, v := range l.values {
			counted += v.counted
		}
	}
	return counted
}

// block turns the lines into columns.
func (e *evaluation) block() *Block {
	b := &Block{Columns: e.plan.Columns(), Rows: len(e.lines)}
	for i := range b.Columns {
		for _, l := range e.lines {
			b.Columns[i].append(l.values[i], e.isFloat(i))
		}
	}
	if slices.ContainsFunc(e.lines, func(l line) bool { return l.other }) {
		for _, l := range e.lines {
			b.Other = append(b.Other, l.other)
		}
	}
	return b
}

// isFloat says whether a column of the answer has Floats.
func (e *evaluation) isFloat(column int) bool {
	m := column - (len(e.plan.Columns()) - len(e.plan.Measures))
	return m >= 0 && len(e.plan.Measures) > 0 && e.plan.Measures[m].IsFloat()
}
