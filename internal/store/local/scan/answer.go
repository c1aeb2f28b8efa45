package scan

import (
	"cmp"
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/query"
)

// BlockRows is the largest number of rows of a block of an answer.
const BlockRows = 4096

// answer ranks the groups, cuts them, and gives the blocks.
func (r *run) answer(a *aggregation) error {
	ranked := r.overall(a)
	order := ranked.rank()
	kept := order
	if r.plan.Limit > 0 && len(order) > r.plan.Limit {
		kept = order[:r.plan.Limit]
		if !r.plan.Other {
			r.summary.Truncated = true
			r.summary.Cut = cmp.Or(r.summary.Cut, "limit")
		}
	}
	cut := order[len(kept):]
	if !r.plan.Other {
		cut = nil
	}
	block, counted := r.build(a, ranked, kept, cut)
	if counted > query.DistinctLimit {
		estimate(a.measures)
		block, _ = r.build(a, ranked, kept, cut)
	}
	return r.emitAll(block)
}

// build returns the answer, and how many distinct values it counts.
func (r *run) build(a *aggregation, s *summed, kept, cut []uint32) (*query.Block, int64) {
	if r.plan.Step > 0 {
		return r.buildBuckets(a, s, kept, cut)
	}
	l := overPeriod(r.plan, kept)
	block := &query.Block{Columns: s.columns(l), Rows: len(kept)}
	if len(cut) == 0 {
		return block, l.counted
	}
	to := slices.Repeat([]uint32{refused}, s.len())
	for _, g := range cut {
		to[g] = 0
	}
	other, counted := r.otherBlock(nil, mergedMeasures(r.plan, a.measures, to, 1))
	return appendBlock(block, other), l.counted + counted
}

func estimate(measures []measure) {
	for _, m := range measures {
		switch m := m.(type) {
		case *distinct:
			m.estimate()
		case *filtered:
			estimate([]measure{m.measure})
		case *formula:
			estimate(m.args[:])
		}
	}
}

// mergedMeasures puts groups together: to holds the new group of each, refused for those that are left out.
func mergedMeasures(plan *query.Plan, measures []measure, to []uint32, groups int) []measure {
	merged := newMeasures(plan, groups)
	for i, m := range merged {
		m.merge(measures[i], to)
	}
	return merged
}

// summed is an aggregation over all buckets.
type summed struct {
	*aggregation
	// of holds the group over all buckets of each group by bucket; nil without a step.
	of []uint32
}

// overall adds the buckets up.
func (r *run) overall(a *aggregation) *summed {
	if r.plan.Step == 0 {
		if len(r.plan.GroupBy) == 0 {
			for _, m := range a.measures {
				m.grow(1)
			}
		}
		return &summed{aggregation: a}
	}
	s := &summed{aggregation: &aggregation{
		plan: r.plan, texts: a.texts, hasNumbers: a.hasNumbers,
		groups: newGroups(a.groups.words-1, a.groups.limit),
	}}
	s.of = make([]uint32, a.groups.len())
	for g := range s.of {
		s.of[g] = s.groups.number(a.groups.key(g)[1:])
	}
	s.measures = mergedMeasures(r.plan, a.measures, s.of, s.len())
	return s
}

func (s *summed) len() int {
	if s.of != nil && len(s.of) == 0 {
		return 0
	}
	return s.groups.len()
}

// rank returns the groups in the order of the plan.
func (s *summed) rank() []uint32 {
	order := make([]uint32, s.len())
	for i := range order {
		order[i] = uint32(i)
	}
	columns := s.columns(overPeriod(s.plan, order))
	slices.SortFunc(order, newOrder(s.plan, columns).compare)
	return order
}

// columns returns the keys and measures of lines.
func (s *summed) columns(l *lines) []query.Column {
	return append(s.keyColumns(l.groups), fillMeasures(s.plan, s.measures, l)...)
}

func fillMeasures(plan *query.Plan, measures []measure, l *lines) []query.Column {
	filled := plan.Columns()
	filled = filled[len(filled)-len(measures):]
	for i, m := range measures {
		m.fill(&filled[i], l)
	}
	return filled
}

func (s *summed) keyColumns(groups []uint32) []query.Column {
	all := s.plan.Columns()
	keys := all[len(all)-len(s.plan.Measures)-len(s.plan.GroupBy):][:len(s.plan.GroupBy)]
	for i, f := range s.plan.GroupBy {
		s.fillKey(&keys[i], i, columns.IsText(f), groups)
	}
	return keys
}

// fillKey sets the values of a key. Without a step the aggregation's own words begin with the keys.
func (s *summed) fillKey(column *query.Column, i int, text bool, groups []uint32) {
	for n, g := range groups {
		key := s.groups.key(int(g))
		if text {
			column.Texts = append(column.Texts, s.texts.list[key[i]])
			continue
		}
		column.Ints = append(column.Ints, int64(key[i]))
		if key[len(key)-1]&(1<<i) != 0 {
			if column.Null == nil {
				column.Null = make([]bool, len(groups))
			}
			column.Null[n] = true
		}
	}
}

// otherBlock returns the lines of the group of others, one for each bucket, or one, and the distinct values counted.
func (r *run) otherBlock(buckets []int64, measures []measure) (block *query.Block, counted int64) {
	rows := max(1, len(buckets))
	l := overPeriod(r.plan, identity(rows))
	if buckets != nil {
		l = inBuckets(r.plan, l.groups, buckets)
	}
	b := &query.Block{Columns: r.plan.Columns(), Rows: rows, Other: slices.Repeat([]bool{true}, rows)}
	keys := b.Columns[:len(b.Columns)-len(measures)]
	if buckets != nil {
		keys[0].Ints = buckets
		keys = keys[1:]
	}
	for i := range keys {
		keys[i].Null = slices.Repeat([]bool{true}, rows)
		if columns.IsTextKind(keys[i].Kind) {
			keys[i].Texts = make([]string, rows)
		} else {
			keys[i].Ints = make([]int64, rows)
		}
	}
	copy(b.Columns[len(b.Columns)-len(measures):], fillMeasures(r.plan, measures, l))
	return b, l.counted
}
