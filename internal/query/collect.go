package query

import (
	"fmt"
)

// Collector puts the blocks of an answer together, up to a bound.
type Collector struct {
	// Block is what came so far.
	Block Block
	bytes int
	bound int
}

// NewCollector returns a collector for the answer to a plan that takes at most so many bytes of values.
func NewCollector(plan *Plan, bound int) *Collector {
	return &Collector{Block: Block{Columns: plan.Columns()}, bound: bound}
}

// Add copies a block. It is a sink of a store's Query: the error, of type *Error, ends that where the answer exceeds
// the bound.
func (c *Collector) Add(b *Block) error {
	if len(b.Columns) != len(c.Block.Columns) {
		return fmt.Errorf("collect answer: block has %d columns, want %d", len(b.Columns), len(c.Block.Columns))
	}
	for i := range b.Columns {
		c.bytes += b.Columns[i].size()
	}
	if c.bytes > c.bound {
		return refuse(TooLargeError, "limit", "take a smaller limit, fewer columns or the export",
			"answer takes more than %d bytes", c.bound)
	}
	for i := range b.Columns {
		c.Block.Columns[i].extend(&b.Columns[i], c.Block.Rows, b.Rows)
	}
	c.Block.Other = joinMarks(c.Block.Other, b.Other, c.Block.Rows, b.Rows)
	c.Block.Rows += b.Rows
	return nil
}

// size returns the memory that the column's values take, in bytes.
func (c *Column) size() int {
	bytes := 8*(len(c.Ints)+len(c.Floats)) + 16*len(c.Texts) + len(c.Null)
	for _, text := range c.Texts {
		bytes += len(text)
	}
	return bytes
}

// extend appends the rows of another column to the rows of this one.
func (c *Column) extend(more *Column, rows, moreRows int) {
	c.Estimated = c.Estimated || more.Estimated
	c.Texts = append(c.Texts, more.Texts...)
	c.Ints = append(c.Ints, more.Ints...)
	c.Floats = append(c.Floats, more.Floats...)
	c.Null = joinMarks(c.Null, more.Null, rows, moreRows)
}

// joinMarks appends marks to marks, where nil stands for none set.
func joinMarks(marks, more []bool, rows, moreRows int) []bool {
	if marks == nil && more == nil {
		return nil
	}
	if marks == nil {
		marks = make([]bool, rows)
	}
	if more == nil {
		more = make([]bool, moreRows)
	}
	return append(marks, more...)
}
