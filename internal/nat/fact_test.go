package nat

import (
	"fmt"
	"maps"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// word is a fact as the test tells it. Times are milliseconds in the interval.
type word struct{ f Fact }

func fact(src, dst string) word {
	return word{Fact{
		Proto: flow.TCP, Src: point(src), Dst: point(dst), First: 100 * millisecond, Last: 150 * millisecond,
	}}
}

// socket is a fact of a socket at src that the process owns.
func socket(src, dst string, role Role, pid uint32) word {
	w := fact(src, dst)
	w.f.Socket = &Socket{Role: role, TCP: flow.TCPHealth{State: flow.TCPEstablished}}
	if pid != 0 {
		w.f.Socket.Process = &flow.Process{PID: pid}
	}
	return w
}

func (w word) again(n uint64) word   { w.f.Sent.Retransmits = n; return w }
func (w word) dropped(n uint64) word { w.f.Sent.DropPackets = n; return w }
func (w word) alone() word           { w.f.Alone = true; return w }
func (w word) reset(sent, received uint32) word {
	w.f.Socket.ResetsSent, w.f.Socket.ResetsReceived = sent, received
	return w
}

func (w word) at(first, last flow.Time) word {
	w.f.First, w.f.Last = first*millisecond, last*millisecond
	return w
}

func (w word) tell(t *Table, now flow.Time) {
	w.f.First += now
	w.f.Last += now
	t.AddFacts([]Fact{w.f})
}

// showFacts adds what a record has by facts.
func showFacts(b *strings.Builder, r *flow.Record) {
	f, v := r.FwdFaults, r.RevFaults
	pair := func(name string, fwd, rev uint64) {
		if fwd+rev > 0 {
			fmt.Fprintf(b, " %s %d/%d", name, fwd, rev)
		}
	}
	pair("pid", uint64(r.Src.Process.PID), uint64(r.Backend.Process.PID))
	pair("again", f.Retransmits, v.Retransmits)
	pair("dropped", f.DropPackets, v.DropPackets)
	if r.TCP.Resets > 0 {
		fmt.Fprintf(b, " reset %d by %v", r.TCP.Resets, r.TCP.ResetBy)
	}
}

func TestFactsFindTheirConnection(t *testing.T) {
	translated := entry(client, service, backend, "10.0.0.1:61000")
	packets := seen(client, service).on(vethC).sent(3).got(2).resolved(translated)
	line := "TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 10.0.0.1:61000 3/2 vethC dnat+snat conntrack"
	f := func(name, want string, told ...event) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			play(t, host{}).with(packets).with(told...).gives(line + want)
			play(t, host{}).with(told...).with(packets).gives(line + want)
		})
	}
	f("client's socket", " pid 7/0 again 2/0", socket(client, service, Active, 7).again(2))
	f("server's socket", " pid 0/8 again 0/3", socket(backend, "10.0.0.1:61000", Passive, 8).again(3))
	f("both", " pid 7/8 again 2/3",
		socket(client, service, Active, 7).again(2), socket(backend, "10.0.0.1:61000", Passive, 8).again(3))
	f("several of one", " pid 7/0 again 5/0",
		socket(client, service, Active, 7).again(2), socket(client, service, Active, 0).again(3))
	f("drop before the translation", " dropped 4/0", fact(client, service).dropped(4))
	f("drop between", " dropped 4/0", fact(client, backend).dropped(4))
	f("drop of the answer", " dropped 0/4", fact(backend, "10.0.0.1:61000").dropped(4))
	f("drop of the answer turned back", " dropped 0/4", fact(service, client).dropped(4))
	f("reset by the server", " reset 1 by server", socket(client, service, Active, 0).reset(0, 1))
	f("reset by the client, told by the server", " reset 1 by client", socket(backend, "10.0.0.1:61000", Passive, 0).reset(0, 1))
	f("of nobody", "", socket(client, "10.96.0.9:80", Active, 7).again(2))
	f("of another protocol", "", word{Fact{Proto: flow.UDP, Src: point(client), Dst: point(service), First: 100, Last: 100}}.again(1))
}

