package scan

import (
	"context"
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// aggregation is the groups of a worker, and later of all: by bucket, if the plan has a step, and keys.
type aggregation struct {
	plan     *query.Plan
	groups   *groups
	texts    *texts
	measures []measure
	// hasNumbers says that the last word of a key tells which of its numbers are null.
	hasNumbers bool
	// refused counts the rows for whose groups there was no room.
	refused int

	words   [][]uint64
	numbers []uint32
}

func newAggregation(plan *query.Plan, limits Limits) *aggregation {
	a := &aggregation{plan: plan, texts: newTexts(limits.Memory / 4), measures: newMeasures(plan, 0)}
	words := len(plan.GroupBy)
	for _, f := range plan.GroupBy {
		a.hasNumbers = a.hasNumbers || !columns.IsText(f)
	}
	if plan.Step > 0 {
		words++
	}
	if a.hasNumbers {
		words++
	}
	a.groups = newGroups(words, limits.groups(plan, words))
	a.words = make([][]uint64, words)
	return a
}

// groups returns how many groups fit.
func (l Limits) groups(plan *query.Plan, words int) int {
	cost := 8*words + 16
	for i := range plan.Measures {
		cost += measureCost(&plan.Measures[i])
	}
	return max(1, l.Memory/2/cost)
}

// takeRows is how many rows are taken at once, for which keys are held.
const takeRows = 128 << 10

// take adds rows of a chunk.
func (a *aggregation) take(w *worker, chunk Chunk, rows []int32) error {
	for part := range slices.Chunk(rows, takeRows) {
		if err := a.takePart(w, chunk, part); err != nil {
			return err
		}
	}
	return nil
}

func (a *aggregation) takePart(w *worker, chunk Chunk, rows []int32) error {
	if err := a.readWords(w, chunk, rows); err != nil {
		return err
	}
	a.numbers = growTo(a.numbers, len(rows))
	numbers := a.numbers[:len(rows)]
	if refusals := a.groups.assign(a.words, numbers); refusals > 0 {
		a.refused += refusals
		rows, numbers = withoutRefused(rows, numbers)
	}
	for _, m := range a.measures {
		m.grow(a.groups.len())
		if err := m.add(w, chunk, rows, numbers); err != nil {
			return err
		}
	}
	return nil
}

func withoutRefused(rows []int32, numbers []uint32) ([]int32, []uint32) {
	kept := 0
	for i, number := range numbers {
		if number != refused {
			rows[kept], numbers[kept] = rows[i], number
			kept++
		}
	}
	return rows[:kept], numbers[:kept]
}

// readWords sets the words of the rows' keys: the bucket, the keys, which of them are null.
func (a *aggregation) readWords(w *worker, chunk Chunk, rows []int32) error {
	for i := range a.words {
		if cap(a.words[i]) < len(rows) {
			a.words[i] = make([]uint64, len(rows))
		}
		a.words[i] = a.words[i][:len(rows)]
	}
	words := a.words
	if a.plan.Step > 0 {
		if err := w.bucketWords(chunk, rows, words[0], uint64(a.plan.Step)); err != nil {
			return err
		}
		words = words[1:]
	}
	if a.hasNumbers {
		clear(words[len(words)-1])
	}
	for i, f := range a.plan.GroupBy {
		if columns.IsText(f) {
			if err := a.textWords(chunk, f, rows, words[i]); err != nil {
				return err
			}
			continue
		}
		values, null, err := w.numbersOf(chunk, f)
		if err != nil {
			return err
		}
		numberWords(values, null, rows, words[i], words[len(words)-1], 1<<i)
	}
	return nil
}

// textWords sets the numbers of the rows' texts.
func (a *aggregation) textWords(chunk Chunk, f *flow.Field, rows []int32, words []uint64) error {
	if len(f.FirstOf) > 0 {
		return a.firstWords(chunk, f.FirstOf, rows, words)
	}
	dictionary, err := chunk.Dictionary(f)
	if err != nil {
		return err
	}
	codes, err := chunk.Codes(f)
	if err != nil {
		return err
	}
	a.texts.words(dictionary, codes, rows, words)
	return nil
}

// firstWords sets the numbers of the first of several texts that is not "": those of the first field, and then of the next
// for the rows without one.
func (a *aggregation) firstWords(chunk Chunk, fields []*flow.Field, rows []int32, words []uint64) error {
	if err := a.textWords(chunk, fields[0], rows, words); err != nil || len(fields) == 1 {
		return err
	}
	var places []int
	var left []int32
	for i, word := range words {
		if word != noRoom && a.texts.list[word] == "" {
			places, left = append(places, i), append(left, rows[i])
		}
	}
	if len(left) == 0 {
		return nil
	}
	rest := make([]uint64, len(left))
	if err := a.firstWords(chunk, fields[1:], left, rest); err != nil {
		return err
	}
	for i, place := range places {
		words[place] = rest[i]
	}
	return nil
}

func (w *worker) bucketWords(chunk Chunk, rows []int32, words []uint64, step uint64) error {
	ends, _, err := chunk.Numbers(w.dataset.End)
	if err != nil {
		return err
	}
	for i, row := range rows {
		end := uint64(ends[row])
		words[i] = end - end%step
	}
	return nil
}

func numberWords(values []int64, null []bool, rows []int32, words, nulls []uint64, bit uint64) {
	for i, row := range rows {
		words[i] = uint64(values[row])
		if null != nil && null[row] {
			words[i] = 0
			nulls[i] |= bit
		}
	}
}

// merge adds the groups of another aggregation.
func (a *aggregation) merge(other *aggregation) {
	numbers := make([]uint32, other.groups.len())
	for g := range numbers {
		numbers[g] = a.adopt(other, g)
	}
	a.refused += other.refused
	for i, m := range a.measures {
		m.grow(a.groups.len())
		m.merge(other.measures[i], numbers)
	}
}

// adopt returns the number here of a group there.
func (a *aggregation) adopt(other *aggregation, g int) uint32 {
	if a.groups.words == 0 {
		return 0
	}
	key := append([]uint64(nil), other.groups.key(g)...)
	for i, f := range a.plan.GroupBy {
		if columns.IsText(f) {
			word := i + a.keyOffset()
			key[word] = a.texts.number(other.texts.list[key[word]])
		}
	}
	number := a.groups.number(key)
	if number == refused {
		a.refused++
	}
	return number
}

// keyOffset is the place of the first key in the words.
func (a *aggregation) keyOffset() int {
	if a.plan.Step > 0 {
		return 1
	}
	return 0
}

// aggregate answers a plan with measures.
func (r *run) aggregate(ctx context.Context, sources []Source) error {
	parts := make([]*aggregation, len(r.workers))
	err := r.each(ctx, sources, func(i int, w *worker) func(Chunk, []int32) error {
		parts[i] = newAggregation(r.plan, r.limits)
		return func(chunk Chunk, rows []int32) error { return parts[i].take(w, chunk, rows) }
	})
	if err != nil {
		return err
	}
	whole := parts[0]
	for _, part := range parts[1:] {
		whole.merge(part)
	}
	if whole.refused > 0 {
		r.summary.Truncated = true
		r.summary.Cut = "memory for groups: the groups found first are complete, others are missing"
	}
	return r.answer(whole)
}
