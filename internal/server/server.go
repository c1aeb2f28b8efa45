package server

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/wire"
)

// Config is what a server is made of.
type Config struct {
	// Engine keeps the batches. It stays the caller's, who closes it after the last Ingest.
	Engine store.Engine
	Log    *slog.Logger
	// Name puts names to the endpoints of a batch, Price costs once it is known which rows count; nil leaves a batch as it
	// is. Primary marks the rows that sums count; nil does so by the names and by who has an agent.
	Name, Primary, Price Stage
	// HasAgent says whether a node has an agent that may report to another server; nil is that none does.
	HasAgent func(node string) bool
	// Features tells how the names are, for the status; nil is nothing to tell.
	Features func() []wire.Feature
	// MaxAgents bounds the streams that are open at once, and what is remembered of agents; default 1024.
	MaxAgents int
	// MaxSubscribers bounds those who follow live, default 64; SubscriberBytes what waits for each of them, default
	// 16 MiB.
	MaxSubscribers  int
	SubscriberBytes int64
}

// Stage returns a batch that stands for the one it is given: the same, retained, or a new one. Either is the caller's.
type Stage func(dataset string, rows arrow.RecordBatch) (arrow.RecordBatch, error)

const (
	defaultMaxAgents       = 1024
	defaultMaxSubscribers  = 64
	defaultSubscriberBytes = 16 << 20
	// roomEvery is how often a batch that the store had no room for is tried again.
	roomEvery = time.Second
)

// Server takes batches, keeps them and tells of them.
type Server struct {
	config  Config
	started time.Time
	agents  agents
	tail    tail
	counts  counts
}

// counts counts rows by what became of them.
type counts struct {
	stored, repeated atomic.Uint64
	// waiting is how many batches wait for room now.
	waiting atomic.Int64
}

// New returns a server. It starts nothing.
func New(cfg Config) (*Server, error) {
	if cfg.Engine == nil || cfg.Log == nil {
		return nil, errors.New("make a server: want an engine and a logger")
	}
	if cfg.MaxAgents <= 0 {
		cfg.MaxAgents = defaultMaxAgents
	}
	if cfg.MaxSubscribers <= 0 {
		cfg.MaxSubscribers = defaultMaxSubscribers
	}
	if cfg.SubscriberBytes <= 0 {
		cfg.SubscriberBytes = defaultSubscriberBytes
	}
	s := &Server{
		config: cfg, started: time.Now(),
		agents: agents{limit: cfg.MaxAgents, byOrigin: make(map[string]*agent), gone: make(losses)},
		tail:   tail{limit: cfg.MaxSubscribers, queueBytes: cfg.SubscriberBytes, queues: make(map[*Subscription]struct{})},
	}
	if cfg.Primary == nil {
		s.config.Primary = s.countOnce
	}
	return s, nil
}

// Ingest puts names to a batch, keeps it, and gives it to those who follow. It returns nil once the batch is durable,
// also if it was so before: then it does nothing. The origin and its growing sequence numbers tell such repeats; an
// empty origin has none. The rows stay the caller's. The engine's errors, store.ErrFull among them, are wrapped.
func (s *Server) Ingest(ctx context.Context, dataset string, rows arrow.RecordBatch, origin string, sequence uint64) error {
	rows, err := s.prepare(dataset, rows)
	if err != nil {
		return err
	}
	defer rows.Release()
	batch := store.Batch{Dataset: dataset, Origin: origin, Sequence: sequence, Rows: rows}
	switch err := s.config.Engine.Append(ctx, batch); {
	case errors.Is(err, store.ErrRepeated):
		s.counts.repeated.Add(uint64(rows.NumRows()))
		return nil
	case err != nil:
		return fmt.Errorf("store %d rows of %s: %w", rows.NumRows(), dataset, err)
	}
	s.counts.stored.Add(uint64(rows.NumRows()))
	s.tail.publish(dataset, rows)
	return nil
}

// prepare runs the stages. What it returns is the caller's.
func (s *Server) prepare(dataset string, rows arrow.RecordBatch) (arrow.RecordBatch, error) {
	rows.Retain()
	for _, stage := range []Stage{s.config.Name, s.config.Primary, s.config.Price} {
		if stage == nil {
			continue
		}
		next, err := stage(dataset, rows)
		rows.Release()
		if err != nil {
			return nil, fmt.Errorf("name %s: %w", dataset, err)
		}
		rows = next
	}
	return rows, nil
}

// ingestWithRoom is Ingest that waits while the store has no room, so that the agent holds its batches back.
func (s *Server) ingestWithRoom(ctx context.Context, dataset string, rows arrow.RecordBatch, origin string, sequence uint64) error {
	err := s.Ingest(ctx, dataset, rows, origin, sequence)
	if !errors.Is(err, store.ErrFull) {
		return err
	}
	s.counts.waiting.Add(1)
	defer s.counts.waiting.Add(-1)
	tick := time.NewTicker(roomEvery)
	defer tick.Stop()
	for errors.Is(err, store.ErrFull) {
		select {
		case <-ctx.Done():
			return errors.Join(err, ctx.Err())
		case <-tick.C:
			err = s.Ingest(ctx, dataset, rows, origin, sequence)
		}
	}
	return err
}