func TestFactsAlone(t *testing.T) {
	away := func() word { return socket(client, service, Active, 7).again(2) }
	bare := "TCP 10.0.1.1:40000>10.96.0.1:80 0/0  none syn pid 7/0 again 2/0"
	f := func(name string, run func(*script)) { t.Run(name, func(t *testing.T) { run(play(t, host{})) }) }
	f("nobody asked", func(s *script) { s.with(away()).gives() })
	f("asked", func(s *script) { s.with(away().alone()).gives(bare) })
	f("by a server", func(s *script) {
		s.with(socket(service, client, Passive, 7).again(2).alone()).gives("TCP 10.0.1.1:40000>10.96.0.1:80 0/0  none syn pid 0/7 again 0/2")
	})
	f("a drop", func(s *script) {
		s.with(fact(client, service).dropped(1).alone()).gives("TCP 10.0.1.1:40000>10.96.0.1:80 0/0  none port dropped 1/0")
	})
	f("twice", func(s *script) { s.with(away().alone()).gives(bare).with(away().alone()).gives(bare) })
	f("two in one interval are one record", func(s *script) {
		s.with(away().alone(), socket(client, service, Active, 0).again(1).alone()).
			gives("TCP 10.0.1.1:40000>10.96.0.1:80 0/0  none syn pid 7/0 again 3/0")
	})
	f("of a connection known before", func(s *script) {
		e := entry(client, service, backend, "")
		s.with(seen(client, service).on(vethC).sent(1).got(1).resolved(e)).gives(dnatLine + "1/1 vethC dnat conntrack").
			with(away().alone()).gives("TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 0/0  dnat conntrack pid 7/0 again 2/0").
			with(seen(client, service).on(vethC).sent(1).got(1)).gives(dnatLine + "1/1 vethC dnat conntrack pid 7/0")
	})
}

// TestFactsWait has what a fact tells of come after the flow map's swap: its packets are in the next interval.
func TestFactsWait(t *testing.T) {
	packets := seen(client, service).on(vethC).sent(3)
	f := func(name string, run func(*script)) { t.Run(name, func(t *testing.T) { run(play(t, host{})) }) }
	f("with packets to come", func(s *script) {
		s.with(socket(client, service, Active, 7).again(1).at(1001, 1001)).gives().
			with(packets).gives(plainService + "3/0 vethC none syn pid 7/0 again 1/0")
	})
	f("without", func(s *script) {
		s.with(socket(client, service, Active, 7).again(1).at(1001, 1001).alone()).gives().
			gives(plainService + "0/0  none syn pid 7/0 again 1/0").gives()
	})
	f("no longer at the end", func(s *script) {
		s.with(socket(client, service, Active, 7).again(1).at(1001, 1001).alone()).
			endsWith(plainService + "0/0  none syn pid 7/0 again 1/0")
	})
	f("while its packets wait for their translation", func(s *script) {
		s.with(packets.at(900, 950), socket(client, service, Active, 7).at(899, 950)).gives().
			gives(plainService + "3/0 vethC none syn pid 7/0")
	})
	f("with the next use of the tuple to come", func(s *script) {
		s.with(packets.syn(1), socket(client, service, Active, 8).at(1001, 1002)).gives(plainService + "3/0 vethC none syn").
			with(packets.syn(2)).gives(plainService + "3/0 vethC none syn pid 8/0")
	})
	f("with packets now, too", func(s *script) {
		s.with(packets, socket(client, service, Active, 7).again(1).at(100, 1001)).gives(plainService + "3/0 vethC none syn pid 7/0 again 1/0").gives()
	})
}

const plainService = "TCP 10.0.1.1:40000>10.96.0.1:80 "

// TestFactsOfUses has a tuple used twice in an interval: each socket's facts belong to its own connection.
func TestFactsOfUses(t *testing.T) {
	s := play(t, host{})
	s.with(seen(client, service).on(vethC).sent(3).syn(1).at(100, 150), seen(client, service).on(vethC).sent(4).syn(2).at(300, 350))
	s.with(socket(client, service, Active, 7).again(1).at(99, 150), socket(client, service, Active, 8).again(2).at(299, 350))
	s.with(fact(client, service).dropped(5).at(140, 140), fact(client, service).dropped(6).at(340, 340))
	s.gives(plainService+"3/0 vethC none syn pid 7/0 again 1/0 dropped 5/0", plainService+"4/0 vethC none syn pid 8/0 again 2/0 dropped 6/0")
}

// TestFactsTurn has a connection that was taken the wrong way round until a socket told which side connected.
func TestFactsTurn(t *testing.T) {
	play(t, host{}).
		with(seen("10.0.1.1:33000", "10.0.2.1:50000").sent(1).got(2), socket("10.0.1.1:33000", "10.0.2.1:50000", 0, 7).again(1)).
		gives("TCP 10.0.1.1:33000>10.0.2.1:50000 1/2 eth0 none first_packet pid 7/0 again 1/0").
		with(seen("10.0.1.1:33000", "10.0.2.1:50000").sent(1).got(2), socket("10.0.2.1:50000", "10.0.1.1:33000", Active, 8).again(4)).
		gives("TCP 10.0.2.1:50000>10.0.1.1:33000 2/1 eth0 none syn pid 8/7 again 4/0")
}

func TestFactsAreBounded(t *testing.T) {
	table := NewTable(Config{Locality: host{}})
	table.AddFacts(make([]Fact, maxFacts+3))
	if n := table.Stats().FactsDropped; n != 3 {
		t.Errorf("%d dropped, want 3", n)
	}
}

