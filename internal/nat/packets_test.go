package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// marked adds what packets told of trouble, in both directions as they are sent.
func (s sight) marked(sent, got Marks) sight {
	s.o.Marks[s.up][0], s.o.Marks[s.up.other()][0] = sent, got
	return s
}

func (s sight) acked(ms flow.Time) sight { s.o.Acked = ms * millisecond; return s }

// TestPackets has a connection's health by its packets alone, as of one that only passes through.
func TestPackets(t *testing.T) {
	f := func(name string, want flow.TCPHealth, zeroFwd, zeroRev uint64, sights ...sight) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			table := NewTable(Config{Locality: host{}})
			for _, s := range sights {
				if s.o.Acked != 0 {
					s.o.Acked += epoch
				}
				s.tell(table, epoch)
			}
			records := finish(t, table, epoch+second, true)
			if len(records) != 1 {
				t.Fatalf("%d records", len(records))
			}
			r := &records[0]
			if r.TCP != want || r.FwdFaults.ZeroWindows != zeroFwd || r.RevFaults.ZeroWindows != zeroRev {
				t.Errorf("got %+v, closed windows %d/%d\nwant %+v, %d/%d",
					r.TCP, r.FwdFaults.ZeroWindows, r.RevFaults.ZeroWindows, want, zeroFwd, zeroRev)
			}
		})
	}
	whole := func() sight { return seen(client, service).syn(1).answered().sent(3).got(2) }
	f("established", flow.TCPHealth{Handshake: 20000, Connect: flow.ConnectOK}, 0, 0, whole().acked(120))
	f("by the interfaces that saw it first", flow.TCPHealth{Handshake: 21000, Connect: flow.ConnectOK}, 0, 0,
		whole().acked(121), whole().on(eth1).at(101, 200).acked(122))
	f("unanswered", flow.TCPHealth{}, 0, 0, seen(client, service).syn(1).sent(3))
	f("refused", flow.TCPHealth{Resets: 1, ResetBy: flow.ResetByServer, Connect: flow.ConnectRefused}, 0, 0,
		seen(client, service).syn(1).sent(1).got(1).marked(Marks{}, Marks{Resets: 1}))
	f("reset by both", flow.TCPHealth{Handshake: 20000, Connect: flow.ConnectOK, Resets: 3, ResetBy: flow.ResetByClient | flow.ResetByServer}, 0, 0,
		whole().acked(120).marked(Marks{Resets: 1}, Marks{Resets: 2}))
	f("the same reset on two interfaces", flow.TCPHealth{Resets: 1, ResetBy: flow.ResetByServer}, 0, 0,
		seen(client, service).sent(1).got(1).marked(Marks{}, Marks{Resets: 1}),
		seen(client, service).on(eth1).sent(1).got(1).marked(Marks{}, Marks{Resets: 1}))
	f("closed windows", flow.TCPHealth{}, 1, 2,
		seen(client, service).sent(1).got(2).marked(Marks{ZeroWindows: 1}, Marks{ZeroWindows: 2}))
}

// TestHandshakeOverIntervals begins in one interval and ends in the next.
func TestHandshakeOverIntervals(t *testing.T) {
	table := NewTable(Config{Locality: host{}})
	seen(client, service).syn(1).at(950, 960).sent(1).tell(table, epoch)
	finish(t, table, epoch+second, false)
	s := seen(client, service).at(50, 60).sent(1).got(1)
	s.o.Acked = epoch + 1060*millisecond
	s.tell(table, epoch+second)
	var got []uint32
	for _, r := range finish(t, table, epoch+2*second, true) {
		got = append(got, r.TCP.Handshake)
	}
	if len(got) != 1 || got[0] != 110000 {
		t.Errorf("handshakes %v, want 110000 µs", got)
	}
}
