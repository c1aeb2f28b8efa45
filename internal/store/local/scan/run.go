package scan

import (
	"context"
	"errors"
	"fmt"
	"sync/atomic"

	"golang.org/x/sync/errgroup"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// Limits bound what a plan may use.
type Limits struct {
	// Workers is how many goroutines take chunks.
	Workers int
	// Memory is about how many bytes each of them may hold of groups, or all of them together of rows.
	Memory int
	// Oldest is the time before which rows are not found.
	Oldest flow.Time
}

// run answers one plan.
type run struct {
	plan    *query.Plan
	dataset *columns.Dataset
	limits  Limits
	workers []*worker
	sink    func(*query.Block) error
	summary query.Summary
}

// Run answers a plan from the sources, in any order, block by block. It ends early with an error of the sink's, of a
// source's or of the context.
func Run(ctx context.Context, d *columns.Dataset, plan *query.Plan, sources []Source, limits Limits,
	sink func(*query.Block) error,
) (query.Summary, error) {
	r := &run{plan: plan, dataset: d, limits: limits, sink: sink}
	if err := r.check(); err != nil {
		return r.summary, fmt.Errorf("query: %w", err)
	}
	for range max(1, limits.Workers) {
		r.workers = append(r.workers, newWorker(d, plan, limits.Oldest))
	}
	answer := r.list
	if len(plan.Measures) > 0 {
		answer = r.aggregate
	}
	err := answer(ctx, sources)
	for _, w := range r.workers {
		r.summary.Scanned += w.scanned
	}
	if err != nil {
		return r.summary, fmt.Errorf("query: %w", err)
	}
	return r.summary, nil
}

// check refuses fields that are not stored.
func (r *run) check() error {
	for _, f := range r.plan.Fields {
		if err := stored(r.dataset, f); err != nil {
			return err
		}
	}
	for _, f := range r.plan.GroupBy {
		if err := stored(r.dataset, f); err != nil {
			return err
		}
	}
	for i := range r.plan.Measures {
		if err := r.checkMeasure(&r.plan.Measures[i]); err != nil {
			return err
		}
	}
	return r.checkCondition(r.plan.Filter)
}

func (r *run) checkMeasure(m *query.Measure) (err error) {
	m.All(func(part *query.Measure) {
		if part.Field != nil {
			err = errors.Join(err, stored(r.dataset, part.Field))
		}
		err = errors.Join(err, r.checkCondition(part.Where))
	})
	return err
}

func (r *run) checkCondition(x *query.Expr) error {
	return newCondition(x).leaves(func(c *Comparison) error { return stored(r.dataset, c.Field) })
}

// each shares the sources among the workers; take makes the function that a worker gives its rows to.
func (r *run) each(ctx context.Context, sources []Source, take func(i int, w *worker) func(Chunk, []int32) error) error {
	var next atomic.Int64
	group, ctx := errgroup.WithContext(ctx)
	for i, w := range r.workers {
		takeRows := take(i, w)
		group.Go(func() error {
			for {
				n := int(next.Add(1)) - 1
				if n >= len(sources) {
					return nil
				}
				if err := w.visit(ctx, sources[n], takeRows); err != nil {
					return err
				}
			}
		})
	}
	return group.Wait()
}

func isCanceled(err error) bool { return errors.Is(err, context.Canceled) }
