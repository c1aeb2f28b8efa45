package api

import (
	"bufio"
	"context"
	"errors"
	"net/http"
	"os"

	"github.com/seine-net/seine/internal/query"
)

// query answers POST /api/v1/query.
func (a *API) query(w http.ResponseWriter, r *http.Request) error {
	request, err := decode(r)
	if err != nil {
		return err
	}
	received(w)
	compiled, err := compile(r, request)
	if err != nil {
		return err
	}
	release, err := a.queries.take(r.Context())
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := a.deadline(r.Context())
	defer cancel()
	room, bound := a.allow(compiled)
	defer room.release()
	answer, err := a.answer(ctx, compiled, room, bound)
	if err != nil {
		return late(ctx, err)
	}
	return a.writeAnswer(w, answer)
}

// writeAnswer writes an answer in pieces: as text it can be as large as its values are in memory.
func (a *API) writeAnswer(w http.ResponseWriter, answer *query.Answer) error {
	w.Header().Set("Content-Type", jsonMedia)
	out := bufio.NewWriterSize(a.pace(w, answerTime), pieceSize)
	if answer.WriteJSON(out) == nil && out.WriteByte('\n') == nil {
		_ = out.Flush() // Who does not take it is gone.
	}
	return nil
}

// decode reads the body; what is wrong with its transport is the client's fault, too.
func decode(r *http.Request) (*query.Request, error) {
	request, err := query.DecodeRequest(r.Body)
	var wrong *query.Error
	switch {
	case err == nil || errors.As(err, &wrong):
		return request, err
	case errors.Is(err, os.ErrDeadlineExceeded):
		return nil, problem(http.StatusRequestTimeout, kindDeadline, "", "body did not arrive in time")
	}
	return nil, problem(http.StatusBadRequest, query.SyntaxError, "", "body did not arrive")
}

// deadline bounds a query in time.
func (a *API) deadline(ctx context.Context) (context.Context, context.CancelFunc) {
	return context.WithTimeoutCause(ctx, a.limits.QueryTime, errTooSlow)
}

// late makes of any error that came by the deadline the deadline's.
func late(ctx context.Context, err error) error {
	if err != nil && errors.Is(context.Cause(ctx), errTooSlow) {
		return errTooSlow
	}
	return err
}

func (a *API) answer(ctx context.Context, compiled *query.Compiled, room *allowance, bound int) (*query.Answer, error) {
	current, summary, err := a.evaluate(ctx, compiled.Plan, room, bound)
	if err != nil {
		return nil, err
	}
	answer := &query.Answer{Truncated: summary.Truncated, Cut: summary.Cut, Primary: compiled.Primary, Losses: a.losses()}
	if compiled.Compare == nil {
		answer.Block, answer.More = current.First(), current.More()
		return answer, nil
	}
	earlier, before, err := a.evaluate(ctx, compiled.Compare, room, bound-current.Bytes())
	if err != nil {
		return nil, err
	}
	joined, cut := compiled.Join(current.Whole(), earlier.Whole())
	answer.Block = joined
	for _, one := range []struct {
		truncated bool
		by        string
	}{{before.Truncated, before.Cut}, {cut, "limit"}} {
		if one.truncated && !answer.Truncated {
			answer.Truncated, answer.Cut = true, one.by
		}
	}
	return answer, nil
}

func (a *API) evaluate(ctx context.Context, plan *query.Plan, room *allowance, bound int) (*query.Collector, query.Summary, error) {
	collector := query.NewCollector(plan, bound, room.take)
	summary, err := a.config.Engine.Query(ctx, plan, collector.Add)
	return collector, summary, err
}

// losses counts by reason what answers lack.
func (a *API) losses() map[string]uint64 {
	all := make(map[string]uint64)
	for _, loss := range a.config.Source.Losses() {
		all[loss.Reason] = loss.Count
	}
	return all
}
