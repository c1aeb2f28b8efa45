package server

import (
	"context"
	"log/slog"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"go.uber.org/goleak"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/wire"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// rowsOf makes a batch, which is released with the test.
func rowsOf(t testing.TB, first, count int) arrow.RecordBatch {
	t.Helper()
	b := columns.NewBuilder(columns.Flows(), count)
	b.Append(wiretest.Records(first, count))
	batch := b.NewBatch()
	t.Cleanup(batch.Release)
	return batch
}

// numbersOf reads back the numbers of a batch's records.
func numbersOf(rows arrow.RecordBatch) []int64 {
	field, _ := flow.FieldByName("fwd.bytes")
	return columns.NumbersOf(rows, field).Values
}

// memoryEngine is an engine that remembers how often each record was kept.
type memoryEngine struct {
	// before is asked before a batch is kept, after is called once it is.
	before func(store.Batch) error
	after  func()

	mu       sync.Mutex
	kept     map[int64]int
	sequence map[string]uint64
	repeated int
	losses   map[string]uint64
}

func newMemoryEngine() *memoryEngine {
	return &memoryEngine{kept: make(map[int64]int), sequence: make(map[string]uint64)}
}

func (m *memoryEngine) Append(_ context.Context, b store.Batch) error {
	if m.before != nil {
		if err := m.before(b); err != nil {
			return err
		}
	}
	if err := m.keep(b); err != nil {
		return err
	}
	if m.after != nil {
		m.after()
	}
	return nil
}

func (m *memoryEngine) keep(b store.Batch) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if b.Origin != "" && b.Sequence <= m.sequence[b.Origin] {
		m.repeated++
		return store.ErrRepeated
	}
	m.sequence[b.Origin] = b.Sequence
	for _, n := range numbersOf(b.Rows) {
		m.kept[n]++
	}
	return nil
}

// once returns how many records were kept. None may have been kept twice.
func (m *memoryEngine) once(t testing.TB) int {
	t.Helper()
	m.mu.Lock()
	defer m.mu.Unlock()
	for number, times := range m.kept {
		if times != 1 {
			t.Errorf("record %d was kept %d times", number, times)
		}
	}
	return len(m.kept)
}

func (m *memoryEngine) repeats() int {
	m.mu.Lock()
	defer m.mu.Unlock()
	return m.repeated
}

func (m *memoryEngine) Stats() store.Stats { return store.Stats{Losses: m.losses} }
func (m *memoryEngine) Close() error       { return nil }

// These tests ask nothing.
func (m *memoryEngine) Query(context.Context, *query.Plan, func(*query.Block) error) (query.Summary, error) {
	panic("BUG: not asked in these tests")
}

func (m *memoryEngine) Values(context.Context, store.ValuesRequest) ([]store.Value, error) {
	panic("BUG: not asked in these tests")
}

func newServer(t testing.TB, cfg Config) *Server {
	t.Helper()
	cfg.Log = discard
	s, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// listen runs a receiver for a server at an address until it is stopped or the test ends.
func listen(t testing.TB, s *Server, address string) (at string, stop func()) {
	t.Helper()
	r, err := wire.Listen(wire.ReceiverConfig{Listen: address}, s, discard)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	stop = sync.OnceFunc(func() {
		cancel()
		if err := <-ended; err != nil {
			t.Errorf("receiver ends: %v", err)
		}
	})
	t.Cleanup(stop)
	return r.Addr().String(), stop
}

// send opens a sender, which is closed with the test.
func send(t testing.TB, cfg wire.SenderConfig) *wire.Sender {
	t.Helper()
	cfg.Node = "worker-1"
	s, err := wire.OpenSender(cfg, discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}
