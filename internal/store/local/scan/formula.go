package scan

import "github.com/seine-net/seine/internal/query"

// filtered gives a measure the rows for which a condition holds.
type filtered struct {
	measure
	condition *condition
	rows      []int32
	groups    []uint32
}

func newFiltered(m *query.Measure) *filtered {
	return &filtered{measure: newUnfiltered(m), condition: newCondition(m.Where)}
}

func (f *filtered) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	mask := w.mask(chunk.Rows())
	defer w.free(mask)
	switch o, err := w.evaluate(f.condition, chunk, mask); {
	case err != nil || o == none:
		return err
	case o == all:
		return f.measure.add(w, chunk, rows, groups)
	}
	f.rows, f.groups = f.rows[:0], f.groups[:0]
	for i, row := range rows {
		if mask[row] {
			f.rows, f.groups = append(f.rows, row), append(f.groups, groups[i])
		}
	}
	return f.measure.add(w, chunk, f.rows, f.groups)
}

func (f *filtered) merge(other measure, groups []uint32) {
	f.measure.merge(other.(*filtered).measure, groups)
}

// formula computes with the values of two measures.
type formula struct {
	plan *query.Measure
	args [2]measure
}

func newFormula(m *query.Measure) *formula {
	return &formula{m, [2]measure{newMeasure(&m.Args[0]), newMeasure(&m.Args[1])}}
}

func (f *formula) grow(groups int) {
	for _, arg := range f.args {
		arg.grow(groups)
	}
}

func (f *formula) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	for _, arg := range f.args {
		if err := arg.add(w, chunk, rows, groups); err != nil {
			return err
		}
	}
	return nil
}

func (f *formula) merge(other measure, groups []uint32) {
	for i, arg := range f.args {
		arg.merge(other.(*formula).args[i], groups)
	}
}

func (f *formula) fill(column *query.Column, l *lines) {
	var operands [2]query.Column
	for i, arg := range f.args {
		operands[i] = f.plan.Args[i].Column()
		arg.fill(&operands[i], l)
		column.Estimated = column.Estimated || operands[i].Estimated
	}
	column.Floats = make([]float64, len(l.groups))
	for i := range l.groups {
		a, nullA := floatAt(&operands[0], i)
		b, nullB := floatAt(&operands[1], i)
		result, null := f.plan.Compute(a, b)
		if nullA || nullB || null {
			if column.Null == nil {
				column.Null = make([]bool, len(l.groups))
			}
			column.Null[i] = true
			continue
		}
		column.Floats[i] = result
	}
}

func floatAt(c *query.Column, i int) (value float64, null bool) {
	null = c.Null != nil && c.Null[i]
	if c.Floats != nil {
		return c.Floats[i], null
	}
	return float64(c.Ints[i]), null
}

// constant is the same for every group.
type constant float64

func (constant) grow(int)                                    {}
func (constant) add(*worker, Chunk, []int32, []uint32) error { return nil }
func (constant) merge(measure, []uint32)                     {}
func (c constant) fill(column *query.Column, l *lines) {
	column.Floats = make([]float64, len(l.groups))
	fill(column.Floats, float64(c))
}