// TestFactsOfListeners gives what a listener turned away to those that it turned away.
func TestFactsOfListeners(t *testing.T) {
	const server = "10.0.2.1:8080"
	turned := func(at string, n uint32) word {
		return word{Fact{Proto: flow.TCP, NetNS: 7, Src: point(at), TurnedAway: n}}
	}
	table := func() *Table {
		h := host{own: map[string]uint32{"10.0.2.1": vethS}}
		t := NewTable(Config{Locality: h, NetNS: 1})
		t.spaces.learn(&Fact{NetNS: 7, Src: point(server)})
		return t
	}
	unanswered := func(port int, n uint64) sight {
		return seen(fmt.Sprintf("10.0.1.1:%d", port), server).syn(uint32(port)).sent(n)
	}
	halfOpen := func(port int) sight {
		return seen(fmt.Sprintf("10.0.1.1:%d", port), server).syn(uint32(port)).answered().sent(2).got(1)
	}
	f := func(name string, want map[uint16]uint32, unassigned uint64, told ...event) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			table := table()
			for _, e := range told {
				e.tell(table, epoch)
			}
			got := make(map[uint16]uint32)
			for _, r := range finish(t, table, epoch+second, true) {
				if r.TCP.ListenDrops > 0 {
					got[r.Src.Port] = r.TCP.ListenDrops
				}
			}
			if !maps.Equal(got, want) || table.Stats().ListensUnassigned != unassigned {
				t.Errorf("got %v and %d left, want %v and %d", got, table.Stats().ListensUnassigned, want, unassigned)
			}
		})
	}
	f("unanswered SYNs", map[uint16]uint32{1001: 2, 1002: 1}, 0, turned(server, 3), unanswered(1001, 2), unanswered(1002, 1))
	f("any address", map[uint16]uint32{1001: 2}, 1, turned("0.0.0.0:8080", 3), unanswered(1001, 2))
	f("another port", map[uint16]uint32{}, 3, turned("0.0.0.0:8081", 3), unanswered(1001, 2))
	f("no more than were turned away", map[uint16]uint32{1001: 1}, 0, turned(server, 1), unanswered(1001, 2))
	f("the last ACK", map[uint16]uint32{1002: 1}, 0, turned(server, 1), halfOpen(1002))
	f("SYNs before ACKs", map[uint16]uint32{1001: 1}, 0, turned(server, 1), halfOpen(1002), unanswered(1001, 1))
	f("not of those that were accepted", map[uint16]uint32{}, 1, turned(server, 1), halfOpen(1002),
		func() word { w := socket(server, "10.0.1.1:1002", Passive, 9); w.f.NetNS = 7; return w }())
	f("of another namespace", map[uint16]uint32{}, 0, func() word { w := turned(server, 3); w.f.NetNS = 8; return w }(), unanswered(1001, 2))
	t.Run("told before the sockets of its namespace", func(t *testing.T) {
		table := NewTable(Config{Locality: host{own: map[string]uint32{"10.0.2.1": vethS}}, NetNS: 1})
		turned("0.0.0.0:8080", 2).tell(table, epoch)
		w := socket(server, "10.0.1.1:1002", Passive, 9)
		w.f.NetNS = 7
		w.tell(table, epoch)
		unanswered(1001, 2).tell(table, epoch)
		r := finish(t, table, epoch+second, true)
		if len(r) != 1 || r[0].TCP.ListenDrops != 2 {
			t.Errorf("got %+v", r)
		}
	})
	t.Run("told before its packets", func(t *testing.T) {
		table := table()
		turned(server, 2).tell(table, epoch)
		finish(t, table, epoch+second, false)
		unanswered(1001, 2).tell(table, epoch+second)
		r := finish(t, table, epoch+2*second, true)
		if len(r) != 1 || r[0].TCP.ListenDrops != 2 {
			t.Errorf("got %+v", r)
		}
	})
}

// TestFactsOfOtherClusters takes no fact of a pod that has the address of one of ours in another cluster on the kernel.
func TestFactsOfOtherClusters(t *testing.T) {
	f := func(name string, spaces []uint32, from uint32, taken bool) {
		t.Run(name, func(t *testing.T) {
			table := NewTable(Config{Locality: host{own: map[string]uint32{"10.0.2.1": vethS}}, NetNS: 1, PodSpaces: spaces})
			w := socket("10.0.2.1:8080", "10.0.1.1:1002", Passive, 9).alone()
			w.f.NetNS = from
			w.tell(table, epoch)
			if got := finish(t, table, epoch+second, true); (len(got) == 1) != taken || (table.Stats().FactsForeign == 0) != taken {
				t.Errorf("got %+v, %d foreign; want it taken: %v", got, table.Stats().FactsForeign, taken)
			}
		})
	}
	f("a pod of ours", []uint32{7}, 7, true)
	f("another's", []uint32{7}, 8, false)
	f("the node itself", []uint32{7}, 1, true)
	f("numbers not known", nil, 8, true)
	f("no pods", []uint32{}, 8, false)
}
