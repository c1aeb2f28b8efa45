package server

import (
	"context"
	"errors"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/wire"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

var errTest = errors.New("test says no")

func TestServerWantsAnEngine(t *testing.T) {
	if _, err := New(Config{Log: discard}); err == nil {
		t.Error("no error without an engine")
	}
}

func TestIngest(t *testing.T) {
	m := newMemoryEngine()
	s := newServer(t, Config{Engine: m})
	rows := rowsOf(t, 0, 10)
	f := func(what, origin string, sequence uint64, wantStored, wantRepeated uint64) {
		t.Helper()
		if err := s.Ingest(t.Context(), "flows", rows, origin, sequence); err != nil {
			t.Fatalf("%s: %v", what, err)
		}
		got := s.Status()
		if got.Stored != wantStored || got.Repeated != wantRepeated {
			t.Errorf("%s: %d stored and %d repeated, want %d and %d", what, got.Stored, got.Repeated, wantStored, wantRepeated)
		}
	}
	f("first", "a", 1, 10, 0)
	f("again", "a", 1, 10, 10)
	f("older", "a", 0, 10, 20)
	f("next", "a", 5, 20, 20)
	f("another's", "b", 1, 30, 20)
	f("without an origin", "", 0, 40, 20)
	f("without an origin again", "", 0, 50, 20)
}

func TestIngestErrors(t *testing.T) {
	f := func(name string, cfg Config, appendErr, want error) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			m := newMemoryEngine()
			m.before = func(store.Batch) error { return appendErr }
			cfg.Engine = m
			s := newServer(t, cfg)
			sub, err := s.Subscribe("flows")
			if err != nil {
				t.Fatal(err)
			}
			defer sub.Close()
			if err := s.Ingest(t.Context(), "flows", rowsOf(t, 0, 5), "a", 1); !errors.Is(err, want) {
				t.Errorf("error is %v, want %v", err, want)
			}
			if _, ok := sub.take(); ok || m.once(t) != 0 {
				t.Error("rows went on")
			}
		})
	}
	no := func(string, arrow.RecordBatch) (arrow.RecordBatch, error) { return nil, errTest }
	f("naming", Config{Name: no}, nil, errTest)
	f("primary", Config{Primary: no}, nil, errTest)
	f("full", Config{}, store.ErrFull, store.ErrFull)
	f("broken", Config{}, errTest, errTest)
}

// Stages see a batch in their order, and what they make is what is stored and followed.
func TestStages(t *testing.T) {
	m := newMemoryEngine()
	var order []string
	stage := func(name string, from, to int64) Stage {
		return func(dataset string, rows arrow.RecordBatch) (arrow.RecordBatch, error) {
			order = append(order, name+" of "+dataset)
			return rows.NewSlice(from, to), nil
		}
	}
	s := newServer(t, Config{Engine: m, Name: stage("name", 0, 8), Primary: stage("primary", 2, 7)})
	sub, err := s.Subscribe("flows")
	if err != nil {
		t.Fatal(err)
	}
	defer sub.Close()
	if err := s.Ingest(t.Context(), "flows", rowsOf(t, 100, 10), "a", 1); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff([]string{"name of flows", "primary of flows"}, order); diff != "" {
		t.Errorf("stages (-want +got):\n%s", diff)
	}
	next, err := sub.Next(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer next.Rows.Release()
	if diff := cmp.Diff([]int64{102, 103, 104, 105, 106}, numbersOf(next.Rows)); diff != "" || m.once(t) != 5 {
		t.Errorf("%d rows stored; followed (-want +got):\n%s", m.once(t), diff)
	}
}

// While the store is full an agent's batch waits, and arrives once there is room.
func TestWaitsForRoom(t *testing.T) {
	m := newMemoryEngine()
	var full atomic.Bool
	full.Store(true)
	m.before = func(store.Batch) error {
		if full.Load() {
			return store.ErrFull
		}
		return nil
	}
	s := newServer(t, Config{Engine: m})
	sender, err := wire.OpenLocal(wire.SenderConfig{Node: "n"}, s, discard)
	if err != nil {
		t.Fatal(err)
	}
	if err := sender.Sink(wiretest.Records(0, 10)); err != nil {
		t.Fatal(err)
	}
	wiretest.Eventually(t, "waiting batch", func() bool { return s.Status().Waiting == 1 })
	if got := sender.Stats(); got.Queued != 10 || !got.Connected {
		t.Errorf("while the store is full the sender's state is %+v", got)
	}
	full.Store(false)
	if err := sender.Close(); err != nil {
		t.Fatal(err)
	}
	if got := s.Status(); m.once(t) != 10 || got.Waiting != 0 {
		t.Errorf("%d records kept and %d batches waiting, want 10 and 0", m.once(t), got.Waiting)
	}
}

func TestSubscribers(t *testing.T) {
	// Room for three batches, which are not all of one size.
	s := newServer(t, Config{Engine: newMemoryEngine(), MaxSubscribers: 2, SubscriberBytes: 7 * sizeOf(rowsOf(t, 0, 10)) / 2})
	fast, slow := subscribe(t, s, "flows"), subscribe(t, s, "flows")
	if _, err := s.Subscribe("flows"); err == nil || !strings.Contains(err.Error(), "2 clients follow live already") {
		t.Errorf("error is %v", err)
	}
	for i := range 8 {
		ingest(t, s, i*10, uint64(i+1))
		want(t, fast, int64(i*10), 0)
	}
	// Five of eight did not fit.
	want(t, slow, 50, 50)
	want(t, slow, 60, 0)
	want(t, slow, 70, 0)
	ingest(t, s, 80, 9)
	want(t, slow, 80, 0)
	want(t, fast, 80, 0)
	if got := s.Status(); got.Subscribers != 2 || got.SubscribersLost != 50 {
		t.Errorf("%d subscribers lost %d rows, want 2 and 50", got.Subscribers, got.SubscribersLost)
	}
	slow.Close()
	other := subscribe(t, s, "dns")
	ingest(t, s, 90, 10)
	want(t, fast, 90, 0)
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Millisecond)
	defer cancel()
	if _, err := other.Next(ctx); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("a subscriber of another dataset gets %v", err)
	}
}

