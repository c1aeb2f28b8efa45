package api

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"strconv"
	"time"

	"github.com/seine-net/seine/internal/query"
)

// The kinds of error beside those of package query.
const (
	kindUnauthorized query.ErrorKind = "unauthorized"
	kindForbidden    query.ErrorKind = "forbidden"
	kindNotFound     query.ErrorKind = "not_found"
	kindMethod       query.ErrorKind = "method"
	kindBusy         query.ErrorKind = "busy"
	kindDeadline     query.ErrorKind = "deadline"
	kindUnavailable  query.ErrorKind = "unavailable"
	kindInternal     query.ErrorKind = "internal"
)

// errorKinds says for the documents what the kinds mean, and with which status they come.
var errorKinds = []struct {
	kind   query.ErrorKind
	status int
	doc    string
}{
	{query.SyntaxError, 400, "The text is not of its language: JSON, CEL, a measure, a parameter."},
	{query.UnknownName, 400, "A name is no field's, function's, measure's, member's or parameter's."},
	{query.TypeError, 400, "The types do not fit."},
	{query.UnsupportedError, 400, "It is valid, but cannot be asked for."},
	{query.ValueError, 400, "A value is not one that can be given there."},
	{query.TooLargeError, 400, "A bound is exceeded, which the text names."},
	{kindUnauthorized, 401, "No token came, or one that is not accepted here."},
	{kindForbidden, 403, "The request came from a page of another site, or by a name that is not this machine's."},
	{kindNotFound, 404, "Nothing is at that path."},
	{kindMethod, 405, "The path wants another method."},
	{kindInternal, 500, "Seine failed; its log says more."},
	{kindBusy, 503, "As many requests as may be are under way. Retry-After says when to try again."},
	{kindUnavailable, 503, "What is needed to answer does not work now."},
	{kindDeadline, 504, "The query took longer than it may; with 408, the request's body did."},
}

// Problem is an error with the status that it is answered with.
type Problem struct {
	Status int
	Wrong  query.Error
	// RetryAfter is when to try again; 0 says nothing of that.
	RetryAfter time.Duration
}

// problem returns an error that is answered with a status.
func problem(status int, kind query.ErrorKind, hint, format string, args ...any) error {
	return &Problem{Status: status, Wrong: query.Error{Message: fmt.Sprintf(format, args...), Kind: kind, Hint: hint}}
}

// Error returns the words.
func (p *Problem) Error() string { return p.Wrong.Error() }

// errTooSlow is the cause of contexts that end by the deadline of a query.
var errTooSlow = errors.New("query took too long")

// problemOf gives an error its status.
func (a *API) problemOf(err error) *Problem {
	var known *Problem
	var wrong *query.Error
	switch {
	case errors.As(err, &known):
		return known
	case errors.As(err, &wrong):
		told := *wrong
		if told.Member != "" {
			told.Message = told.Member + ": " + told.Message
		}
		return &Problem{Status: http.StatusBadRequest, Wrong: told}
	case errors.Is(err, errTooSlow):
		return &Problem{Status: http.StatusGatewayTimeout, Wrong: query.Error{
			Message: "query took longer than it may", Kind: kindDeadline,
			Hint: "ask for a shorter period, or filter more",
		}}
	}
	a.config.Log.Error("request not answered", "error", err)
	return &Problem{Status: http.StatusInternalServerError, Wrong: query.Error{
		Message: "the request was not answered", Kind: kindInternal, Hint: "the log of seine says why",
	}}
}

// refuse answers with an error. Whoever is gone is told nothing.
func (a *API) refuse(w http.ResponseWriter, r *http.Request, err error) {
	if errors.Is(err, http.ErrAbortHandler) {
		panic(http.ErrAbortHandler)
	}
	if errors.Is(err, context.Canceled) {
		return
	}
	p := a.problemOf(err)
	switch {
	case p.Status == http.StatusUnauthorized:
		w.Header().Set("WWW-Authenticate", "Bearer")
	case p.RetryAfter > 0:
		w.Header().Set("Retry-After", strconv.Itoa(int((p.RetryAfter+time.Second-1)/time.Second)))
	}
	if p.Wrong.Kind == kindMethod {
		w.Header().Set("Allow", p.Wrong.Hint)
	}
	body, err := json.Marshal(&p.Wrong)
	if err != nil {
		a.config.Log.Error("error not encoded", "error", err)
		return
	}
	w.Header().Set("Content-Type", jsonMedia)
	out := a.pace(w, answerTime)
	out.extend() // By now the time for a first piece may be over.
	out.WriteHeader(p.Status)
	_, _ = out.Write(append(body, '\n')) // Who does not read it is gone.
}
