package api

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/server"
)

// rowsAnEvent bounds the rows of one event.
const rowsAnEvent = 1000

// tailTime is how long one stream lasts at most; clients of server-sent events connect anew by themselves.
const tailTime = 24 * time.Hour

// follower is one live stream.
type follower struct {
	api     *API
	plan    *query.Plan
	primary bool
	matcher *query.Matcher
	out     *pacedWriter
	buffer  *bufio.Writer
	rows    []int32
}

// tail answers GET /api/v1/tail with server-sent events (https://html.spec.whatwg.org/multipage/server-sent-events.html).
func (a *API) tail(w http.ResponseWriter, r *http.Request) error {
	v, err := parametersOf("/api/v1/tail", r)
	if err != nil {
		return err
	}
	compiled, err := compile(r, requestOf(v))
	if err != nil {
		return err
	}
	subscription, err := a.config.Source.Subscribe(compiled.Plan.Dataset)
	if err != nil {
		return busy("%s", err)
	}
	defer subscription.Close()
	f := &follower{
		api: a, plan: compiled.Plan, primary: compiled.Primary, matcher: query.NewMatcher(compiled.Plan.Filter),
		out: a.pace(w, tailTime),
	}
	f.buffer = bufio.NewWriterSize(f.out, pieceSize)
	w.Header().Set("Content-Type", "text/event-stream")
	w.Header().Set("X-Accel-Buffering", "no") // Proxies that know it pass events on at once.
	ctx, cancel := context.WithTimeout(r.Context(), tailTime)
	defer cancel()
	_ = f.follow(ctx, subscription) // What is left to say has nobody to hear it.
	return nil
}

// follow writes events until the client is gone.
func (f *follower) follow(ctx context.Context, s *server.Subscription) error {
	for err := f.comment("following"); ; {
		if err != nil {
			return err
		}
		var next server.Tail
		next, err = f.next(ctx, s)
		switch {
		case err == nil:
			err = f.batch(next)
			next.Rows.Release()
		case errors.Is(err, context.DeadlineExceeded) && ctx.Err() == nil:
			err = f.comment("nothing new")
		}
	}
}

func (f *follower) next(ctx context.Context, s *server.Subscription) (server.Tail, error) {
	ctx, cancel := context.WithTimeout(ctx, f.api.limits.Heartbeat)
	defer cancel()
	return s.Next(ctx)
}

func (f *follower) comment(text string) error {
	if _, err := fmt.Fprintf(f.out, ": %s\n\n", text); err != nil {
		return err
	}
	return f.out.Flush()
}

// batch writes the rows of a batch that the client asked for, and before them how many it missed. Events go out as the
// buffer fills, so that a follower takes no more memory however much a batch holds.
func (f *follower) batch(next server.Tail) error {
	if next.Lost > 0 {
		if _, err := fmt.Fprintf(f.buffer, "event: lost\ndata: {\"rows\":%d}\n\n", next.Lost); err != nil {
			return err
		}
	}
	f.rows = f.matcher.Match(f.rows[:0], next.Rows)
	for rows := range slices.Chunk(f.rows, rowsAnEvent) {
		if err := f.event(next.Rows, rows); err != nil {
			return err
		}
	}
	if next.Lost == 0 && len(f.rows) == 0 {
		return nil
	}
	if err := f.buffer.Flush(); err != nil {
		return err
	}
	return f.out.Flush()
}

// event writes rows as an event. JSON has no line breaks of its own, so that it is one line of data.
func (f *follower) event(batch arrow.RecordBatch, rows []int32) error {
	if _, err := f.buffer.WriteString("event: rows\ndata: "); err != nil {
		return err
	}
	answer := query.Answer{Block: query.Rows(batch, rows, f.plan.Fields), Primary: f.primary, Losses: f.api.losses()}
	if err := answer.WriteJSON(f.buffer); err != nil {
		return err
	}
	_, err := f.buffer.WriteString("\n\n")
	return err
}
