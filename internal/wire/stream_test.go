package wire

import (
	"context"
	"errors"
	"net"
	"net/netip"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seine-net/seine/internal/wire/wiretest"
)

func containsText(text, part string) bool { return strings.Contains(text, part) }

// ways are the two ways to a handler.
var ways = []struct {
	name string
	open func(testing.TB, Handler, SenderConfig) *Sender
}{
	{"network", func(t testing.TB, h Handler, cfg SenderConfig) *Sender {
		r, _ := serve(t, ReceiverConfig{}, h)
		cfg.Server = r.Addr().String()
		return send(t, cfg)
	}},
	{"in process", func(t testing.TB, h Handler, cfg SenderConfig) *Sender {
		cfg.Node, cfg.Version = "worker-1", "agent-1"
		s, err := OpenLocal(cfg, h, discard)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = s.Close() })
		return s
	}},
}

func TestRecordsArrive(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			k := newKeeper()
			s := way.open(t, k, SenderConfig{})
			const batches, size = 5, 3 * rowsPerBatch / 2
			for i := range batches {
				sink(t, s, wiretest.Records(i*size, size))
			}
			sink(t, s, nil)
			closeSender(t, s)
			if got := k.kept(t); got != batches*size {
				t.Errorf("%d records arrived, want %d", got, batches*size)
			}
			if k.batches != 2*batches {
				t.Errorf("they came in %d batches, want %d", k.batches, 2*batches)
			}
			if got := s.Stats(); got.Acknowledged != batches*size || got.Queued != 0 || got.QueuedBytes != 0 {
				t.Errorf("after all arrived the stats are %+v", got)
			}
			wantError(t, s.Sink(wiretest.Records(0, 1)), "closed")
		})
	}
}

func TestAgentIsIntroduced(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			k := newKeeper()
			report := Report{
				Losses:    []Loss{{"map_full", 3, "packets"}},
				Features:  []Feature{{"capture", "live", "tcx", "programs"}},
				Addresses: []netip.Addr{netip.MustParseAddr("192.0.2.1"), netip.MustParseAddr("2001:db8::1")},

				CountedBytes: 1000, AccountedBytes: 999,
			}
			s := way.open(t, k, SenderConfig{Report: func() Report { return report }})
			wiretest.Eventually(t, "report", func() bool { _, ok := k.lastReport(); return ok })
			got := k.lastAgent(t)
			if got.Origin != s.Stats().Origin || !strings.HasPrefix(got.Origin, "worker-1/") {
				t.Errorf("origin is %q, the sender's %q", got.Origin, s.Stats().Origin)
			}
			if (got.Address == "") != (way.name == "in process") {
				t.Errorf("address is %q", got.Address)
			}
			got.Origin, got.Address = "", ""
			want := Agent{Node: "worker-1", Version: "agent-1", Protocol: protocol}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Errorf("agent (-want +got):\n%s", diff)
			}
			r, _ := k.lastReport()
			if diff := cmp.Diff(report, r, cmpopts.EquateComparable(netip.Addr{})); diff != "" {
				t.Errorf("report (-want +got):\n%s", diff)
			}
			wiretest.Eventually(t, "connected", func() bool { return s.Stats().Connected })
			closeSender(t, s)
			wiretest.Eventually(t, "session's end", func() bool { k.mu.Lock(); defer k.mu.Unlock(); return k.open == 0 })
		})
	}
}

