package scan

import "github.com/seine-net/seine/internal/query"

// permuted returns the lines of a block in another order, or some of them.
func permuted(b *query.Block, lines []uint32) *query.Block {
	p := &query.Block{Columns: make([]query.Column, len(b.Columns)), Rows: len(lines)}
	for i, c := range b.Columns {
		p.Columns[i] = query.Column{
			Name: c.Name, Kind: c.Kind, Unit: c.Unit, Estimated: c.Estimated,
			Texts: gatherSome(c.Texts, lines), Ints: gatherSome(c.Ints, lines), Floats: gatherSome(c.Floats, lines),
			Null: gatherSome(c.Null, lines),
		}
	}
	p.Other = gatherSome(b.Other, lines)
	return p
}

// gatherSome is gather, with nil for nil.
func gatherSome[T any](values []T, lines []uint32) []T {
	if values == nil {
		return nil
	}
	return gather(values, lines)
}

// appendBlock appends the lines of a block with the same columns.
func appendBlock(b, more *query.Block) *query.Block {
	for i := range b.Columns {
		c, m := &b.Columns[i], &more.Columns[i]
		c.Estimated = c.Estimated || m.Estimated
		c.Texts = append(c.Texts, m.Texts...)
		c.Ints = append(c.Ints, m.Ints...)
		c.Floats = append(c.Floats, m.Floats...)
		c.Null = appendMarks(c.Null, b.Rows, m.Null, more.Rows)
	}
	b.Other = appendMarks(b.Other, b.Rows, more.Other, more.Rows)
	b.Rows += more.Rows
	return b
}

// appendMarks appends marks of lines, where nil stands for as many false ones.
func appendMarks(marks []bool, rows int, more []bool, moreRows int) []bool {
	if marks == nil && more == nil {
		return nil
	}
	return append(growTo(marks, rows), growTo(more, moreRows)...)
}

// cutBlock returns some lines of a block, sharing its memory.
func cutBlock(b *query.Block, from, to int) *query.Block {
	p := &query.Block{Columns: make([]query.Column, len(b.Columns)), Rows: to - from}
	for i, c := range b.Columns {
		c.Texts, c.Ints, c.Floats = cutSome(c.Texts, from, to), cutSome(c.Ints, from, to), cutSome(c.Floats, from, to)
		c.Null = cutSome(c.Null, from, to)
		p.Columns[i] = c
	}
	p.Other = cutSome(b.Other, from, to)
	return p
}

func cutSome[T any](values []T, from, to int) []T {
	if values == nil {
		return nil
	}
	return values[from:to]
}

// emitAll gives the lines of a block in blocks of at most BlockRows.
func (r *run) emitAll(b *query.Block) error {
	for from := 0; from < b.Rows; from += BlockRows {
		part := cutBlock(b, from, min(from+BlockRows, b.Rows))
		r.summary.Rows += int64(part.Rows)
		if err := r.sink(part); err != nil {
			return err
		}
	}
	return nil
}
