package scan

import (
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/query"
)

// Comparison is a comparison of one field, a leaf of a filter.
type Comparison struct {
	*query.Expr
	// Text says that the field is one of texts. MatchText or MatchNumber evaluates the comparison.
	Text bool
	// texts and numbers hold the constants of a long list; nil of a short one, which is searched from its begin.
	texts   map[string]struct{}
	numbers map[int64]struct{}
}

// fewValues is up to how many constants a search from the begin is faster.
const fewValues = 8

// newComparison returns a comparison that MatchText and MatchNumber evaluate in a time that does not grow with a list.
func newComparison(e *query.Expr) *Comparison {
	return &Comparison{Expr: e, Text: columns.IsText(e.Field), texts: setOf(e.Texts), numbers: setOf(e.Numbers)}
}

func setOf[T comparable](values []T) map[T]struct{} {
	if len(values) <= fewValues {
		return nil
	}
	set := make(map[T]struct{}, len(values))
	for _, value := range values {
		set[value] = struct{}{}
	}
	return set
}

// contains says whether a constant is among some, by their set where there is one.
func contains[T comparable](values []T, set map[T]struct{}, value T) bool {
	if set == nil {
		return slices.Contains(values, value)
	}
	_, ok := set[value]
	return ok
}

// condition is a filter, ready to be evaluated.
type condition struct {
	operator query.Operator
	args     []*condition
	leaf     *Comparison
}

func newCondition(e *query.Expr) *condition {
	if e == nil {
		return nil
	}
	c := &condition{operator: e.Operator}
	switch e.Operator {
	case query.And, query.Or, query.Not:
		for _, arg := range e.Args {
			c.args = append(c.args, newCondition(arg))
		}
	default:
		c.leaf = newComparison(e)
	}
	return c
}

// excludes says that no row of the source can fulfil the condition.
func (c *condition) excludes(s Source) bool {
	if c == nil {
		return false
	}
	excludes := func(arg *condition) bool { return arg.excludes(s) }
	switch c.operator {
	case query.And:
		return slices.ContainsFunc(c.args, excludes)
	case query.Or:
		return !slices.ContainsFunc(c.args, func(arg *condition) bool { return !excludes(arg) })
	case query.Not:
		return false
	}
	return s.Excludes(c.leaf)
}

// leaves visits the comparisons in the condition.
func (c *condition) leaves(visit func(*Comparison) error) error {
	if c == nil {
		return nil
	}
	if c.leaf != nil {
		return visit(c.leaf)
	}
	for _, arg := range c.args {
		if err := arg.leaves(visit); err != nil {
			return err
		}
	}
	return nil
}

// outcome says whether a mask is uniform, so that work can be spared.
type outcome uint8

const (
	mixed outcome = iota
	none
	all
)

// evaluate sets the mask where rows fulfil the condition. If the outcome is uniform the mask is not written.
func (w *worker) evaluate(c *condition, chunk Chunk, mask []bool) (outcome, error) {
	switch c.operator {
	case query.And:
		return w.combine(c.args, chunk, mask, none, func(a, b bool) bool { return a && b })
	case query.Or:
		return w.combine(c.args, chunk, mask, all, func(a, b bool) bool { return a || b })
	case query.Not:
		return w.negate(c.args[0], chunk, mask)
	}
	if c.leaf.Text {
		return w.evaluateText(c.leaf, chunk, mask)
	}
	return w.evaluateNumber(c.leaf, chunk, mask)
}

// combine evaluates parts until one decides; the decisive outcome is that of the operator's absorbing element.
func (w *worker) combine(args []*condition, chunk Chunk, mask []bool, decisive outcome, join func(a, b bool) bool) (outcome, error) {
	sum := all + none - decisive
	var scratch []bool
	for _, arg := range args {
		target := mask
		if sum == mixed {
			if scratch == nil {
				scratch = w.mask(len(mask))
				defer w.free(scratch)
			}
			target = scratch
		}
		o, err := w.evaluate(arg, chunk, target)
		if err != nil || o == decisive {
			return o, err
		}
		if o != mixed {
			continue
		}
		if sum == mixed {
			if decisive == none {
				andMasks(mask, scratch)
			} else {
				orMasks(mask, scratch)
			}
		}
		sum = mixed
	}
	return sum, nil
}

func (w *worker) negate(arg *condition, chunk Chunk, mask []bool) (outcome, error) {
	o, err := w.evaluate(arg, chunk, mask)
	switch o {
	case all:
		return none, err
	case none:
		return all, err
	}
	for i, set := range mask {
		mask[i] = !set
	}
	return mixed, err
}
