package scan

import (
	"cmp"
	"context"
	"slices"
	"strings"
	"sync"

	"golang.org/x/sync/errgroup"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// valueSize is about what a value of a row takes in memory.
const valueSize = 16

// list answers a plan without measures.
func (r *run) list(ctx context.Context, sources []Source) error {
	if len(r.plan.Order) == 0 {
		return r.listNewest(ctx, sources)
	}
	return r.listSorted(ctx, sources)
}

// rowsAtOnce is how many rows of the answer may be held.
func (r *run) rowsAtOnce() int { return max(1, r.limits.Memory/(valueSize*(len(r.plan.Fields)+1))) }

// read returns rows of a chunk as lines of the answer, with a last column more: their time.
func (w *worker) read(chunk Chunk, rows []int32) (*query.Block, error) {
	b := &query.Block{Columns: w.plan.Columns(), Rows: len(rows)}
	for i, f := range w.plan.Fields {
		if err := w.readColumn(chunk, rows, f, &b.Columns[i]); err != nil {
			return nil, err
		}
	}
	times := query.Column{Kind: flow.TimeField}
	if err := w.readColumn(chunk, rows, w.dataset.End, &times); err != nil {
		return nil, err
	}
	b.Columns = append(b.Columns, times)
	return b, nil
}

func (w *worker) readColumn(chunk Chunk, rows []int32, f *flow.Field, column *query.Column) error {
	if columns.IsText(f) {
		return w.readTexts(chunk, rows, f, column)
	}
	values, null, err := w.numbersOf(chunk, f)
	if err != nil {
		return err
	}
	column.Ints = make([]int64, len(rows))
	for i, row := range rows {
		column.Ints[i] = values[row]
		if null == nil || !null[row] {
			continue
		}
		if column.Null == nil {
			column.Null = make([]bool, len(rows))
		}
		column.Null[i], column.Ints[i] = true, 0
	}
	return nil
}

func (w *worker) readTexts(chunk Chunk, rows []int32, f *flow.Field, column *query.Column) error {
	dictionary, err := chunk.Dictionary(f)
	if err != nil {
		return err
	}
	codes, err := chunk.Codes(f)
	if err != nil {
		return err
	}
	column.Texts = make([]string, len(rows))
	for i, row := range rows {
		column.Texts[i] = dictionary[codes[row]]
	}
	if w.plan.Limit > 0 { // Few texts of many chunks, whose dictionaries need not be kept for them.
		for i, text := range column.Texts {
			column.Texts[i] = strings.Clone(text)
		}
	}
	return nil
}

// newest returns those of the rows that can be among the newest so many.
func (w *worker) newest(chunk Chunk, rows []int32, count int) ([]int32, error) {
	if len(rows) <= count {
		return rows, nil
	}
	ends, _, err := chunk.Numbers(w.dataset.End)
	if err != nil {
		return nil, err
	}
	times := make([]int64, len(rows))
	for i, row := range rows {
		times[i] = ends[row]
	}
	slices.Sort(times)
	oldest := times[len(times)-count]
	return slices.DeleteFunc(rows, func(row int32) bool { return ends[row] < oldest }), nil
}

// listSorted answers a plan of rows that has an order.
func (r *run) listSorted(ctx context.Context, sources []Source) error {
	var mu sync.Mutex
	var whole *query.Block
	most, full := r.rowsAtOnce(), false
	err := r.each(ctx, sources, func(_ int, w *worker) func(Chunk, []int32) error {
		return func(chunk Chunk, rows []int32) error {
			b, err := w.read(chunk, rows)
			if err != nil {
				return err
			}
			mu.Lock()
			defer mu.Unlock()
			if whole = joined(whole, b); r.plan.Limit > 0 && whole.Rows > 2*r.plan.Limit+BlockRows {
				whole = r.sorted(whole, r.plan.Limit+1)
			}
			if whole.Rows > most {
				whole, full = r.sorted(whole, most), true
			}
			return nil
		}
	})
	if err != nil || whole == nil {
		return err
	}
	if full {
		r.summary.Truncated, r.summary.Cut = true, "memory for rows: the first in the order are complete"
	}
	return r.emitLines(r.sorted(whole, whole.Rows))
}

func joined(b, more *query.Block) *query.Block {
	if b == nil {
		return more
	}
	return appendBlock(b, more)
}

// sorted returns the first lines by the plan's order. The time is not one of the answer's columns.
func (r *run) sorted(b *query.Block, count int) *query.Block {
	lines := identity(b.Rows)
	slices.SortFunc(lines, newOrder(r.plan, b.Columns[:len(b.Columns)-1]).compare)
	return permuted(b, lines[:min(count, len(lines))])
}

func identity(n int) []uint32 {
	lines := make([]uint32, n)
	for i := range lines {
		lines[i] = uint32(i)
	}
	return lines
}

// emitLines gives lines up to the plan's limit, without their times. It says so when that cuts any.
func (r *run) emitLines(b *query.Block) error {
	b.Columns = b.Columns[:len(b.Columns)-1]
	if left := r.plan.Limit - int(r.summary.Rows); r.plan.Limit > 0 && b.Rows > left {
		b = cutBlock(b, 0, left)
		r.summary.Truncated = true
		r.summary.Cut = cmp.Or(r.summary.Cut, "limit")
	}
	return r.emitAll(b)
}

// span is a range of time that is yet to be listed: from <= end < to.
type span struct{ from, to flow.Time }

// listNewest answers a plan of rows, newest first. What does not fit into memory at once is listed in parts.
func (r *run) listNewest(ctx context.Context, sources []Source) error {
	spans := []span{{r.plan.From, r.plan.To}}
	for len(spans) > 0 && !r.summary.Truncated {
		last := len(spans) - 1
		rest, err := r.listSpan(ctx, sources, spans[last])
		if err != nil {
			return err
		}
		spans = spans[:last]
		if rest.from < rest.to {
			middle := rest.from + (rest.to-rest.from)/2
			spans = append(spans, span{rest.from, middle}, span{middle, rest.to})
		}
	}
	return nil
}

// listSpan lists the rows of a span and returns the part of it that was left because it has too many.
func (r *run) listSpan(ctx context.Context, sources []Source, s span) (rest span, err error) {
	plan := *r.plan
	plan.From, plan.To = s.from, s.to
	l := &newestLister{run: r, rest: s}
	for _, w := range r.workers {
		w.plan = &plan
	}
	inside := slices.DeleteFunc(slices.Clone(sources), func(source Source) bool {
		first, last := source.Ends()
		return last < s.from || first >= s.to
	})
	slices.SortStableFunc(inside, func(a, b Source) int {
		_, lastA := a.Ends()
		_, lastB := b.Ends()
		return cmp.Compare(lastB, lastA)
	})
	if err := r.inOrder(ctx, inside, l.take); err != nil {
		return span{}, err
	}
	if l.left {
		return l.rest, nil
	}
	return span{}, nil
}

// newestLister collects lines and gives those that no later source can come before.
type newestLister struct {
	*run
	pending *query.Block
	// rest is what was not given yet; left says that it must be listed again, in parts.
	rest span
	left bool
}

// take takes the lines of a source, whose successors have no row after the time next. It says whether to go on.
func (l *newestLister) take(b *query.Block, next flow.Time) (bool, error) {
	if b != nil {
		l.pending = joined(l.pending, b)
	}
	if l.pending == nil {
		return true, nil
	}
	ready, later := l.split(next)
	l.pending = later
	if err := l.emitLines(ready); err != nil || l.summary.Truncated {
		return false, err
	}
	l.rest.to = min(l.rest.to, next+1)
	l.prune()
	if l.pending.Rows > l.rowsAtOnce() && l.rest.to-l.rest.from > 1 {
		l.left = true
		return false, nil
	}
	return true, nil
}

// split returns the lines after a time, sorted, and the others.
func (l *newestLister) split(next flow.Time) (ready, later *query.Block) {
	times := l.pending.Columns[len(l.pending.Columns)-1].Ints
	var after, before []uint32
	for i, time := range times {
		if time > int64(next) {
			after = append(after, uint32(i))
		} else {
			before = append(before, uint32(i))
		}
	}
	slices.SortFunc(after, l.newestFirst(l.pending))
	return permuted(l.pending, after), permuted(l.pending, before)
}

// newestFirst compares by time, then by the columns from left to right.
func (l *newestLister) newestFirst(b *query.Block) func(x, y uint32) int {
	times := b.Columns[len(b.Columns)-1].Ints
	columns := newOrder(l.plan, b.Columns[:len(b.Columns)-1])
	return func(x, y uint32) int {
		return cmp.Or(cmp.Compare(times[y], times[x]), columns.compare(x, y))
	}
}

// prune keeps as many lines as the limit can want, and one more, which shows that there are more.
func (l *newestLister) prune() {
	most := l.plan.Limit - int(l.summary.Rows) + 1
	if l.plan.Limit == 0 || l.pending.Rows <= 2*most+BlockRows {
		return
	}
	lines := identity(l.pending.Rows)
	slices.SortFunc(lines, l.newestFirst(l.pending))
	l.pending = permuted(l.pending, lines[:most])
}

// noTime is before all rows.
const noTime = flow.Time(-1)

// inOrder reads sources, which are sorted by their last row, in parallel, and gives their lines in that order, until
// take says that it has enough.
func (r *run) inOrder(ctx context.Context, sources []Source, take func(b *query.Block, next flow.Time) (bool, error)) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	results := make([]chan *query.Block, len(sources))
	for i := range results {
		results[i] = make(chan *query.Block, 1)
	}
	ahead := make(chan struct{}, 2*len(r.workers)) // How many results may wait to be taken.
	work := make(chan int)
	group, groupCtx := errgroup.WithContext(ctx)
	group.Go(func() error {
		defer close(work)
		for i := range sources {
			select {
			case ahead <- struct{}{}:
			case <-groupCtx.Done():
				return nil
			}
			select {
			case work <- i:
			case <-groupCtx.Done():
				return nil
			}
		}
		return nil
	})
	for _, w := range r.workers {
		group.Go(func() error {
			for i := range work {
				b, err := w.lines(groupCtx, sources[i])
				if err != nil {
					return err
				}
				results[i] <- b
			}
			return nil
		})
	}
	enough, err := false, error(nil)
	for i := range sources {
		select {
		case b := <-results[i]:
			<-ahead
			next := noTime
			if i+1 < len(sources) {
				_, next = sources[i+1].Ends()
			}
			var more bool
			more, err = take(b, next)
			enough = !more
		case <-groupCtx.Done():
			enough = true
		}
		if enough || err != nil {
			break
		}
	}
	stopped := ctx.Err()
	cancel()
	groupErr := group.Wait()
	switch {
	case err != nil:
		return err
	case stopped != nil:
		return stopped
	case groupErr != nil && !isCanceled(groupErr):
		return groupErr
	}
	return nil
}

// lines returns the lines of a source that can be in the answer.
func (w *worker) lines(ctx context.Context, s Source) (b *query.Block, err error) {
	err = w.visit(ctx, s, func(chunk Chunk, rows []int32) error {
		if w.plan.Limit > 0 {
			if rows, err = w.newest(chunk, rows, w.plan.Limit+1); err != nil {
				return err
			}
		}
		b, err = w.read(chunk, rows)
		return err
	})
	return b, err
}
