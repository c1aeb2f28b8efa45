package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"math/rand/v2"
	"sync"
	"sync/atomic"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/flow"
)

// SenderConfig says where batches go and how many may wait.
type SenderConfig struct {
	// Server is "HOST:PORT"; OpenLocal has none.
	Server string
	// TLS is nil for plain text, which goes to loopback only. ServerName is the name that the server's certificate must
	// bear, default the host of Server.
	TLS        *credential.TLS
	ServerName string
	// TokenFile holds the bearer token; empty sends none.
	TokenFile string
	// Node is the agent's node, Version its release.
	Node, Version string
	// Report tells what the agent knows of itself; nil tells nothing.
	Report func() Report
	// QueueBytes bounds the encoded batches that wait or are not acknowledged, at least MinQueueBytes; default 64 MiB.
	QueueBytes int64
	// Drain bounds how long Close waits for what is queued; default 5 s.
	Drain time.Duration
}

// MinQueueBytes is the smallest bound of a send queue.
const MinQueueBytes = 1 << 20

const (
	defaultQueueBytes = 64 << 20
	defaultDrain      = 5 * time.Second
	// rowsPerBatch balances the cost of a batch's head (some 1.5 kB) against what a lost batch loses.
	rowsPerBatch = 8192
	// minPause and maxPause bound the time between attempts to connect.
	minPause = 200 * time.Millisecond
	maxPause = 15 * time.Second
)

// Sender delivers an agent's records. Open it with OpenSender or OpenLocal.
type Sender struct {
	config     SenderConfig
	log        *slog.Logger
	quiet      *seldom
	origin     string
	maxPayload int
	queue      *queue
	// renewAfter is how long a stream lasts.
	renewAfter time.Duration
	// deliver serves one stream until it ends: nil to begin the next one, an error to do so after a pause.
	deliver func(context.Context) error

	// builders has one for each dataset, by its name.
	builderMu sync.Mutex
	builders  map[string]*columns.Builder

	cancel  context.CancelFunc
	closing chan struct{}
	ended   chan struct{}
	once    sync.Once

	// progress says that the present stream delivered something.
	progress atomic.Bool
	link     link
}

// link is the state of the connection, for Stats.
type link struct {
	mu        sync.Mutex
	connected bool
	since     time.Time
	streams   uint64
	lastError string
}

// Stats tells what became of the records that a Sender was given: each is acknowledged, queued or lost.
type Stats struct {
	Server string `json:"server"`
	Origin string `json:"origin"`
	// Connected since Since; or not, since then, and LastError says why.
	Connected bool      `json:"connected"`
	Since     time.Time `json:"since"`
	LastError string    `json:"last_error,omitempty"`
	// Streams is how many were begun.
	Streams uint64 `json:"streams"`
	// Acknowledged and Queued are records; Unconfirmed those of the queue that were sent at least once.
	Acknowledged uint64 `json:"acknowledged"`
	Queued       uint64 `json:"queued"`
	Unconfirmed  uint64 `json:"unconfirmed"`
	QueuedBytes  int64  `json:"queued_bytes"`
	// Full are records that were dropped, oldest first, as the queue was full; Refused those that the server will
	// never accept; Unsendable those too large for a message.
	Full       uint64 `json:"full"`
	Refused    uint64 `json:"refused"`
	Unsendable uint64 `json:"unsendable"`
}

// OpenSender checks the configuration, reads the credentials and begins to connect. A server that is away is no error.
func OpenSender(cfg SenderConfig, log *slog.Logger) (*Sender, error) {
	s, err := newSender(cfg, log)
	if err != nil {
		return nil, err
	}
	d, err := newDialer(s.config, log)
	if err != nil {
		return nil, err
	}
	s.deliver = func(ctx context.Context) error { return s.overNetwork(ctx, d) }
	s.start()
	return s, nil
}

// OpenLocal gives batches to a handler of the same process, on the same way but for the socket.
func OpenLocal(cfg SenderConfig, handler Handler, log *slog.Logger) (*Sender, error) {
	s, err := newSender(cfg, log)
	if err != nil {
		return nil, err
	}
	s.deliver = func(ctx context.Context) error { return s.inProcess(ctx, handler) }
	s.start()
	return s, nil
}

func newSender(cfg SenderConfig, log *slog.Logger) (*Sender, error) {
	if cfg.QueueBytes == 0 {
		cfg.QueueBytes = defaultQueueBytes
	}
	if cfg.QueueBytes < MinQueueBytes {
		return nil, fmt.Errorf("send queue of %d bytes: want at least %d", cfg.QueueBytes, MinQueueBytes)
	}
	if cfg.Drain == 0 {
		cfg.Drain = defaultDrain
	}
	if cfg.Node == "" || len(cfg.Node) > maxName {
		return nil, fmt.Errorf("node name %q: want 1 to %d bytes", cfg.Node, maxName)
	}
	return &Sender{
		config: cfg, log: log, quiet: &seldom{log: log}, origin: newOrigin(cfg.Node),
		maxPayload: int(min(maxBatchBytes, cfg.QueueBytes/8)),
		queue:      newQueue(cfg.QueueBytes),
		builders:   make(map[string]*columns.Builder),
		closing:    make(chan struct{}), ended: make(chan struct{}), renewAfter: renewAfter,
		link: link{since: time.Now()},
	}, nil
}

