package query

import (
	"cmp"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// Matcher finds the rows of batches for which a condition holds. It goes through a batch column by column, and looks at
// each text of a dictionary once. It keeps buffers, so it is not safe for use by several goroutines at once.
type Matcher struct {
	root *node
}

// node is a part of the condition, with the outcome for each row of the current batch.
type node struct {
	*Expr
	args    []*node
	outcome []bool
	// texts is the outcome for each text of the dictionary; one more for batches that lack the column.
	texts []bool
	// members has what In looks for, if that is many.
	textSet   map[string]bool
	numberSet map[int64]bool
}

// fewValues is up to how many values a list is searched from its begin.
const fewValues = 8

// NewMatcher returns a matcher for a condition; nil holds for every row.
func NewMatcher(condition *Expr) *Matcher {
	if condition == nil {
		condition = &Expr{Operator: Not, Args: []*Expr{{Operator: Or}}}
	}
	return &Matcher{newNode(condition)}
}

func newNode(x *Expr) *node {
	n := &node{Expr: x}
	for _, arg := range x.Args {
		n.args = append(n.args, newNode(arg))
	}
	if len(x.Texts) > fewValues {
		n.textSet = setOf(x.Texts)
	}
	if len(x.Numbers) > fewValues {
		n.numberSet = setOf(x.Numbers)
	}
	return n
}

func setOf[T comparable](values []T) map[T]bool {
	set := make(map[T]bool, len(values))
	for _, value := range values {
		set[value] = true
	}
	return set
}

// Match appends the rows of the batch for which the condition holds, in their order.
func (m *Matcher) Match(rows []int32, batch arrow.RecordBatch) []int32 {
	m.root.match(batch)
	for i, matches := range m.root.outcome {
		if matches {
			rows = append(rows, int32(i))
		}
	}
	return rows
}

// match fills the outcome for all rows of the batch.
func (n *node) match(batch arrow.RecordBatch) {
	rows := int(batch.NumRows())
	n.outcome = slices.Grow(n.outcome[:0], rows)[:rows]
	switch n.Operator {
	case And, Or, Not:
		n.combine(batch)
		return
	}
	if columns.IsText(n.Field) {
		n.matchTexts(columns.TextsOf(batch, n.Field))
	} else {
		n.matchNumbers(columns.NumbersOf(batch, n.Field))
	}
}

func (n *node) combine(batch arrow.RecordBatch) {
	fill(n.outcome, n.Operator == And)
	for _, arg := range n.args {
		arg.match(batch)
		for i, holds := range arg.outcome {
			switch n.Operator {
			case And:
				n.outcome[i] = n.outcome[i] && holds
			case Or:
				n.outcome[i] = n.outcome[i] || holds
			default:
				n.outcome[i] = !holds
			}
		}
	}
}

func fill(outcome []bool, value bool) {
	for i := range outcome {
		outcome[i] = value
	}
}

func (n *node) matchTexts(column columns.Texts) {
	if column.Dictionary == nil {
		fill(n.outcome, n.holdsText(""))
		return
	}
	size := column.Dictionary.Len()
	n.texts = slices.Grow(n.texts[:0], size)[:size]
	for i := range n.texts {
		n.texts[i] = n.holdsText(column.Dictionary.Value(i))
	}
	for i, index := range column.Indices {
		n.outcome[i] = n.texts[index]
	}
}

func (n *node) holdsText(text string) bool {
	if n.textSet != nil {
		return n.textSet[text]
	}
	return textHolds(n.Expr, text)
}

func (n *node) matchNumbers(column columns.Numbers) {
	switch {
	case n.Operator == Known:
		fill(n.outcome, true)
	case n.Operator == In:
		n.matchMembers(column.Values)
	default:
		n.compareNumbers(column.Values, n.Numbers[0])
	}
	for i, null := range column.Null {
		n.outcome[i] = n.outcome[i] && !null
	}
}

func (n *node) matchMembers(values []int64) {
	for i, value := range values {
		if n.numberSet != nil {
			n.outcome[i] = n.numberSet[value]
		} else {
			n.outcome[i] = slices.Contains(n.Numbers, value)
		}
	}
}

// compareNumbers compares each value with a constant.
func (n *node) compareNumbers(values []int64, constant int64) {
	for i, value := range values {
		n.outcome[i] = compares(n.Operator, cmp.Compare(value, constant))
	}
}

// Rows returns fields of some rows of a batch, in the order of the rows.
func Rows(batch arrow.RecordBatch, rows []int32, fields []*flow.Field) *Block {
	b := &Block{Columns: fieldColumns(fields), Rows: len(rows)}
	for i, f := range fields {
		if columns.IsText(f) {
			b.Columns[i].takeTexts(columns.TextsOf(batch, f), rows)
		} else {
			b.Columns[i].takeNumbers(columns.NumbersOf(batch, f), rows)
		}
	}
	return b
}

func (c *Column) takeTexts(texts columns.Texts, rows []int32) {
	c.Texts = make([]string, len(rows))
	for i, row := range rows {
		c.Texts[i] = texts.Value(int(row))
	}
}

func (c *Column) takeNumbers(numbers columns.Numbers, rows []int32) {
	c.Ints = make([]int64, len(rows))
	if numbers.Null != nil {
		c.Null = make([]bool, len(rows))
	}
	for i, row := range rows {
		c.Ints[i] = numbers.Values[row]
		if numbers.Null != nil {
			c.Null[i] = numbers.Null[row]
		}
	}
}
