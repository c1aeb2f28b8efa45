package api

import (
	"context"
	"errors"
	"log/slog"
	"net/http"
	"time"

	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/store"
)

// Source is what the API asks beside the store; *server.Server is one.
type Source interface {
	// Subscribe follows what is stored from now on.
	Subscribe(dataset string) (*server.Subscription, error)
	// Losses counts what the records lack.
	Losses() []server.Loss
	Status() server.Status
}

// Authenticator decides whom an Authorization header admits.
type Authenticator interface {
	// Authorize returns what the bearer of the header's value may see, nil for everything. An *Unavailable error says
	// that this cannot be told now, a *Forbidden one that it is nothing.
	Authorize(ctx context.Context, header string) (*Scope, error)
}

// Config is what an API is made of.
type Config struct {
	Engine store.Engine
	Source Source
	Log    *slog.Logger
	// Version is the program's release.
	Version string
	// Ready tells what does not work yet or any more, in words; nil means that nothing can be amiss but the store.
	Ready func() []string
	// Authenticators admit a request if one of them does. With none everybody is admitted who asks this machine by one
	// of its loopback names.
	Authenticators []Authenticator
	Limits         Limits
	// Health are the rules of health; nil are those built in.
	Health *health.Settings
	// Exporters tells how those do that send records on; nil is that there are none.
	Exporters func() []export.Status
	// Console has the files of the web console, which everybody may have; nil means that there is none.
	Console Console
	// Metrics answers scrapes of Prometheus; nil means that there are none.
	Metrics http.Handler
}

// Console is what answers at the paths that are not the API's.
type Console interface {
	http.Handler
	// Has says whether something is at a path.
	Has(path string) bool
}

// Limits bound what clients may take. Zero members take the defaults.
type Limits struct {
	// Queries run at once, and Exports besides; default 4 and 2. Those beyond wait up to Wait, default 2 s.
	Queries, Exports int
	Wait             time.Duration
	// QueryTime bounds a query, ExportTime an export; default 30 s and an hour.
	QueryTime, ExportTime time.Duration
	// AnswerBytes bounds the values of an answer, default 32 MiB: of each its JSON or what it takes in memory, whichever
	// is more. AllAnswerBytes bounds those of all answers under way, default and at least twice as much.
	AnswerBytes, AllAnswerBytes int
	// ReadTime is how long a client may take to send a body, WriteTime how long to receive a piece of 64 KiB; default
	// 20 s and 30 s.
	ReadTime, WriteTime time.Duration
	// Heartbeat is how often a live stream without rows shows that it lives, default 15 s.
	Heartbeat time.Duration
	// Connections bounds those that are open at once, default 256.
	Connections int
}

func (l *Limits) setDefaults() {
	orDefault(&l.Queries, 4)
	orDefault(&l.Exports, 2)
	orDefault(&l.Wait, 2*time.Second)
	orDefault(&l.QueryTime, 30*time.Second)
	orDefault(&l.ExportTime, time.Hour)
	orDefault(&l.AnswerBytes, 32<<20)
	l.AllAnswerBytes = max(l.AllAnswerBytes, 2*l.AnswerBytes)
	orDefault(&l.ReadTime, 20*time.Second)
	orDefault(&l.WriteTime, 30*time.Second)
	orDefault(&l.Heartbeat, 15*time.Second)
	orDefault(&l.Connections, 256)
}

func orDefault[T int | time.Duration](value *T, otherwise T) {
	if *value <= 0 {
		*value = otherwise
	}
}

// API answers requests.
type API struct {
	config  Config
	limits  Limits
	started time.Time
	queries *slots
	exports *slots
	answers budget
	checker *health.Checker
}

// New returns an API. It starts nothing.
func New(cfg Config) (*API, error) {
	if cfg.Engine == nil || cfg.Source == nil || cfg.Log == nil {
		return nil, errors.New("make an API: want an engine, a source and a logger")
	}
	cfg.Limits.setDefaults()
	return &API{
		config: cfg, limits: cfg.Limits, started: time.Now(),
		queries: newSlots("queries", cfg.Limits.Queries, cfg.Limits.Wait),
		exports: newSlots("exports", cfg.Limits.Exports, cfg.Limits.Wait),
		answers: budget{bytes: int64(cfg.Limits.AllAnswerBytes)},
		checker: health.New(cfg.Engine, cfg.Health),
	}, nil
}

// Handler returns the handler of all paths.
func (a *API) Handler() http.Handler {
	mux := http.NewServeMux()
	for i := range routes {
		mux.Handle(routes[i].path, a.serve(&routes[i]))
	}
	rest := &route{method: http.MethodGet, path: "/", handle: (*API).notFound}
	if a.config.Console != nil {
		mux.Handle("/api/", a.serve(rest))
		rest = &route{method: http.MethodGet, path: "/", open: true, handle: (*API).console}
	}
	mux.Handle("/", a.serve(rest))
	return mux
}

// serve makes the handler of a route: guards, limits, and errors in their one shape.
func (a *API) serve(rt *route) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		header := w.Header()
		header.Set("X-Content-Type-Options", "nosniff")
		header.Set("Cache-Control", "no-store")
		a.bound(w, r)
		scope, err := a.admit(rt, r)
		if err == nil {
			err = rt.handle(a, w, withScope(r, scope))
		}
		if err != nil {
			a.refuse(w, r, err)
		}
	})
}

// bound gives the client a time for its body. Without one the connection's next request is read only after the handler.
func (a *API) bound(w http.ResponseWriter, r *http.Request) {
	control := http.NewResponseController(w)
	_ = control.SetWriteDeadline(time.Now().Add(a.limits.WriteTime)) // Not supported is what only recorders in tests do.
	if r.ContentLength != 0 {
		_ = control.SetReadDeadline(time.Now().Add(a.limits.ReadTime))
	}
	r.Body = http.MaxBytesReader(w, r.Body, maxBody)
}

// maxBody is more than what any body may have, so that its decoder says so.
const maxBody = 1 << 20

// received ends the time for the body: all of it is there, and the handler may take longer.
func received(w http.ResponseWriter) {
	_ = http.NewResponseController(w).SetReadDeadline(time.Time{})
}

// console answers with a file of the console.
func (a *API) console(w http.ResponseWriter, r *http.Request) error {
	if !a.config.Console.Has(r.URL.Path) {
		return a.notFound(w, r)
	}
	w.Header().Del("Cache-Control") // The console knows better what may be kept.
	a.config.Console.ServeHTTP(a.pace(w, answerTime), r)
	return nil
}

func (a *API) notFound(_ http.ResponseWriter, r *http.Request) error {
	return problem(http.StatusNotFound, kindNotFound, "the paths are "+paths(), "nothing is at %s", r.URL.Path)
}
