package query

import (
	"fmt"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// compare makes the plan of the earlier period. Order and limit wait for Join, so that groups can be sorted by what
// changed, and those that were only in one period are not lost.
func (c *compilation) compare(compiled *Compiled) error {
	if c.request.Compare == "" {
		return nil
	}
	earlier, err := c.earlier()
	if err != nil {
		return err
	}
	compiled.order, compiled.limit = c.plan.Order, c.plan.Limit
	c.plan.Order, c.plan.Limit = nil, 0
	before := *c.plan
	before.From -= flow.Time(earlier)
	before.To -= flow.Time(earlier)
	compiled.Compare = &before
	return nil
}

// earlier returns how much earlier the other period is.
func (c *compilation) earlier() (time.Duration, error) {
	earlier, err := parsePositive("compare", c.request.Compare)
	switch {
	case err != nil:
		return 0, err
	case len(c.plan.Measures) == 0:
		return 0, refuse(ValueError, "compare", `add measures, such as ["count()"]`, "only measures are compared")
	case c.plan.Other:
		return 0, refuse(UnsupportedError, "compare", "leave other out", "a group of others is not compared")
	case c.plan.Step > 0 && len(c.plan.GroupBy) > 0:
		return 0, refuse(UnsupportedError, "compare", "leave group_by or step out", "groups are not compared step by step")
	case c.plan.Step > 0 && earlier%c.plan.Step != 0:
		return 0, refuse(ValueError, "compare", "", "%s is not a multiple of the step, %s", earlier, c.plan.Step)
	case int64(c.plan.From) < int64(earlier):
		return 0, refuse(ValueError, "compare", "", "the period %s earlier begins before 1970", earlier)
	}
	return earlier, nil
}

// columns returns the columns of the request's answer, those of a comparison included.
func (c *compilation) columns() []Column {
	if c.request.Compare == "" {
		return c.plan.Columns()
	}
	return joinedColumns(c.plan)
}

// joinedColumns are the keys and, for each measure, its value, its previous value and the change.
func joinedColumns(p *Plan) []Column {
	all := p.Columns()
	keys := len(all) - len(p.Measures)
	joined := slices.Clip(all[:keys])
	for _, c := range all[keys:] {
		previous, change := c, c
		previous.Name, change.Name = "previous("+c.Name+")", "change("+c.Name+")"
		if c.Kind == flow.TimeField {
			change.Kind, change.Unit = flow.CountField, "nanoseconds"
		}
		joined = append(joined, c, previous, change)
	}
	return joined
}

// Join puts the answers to Plan and Compare together: a line for each group of either, with the value of each measure,
// the previous one and the change, which is the difference of the two. A group that one period does not have counts
// there with 0 for counts and sums and has no value for other measures. The second result says that the limit of the
// request cut the answer.
func (c *Compiled) Join(current, earlier *Block) (*Block, bool) {
	lines := c.joinedLines(current, earlier)
	columns := joinedColumns(c.Plan)
	sortLines(lines, columns, c.order)
	kept := lines
	if c.limit > 0 {
		kept = lines[:min(c.limit, len(lines))]
	}
	joined := &Block{Columns: columns, Rows: len(kept)}
	for i := range columns {
		for _, l := range kept {
			columns[i].append(l.values[i], c.isFloat(i))
		}
	}
	c.markEstimated(columns, current, earlier)
	return joined, len(kept) < len(lines)
}

// keys is how many columns come before the measures.
func (c *Compiled) keys() int { return len(c.Plan.Columns()) - len(c.Plan.Measures) }

func (c *Compiled) isFloat(column int) bool {
	m := (column - c.keys()) / 3
	return column >= c.keys() && c.Plan.Measures[m].IsFloat()
}

func (c *Compiled) joinedLines(current, earlier *Block) []line {
	keys := c.keys()
	var names []string
	both := make(map[string]*[2][]value)
	for period, block := range []*Block{current, earlier} {
		for i := range block.Rows {
			values := block.row(i)
			if period == 1 && c.Plan.Step > 0 {
				values[0].number += int64(c.Plan.From - c.Compare.From)
			}
			name := fmt.Sprintf("%#v", values[:keys])
			if both[name] == nil {
				both[name] = new([2][]value)
				names = append(names, name)
			}
			both[name][period] = values
		}
	}
	lines := make([]line, len(names))
	for i, name := range names {
		lines[i] = c.joinedLine(both[name][0], both[name][1])
	}
	return lines
}

// joinedLine joins the values of one group; those of a period that does not have it are nil.
func (c *Compiled) joinedLine(current, previous []value) line {
	keys := c.keys()
	present := current
	if present == nil {
		present = previous
	}
	values := slices.Clone(present[:keys])
	for i, m := range c.Plan.Measures {
		now, then := m.orNothing(current, keys+i), m.orNothing(previous, keys+i)
		change := value{null: now.null || then.null, number: now.number - then.number, float: now.float - then.float}
		values = append(values, now, then, change)
	}
	return line{values: values}
}

// orNothing returns the measure's value in a line, or what it is where there are no rows.
func (m *Measure) orNothing(values []value, i int) value {
	if values != nil {
		return values[i]
	}
	return m.of(nil, 1, false)
}

// markEstimated marks what comes from a column that is estimated.
func (c *Compiled) markEstimated(joined []Column, current, earlier *Block) {
	keys := c.keys()
	for i := range c.Plan.Measures {
		now, then := current.Columns[keys+i].Estimated, earlier.Columns[keys+i].Estimated
		first := keys + 3*i
		joined[first].Estimated, joined[first+1].Estimated, joined[first+2].Estimated = now, then, now || then
	}
}

// row returns the values of a row of a block.
func (b *Block) row(i int) []value {
	values := make([]value, len(b.Columns))
	for j := range b.Columns {
		values[j] = b.Columns[j].at(i)
	}
	return values
}

// at returns a value of the column.
func (c *Column) at(i int) value {
	if c.Null != nil && c.Null[i] {
		return value{null: true}
	}
	switch {
	case c.Texts != nil:
		return value{text: c.Texts[i]}
	case c.Floats != nil:
		return value{float: c.Floats[i]}
	}
	return value{number: c.Ints[i]}
}
