package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// keeper is a handler that keeps the numbers of the records.
type keeper struct {
	// refuse and fail are returned by Accept and Ingest where they are not nil.
	refuse func() error
	fail   func(Delivery) error

	mu       sync.Mutex
	agents   []Agent
	open     int
	seen     map[uint64]int
	batches  int
	sequence map[string]uint64
	repeated int
	dropped  uint64
	reports  []Report
}

func newKeeper() *keeper {
	return &keeper{seen: make(map[uint64]int), sequence: make(map[string]uint64)}
}

type keeperSession struct {
	*keeper
	agent Agent
}

func (k *keeper) Accept(a Agent) (Session, error) {
	if k.refuse != nil {
		if err := k.refuse(); err != nil {
			return nil, err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.agents = append(k.agents, a)
	k.open++
	return keeperSession{k, a}, nil
}

func (k keeperSession) Ingest(_ context.Context, d Delivery) error {
	if k.fail != nil {
		if err := k.fail(d); err != nil {
			return err
		}
	}
	k.mu.Lock()
	defer k.mu.Unlock()
	k.dropped = max(k.dropped, d.Dropped)
	if d.Sequence <= k.sequence[k.agent.Origin] {
		k.repeated++
		return nil
	}
	k.sequence[k.agent.Origin] = d.Sequence
	k.batches++
	field, _ := flow.FieldByName("fwd.bytes")
	numbers := columns.NumbersOf(d.Rows, field)
	for _, n := range numbers.Values {
		k.seen[uint64(n)]++
	}
	return nil
}

func (k keeperSession) Report(r Report) {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.reports = append(k.reports, r)
}

func (k keeperSession) Close() {
	k.mu.Lock()
	defer k.mu.Unlock()
	k.open--
}

// kept returns how many different records arrived. None may have come twice.
func (k *keeper) kept(t testing.TB) int {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	for number, times := range k.seen {
		if times != 1 {
			t.Errorf("record %d was kept %d times", number, times)
		}
	}
	return len(k.seen)
}

func (k *keeper) lastAgent(t testing.TB) Agent {
	t.Helper()
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.agents) == 0 {
		t.Fatal("no agent came")
	}
	return k.agents[len(k.agents)-1]
}

func (k *keeper) lastReport() (Report, bool) {
	k.mu.Lock()
	defer k.mu.Unlock()
	if len(k.reports) == 0 {
		return Report{}, false
	}
	return k.reports[len(k.reports)-1], true
}

// serve runs a receiver until the test ends or the function it returns is called.
func serve(t testing.TB, cfg ReceiverConfig, h Handler) (r *Receiver, stop func()) {
	t.Helper()
	if cfg.Listen == "" {
		cfg.Listen = "127.0.0.1:0"
	}
	cfg.Version = "server-1"
	r, err := Listen(cfg, h, discard)
	if err != nil {
		t.Fatal(err)
	}
	return r, run(t, r)
}

func run(t testing.TB, r *Receiver) (stop func()) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- r.Run(ctx) }()
	var once sync.Once
	stop = func() {
		once.Do(func() {
			cancel()
			if err := <-ended; err != nil {
				t.Errorf("receiver ends: %v", err)
			}
		})
	}
	t.Cleanup(stop)
	return stop
}

// send opens a sender, which is closed with the test.
func send(t testing.TB, cfg SenderConfig) *Sender {
	t.Helper()
	cfg.Node, cfg.Version = "worker-1", "agent-1"
	s, err := OpenSender(cfg, discard)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func sink(t testing.TB, s *Sender, all []flow.Record) {
	t.Helper()
	if err := s.Sink(all); err != nil {
		t.Fatal(err)
	}
}

func closeSender(t testing.TB, s *Sender) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

var errTest = errors.New("test says no")

// fail fails the test unless an error holds a text.
func wantError(t testing.TB, err error, want string) {
	t.Helper()
	if text := fmt.Sprint(err); err == nil || !containsText(text, want) {
		t.Errorf("error is %q, want one with %q", text, want)
	}
}
