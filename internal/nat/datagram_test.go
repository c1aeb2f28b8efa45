package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// bindTo is what a socket of UDP in a namespace tells: its address, its peer ("" is none), when it was opened and last
// told, in milliseconds, and whether it was closed then.
func bindTo(netns uint32, at, peer string, pid uint32, opened, last flow.Time, closed bool) word {
	w := word{Fact{
		Proto: flow.UDP, NetNS: netns, Src: point(at), First: opened * millisecond, Last: last * millisecond,
		Socket: &Socket{ID: uint64(opened), Process: &flow.Process{PID: pid}},
	}}
	if peer != "" {
		w.f.Dst = point(peer)
	}
	if closed {
		w.f.Socket.TCP.State = flow.TCPClose
	}
	return w
}

// TestDatagramOwners looks the owners of a query to a resolver behind DNAT up among sockets of the client's and the
// resolver's pods.
func TestDatagramOwners(t *testing.T) {
	const client, service, backend = "10.0.1.1:40000", "10.96.0.10:53", "10.0.2.1:53"
	h := host{own: map[string]uint32{"10.0.1.1": vethC, "10.0.2.1": vethS, "192.168.0.1": 0}}
	f := func(name string, want [2]uint32, told ...event) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			table := NewTable(Config{Locality: h, NetNS: 1})
			table.spaces.learn(&Fact{NetNS: 8, Src: point(backend)})
			e := entry(client, service, backend, "")
			e.Proto = flow.UDP
			packets := seen(client, service).on(vethC).sent(1).got(1).resolved(e)
			packets.o.Proto = flow.UDP
			packets.at(100, 150).tell(table, epoch)
			for _, e := range told {
				e.tell(table, epoch)
			}
			records := finish(t, table, epoch+second, true)
			if len(records) != 1 {
				t.Fatalf("got %+v", records)
			}
			if got := [2]uint32{records[0].Src.Process.PID, records[0].Backend.Process.PID}; got != want {
				t.Errorf("got %v, want %v", got, want)
			}
			if records[0].TCP.State != 0 {
				t.Errorf("state %v of UDP", records[0].TCP.State)
			}
		})
	}
	f("nobody", [2]uint32{})
	f("with a peer", [2]uint32{5, 0}, bindTo(7, client, service, 5, 99, 160, true))
	f("with another peer", [2]uint32{}, bindTo(7, client, "10.96.0.11:53", 5, 99, 160, true))
	f("without a peer", [2]uint32{5, 0}, bindTo(7, client, "", 5, 99, 160, false))
	f("to all addresses of a pod", [2]uint32{0, 6}, bindTo(8, "0.0.0.0:53", "", 6, 0, 999, false))
	f("to all addresses of both kinds", [2]uint32{0, 6}, bindTo(8, "[::]:53", "", 6, 0, 999, false))
	f("to all addresses of another pod", [2]uint32{}, bindTo(9, "0.0.0.0:53", "", 6, 0, 999, false))
	f("to all addresses of the node", [2]uint32{}, bindTo(1, "0.0.0.0:53", "", 6, 0, 999, false))
	f("closed before", [2]uint32{}, bindTo(7, client, service, 5, 10, 50, true))
	f("opened after", [2]uint32{}, bindTo(7, client, service, 5, 500, 600, true))
	f("the one with the peer of two", [2]uint32{5, 0}, bindTo(7, client, "", 4, 0, 999, false), bindTo(7, client, service, 5, 99, 160, true))
	f("one of several", [2]uint32{}, bindTo(7, client, service, 4, 90, 160, true), bindTo(7, client, service, 5, 99, 160, true))
	f("one process's two", [2]uint32{5, 0}, bindTo(7, client, service, 5, 90, 160, true), bindTo(7, client, service, 5, 99, 160, true))
	f("told again", [2]uint32{5, 0}, bindTo(7, client, "", 5, 90, 120, false), bindTo(7, client, "", 5, 90, 160, false))
}

// TestDatagramsAreForgotten keeps sockets that are told, and for a while those that are not.
func TestDatagramsAreForgotten(t *testing.T) {
	table := NewTable(Config{Locality: host{own: map[string]uint32{"10.0.1.1": vethC}}, NetNS: 1})
	now := epoch
	for range 20 {
		bindTo(7, "10.0.1.1:40000", "", 5, 0, 500, false).tell(table, now)
		now += second
		finish(t, table, now, false)
	}
	bindTo(7, "10.0.1.1:40001", "", 5, 0, 500, true).tell(table, now)
	if n := table.datagrams.count; n != 2 {
		t.Errorf("%d remembered, want 2", n)
	}
	for range 12 {
		now += second
		finish(t, table, now, false)
	}
	if n := table.datagrams.count; n != 0 || len(table.datagrams.bySpeech) != 0 {
		t.Errorf("%d remembered, want none", n)
	}
	table.datagrams.count = maxDatagrams
	bindTo(7, "10.0.1.1:40002", "", 5, 0, 500, false).tell(table, now)
	if n := table.Stats().FactsDropped; n != 1 {
		t.Errorf("%d dropped, want 1", n)
	}
}
