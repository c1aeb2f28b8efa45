package metrics

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/server"
)

// Source is what the metrics are of; *server.Server is one.
type Source interface {
	// Follow follows what is stored of a dataset, with a queue of so many bytes.
	Follow(dataset string, queueBytes int64) *server.Subscription
	Status() server.Status
}

// Config is what metrics are made of.
type Config struct {
	Source Source
	Log    *slog.Logger
	// MaxKeys bounds the keys of each grouping, such as the pairs of workloads, beside "other"; 0 puts all under that.
	MaxKeys int
	// Version is the program's release.
	Version string
	// Ready tells what does not work, in words; nil is nothing.
	Ready func() []string
	// Exporters tells how those do that send records on; nil is that there are none.
	Exporters func() []export.Status
}

const (
	// DefaultMaxKeys is as many pairs of workloads as a large cluster has.
	DefaultMaxKeys = 10_000
	// MaxMaxKeys keeps an answer within what a scrape can take.
	MaxMaxKeys = 1_000_000

	// queueBytes is what may wait of each dataset.
	queueBytes = 16 << 20
	// expireEvery is how often keys without news are looked for.
	expireEvery = time.Minute
	// scrapes is how many are answered at once.
	scrapes = 4
)

// Metrics are kept from New on, and answered by Handler.
type Metrics struct {
	config   Config
	handler  http.Handler
	registry *prometheus.Registry

	mu    sync.Mutex
	feeds []*feed
}

// feed is what comes of one dataset.
type feed struct {
	dataset *columns.Dataset
	queue   *server.Subscription
	groups  []*group
	// taken and lost count rows: those that came, and those that this was too slow for.
	taken, lost uint64
}

// New begins to follow; what is stored waits for Run.
func New(cfg Config) (*Metrics, error) {
	if cfg.Source == nil || cfg.Log == nil {
		return nil, errors.New("make metrics: want a source and a logger")
	}
	if cfg.MaxKeys < 0 || cfg.MaxKeys > MaxMaxKeys {
		return nil, fmt.Errorf("make metrics: at most %d keys, want 0 to %d", cfg.MaxKeys, MaxMaxKeys)
	}
	m := &Metrics{config: cfg, registry: prometheus.NewRegistry()}
	for _, d := range columns.Datasets() {
		m.feeds = append(m.feeds, newFeed(d, cfg))
	}
	m.registry.MustRegister(m, ownCollector{m}, collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.handler = promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		ErrorLog:      errorLog{cfg.Log},
		ErrorHandling: promhttp.ContinueOnError, Registry: m.registry, // One odd metric takes no other away.
		EnableOpenMetrics: true, MaxRequestsInFlight: scrapes,
	})
	return m, nil
}

func newFeed(d *columns.Dataset, cfg Config) *feed {
	f := &feed{dataset: d, queue: cfg.Source.Follow(d.Name, queueBytes)}
	for _, g := range groupings {
		if g.dataset == d {
			f.groups = append(f.groups, newGroup(g, cfg.MaxKeys))
		}
	}
	return f
}

// Handler answers a scrape, in Prometheus' text format, as OpenMetrics or as protocol buffers, as the client asks for.
func (m *Metrics) Handler() http.Handler { return m.handler }

// Run takes what is stored until the context ends. It is called once.
func (m *Metrics) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, f := range m.feeds {
		group.Go(func() { m.follow(ctx, f) })
	}
	group.Go(func() { m.expire(ctx) })
	group.Wait()
}

func (m *Metrics) follow(ctx context.Context, f *feed) {
	defer f.queue.Close()
	for {
		next, err := f.queue.Next(ctx)
		if err != nil {
			return // The context has ended.
		}
		m.add(f, next.Rows, next.Lost)
		next.Rows.Release()
	}
}

// add adds a batch, and what was lost before it.
func (m *Metrics) add(f *feed, rows arrow.RecordBatch, lost uint64) {
	m.mu.Lock()
	defer m.mu.Unlock()
	f.taken += uint64(rows.NumRows())
	f.lost += lost
	b, now := newBatch(f.dataset, rows), time.Now()
	for _, g := range f.groups {
		g.add(b, now)
	}
}

func (m *Metrics) expire(ctx context.Context) {
	tick := time.NewTicker(expireEvery)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case now := <-tick.C:
			m.forget(now)
		}
	}
}

func (m *Metrics) forget(now time.Time) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.feeds {
		for _, g := range f.groups {
			g.expire(now)
		}
	}
}

// errorLog logs what could not be collected or written.
type errorLog struct{ log *slog.Logger }

// Println is what promhttp calls.
func (l errorLog) Println(v ...any) {
	l.log.Warn("metrics not answered whole", "error", fmt.Sprint(v...))
}
