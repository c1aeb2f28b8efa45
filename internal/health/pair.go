package health

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"
)

// baselineParts is how many parts a baseline has where values are compared: a quantile of all of it would be that of a
// fault soon after it began, and that of the middle part is not before half of the baseline has the fault.
const baselineParts = 4

// pairOf asks for the period and for the baseline. The facts are by subject, in the order of the rules.
func pairOf[K comparable](ctx context.Context, c *check, q *question, of func(answerRow) K) (now, before map[K][]Facts, err error) {
	q.filter = c.with("")
	q.from, q.to = c.periods.From, c.periods.To
	if now, err = factsBy(ctx, c, q, of); err != nil || c.periods.scale() == 0 {
		return now, nil, err
	}
	was := *q
	was.from, was.to = c.periods.BaselineFrom, c.periods.BaselineTo
	if slices.ContainsFunc(q.rules, func(r *Rule) bool { return r.Form == Growth }) {
		was.step, was.limit = partOf(was.to.Sub(was.from)), q.limit*baselineParts
	}
	before, err = factsBy(ctx, c, &was, of)
	return now, before, err
}

// partOf is a part of a baseline, in whole seconds.
func partOf(baseline time.Duration) time.Duration {
	return max(time.Second, (baseline / baselineParts).Round(time.Second))
}

// parts are the facts of a subject by the begin of the step that they are of.
type parts map[int64][]Facts

func factsBy[K comparable](ctx context.Context, c *check, q *question, of func(answerRow) K) (map[K][]Facts, error) {
	all := make(map[K]parts)
	cut, err := c.ask(ctx, q, func(row answerRow) {
		key, begin := of(row), int64(0)
		if q.step > 0 {
			begin = row.begin().UnixNano()
		}
		if all[key] == nil {
			all[key] = make(parts)
		}
		if all[key][begin] == nil {
			all[key][begin] = slices.Repeat([]Facts{noFacts()}, len(q.rules))
		}
		for i, rule := range q.rules {
			all[key][begin][i] = all[key][begin][i].plus(row.facts(rule))
		}
	})
	if cut != "" {
		c.note("only the largest %d groups of %s were looked at", q.limit, q.dataset)
	}
	whole := make(map[K][]Facts, len(all))
	for key, p := range all {
		for i := range q.rules {
			whole[key] = append(whole[key], p.whole(i))
		}
	}
	return whole, err
}

// whole adds the parts up. The value is that of the middle one by volume, of two the smaller.
func (p parts) whole(rule int) Facts {
	sum := noFacts()
	var known []Facts
	for _, facts := range p {
		sum = sum.plus(facts[rule])
		if !math.IsNaN(facts[rule].Value) {
			known = append(known, facts[rule])
		}
	}
	slices.SortFunc(known, func(a, b Facts) int { return cmp.Compare(a.Value, b.Value) })
	all, below := 0.0, 0.0
	for _, f := range known {
		all += f.volume()
	}
	for _, f := range known {
		if below += f.volume(); below >= all/2 {
			sum.Value = f.Value
			break
		}
	}
	return sum
}
