package scan

import (
	"cmp"
	"slices"

	"github.com/seine-net/seine/internal/query"
)

// buildBuckets returns the answer of a plan with a step: bucket by bucket, the kept groups by rank, then the others.
func (r *run) buildBuckets(a *aggregation, s *summed, kept, cut []uint32) (*query.Block, int64) {
	rank := slices.Repeat([]int{-1}, s.len())
	for i, g := range kept {
		rank[g] = i
	}
	block, counted := r.keptBuckets(a, s, rank)
	if len(cut) > 0 {
		other, more := r.otherBuckets(a, s, rank)
		block, counted = appendBlock(block, other), counted+more
	}
	return r.sortBuckets(block), counted
}

// keptBuckets has a line for each kept group in each bucket, groups by rank.
func (r *run) keptBuckets(a *aggregation, s *summed, rank []int) (*query.Block, int64) {
	var groups []uint32
	for g := range s.of {
		if rank[s.of[g]] >= 0 {
			groups = append(groups, uint32(g))
		}
	}
	slices.SortFunc(groups, func(x, y uint32) int { return cmp.Compare(rank[s.of[x]], rank[s.of[y]]) })
	b := &query.Block{Columns: r.plan.Columns(), Rows: len(groups)}
	for _, g := range groups {
		b.Columns[0].Ints = append(b.Columns[0].Ints, a.bucket(g))
	}
	overall := gather(s.of, groups)
	copy(b.Columns[1:], s.keyColumns(overall))
	l := inBuckets(r.plan, groups, b.Columns[0].Ints)
	copy(b.Columns[1+len(r.plan.GroupBy):], fillMeasures(r.plan, a.measures, l))
	return b, l.counted
}

func (a *aggregation) bucket(g uint32) int64 { return int64(a.groups.key(int(g))[0]) }

// otherBuckets has a line for each bucket that has cut groups.
func (r *run) otherBuckets(a *aggregation, s *summed, rank []int) (*query.Block, int64) {
	var buckets []int64
	places := make(map[int64]uint32)
	to := make([]uint32, len(s.of))
	for g := range s.of {
		to[g] = refused
		if rank[s.of[g]] >= 0 {
			continue
		}
		bucket := a.bucket(uint32(g))
		place, ok := places[bucket]
		if !ok {
			place = uint32(len(buckets))
			places[bucket] = place
			buckets = append(buckets, bucket)
		}
		to[g] = place
	}
	return r.otherBlock(buckets, mergedMeasures(r.plan, a.measures, to, len(buckets)))
}

// sortBuckets sorts the lines by bucket and keeps their order otherwise.
func (r *run) sortBuckets(b *query.Block) *query.Block {
	lines := make([]uint32, b.Rows)
	for i := range lines {
		lines[i] = uint32(i)
	}
	sign := 1
	if slices.Contains(r.plan.Order, query.Order{Column: query.TimeColumn, Descending: true}) {
		sign = -1
	}
	times := b.Columns[0].Ints
	slices.SortStableFunc(lines, func(x, y uint32) int { return sign * cmp.Compare(times[x], times[y]) })
	return permuted(b, lines)
}
