package scan

import (
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/query"
)

// measure is a column of the answer in the making: a state for each group.
type measure interface {
	// grow makes room for so many groups.
	grow(groups int)
	// add takes the rows of a chunk; groups holds the group of each.
	add(w *worker, chunk Chunk, rows []int32, groups []uint32) error
	// merge takes the states of another measure of the same kind; groups holds the group here of each there, refused
	// for those that are left out.
	merge(other measure, groups []uint32)
	// fill sets the values of the column, in the order of the groups of the lines.
	fill(column *query.Column, l *lines)
}

// lines are the lines of an answer: a group for each.
type lines struct {
	groups []uint32
	// seconds is how long each line's time is.
	seconds []float64
	// counted is how many distinct values they have, all told.
	counted int64
}

// overPeriod returns lines that are each of the whole period.
func overPeriod(plan *query.Plan, groups []uint32) *lines {
	return &lines{groups: groups, seconds: slices.Repeat([]float64{plan.Seconds()}, len(groups))}
}

// inBuckets returns lines with the begin of the bucket of each.
func inBuckets(plan *query.Plan, groups []uint32, buckets []int64) *lines {
	l := &lines{groups: groups}
	for _, begin := range buckets {
		l.seconds = append(l.seconds, plan.BucketSeconds(begin))
	}
	return l
}

// The memory of a group's state, in bytes, for the bound on the number of groups; sketches and sets by experience.
var measureCosts = map[query.Aggregation]int{
	query.Count: 8, query.Sum: 9, query.Min: 10, query.Max: 10, query.Average: 17,
	query.CountDistinct: 64, query.Quantile: 1024, query.Rate: 9,
}

// measureCost is that of a measure with those that it computes with.
func measureCost(m *query.Measure) (cost int) {
	m.All(func(part *query.Measure) { cost += measureCosts[part.Aggregation] })
	return cost
}

func newMeasure(m *query.Measure) measure {
	if m.Where != nil {
		return newFiltered(m)
	}
	return newUnfiltered(m)
}

func newUnfiltered(m *query.Measure) measure {
	switch m.Aggregation {
	case query.Plus, query.Minus, query.Times, query.Divided:
		return newFormula(m)
	case query.Constant:
		return constant(m.Constant)
	case query.Rate:
		return &rate{sum{amounts: amounts{field: m.Field, scaled: true}}}
	case query.Count:
		return &count{}
	case query.CountDistinct:
		return newDistinct(m)
	case query.Quantile:
		return &quantile{amounts: amounts{field: m.Field}, share: m.Quantile}
	case query.Average:
		return &average{sum: sum{amounts: amounts{field: m.Field, scaled: true}}}
	case query.Min, query.Max:
		return &extreme{amounts: amounts{field: m.Field}, least: m.Aggregation == query.Min}
	}
	return &sum{amounts: amounts{field: m.Field, scaled: true}}
}

func newMeasures(plan *query.Plan, groups int) []measure {
	var measures []measure
	for i := range plan.Measures {
		measure := newMeasure(&plan.Measures[i])
		measure.grow(groups)
		measures = append(measures, measure)
	}
	return measures
}

func growTo[T any](s []T, n int) []T {
	if n <= len(s) {
		return s
	}
	return append(s, make([]T, n-len(s))...)
}

// gather returns the values of some groups.
func gather[T any](values []T, groups []uint32) []T {
	gathered := make([]T, len(groups))
	for i, g := range groups {
		gathered[i] = values[g]
	}
	return gathered
}

// nulls returns which of some groups have no value; nil if all have one.
func nulls(known []bool, groups []uint32) []bool {
	var null []bool
	for i, g := range groups {
		if known[g] {
			continue
		}
		if null == nil {
			null = make([]bool, len(groups))
		}
		null[i] = true
	}
	return null
}

// count counts rows.
type count struct{ rows []int64 }

func (c *count) grow(n int) { c.rows = growTo(c.rows, n) }

func (c *count) add(_ *worker, _ Chunk, _ []int32, groups []uint32) error {
	for _, g := range groups {
		c.rows[g]++
	}
	return nil
}

