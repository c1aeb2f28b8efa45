package export

import (
	"context"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/server"
)

// Source is where stored rows come from; *server.Server is one.
type Source interface {
	// Follow follows a dataset with a queue of its own of so many bytes.
	Follow(dataset string, queueBytes int64) *server.Subscription
}

// Target is where rows go. One goroutine calls it.
type Target interface {
	// Send delivers the rows of a block, whose columns are those of the exporter's plan. It returns how many rows the
	// other end will never take. An error says that the block, or the rest of it, is to be sent again; its text is
	// shown to operators, so it names the other end and holds nothing secret.
	Send(ctx context.Context, rows *query.Block) (refused int, err error)
	// Close ends the connection.
	Close() error
}

const (
	// blockRows bounds the rows of a block, and so what a target holds at once.
	blockRows = 4096
	// firstWait and longestWait bound the time between two attempts to send a block.
	firstWait, longestWait = 100 * time.Millisecond, 15 * time.Second
	// drainTime is how long an exporter that ends goes on sending what is queued.
	drainTime = 3 * time.Second
)

// Exporter sends what is stored to one target.
type Exporter struct {
	plan         *query.Plan
	matcher      *query.Matcher
	subscription *server.Subscription
	target       Target
	log          *slog.Logger
	rows         []int32

	mu     sync.Mutex
	status Status
}

func newExporter(s Status, plan *query.Plan, from *server.Subscription, to Target, log *slog.Logger) *Exporter {
	s.State, s.Detail = Waiting, "nothing was sent yet"
	return &Exporter{
		plan: plan, matcher: query.NewMatcher(plan.Filter), subscription: from, target: to,
		log: log.With("exporter", s.Name, "to", s.Address), status: s,
	}
}

// Run sends until the context ends, and then for three seconds more what is queued.
func (e *Exporter) Run(ctx context.Context) {
	sending, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	defer context.AfterFunc(ctx, func() { time.AfterFunc(drainTime, stop) })()
	for {
		next, err := e.subscription.Next(ctx)
		if err != nil {
			break
		}
		e.export(sending, next.Rows)
		next.Rows.Release()
	}
	e.subscription.Close()
	if err := e.target.Close(); err != nil {
		e.log.Warn("exporter did not end well", "error", err)
	}
	if s := e.Status(); s.Refused+s.Lost > 0 {
		e.log.Warn("exporter ends with records missing", "sent", s.Sent, "refused", s.Refused, "lost", s.Lost)
	}
}

// export sends the rows of a batch that the plan chooses. Once the context has ended no target is asked: each might take
// its time to say no, and there may be many blocks.
func (e *Exporter) export(ctx context.Context, batch arrow.RecordBatch) {
	e.rows = e.matcher.Match(e.rows[:0], batch)
	if ctx.Err() != nil {
		e.lose(len(e.rows))
		return
	}
	for rows := range slices.Chunk(e.rows, blockRows) {
		e.deliver(ctx, query.Rows(batch, rows, e.plan.Fields))
	}
}

// deliver sends a block until it is taken or the context ends.
func (e *Exporter) deliver(ctx context.Context, block *query.Block) {
	for wait := firstWait; ; wait = min(2*wait, longestWait) {
		refused, err := e.target.Send(ctx, block)
		if err == nil {
			e.delivered(block.Rows, refused)
			return
		}
		e.failed(err)
		select {
		case <-ctx.Done():
			e.lose(block.Rows)
			return
		case <-time.After(wait):
		}
	}
}

func (e *Exporter) delivered(rows, refused int) {
	e.count(func(s *Status) {
		if s.State != Live {
			e.log.Info("exporting")
		}
		s.State, s.Detail = Live, ""
		s.Sent += uint64(rows - refused)
		s.Refused += uint64(refused)
	})
}

// failed says so once, until the target takes rows again.
func (e *Exporter) failed(err error) {
	e.count(func(s *Status) {
		if s.State != Degraded {
			e.log.Warn("exporter cannot send", "error", err)
		}
		s.State, s.Detail = Degraded, err.Error()
		s.Failures++
	})
}

// lose counts rows that were not taken before the end; those without room the subscription counts.
func (e *Exporter) lose(rows int) {
	e.count(func(s *Status) { s.Lost += uint64(rows) })
}

func (e *Exporter) count(change func(*Status)) {
	e.mu.Lock()
	defer e.mu.Unlock()
	change(&e.status)
}
