package main

import (
	"context"
	"io"
	"slices"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/query"
)

// listing writes rows, the newest last.
type listing struct {
	output string
	// table returns the columns of a table of them.
	table  func([]query.Column) []blockColumn
	period *periodFlags
}

// write writes the newest rows of a request.
func (l *listing) write(ctx context.Context, c *client.Client, request *query.Request, out, notes io.Writer) error {
	answer, err := c.Query(ctx, request)
	if err != nil {
		return err
	}
	reverse(answer.Block)
	if answer.Cut == "limit" {
		answer.Truncated = false // The newest were asked for.
	}
	return writeAnswer(l.output, out, notes, answer, l.table(answer.Columns), l.period)
}

// follow writes what is recorded from now on, and before it the newest rows if the request has a limit. What came while
// those were asked for is in both; it is written once.
func (l *listing) follow(ctx context.Context, c *client.Client, request *query.Request, out, notes io.Writer) error {
	w := &followWriter{listing: l, out: out, notes: notes, seen: make(map[string]int)}
	begun := func() error {
		if request.Limit == 0 {
			return nil
		}
		answer, err := c.Query(ctx, request)
		if err != nil {
			return err
		}
		reverse(answer.Block)
		return w.history(answer)
	}
	return c.Tail(ctx, request.Dataset, request.Filter, request.Fields, begun, w.event)
}

// reverse turns the rows around, so that the newest come last, where the next will be.
func reverse(b *query.Block) {
	for i := range b.Columns {
		c := &b.Columns[i]
		slices.Reverse(c.Texts)
		slices.Reverse(c.Ints)
		slices.Reverse(c.Floats)
		slices.Reverse(c.Null)
	}
}