func (c *count) merge(other measure, groups []uint32) {
	for g, n := range other.(*count).rows {
		if groups[g] != refused {
			c.rows[groups[g]] += n
		}
	}
}

func (c *count) fill(column *query.Column, l *lines) { column.Ints = gather(c.rows, l.groups) }

// sum adds values up.
type sum struct {
	amounts
	sums []int64
}

func (s *sum) grow(n int) { s.sums = growTo(s.sums, n); s.amounts.grow(n) }

func (s *sum) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	batch, err := s.read(w, chunk)
	if err != nil {
		return err
	}
	if batch.null == nil && batch.sampling == nil {
		s.addAll(batch.values, rows, groups)
		return nil
	}
	s.each(batch, rows, groups, s.addOne)
	return nil
}

// addAll is the common case: no value is null and none sampled.
func (s *sum) addAll(values []int64, rows []int32, groups []uint32) {
	groups = groups[:len(rows)]
	for i, row := range rows {
		s.addOne(groups[i], values[row])
	}
}

func (s *sum) addOne(g uint32, value int64) { s.sums[g] = columns.AddSaturating(s.sums[g], value) }

func (s *sum) merge(other measure, groups []uint32) {
	o := other.(*sum)
	s.mergeSampled(&o.amounts, groups)
	for g, value := range o.sums {
		if groups[g] != refused {
			s.addOne(groups[g], value)
		}
	}
}

func (s *sum) fill(column *query.Column, l *lines) {
	s.mark(column, l.groups)
	column.Ints = gather(s.sums, l.groups)
}

// rate divides the sum by the time.
type rate struct{ sum }

func (r *rate) merge(other measure, groups []uint32) { r.sum.merge(&other.(*rate).sum, groups) }

func (r *rate) fill(column *query.Column, l *lines) {
	r.mark(column, l.groups)
	column.Floats = make([]float64, len(l.groups))
	for i, g := range l.groups {
		column.Floats[i] = float64(r.sums[g]) / l.seconds[i]
	}
}

// average divides the sum by the number of values.
type average struct {
	sum
	counts []int64
}

func (a *average) grow(n int) { a.sum.grow(n); a.counts = growTo(a.counts, n) }

func (a *average) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	batch, err := a.read(w, chunk)
	if err != nil {
		return err
	}
	a.each(batch, rows, groups, func(g uint32, value int64) {
		a.addOne(g, value)
		a.counts[g]++
	})
	return nil
}

func (a *average) merge(other measure, groups []uint32) {
	o := other.(*average)
	a.sum.merge(&o.sum, groups)
	for g, n := range o.counts {
		if groups[g] != refused {
			a.counts[groups[g]] += n
		}
	}
}

func (a *average) fill(column *query.Column, l *lines) {
	a.mark(column, l.groups)
	known := make([]bool, len(a.counts))
	averages := make([]float64, len(a.counts))
	for g, n := range a.counts {
		if known[g] = n > 0; known[g] {
			averages[g] = float64(a.sums[g]) / float64(n)
		}
	}
	column.Floats, column.Null = gather(averages, l.groups), nulls(known, l.groups)
}

// extreme keeps the least or the largest value.
type extreme struct {
	amounts
	least  bool
	values []int64
	known  []bool
}

func (e *extreme) grow(n int) {
	e.values, e.known = growTo(e.values, n), growTo(e.known, n)
	e.amounts.grow(n)
}

func (e *extreme) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	batch, err := e.read(w, chunk)
	if err != nil {
		return err
	}
	e.each(batch, rows, groups, e.addOne)
	return nil
}

func (e *extreme) addOne(g uint32, value int64) {
	if !e.known[g] || value != e.values[g] && (value < e.values[g]) == e.least {
		e.values[g], e.known[g] = value, true
	}
}

func (e *extreme) merge(other measure, groups []uint32) {
	o := other.(*extreme)
	e.mergeSampled(&o.amounts, groups)
	for g, value := range o.values {
		if o.known[g] && groups[g] != refused {
			e.addOne(groups[g], value)
		}
	}
}

func (e *extreme) fill(column *query.Column, l *lines) {
	e.mark(column, l.groups)
	column.Ints, column.Null = gather(e.values, l.groups), nulls(e.known, l.groups)
}
