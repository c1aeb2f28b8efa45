package scan

import (
	"cmp"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// order compares lines of an answer.
type order struct {
	columns []query.Column
	by      []int
	down    []bool
}

// newOrder has the columns of the plan's order, then all from left to right.
func newOrder(plan *query.Plan, lines []query.Column) *order {
	o := &order{columns: lines}
	for _, by := range plan.Order {
		if i := slices.IndexFunc(lines, func(c query.Column) bool { return c.Name == by.Column }); i >= 0 {
			o.by, o.down = append(o.by, i), append(o.down, by.Descending)
		}
	}
	for i := range lines {
		o.by, o.down = append(o.by, i), append(o.down, false)
	}
	return o
}

func (o *order) compare(a, b uint32) int {
	for i, by := range o.by {
		if c := compareValues(&o.columns[by], a, b); c != 0 {
			if o.down[i] {
				return -c
			}
			return c
		}
	}
	return 0
}

func compareValues(c *query.Column, a, b uint32) int {
	if c.Null != nil && (c.Null[a] || c.Null[b]) {
		return cmp.Compare(truth(!c.Null[a]), truth(!c.Null[b]))
	}
	switch {
	case c.Texts != nil:
		return strings.Compare(c.Texts[a], c.Texts[b])
	case c.Floats != nil:
		return cmp.Compare(c.Floats[a], c.Floats[b])
	}
	return cmp.Compare(c.Ints[a], c.Ints[b])
}

func truth(b bool) int {
	if b {
		return 1
	}
	return 0
}