// Streams end and begin anew in peace: nothing is lost, comes twice, or is complained about.
func TestStreamsAreRenewed(t *testing.T) {
	k := newKeeper()
	r, _ := serve(t, ReceiverConfig{}, k)
	s, err := newSender(SenderConfig{Server: r.Addr().String(), Node: "worker-1"}, discard)
	if err != nil {
		t.Fatal(err)
	}
	d, err := newDialer(s.config, discard)
	if err != nil {
		t.Fatal(err)
	}
	s.renewAfter = 20 * time.Millisecond
	s.deliver = func(ctx context.Context) error { return s.overNetwork(ctx, d) }
	s.start()
	sent := 0
	wiretest.Eventually(t, "five streams", func() bool {
		sink(t, s, wiretest.Records(sent, 20))
		sent += 20
		return s.Stats().Streams >= 5
	})
	closeSender(t, s)
	if got := k.kept(t); got != sent || k.repeated != 0 || s.Stats().LastError != "" {
		t.Errorf("%d records arrived, %d batches twice, last error %q; want %d, 0 and none", got, k.repeated, s.Stats().LastError, sent)
	}
}

// A handler that fails for a while gets everything in the end, in order and once.
func TestFailedBatchesComeAgain(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			k := newKeeper()
			var calls atomic.Int64
			k.fail = func(Delivery) error {
				if calls.Add(1)%2 == 1 {
					return errTest
				}
				return nil
			}
			s := way.open(t, k, SenderConfig{})
			for i := range 4 {
				sink(t, s, wiretest.Records(i*10, 10))
			}
			wiretest.Eventually(t, "all", func() bool { return k.kept(t) == 40 })
			wiretest.Eventually(t, "acknowledged", func() bool { return s.Stats().Acknowledged == 40 })
		})
	}
}

func TestErrorIsTold(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			k := newKeeper()
			k.fail = func(Delivery) error { return errTest }
			s := way.open(t, k, SenderConfig{Drain: 50 * time.Millisecond})
			sink(t, s, wiretest.Records(0, 10))
			wiretest.Eventually(t, "error", func() bool { return containsText(s.Stats().LastError, errTest.Error()) })
			wantError(t, s.Close(), "10 were not acknowledged")
		})
	}
}

func TestHandlerRefuses(t *testing.T) {
	for _, way := range ways {
		t.Run(way.name, func(t *testing.T) {
			k := newKeeper()
			var open atomic.Bool
			k.refuse = func() error {
				if open.Load() {
					return nil
				}
				return errTest
			}
			s := way.open(t, k, SenderConfig{})
			wiretest.Eventually(t, "refusal", func() bool { return containsText(s.Stats().LastError, errTest.Error()) })
			sink(t, s, wiretest.Records(0, 10))
			open.Store(true)
			wiretest.Eventually(t, "records", func() bool { return k.kept(t) == 10 })
		})
	}
}

// Close waits no longer than it may where there is no server, and says what is left.
func TestCloseWithoutServer(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	_ = l.Close()
	s := send(t, SenderConfig{Server: l.Addr().String(), Drain: 100 * time.Millisecond})
	sink(t, s, wiretest.Records(0, 7))
	begun := time.Now()
	wantError(t, s.Close(), "7 were not acknowledged within 100ms, 0 of these were sent")
	if took := time.Since(begun); took > 5*time.Second {
		t.Errorf("Close took %v", took)
	}
}

// A server that accepts connections and says nothing, or nonsense, is given up.
func TestServerThatIsNone(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = conn.Write([]byte("HTTP/1.1 400 Bad Request\r\n\r\n"))
			_ = conn.Close()
		}
	}()
	s := send(t, SenderConfig{Server: l.Addr().String(), Drain: 50 * time.Millisecond})
	wiretest.Eventually(t, "error", func() bool { return s.Stats().LastError != "" })
	if s.Stats().Connected {
		t.Error("sender says that it is connected")
	}
	sink(t, s, wiretest.Records(0, 1))
	wantError(t, s.Close(), "1 were not acknowledged")
	_ = l.Close()
}