func subscribe(t *testing.T, s *Server, dataset string) *Subscription {
	t.Helper()
	sub, err := s.Subscribe(dataset)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(sub.Close)
	return sub
}

func ingest(t *testing.T, s *Server, first int, sequence uint64) {
	t.Helper()
	if err := s.Ingest(t.Context(), "flows", rowsOf(t, first, 10), "a", sequence); err != nil {
		t.Fatal(err)
	}
}

// want expects the batch that begins with a number, after a loss.
func want(t *testing.T, sub *Subscription, first int64, lost uint64) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), wiretest.WaitLimit)
	defer cancel()
	next, err := sub.Next(ctx)
	if err != nil {
		t.Fatal(err)
	}
	defer next.Rows.Release()
	if got := numbersOf(next.Rows)[0]; got != first || next.Lost != lost {
		t.Errorf("batch begins with %d after %d lost, want %d after %d", got, next.Lost, first, lost)
	}
}

// A batch larger than the bound still comes, alone.
func TestSubscriberOfLargeBatches(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine(), SubscriberBytes: 1})
	sub := subscribe(t, s, "flows")
	ingest(t, s, 0, 1)
	ingest(t, s, 10, 2)
	want(t, sub, 10, 10)
}

// A part of this process follows beside any number of clients, and its losses are none of theirs.
func TestFollow(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine(), MaxSubscribers: 1})
	sub, own := subscribe(t, s, "flows"), s.Follow("flows", 1)
	if _, err := s.Subscribe("flows"); err == nil {
		t.Error("a second client follows where one may")
	}
	ingest(t, s, 0, 1)
	ingest(t, s, 10, 2)
	if own.Bytes() == 0 {
		t.Error("nothing waits")
	}
	want(t, own, 10, 10)
	want(t, sub, 0, 0)
	if got := s.Status(); got.Subscribers != 1 || got.SubscribersLost != 0 || own.Bytes() != 0 {
		t.Errorf("%d subscribers lost %d, %d bytes wait", got.Subscribers, got.SubscribersLost, own.Bytes())
	}
	own.Close()
	sub.Close()
	sub.Close()
	if got := s.Status(); got.Subscribers != 0 {
		t.Errorf("%d subscribers after the end", got.Subscribers)
	}
}

// A closed subscription takes nothing more and holds nobody up.
func TestClosedSubscription(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine()})
	sub := subscribe(t, s, "flows")
	ingest(t, s, 0, 1)
	sub.Close()
	ingest(t, s, 10, 2)
	if _, ok := sub.take(); ok {
		t.Error("a closed subscription has a batch")
	}
	if got := s.Status().Subscribers; got != 0 {
		t.Errorf("%d subscribers, want 0", got)
	}
}
