package watch

import (
	"fmt"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/watch"
)

// state is how following one kind goes.
type state struct {
	kind *kind

	mu      sync.Mutex
	started time.Time
	synced  bool
	objects int
	// failing is the error since the last success, failed when it began.
	failing error
	failed  time.Time
	// restarts counts the lists after the first, errors what went wrong.
	restarts, errors uint64
	lastEvent        time.Time
}

func newState(k *kind) *state { return &state{kind: k, started: time.Now()} }

// note takes the outcome of a request.
func (s *state) note(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if err == nil {
		s.failing = nil
		return
	}
	s.errors++
	if s.failing == nil {
		s.failed = time.Now()
	}
	s.failing = err
}

// event takes what a watch told. An error of it is no failure yet: the reflector begins anew.
func (s *state) event(e watch.Event) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lastEvent = time.Now()
	if e.Type == watch.Error {
		s.errors++
	}
}

func (s *state) listed(objects int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.synced {
		s.restarts++
	}
	s.synced, s.objects = true, objects
}

func (s *state) changed(objects int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.objects = objects
}

// Feature is how following one kind of object goes, for the status.
type Feature struct {
	// Name is the resource, such as "pods".
	Name string
	// Live says that names from it are up to date.
	Live bool
	// Detail says how many objects there are, or what is missing and why.
	Detail string
	// Objects counts those that are followed, Restarts the lists after the first, Errors what went wrong.
	Objects          int
	Restarts, Errors uint64
}

func (s *state) feature() Feature {
	s.mu.Lock()
	defer s.mu.Unlock()
	f := Feature{Name: s.kind.resource, Objects: s.objects, Restarts: s.restarts, Errors: s.errors}
	switch {
	case s.failing != nil && s.synced:
		f.Detail = fmt.Sprintf("%s as they were %s ago: %s", s.kind.purpose, ago(s.failed), reason(s.failing))
	case s.failing != nil:
		f.Detail = fmt.Sprintf("no %s: %s", s.kind.purpose, reason(s.failing))
	case !s.synced:
		f.Detail = fmt.Sprintf("the list of %s is awaited for %s", s.kind.purpose, ago(s.started))
	default:
		f.Live, f.Detail = true, fmt.Sprintf("%d objects", s.objects)
	}
	return f
}

func ago(t time.Time) time.Duration { return time.Since(t).Round(time.Second) }

// maxReason bounds what a server says of itself in our status.
const maxReason = 300

// reason says what went wrong, and what to do about it where that is known.
func reason(err error) string {
	text := err.Error()
	if len(text) > maxReason {
		text = text[:maxReason] + "…"
	}
	switch {
	case apierrors.IsForbidden(err):
		return text + " (the role lacks get, list, watch)"
	case apierrors.IsUnauthorized(err):
		return text + " (the token or certificate is not accepted)"
	}
	return text
}