// The bound holds while nobody takes anything, and every record is accounted for.
func TestFullQueueCounts(t *testing.T) {
	k := newKeeper()
	release := make(chan struct{})
	k.fail = func(Delivery) error { <-release; return nil }
	r, _ := serve(t, ReceiverConfig{}, k)
	s := send(t, SenderConfig{Server: r.Addr().String(), QueueBytes: MinQueueBytes})
	const batches, size = 100, 1000
	for i := range batches {
		sink(t, s, wiretest.Records(i*size, size))
		if held := s.Stats().QueuedBytes; held > MinQueueBytes {
			t.Fatalf("queue holds %d bytes, want at most %d", held, MinQueueBytes)
		}
	}
	if s.Stats().Full == 0 {
		t.Fatal("nothing was dropped, so this test shows nothing")
	}
	close(release)
	closeSender(t, s)
	stats := s.Stats()
	if got := uint64(k.kept(t)) + stats.Full; got != batches*size {
		t.Errorf("%d kept + %d dropped = %d records, want %d", k.kept(t), stats.Full, got, batches*size)
	}
	if report, _ := k.lastReport(); report.Dropped != stats.Full || k.dropped != stats.Full {
		t.Errorf("server was told of %d (reports) and %d (batches) dropped records, want %d", report.Dropped, k.dropped, stats.Full)
	}
}

// A record that no message holds is counted, and its neighbours arrive.
func TestRecordTooLargeForAMessage(t *testing.T) {
	k := newKeeper()
	r, _ := serve(t, ReceiverConfig{}, k)
	s := send(t, SenderConfig{Server: r.Addr().String(), QueueBytes: MinQueueBytes})
	all := wiretest.Records(0, 9)
	large := wiretest.Records(0, 20000)
	var text strings.Builder
	for i := range large {
		text.WriteString(large[i].Dst.Addr.String())
	}
	all[4].Src.Name = text.String()
	sink(t, s, all)
	closeSender(t, s)
	if got := s.Stats(); k.kept(t) != 8 || got.Unsendable != 1 {
		t.Errorf("%d records arrived and %d were unsendable, want 8 and 1", k.kept(t), got.Unsendable)
	}
}

func TestConfigurationsThatMakeNoSense(t *testing.T) {
	f := func(name string, cfg SenderConfig, want string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			s, err := OpenSender(cfg, discard)
			if err == nil {
				_ = s.Close()
			}
			wantError(t, err, want)
		})
	}
	f("no node", SenderConfig{Server: "127.0.0.1:1"}, "node name")
	f("long node", SenderConfig{Server: "127.0.0.1:1", Node: strings.Repeat("n", maxName+1)}, "want 1 to 253 bytes")
	f("no server", SenderConfig{Node: "n"}, "want HOST:PORT")
	f("no port", SenderConfig{Node: "n", Server: "127.0.0.1"}, "want HOST:PORT")
	f("no host", SenderConfig{Node: "n", Server: ":1"}, "want HOST:PORT")
	f("small queue", SenderConfig{Node: "n", Server: "127.0.0.1:1", QueueBytes: 1000}, "want at least 1048576")
	f("plain text to elsewhere", SenderConfig{Node: "n", Server: "192.0.2.1:4317"}, "--server-ca FILE")
	f("missing token file", SenderConfig{Node: "n", Server: "127.0.0.1:1", TokenFile: "/nonexistent"}, "--server-token-file")

	_, err := Listen(ReceiverConfig{Listen: "0.0.0.0:0"}, newKeeper(), discard)
	wantError(t, err, "--agents-tls-cert FILE")
	_, err = Listen(ReceiverConfig{Listen: "127.0.0.1:0", TokenFile: "/nonexistent"}, newKeeper(), discard)
	wantError(t, err, "--agents-token-file")
	_, err = Listen(ReceiverConfig{Listen: "127.0.0.1:nonsense"}, newKeeper(), discard)
	wantError(t, err, "listen for agents")
}

func TestReceiverEndsWithItsSocket(t *testing.T) {
	r, err := Listen(ReceiverConfig{Listen: "127.0.0.1:0"}, newKeeper(), discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := r.Close(); err != nil {
		t.Fatal(err)
	}
	if err := r.Run(t.Context()); !errors.Is(err, net.ErrClosed) {
		t.Errorf("error is %v, want %v", err, net.ErrClosed)
	}
}
