package server

import (
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/wire"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

// traffic gives a sender batches until it is stopped, which returns how many records these had.
func traffic(t *testing.T, s *wire.Sender, size int, every time.Duration) (stop func() int) {
	t.Helper()
	done, group, sent := make(chan struct{}), sync.WaitGroup{}, 0
	group.Go(func() {
		tick := time.NewTicker(every)
		defer tick.Stop()
		for {
			select {
			case <-done:
				return
			case <-tick.C:
				if err := s.Sink(wiretest.Records(sent, size)); err != nil {
					t.Error(err)
				}
				sent += size
			}
		}
	})
	stop = sync.OnceValue(func() int {
		close(done)
		group.Wait()
		return sent
	})
	t.Cleanup(func() { stop() })
	return stop
}

// The server goes away under load and comes back: what fits into the queue arrives, and what does not is counted to the
// record, on both ends.
func TestServerAway(t *testing.T) {
	f := func(name string, queue int64, wantLoss bool) {
		t.Run(name, func(t *testing.T) {
			m := newMemoryEngine()
			server := newServer(t, Config{Engine: m})
			address, stop := listen(t, server, "127.0.0.1:0")
			sender := send(t, wire.SenderConfig{Server: address, QueueBytes: queue, Drain: wiretest.WaitLimit})
			stopTraffic := traffic(t, sender, 500, 10*time.Millisecond)
			wiretest.Eventually(t, "records before", func() bool { return m.once(t) > 0 })
			stop()
			time.Sleep(3 * time.Second)
			if held := sender.Stats().QueuedBytes; held == 0 || held > queue {
				t.Errorf("while the server is away the queue holds %d bytes, want up to %d", held, queue)
			}
			listen(t, server, address)
			before := m.once(t)
			wiretest.Eventually(t, "records afterwards", func() bool { return m.once(t) > before })
			sent := stopTraffic()
			if err := sender.Close(); err != nil {
				t.Fatal(err)
			}
			kept, stats := m.once(t), sender.Stats()
			t.Logf("%d records sent, %d kept, %d dropped, %d batches came twice, %d streams", sent, kept, stats.Full, m.repeats(), stats.Streams)
			if uint64(kept)+stats.Full != uint64(sent) {
				t.Errorf("%d kept + %d dropped = %d records, want %d", kept, stats.Full, uint64(kept)+stats.Full, sent)
			}
			if (stats.Full > 0) != wantLoss {
				t.Errorf("%d records were dropped, want a loss: %v", stats.Full, wantLoss)
			}
			agents := server.Status().Agents
			if len(agents) != 1 || agents[0].Dropped != stats.Full {
				t.Errorf("server knows of agents %+v, want one that dropped %d", agents, stats.Full)
			}
		})
	}
	f("within the queue's bound", 64<<20, false)
	f("beyond it", wire.MinQueueBytes, true)
}
