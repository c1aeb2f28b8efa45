package scan

import (
	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// quantile has a sketch for each group that has values.
type quantile struct {
	amounts
	share    float64
	sketches []*query.Sketch
}

func (q *quantile) grow(n int) { q.sketches = growTo(q.sketches, n); q.amounts.grow(n) }

func (q *quantile) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	batch, err := q.read(w, chunk)
	if err != nil {
		return err
	}
	q.each(batch, rows, groups, func(g uint32, value int64) { q.sketch(g).Add(value) })
	return nil
}

func (q *quantile) sketch(g uint32) *query.Sketch {
	if q.sketches[g] == nil {
		q.sketches[g] = query.NewSketch()
	}
	return q.sketches[g]
}

func (q *quantile) merge(other measure, groups []uint32) {
	o := other.(*quantile)
	q.mergeSampled(&o.amounts, groups)
	for g, sketch := range o.sketches {
		if sketch != nil && groups[g] != refused {
			q.sketch(groups[g]).Merge(sketch)
		}
	}
}

func (q *quantile) fill(column *query.Column, l *lines) {
	q.mark(column, l.groups)
	column.Floats = make([]float64, len(l.groups))
	for i, g := range l.groups {
		if q.sketches[g] != nil {
			column.Floats[i], _ = q.sketches[g].Quantile(q.share)
			continue
		}
		if column.Null == nil {
			column.Null = make([]bool, len(l.groups))
		}
		column.Null[i] = true
	}
}

// distinctRoom is how many values a worker keeps to count them exactly, over all groups.
const distinctRoom = 1 << 20

// distinct counts values: by keeping each with its group, and by a sketch for each group once they are too many.
type distinct struct {
	field *flow.Field
	text  bool
	// values has the group and the value's number as its key. It is nil once there are sketches.
	values   *groups
	texts    *texts
	groups   int
	sketches []*query.Distinct
}

func newDistinct(m *query.Measure) *distinct {
	return &distinct{
		field: m.Field, text: columns.IsText(m.Field),
		values: newGroups(2, distinctRoom), texts: newTexts(distinctRoom * textOverhead),
	}
}

func (d *distinct) grow(n int) {
	d.groups = n
	if d.sketches != nil {
		d.sketches = growTo(d.sketches, n)
	}
}

func (d *distinct) add(w *worker, chunk Chunk, rows []int32, groups []uint32) error {
	if d.text {
		return d.addTexts(chunk, rows, groups)
	}
	values, null, err := w.numbersOf(chunk, d.field)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if null == nil || !null[row] {
			d.addNumber(groups[i], values[row])
		}
	}
	return nil
}

func (d *distinct) addTexts(chunk Chunk, rows []int32, groups []uint32) error {
	dictionary, err := chunk.Dictionary(d.field)
	if err != nil {
		return err
	}
	codes, err := chunk.Codes(d.field)
	if err != nil {
		return err
	}
	for i, row := range rows {
		if text := dictionary[codes[row]]; text != "" {
			d.addText(groups[i], text)
		}
	}
	return nil
}

func (d *distinct) addText(g uint32, text string) {
	if d.values != nil && d.values.number([]uint64{uint64(g), d.texts.number(text)}) != refused {
		return
	}
	d.estimate()
	d.sketch(g).AddText(text)
}

func (d *distinct) addNumber(g uint32, number int64) {
	if d.values != nil && d.values.number([]uint64{uint64(g), uint64(number)}) != refused {
		return
	}
	d.estimate()
	d.sketch(g).AddNumber(number)
}

// estimate turns to sketches.
func (d *distinct) estimate() {
	if d.values == nil {
		return
	}
	values := d.values
	d.values = nil
	d.sketches = make([]*query.Distinct, d.groups)
	for i := range values.len() {
		key := values.key(i)
		if d.text {
			d.sketch(uint32(key[0])).AddText(d.texts.list[key[1]])
		} else {
			d.sketch(uint32(key[0])).AddNumber(int64(key[1]))
		}
	}
	d.texts = nil
}

func (d *distinct) sketch(g uint32) *query.Distinct {
	if d.sketches[g] == nil {
		d.sketches[g] = query.NewDistinct()
	}
	return d.sketches[g]
}

func (d *distinct) merge(other measure, groups []uint32) {
	o := other.(*distinct)
	if o.values == nil {
		d.estimate()
		for g, sketch := range o.sketches {
			if sketch != nil && groups[g] != refused {
				d.sketch(groups[g]).Merge(sketch)
			}
		}
		return
	}
	for i := range o.values.len() {
		key := o.values.key(i)
		g := groups[key[0]]
		switch {
		case g == refused:
		case d.text:
			d.addText(g, o.texts.list[key[1]])
		default:
			d.addNumber(g, int64(key[1]))
		}
	}
}

func (d *distinct) fill(column *query.Column, l *lines) {
	counts := make([]int64, d.groups)
	if d.values != nil {
		for i := range d.values.len() {
			counts[d.values.key(i)[0]]++
		}
	}
	for g, sketch := range d.sketches {
		if sketch != nil {
			counts[g] = sketch.Count()
		}
	}
	column.Ints = gather(counts, l.groups)
	for _, n := range column.Ints {
		l.counted += n
	}
	column.Estimated = d.values == nil
}
