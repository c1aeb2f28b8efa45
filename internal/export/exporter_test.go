package export

import (
	"context"
	"errors"
	"log/slog"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/store"
)

// nothing is an engine that takes every batch and keeps none.
type nothing struct{ store.Engine }

func (nothing) Append(context.Context, store.Batch) error { return nil }

// noted is a target that notes the ports of the rows that it took.
type noted struct {
	mu      sync.Mutex
	fail    func(attempt int) error
	refuse  int
	attempt int
	ports   []int64
	closed  bool
}

func (n *noted) Send(_ context.Context, rows *query.Block) (int, error) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.attempt++
	if n.fail != nil {
		if err := n.fail(n.attempt); err != nil {
			return 0, err
		}
	}
	n.ports = append(n.ports, rows.Columns[0].Ints...)
	return n.refuse, nil
}

func (n *noted) Close() error {
	n.closed = true
	return nil
}

// stage is a server with one exporter that runs.
type stage struct {
	*testing.T
	server   *server.Server
	exporter *Exporter
	stop     func()
}

// newStage makes an exporter of the source's ports.
func newStage(t *testing.T, target Target, filter string, queueBytes int64) *stage {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	s, err := server.New(server.Config{Engine: nothing{}, Log: log})
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := query.Compile(&query.Request{Filter: filter, Fields: []string{"src.port"}}, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	lake := Status{Name: "lake", Kind: "kafka", Address: "broker:9092"}
	e := newExporter(lake, compiled.Plan, s.Follow("flows", queueBytes), target, log)
	ctx, cancel := context.WithCancel(t.Context())
	var ended sync.WaitGroup
	ended.Go(func() { e.Run(ctx) })
	return &stage{t, s, e, func() {
		cancel()
		ended.Wait()
	}}
}

// ingest stores a batch with the ports from first on.
func (s *stage) ingest(first, rows int) {
	s.Helper()
	records := make([]flow.Record, rows)
	for i := range records {
		r := &records[i]
		r.End, r.Primary, r.Src.Port, r.Proto = 1, true, uint16(first+i), flow.TCP
		if (first+i)%2 == 1 {
			r.Proto = flow.UDP
		}
	}
	b := columns.NewBuilder(columns.Flows(), rows)
	b.Append(records)
	batch := b.NewBatch()
	defer batch.Release()
	if err := s.server.Ingest(s.Context(), "flows", batch, "", 0); err != nil {
		s.Fatal(err)
	}
}

func (s *stage) want(sent, refused, lost uint64, state string) {
	s.Helper()
	got := s.exporter.Status()
	if got.Sent != sent || got.Refused != refused || got.Lost != lost || got.State != state {
		s.Errorf("got %+v, want %d sent, %d refused, %d lost, %s", got, sent, refused, lost, state)
	}
}

// TestExport sends what the filter chooses, in order, in blocks that are bounded.
func TestExport(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &noted{}
		s := newStage(t, target, `proto == "UDP"`, 1<<20)
		s.want(0, 0, 0, Waiting)
		s.ingest(0, 10)
		s.ingest(10, 2)
		synctest.Wait()
		s.want(6, 0, 0, Live)
		s.stop()
		if !slices.Equal(target.ports, []int64{1, 3, 5, 7, 9, 11}) || !target.closed {
			t.Errorf("got %v, closed: %v", target.ports, target.closed)
		}
	})
}

// TestExportInBlocks bounds what a target holds at once.
func TestExportInBlocks(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &noted{refuse: 1}
		s := newStage(t, target, "", 16<<20)
		s.ingest(0, 2*blockRows+1)
		synctest.Wait()
		s.want(2*blockRows+1-3, 3, 0, Live)
		s.stop()
		if target.attempt != 3 {
			t.Errorf("%d blocks, want 3", target.attempt)
		}
	})
}

// TestExportRetries tries again until the target takes rows, and says meanwhile why it does not.
func TestExportRetries(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &noted{fail: func(attempt int) error {
			if attempt <= 3 {
				return errors.New("broker:9092: connection refused")
			}
			return nil
		}}
		s := newStage(t, target, "", 1<<20)
		s.ingest(0, 5)
		synctest.Wait()
		s.want(0, 0, 0, Degraded)
		if got := s.exporter.Status(); got.Detail != "broker:9092: connection refused" || got.Failures != 1 {
			t.Errorf("got %+v", got)
		}
		time.Sleep(time.Second)
		synctest.Wait()
		s.want(5, 0, 0, Live)
		s.stop()
	})
}

// TestExportLoses counts what has no room while the target is away, and what it never took.
func TestExportLoses(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &noted{fail: func(int) error { return errors.New("away") }}
		s := newStage(t, target, "", 1)
		s.ingest(0, 5) // Being sent.
		synctest.Wait()
		s.ingest(5, 7) // Goes for the next one.
		s.ingest(12, 9)
		s.want(0, 0, 7, Degraded)
		begin := time.Now()
		s.stop()
		s.want(0, 0, 5+7+9, Degraded)
		if took := time.Since(begin); took < drainTime || took > drainTime+longestWait {
			t.Errorf("ended after %v", took)
		}
	})
}

// TestExportDrains sends at the end what is queued.
func TestExportDrains(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		target := &noted{fail: func(attempt int) error {
			if attempt == 1 {
				return errors.New("away")
			}
			return nil
		}}
		s := newStage(t, target, "", 1<<20)
		s.ingest(0, 5)
		s.ingest(5, 7)
		synctest.Wait()
		s.stop()
		s.want(12, 0, 0, Live)
	})
}

// hanging is a target that never answers, and needs five seconds to give up.
type hanging struct{ noted }

func (h *hanging) Send(ctx context.Context, _ *query.Block) (int, error) {
	<-ctx.Done()
	time.Sleep(5 * time.Second)
	return 0, ctx.Err()
}

// TestExportEnds does not go through the whole queue with a target that hangs.
func TestExportEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStage(t, &hanging{}, "", 1<<20)
		for i := range 10 {
			s.ingest(i, 2*blockRows/10)
		}
		s.ingest(0, 3*blockRows)
		synctest.Wait()
		begin := time.Now()
		s.stop()
		s.want(0, 0, 10*(2*blockRows/10)+3*blockRows, Degraded)
		if took := time.Since(begin); took > drainTime+5*time.Second {
			t.Errorf("ended after %v", took)
		}
	})
}
