package query

import (
	"fmt"
	"slices"
	"strings"
)

// Collector keeps the blocks of an answer, up to a bound. Each is kept apart, so that nothing is copied twice and no
// memory is taken ahead.
type Collector struct {
	blocks  []*Block
	columns []Column
	bytes   int
	bound   int
	take    func(bytes int) error
	scratch []byte
}

// NewCollector returns a collector for the answer to a plan. Its values may take so many bytes: of each what it takes in
// memory or as JSON with all escapes, whichever is more. Take is asked for the bytes of a block before it is kept; its error ends the
// query.
func NewCollector(plan *Plan, bound int, take func(bytes int) error) *Collector {
	return &Collector{columns: plan.Columns(), bound: bound, take: take}
}

// Add copies a block. It is a sink of a store's Query: the error, of type *Error, ends that where the answer exceeds
// the bound.
func (c *Collector) Add(b *Block) error {
	if len(b.Columns) != len(c.columns) {
		return fmt.Errorf("collect answer: block has %d columns, want %d", len(b.Columns), len(c.columns))
	}
	bytes := len(b.Other)
	for i := range b.Columns {
		bytes += columnBytes
		if bytes += c.size(&b.Columns[i], b.Rows, c.bound-c.bytes-bytes); bytes > c.bound-c.bytes {
			return refuse(TooLargeError, "limit", "take a smaller limit, fewer columns or the export",
				"answer takes more than %d bytes", c.bound)
		}
	}
	if err := c.take(bytes); err != nil {
		return err
	}
	c.bytes += bytes
	c.blocks = append(c.blocks, b.clone())
	return nil
}

// columnBytes is what a column takes beside its values.
const columnBytes = 256

// size returns what the values of a column take in memory or as JSON, whichever is more, with the commas and a mark for
// those that are not there. It stops counting beyond the bound.
func (c *Collector) size(column *Column, rows, bound int) int {
	bytes := 0
	for i := 0; i < rows && bytes <= bound; i++ {
		c.scratch = column.AppendJSON(c.scratch[:0], i)
		bytes += 2 + max(len(c.scratch), column.memory(i))
	}
	return bytes
}

// memory returns what a value takes in memory.
func (c *Column) memory(row int) int {
	if c.Texts != nil {
		return 16 + len(c.Texts[row])
	}
	return 8
}

// First returns the first block, or one without rows if none came.
func (c *Collector) First() *Block {
	if len(c.blocks) == 0 {
		return &Block{Columns: c.columns}
	}
	return c.blocks[0]
}

// More returns the blocks after the first.
func (c *Collector) More() []*Block {
	if len(c.blocks) == 0 {
		return nil
	}
	return c.blocks[1:]
}

// Bytes returns what the blocks count against the bound.
func (c *Collector) Bytes() int { return c.bytes }

// Whole returns all rows as one block, and keeps none of them.
func (c *Collector) Whole() *Block {
	whole := &Block{Columns: slices.Clone(c.columns)}
	rows := 0
	for _, b := range c.blocks {
		rows += b.Rows
	}
	for i := range whole.Columns {
		whole.Columns[i].reserve(c.First().Columns[i], rows)
	}
	for _, b := range c.blocks {
		for i := range b.Columns {
			whole.Columns[i].extend(&b.Columns[i], whole.Rows, b.Rows)
		}
		whole.Other = joinMarks(whole.Other, b.Other, whole.Rows, b.Rows)
		whole.Rows += b.Rows
	}
	c.blocks = nil
	return whole
}

// clone copies a block with all its values.
func (b *Block) clone() *Block {
	copied := &Block{Columns: slices.Clone(b.Columns), Rows: b.Rows, Other: slices.Clone(b.Other)}
	for i := range copied.Columns {
		c := &copied.Columns[i]
		c.Texts, c.Ints = cloneTexts(c.Texts), slices.Clone(c.Ints)
		c.Floats, c.Null = slices.Clone(c.Floats), slices.Clone(c.Null)
	}
	return copied
}

// cloneTexts copies texts into one piece of memory, so that they keep nothing else alive.
func cloneTexts(texts []string) []string {
	if texts == nil {
		return nil
	}
	size := 0
	for _, text := range texts {
		size += len(text)
	}
	var all strings.Builder
	all.Grow(size)
	for _, text := range texts {
		all.WriteString(text)
	}
	rest, copied := all.String(), make([]string, len(texts))
	for i, text := range texts {
		copied[i], rest = rest[:len(text)], rest[len(text):]
	}
	return copied
}

// reserve takes memory for as many rows, in the slice that another column has its values in.
func (c *Column) reserve(like Column, rows int) {
	switch {
	case like.Texts != nil:
		c.Texts = make([]string, 0, rows)
	case like.Floats != nil:
		c.Floats = make([]float64, 0, rows)
	case like.Ints != nil:
		c.Ints = make([]int64, 0, rows)
	}
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
