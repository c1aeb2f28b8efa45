package ctnetlink

import (
	"context"
	"os"
	"os/exec"
	"runtime"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/seine-net/seine/internal/nat"
)

// TestOverrun fills a tiny queue while the sink stands still, and expects every entry after all.
func TestOverrun(t *testing.T) {
	const entries = 3000
	n := newNetwork(t, trackRules)
	s, r := open(t, n.router, 4096), &recorder{}
	gate := make(chan struct{})
	start(t, s, func(batch []nat.Translation) {
		<-gate
		r.sink(batch)
	})
	eventually(t, "the first dump", func() bool { return s.Stats().Dumps == 1 }) // It is empty: no sink, no gate.
	n.burst(t, "10.0.2.2", 20000, entries)
	close(gate)
	eventually(t, "an overrun", func() bool { return s.Stats().Overruns > 0 })
	eventually(t, "all entries", func() bool { return covers(r.keys(), n.router.listed()) })
	if got := len(n.router.listed()); got < entries {
		t.Errorf("the table holds %d entries, want at least %d", got, entries)
	}
	if st := s.Stats(); st.Dumps < 2 || st.Events >= entries || st.Malformed != 0 {
		t.Errorf("Stats = %+v, want a second dump and events lost", st)
	}
	// Events flow again after the overrun.
	n.burst(t, "10.0.2.2", 12345, 1)
	r.await(t, "an entry after the overrun", func(x nat.Translation) bool {
		return x.Orig.Dst == addrPort("10.0.2.2:12345") && x.Start != 0
	})
}

func covers(have, want map[key]bool) bool {
	for k := range want {
		if !have[k] {
			return false
		}
	}
	return true
}

// TestDumpsAreRateLimited overruns a source again and again.
func TestDumpsAreRateLimited(t *testing.T) {
	n := newNetwork(t, trackRules)
	opened := time.Now()
	s, r := open(t, n.router, 4096), &recorder{}
	start(t, s, func(batch []nat.Translation) {
		time.Sleep(time.Millisecond)
		r.sink(batch)
	})
	for began := time.Now(); time.Since(began) < 2500*time.Millisecond; {
		n.burst(t, "10.0.2.2", 20000, 200)
		n.router.run("", "conntrack", "-F")
	}
	st, took := s.Stats(), time.Since(opened)
	if most := uint64(took/minPause) + 1; st.Overruns < 3 || st.Dumps < 2 || st.Dumps > most {
		t.Errorf("Stats = %+v, want 3 overruns or more, and 2 to %d dumps in %v", st, most, took)
	}
}

// TestEndFollowsDump destroys all entries in the middle of a dump: those already in its answers must be
// reported before their end, not after.
func TestEndFollowsDump(t *testing.T) {
	const entries = 4000
	n := newNetwork(t, trackRules)
	s, r := open(t, n.router, 0), &recorder{}
	n.burst(t, "10.0.2.2", 20000, entries)
	var once sync.Once
	dumped := make(chan int, 1)
	start(t, s, func(batch []nat.Translation) {
		r.sink(batch)
		if batch[0].Start == 0 { // It is the dump's.
			once.Do(func() {
				dumped <- len(batch)
				if err := n.router.try(exec.Command("conntrack", "-F").Run); err != nil {
					t.Errorf("flush the table: %v", err)
				}
			})
		}
	})
	eventually(t, "the dump", func() bool { return s.Stats().Dumps == 1 })
	if first := <-dumped; first >= entries {
		t.Fatalf("the dump came at once (%d entries): nothing is tested", first)
	}
	eventually(t, "the end of all entries", func() bool { return r.alive() == 0 })
	if total := len(r.keys()); total < entries {
		t.Errorf("only %d entries were seen", total)
	}
}

// alive counts the entries whose last word was not an end.
func (r *recorder) alive() int {
	r.mu.Lock()
	defer r.mu.Unlock()
	last := map[key]bool{}
	for _, t := range r.all {
		last[keyOf(t)] = t.End == 0
	}
	n := 0
	for _, alive := range last {
		if alive {
			n++
		}
	}
	return n
}

func TestRunEnds(t *testing.T) {
	patience := time.Second
	if testing.Short() { // Emulated processors may be in the middle of a dump.
		patience = 10 * time.Second
	}
	t.Logf("a source may take %v to end", patience)
	n := newNetwork(t, trackRules)
	f := func(name string, end func(*Source, context.CancelFunc)) {
		t.Run(name, func(t *testing.T) {
			fds := openFiles(t)
			ignore := goleak.IgnoreCurrent()
			ctx, cancel := context.WithCancel(context.Background())
			defer cancel()
			s := open(t, n.router, 0)
			done := make(chan error, 1)
			go func() { done <- s.Run(ctx, func([]nat.Translation) {}) }()
			eventually(t, "the first dump", func() bool { return s.Stats().Dumps == 1 })
			began := time.Now()
			end(s, cancel)
			if err := <-done; err != nil {
				t.Errorf("Run: %v", err)
			}
			if took := time.Since(began); took > patience {
				t.Errorf("Run took %v to end", took)
			}
			if err := s.Close(); err != nil {
				t.Errorf("Close: %v", err)
			}
			goleak.VerifyNone(t, ignore)
			if got := openFiles(t); got != fds {
				t.Errorf("%d files are open, %d before", got, fds)
			}
		})
	}
	f("context", func(_ *Source, cancel context.CancelFunc) { cancel() })
	f("close", func(s *Source, _ context.CancelFunc) { s.Close() })
	f("context during an overrun's pause", func(s *Source, cancel context.CancelFunc) {
		s.events.conn.SetReadBuffer(2304)
		n.burst(t, "10.0.2.2", 20000, 2000)
		eventually(t, "an overrun", func() bool { return s.Stats().Overruns > 0 })
		cancel()
	})
}

func TestContextEndedBeforeRun(t *testing.T) {
	n := newNetwork(t, trackRules)
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if err := open(t, n.router, 0).Run(ctx, func([]nat.Translation) {}); err != nil {
		t.Errorf("Run: %v", err)
	}
}

func openFiles(t testing.TB) int {
	t.Helper()
	runtime.GC()
	entries, err := os.ReadDir("/proc/self/fd")
	if err != nil {
		t.Fatal(err)
	}
	return len(entries)
}
