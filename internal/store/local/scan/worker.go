package scan

import (
	"context"
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// worker takes chunks in turn. It is used by one goroutine.
type worker struct {
	dataset *columns.Dataset
	plan    *query.Plan
	// oldest is the time before which rows are not wanted, whatever the plan says.
	oldest    flow.Time
	condition *condition
	masks     [][]bool
	rows      []int32
	// sampling is that of the current chunk, once asked for.
	sampling      []int64
	samplingKnown bool
	// sums are those of the current chunk, by their field; spare is memory for others.
	sums    map[*flow.Field]column
	spare   [][]int64
	scanned int64
}

func newWorker(d *columns.Dataset, plan *query.Plan, oldest flow.Time) *worker {
	return &worker{dataset: d, plan: plan, oldest: oldest, condition: newCondition(plan.Filter)}
}

// from is the earliest time that is wanted.
func (w *worker) from() flow.Time { return max(w.plan.From, w.oldest) }

// wanted says whether the source may have rows of the plan.
func (w *worker) wanted(s Source) bool {
	first, last := s.Ends()
	return last >= w.from() && first < w.plan.To && s.Rows() > 0 && !w.condition.excludes(s)
}

// visit opens a source and gives the rows of its chunk that the plan wants, if there are any.
func (w *worker) visit(ctx context.Context, s Source, take func(chunk Chunk, rows []int32) error) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	if !w.wanted(s) {
		return nil
	}
	chunk, err := s.Open()
	if err != nil {
		return err
	}
	defer chunk.Release()
	w.samplingKnown = false
	w.forgetSums()
	w.scanned += int64(chunk.Rows())
	rows, err := w.choose(chunk, s)
	if err != nil || len(rows) == 0 {
		return err
	}
	return take(chunk, rows)
}

// column is values, and which of them are null.
type column struct {
	values []int64
	null   []bool
}

// forgetSums takes the memory of sums back.
func (w *worker) forgetSums() {
	for _, sum := range w.sums {
		w.spare = append(w.spare, sum.values)
	}
	clear(w.sums)
}

// sumMemory returns memory for so many zeros.
func (w *worker) sumMemory(rows int) []int64 {
	if last := len(w.spare) - 1; last >= 0 {
		s := w.spare[last]
		w.spare = w.spare[:last]
		if cap(s) >= rows {
			clear(s[:rows])
			return s[:rows]
		}
	}
	return make([]int64, rows)
}

// choose returns the rows that the plan wants, valid until the next call.
func (w *worker) choose(chunk Chunk, s Source) ([]int32, error) {
	mask := w.mask(chunk.Rows())
	defer w.free(mask)
	o := all
	var err error
	if w.condition != nil {
		if o, err = w.evaluate(w.condition, chunk, mask); err != nil || o == none {
			return nil, err
		}
	}
	if first, last := s.Ends(); first < w.from() || last >= w.plan.To {
		if o == all {
			fill(mask, true)
		}
		if err := w.bound(chunk, mask); err != nil {
			return nil, err
		}
		o = mixed
	}
	if o == all {
		fill(mask, true)
	}
	w.rows = selected(w.rows[:0], mask)
	return w.rows, nil
}

// bound clears the mask of rows outside of the plan's time.
func (w *worker) bound(chunk Chunk, mask []bool) error {
	ends, _, err := chunk.Numbers(w.dataset.End)
	if err != nil {
		return err
	}
	from, to := int64(w.from()), int64(w.plan.To)
	for i, end := range ends {
		mask[i] = mask[i] && end >= from && end < to
	}
	return nil
}

// samplingOf returns the sampling of the chunk's rows, nil if none was sampled.
func (w *worker) samplingOf(chunk Chunk) ([]int64, error) {
	if w.samplingKnown {
		return w.sampling, nil
	}
	w.sampling, w.samplingKnown = nil, true
	if w.dataset.Sampling == nil {
		return nil, nil
	}
	values, null, err := chunk.Numbers(w.dataset.Sampling)
	if err != nil {
		return nil, err
	}
	if null == nil && slices.Max(values) > 1 {
		w.sampling = values
	}
	if null != nil {
		w.sampling = slices.Clone(values)
		for i := range null {
			if null[i] {
				w.sampling[i] = 0
			}
		}
	}
	return w.sampling, nil
}

// mask returns a mask of some size, with anything in it.
func (w *worker) mask(size int) []bool {
	if last := len(w.masks) - 1; last >= 0 {
		mask := w.masks[last]
		w.masks = w.masks[:last]
		if cap(mask) >= size {
			return mask[:size]
		}
	}
	return make([]bool, size)
}

func (w *worker) free(mask []bool) { w.masks = append(w.masks, mask) }

func fill[T any](s []T, value T) {
	for i := range s {
		s[i] = value
	}
}