func (s *Sender) start() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	go s.run(ctx)
}

// errClosed is what Sink says after Close.
var errClosed = errors.New("send records: the sender is closed")

// Sink encodes and queues connection records, which it does not keep. It never waits for the server: when the queue is
// full the oldest records that were never sent are dropped and counted. The only error is that the sender is closed.
func (s *Sender) Sink(records []flow.Record) error { return s.SinkTo(columns.Flows(), records) }

// SinkQueries is Sink for records of DNS queries.
func (s *Sender) SinkQueries(records []flow.Record) error {
	return s.SinkTo(columns.Queries(), records)
}

// SinkTo is Sink for records of any dataset.
func (s *Sender) SinkTo(d *columns.Dataset, records []flow.Record) error {
	select {
	case <-s.closing:
		return errClosed
	default:
	}
	s.builderMu.Lock()
	defer s.builderMu.Unlock()
	for len(records) > 0 {
		part := records[:min(len(records), rowsPerBatch)]
		s.enqueue(d, part)
		records = records[len(part):]
	}
	return nil
}

// enqueue queues records as one batch, or as several where one is too large.
func (s *Sender) enqueue(d *columns.Dataset, records []flow.Record) {
	builder := s.builders[d.Name]
	if builder == nil {
		builder = columns.NewBuilder(d, rowsPerBatch)
		s.builders[d.Name] = builder
	}
	builder.Append(records)
	batch := builder.NewBatch()
	payload, err := columns.Encode(nil, batch)
	batch.Release()
	switch {
	case err == nil && len(payload) <= s.maxPayload:
		s.queue.push(d.Name, payload, len(records))
	case err == nil && len(records) > 1:
		s.enqueue(d, records[:len(records)/2])
		s.enqueue(d, records[len(records)/2:])
	default:
		s.quiet.Warn("records cannot be sent", "records", len(records), "bytes", len(payload), "error", err)
		s.queue.unsendable(len(records))
	}
}

// Close delivers what is queued, within the configured time, and ends the sender. The error tells how many records did
// not arrive. Call it after the last Sink.
func (s *Sender) Close() error {
	s.once.Do(func() { close(s.closing) })
	limit := time.AfterFunc(s.config.Drain, s.cancel)
	<-s.ended
	limit.Stop()
	s.cancel()
	if left := s.Stats(); left.Queued > 0 {
		return fmt.Errorf("send records: %d were not acknowledged within %v, %d of these were sent: %s",
			left.Queued, s.config.Drain, left.Unconfirmed, left.LastError)
	}
	return nil
}

// Stats tells the present state.
func (s *Sender) Stats() Stats {
	stats := Stats{Server: s.config.Server, Origin: s.origin}
	s.queue.stats(&stats)
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	stats.Connected, stats.Since, stats.Streams, stats.LastError = s.link.connected, s.link.since, s.link.streams, s.link.lastError
	return stats
}

// run begins streams until all is delivered after Close, or time is up.
func (s *Sender) run(ctx context.Context) {
	defer close(s.ended)
	pause, closing := minPause, s.closing
	for ctx.Err() == nil {
		s.queue.rewind()
		s.progress.Store(false)
		begun := time.Now()
		err := s.deliver(ctx)
		s.disconnected(err)
		if s.isClosing() && s.queue.empty() {
			return
		}
		if s.progress.Load() || time.Since(begun) > maxPause {
			pause = minPause
		}
		if err == nil {
			continue
		}
		select {
		case <-ctx.Done():
		case <-closing:
			closing = nil
		case <-time.After(jitter(pause)):
		}
		pause = min(2*pause, maxPause)
	}
}

// jitter spreads what many agents do at once: between half of d and d.
func jitter(d time.Duration) time.Duration { return d/2 + rand.N(d/2) }

func (s *Sender) isClosing() bool {
	select {
	case <-s.closing:
		return true
	default:
		return false
	}
}

func (s *Sender) connected(protocol uint32, version string) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	s.link.connected, s.link.since, s.link.lastError = true, time.Now(), ""
	s.link.streams++
	s.log.Info("connected to server", "server", s.config.Server, "protocol", protocol, "version", version)
}

// disconnected logs what is new: that a stream broke, or that connecting fails for another reason than before.
func (s *Sender) disconnected(err error) {
	s.link.mu.Lock()
	defer s.link.mu.Unlock()
	was := s.link.connected
	if was {
		s.link.connected, s.link.since = false, time.Now()
	}
	if err == nil {
		return
	}
	if text := err.Error(); was || text != s.link.lastError {
		s.link.lastError = text
		s.log.Warn("server does not take records, they are queued", "server", s.config.Server, "error", err)
	}
}
