package api

import (
	"context"
	"fmt"
	"net/http"
	"sync/atomic"
	"time"

	"github.com/seine-net/seine/internal/query"
)

// slots bound how much of one kind of work is under way.
type slots struct {
	name    string
	places  chan struct{}
	wait    time.Duration
	refused atomic.Uint64
}

func newSlots(name string, size int, wait time.Duration) *slots {
	return &slots{name: name, places: make(chan struct{}, size), wait: wait}
}

// take waits a while for a place. The function gives it back.
func (s *slots) take(ctx context.Context) (release func(), err error) {
	patience := time.NewTimer(s.wait)
	defer patience.Stop()
	select {
	case s.places <- struct{}{}:
		return func() { <-s.places }, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	case <-patience.C:
	}
	s.refused.Add(1)
	return nil, busy("%d %s are under way, which is the limit", cap(s.places), s.name)
}

// busy says that the client should come again.
func busy(format string, args ...any) error {
	return &Problem{
		Status: http.StatusServiceUnavailable, RetryAfter: time.Second,
		Wrong: query.Error{Message: fmt.Sprintf(format, args...), Kind: kindBusy, Hint: "try again after the seconds in Retry-After"},
	}
}

// SlotsStatus tells how much of one kind of work is under way, and what was refused since the start.
type SlotsStatus struct {
	Running int    `json:"running"`
	Limit   int    `json:"limit"`
	Refused uint64 `json:"refused"`
}

func (s *slots) status() SlotsStatus {
	return SlotsStatus{Running: len(s.places), Limit: cap(s.places), Refused: s.refused.Load()}
}
