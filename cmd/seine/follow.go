package main

import (
	"fmt"
	"io"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/query"
)

// followWriter writes the rows of a live stream as they come.
type followWriter struct {
	listing    *listing
	out, notes io.Writer
	writer     blockWriter
	// seen counts the rows of the history, which the stream may bring once more.
	seen map[string]int
}

func (w *followWriter) history(a *query.Answer) error {
	rows := format.NewNDJSON(io.Discard, a.Columns)
	for row := range a.Rows {
		w.seen[string(rows.AppendRow(nil, a.Block, row))]++
	}
	if a.Rows == 0 {
		return nil
	}
	return w.write(a.Block)
}

func (w *followWriter) event(e client.Event) error {
	if e.Lost > 0 {
		fmt.Fprintf(w.notes, "seine: %d rows were lost, as they were read too slowly\n", e.Lost)
	}
	if e.Rows == nil || e.Rows.Rows == 0 {
		return nil
	}
	return w.write(w.unseen(e.Rows.Block))
}

// unseen leaves out the rows that the history had.
func (w *followWriter) unseen(b *query.Block) *query.Block {
	if len(w.seen) == 0 {
		return b
	}
	rows := format.NewNDJSON(io.Discard, b.Columns)
	var keep []int
	for row := range b.Rows {
		key := string(rows.AppendRow(nil, b, row))
		if w.seen[key] == 0 {
			keep = append(keep, row)
			continue
		}
		if w.seen[key]--; w.seen[key] == 0 {
			delete(w.seen, key)
		}
	}
	return rowsOf(b, keep)
}

// rowsOf takes some of a block's rows.
func rowsOf(b *query.Block, rows []int) *query.Block {
	kept := &query.Block{Rows: len(rows)}
	for _, c := range b.Columns {
		c.Texts, c.Ints, c.Floats, c.Null = take(c.Texts, rows), take(c.Ints, rows), take(c.Floats, rows), take(c.Null, rows)
		kept.Columns = append(kept.Columns, c)
	}
	return kept
}

func take[T any](values []T, rows []int) []T {
	if values == nil {
		return nil
	}
	taken := make([]T, len(rows))
	for i, row := range rows {
		taken[i] = values[row]
	}
	return taken
}

func (w *followWriter) write(b *query.Block) error {
	if w.writer == nil {
		var err error
		if w.writer, err = newAnswerWriter(w.listing.output, w.out, b.Columns, w.listing.table(b.Columns)); err != nil {
			return err
		}
	}
	if err := w.writer.Write(b); err != nil {
		return err
	}
	return w.writer.Close() // Of lines this writes what is gathered, and more may follow.
}
