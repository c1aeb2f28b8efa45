package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// TestHold lets a connection wait that is too young for its conntrack entry to be known, one interval at most.
func TestHold(t *testing.T) {
	young := func() sight { return seen(client, service).on(vethC).sent(1).syn(1).at(900, 950) }
	f := func(name string, want string, next ...event) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			s := play(t, host{}).with(young()).gives()
			if n := s.table.Stats().Held; n != 1 {
				t.Errorf("held %d, want 1", n)
			}
			s.with(next...).gives(want).endsWith()
			if n := s.table.Stats().Held; n != 1 {
				t.Errorf("held %d in the end, want 1", n)
			}
		})
	}
	f("nothing more", "TCP 10.0.1.1:40000>10.96.0.1:80 1/0 vethC none syn")
	f("a bare packet", "TCP 10.0.1.1:40000>10.96.0.1:80 3/0 vethC none syn", seen(client, service).on(vethC).sent(2))
	f("a bare packet, young itself", "TCP 10.0.1.1:40000>10.96.0.1:80 3/0 vethC none syn",
		seen(client, service).on(vethC).sent(2).at(950, 960))
	f("resolved on the same interface", dnatLine+"3/0 vethC dnat conntrack",
		seen(client, service).on(vethC).sent(2).resolved(toBackend))
	f("resolved on another interface", dnatLine+"1/0 vethC dnat conntrack",
		seen(client, backend).on(eth0).sent(1).resolved(toBackend))
	f("resolved by conntrack's event", dnatLine+"1/0 vethC dnat conntrack", learnt(toBackend).born(1))
}

func TestNotHeld(t *testing.T) {
	at := func(first, last int) sight {
		return seen(client, service).on(vethC).sent(1).syn(1).at(flow.Time(first), flow.Time(last))
	}
	bare := "TCP 10.0.1.1:40000>10.96.0.1:80 1/0 vethC none syn"
	f := func(name string, run func(*script)) {
		t.Run(name, func(t *testing.T) { run(play(t, host{})) })
	}
	f("older", func(s *script) { s.with(at(799, 990)).gives(bare) })
	f("resolved elsewhere before", func(s *script) {
		s.with(seen(client, backend).on(eth0).sent(1).resolved(toBackend).at(900, 900), at(900, 900)).gives(dnatLine + "1/0 vethC dnat conntrack")
	})
	f("resolved elsewhere after", func(s *script) {
		s.with(at(900, 900), seen(client, backend).on(eth0).sent(1).resolved(toBackend).at(900, 900)).gives(dnatLine + "1/0 vethC dnat conntrack")
	})
	f("known untracked", func(s *script) { s.with(at(100, 100)).gives(bare).with(at(900, 900)).gives(bare) })
	f("the last interval", func(s *script) { s.with(at(900, 900)).endsWith(bare) })
	f("held before the last interval", func(s *script) { s.with(at(900, 900)).gives().endsWith(bare) })
	t.Run("nothing to wait for", func(t *testing.T) {
		playWith(t, Config{Locality: host{}, Hold: -1}).with(at(999, 999)).gives(bare)
	})
	t.Run("a longer time", func(t *testing.T) {
		playWith(t, Config{Locality: host{}, Hold: 500 * millisecond}).with(at(600, 990)).gives().endsWith(bare)
	})
}

// TestHoldIsOfTheConnection sees a packet before the limit on one interface and after it on the next: it counts once.
func TestHoldIsOfTheConnection(t *testing.T) {
	permute([]sight{on(vethC, 1).syn(1).at(799, 799), on(eth0, 1).syn(1).at(801, 801)}, func(order []sight) {
		s := play(t, host{})
		for _, o := range order {
			s.with(o)
		}
		s.gives(plainLine + "1/0 vethC none syn").endsWith()
	})
}
