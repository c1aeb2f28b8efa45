package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// otherBackend is who answers after the tuple was used again.
const otherBackend = "10.0.2.2:8080"

var (
	toBackend = entry(client, service, backend, "")
	toOther   = entry(client, service, otherBackend, "")
)

const (
	dnatLine  = "TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 "
	otherLine = "TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.2:8080 "
	plainLine = "TCP 10.0.1.1:40000>10.0.2.1:8080 "
)

func TestReuseWithAnotherBackendWithinAnInterval(t *testing.T) {
	first := []event{
		seen(client, service).on(vethC).sent(5).got(4).syn(1).at(100, 200),
		seen(client, backend).sent(5).got(4).syn(1).at(100, 200),
	}
	second := []event{
		seen(client, service).on(vethC).sent(7).got(6).syn(2).at(300, 400),
		seen(client, otherBackend).sent(7).got(6).syn(2).at(300, 400),
	}
	f := func(name string, lessons ...event) {
		t.Run(name, func(t *testing.T) {
			for _, sights := range [][]event{{first[0], first[1], second[0], second[1]}, {second[0], first[0], second[1], first[1]}} {
				play(t, host{}).with(sights...).with(lessons...).endsWith(
					dnatLine+"5/4 vethC dnat conntrack", otherLine+"7/6 vethC dnat conntrack")
			}
		})
	}
	f("births and deaths told", learnt(toBackend).born(100), learnt(toBackend).born(100).died(200), learnt(toOther).born(300))
	f("told in disorder", learnt(toOther).born(300), learnt(toBackend).born(100).died(200))
	f("told with a delay", learnt(toBackend).born(101), learnt(toBackend).died(203), learnt(toOther).born(302))
}

func TestReuseWithAnotherBackendAcrossIntervals(t *testing.T) {
	s := play(t, host{})
	s.with(learnt(toBackend).born(100),
		seen(client, service).on(vethC).sent(5).got(4).syn(1),
		seen(client, backend).sent(5).got(4).syn(1))
	s.gives(dnatLine + "5/4 vethC dnat conntrack")
	s.with(learnt(toBackend).died(50), learnt(toOther).born(100),
		seen(client, service).on(vethC).sent(7).got(6).syn(2),
		seen(client, otherBackend).sent(7).got(6).syn(2))
	s.gives(otherLine + "7/6 vethC dnat conntrack")
	// What comes later without an opening packet is the living one's.
	s.with(seen(client, service).on(vethC).sent(3).got(2), seen(client, otherBackend).sent(3).got(2))
	s.gives(otherLine + "3/2 vethC dnat conntrack")
	// And back to the first backend.
	s.with(learnt(toOther).died(50), learnt(toBackend).born(100), seen(client, service).on(vethC).sent(2).got(1).syn(3))
	s.endsWith(dnatLine + "2/1 vethC dnat conntrack")
}

// TestReuseAtAnIntervalsEnd swaps the flow map between the opening packet of a tuple's next use and its conntrack entry, of
// which only the next interval tells.
func TestReuseAtAnIntervalsEnd(t *testing.T) {
	old := seen(client, service).on(vethC).sent(5).got(4).syn(1).at(800, 900).resolved(toBackend)
	opening := func() sight { return seen(client, service).on(vethC).sent(1).at(990, 990) }
	rest := []event{
		seen(client, service).on(vethC).sent(7).got(6).at(10, 90).resolved(toOther),
		seen(client, otherBackend).on(vethS).sent(8).got(6).syn(2).at(5, 90).resolved(toOther),
	}
	play(t, host{}).with(old, opening().syn(2)).gives(dnatLine + "5/4 vethC dnat conntrack").
		with(rest...).endsWith(otherLine + "8/6 vethC dnat conntrack")
	play(t, host{}).with(old).gives(dnatLine + "5/4 vethC dnat conntrack").with(opening().syn(2)).gives().
		with(rest...).endsWith(otherLine + "8/6 vethC dnat conntrack")
	// What never gets an entry of its own is the last use's.
	play(t, host{}).with(old, opening().syn(2)).gives(dnatLine + "5/4 vethC dnat conntrack").endsWith(dnatLine + "1/0 vethC dnat conntrack")
	// The same opening packet on its way is no other use.
	play(t, host{}).with(old, opening().syn(1)).gives(dnatLine + "6/4 vethC dnat conntrack")
}

// TestZoneToldLate has one tuple in two zones, each behind an interface of its own, at an interval's end: the second zone's
// birth is told in the next.
func TestZoneToldLate(t *testing.T) {
	one, two := toBackend.inZone(1), toOther.inZone(2)
	permute([]sight{
		seen(client, service).on(vethC).sent(5).got(4).syn(1).at(901, 960),
		seen(client, backend).on(eth0).sent(5).got(4).syn(1).at(902, 960),
		seen(client, service).on(vethS).sent(1).syn(2).at(970, 970),
	}, func(order []sight) {
		s := play(t, host{}).with(learnt(one).born(900))
		for _, o := range order {
			s.with(o)
		}
		s.gives("TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 zone 1 5/4 vethC dnat conntrack")
		s.with(learnt(two).born(-30), seen(client, service).on(vethS).sent(6).got(4).at(5, 90),
			seen(client, otherBackend).on(eth1).sent(7).got(4).syn(2).at(1, 90))
		s.endsWith("TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.2:8080 zone 2 7/4 vethS dnat conntrack")
	})
}

// TestLateEndOfAnOldLife sees the last packets of a connection in the interval in which its tuple is used again.
func TestLateEndOfAnOldLife(t *testing.T) {
	s := play(t, host{})
	s.with(learnt(toBackend).born(100), seen(client, service).on(vethC).sent(5).got(4).syn(1))
	s.gives(dnatLine + "5/4 vethC dnat conntrack")
	s.with(learnt(toBackend).died(150), learnt(toOther).born(300),
		seen(client, service).on(vethC).sent(1).got(1).at(100, 120),
		seen(client, service).on(vethC).sent(7).got(6).syn(2).at(300, 400))
	s.endsWith(dnatLine+"1/1 vethC dnat conntrack", otherLine+"7/6 vethC dnat conntrack")
}

// TestUses has several connections of one conntrack identity, or one that looks like several.
func TestUses(t *testing.T) {
	f := func(name string, want []string, sights ...sight) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			// Neither the order of the flow map nor who resolved it matters.
			permute(sights, func(order []sight) {
				bare, known := play(t, host{}), play(t, host{})
				for _, o := range order {
					bare.with(o)
					known.with(o.resolved(entry(client, backend, "", "")))
				}
				var syn, conntrack []string
				for _, w := range want {
					syn = append(syn, plainLine+w+" vethC none syn")
					conntrack = append(conntrack, plainLine+w+" vethC none conntrack")
				}
				bare.endsWith(syn...)
				known.endsWith(conntrack...)
			})
		})
	}
	at := func(index uint32, n uint64) sight { return seen(client, backend).on(index).sent(n) }
	f("two sequence numbers are two connections", []string{"3/0", "4/0"},
		at(vethC, 3).syn(1).at(100, 200), at(vethC, 4).syn(2).at(300, 400))
	f("a retransmitted SYN is the same one", []string{"3/0"},
		at(vethC, 3).syn(1).at(100, 400), at(eth0, 2).syn(1).at(200, 401))
	f("two connections on two interfaces", []string{"3/0", "4/0"},
		at(vethC, 3).syn(1).at(100, 200), at(vethC, 4).syn(2).at(300, 400),
		at(eth0, 2).syn(1).at(101, 201), at(eth0, 3).syn(2).at(301, 401))
	f("an interface that missed the SYN", []string{"3/0"},
		at(vethC, 3).syn(1).at(100, 200), at(eth0, 2).at(101, 201))
	f("packets of the first of two", []string{"3/0", "10/0"},
		at(vethC, 1).syn(1).at(100, 100), at(vethC, 10).syn(2).at(300, 400), at(vethC, 2).at(110, 120))
	f("packets of the second of two", []string{"1/0", "12/0"},
		at(vethC, 1).syn(1).at(100, 100), at(vethC, 10).syn(2).at(300, 400), at(vethC, 2).at(310, 320))
	f("packets that began with the first and overlap the second", []string{"3/0", "10/0"},
		at(vethC, 1).syn(1).at(100, 100), at(vethC, 10).syn(2).at(300, 400), at(vethC, 2).at(110, 320))
	f("packets that began before both", []string{"3/0", "10/0"},
		at(vethC, 1).syn(1).at(100, 100), at(vethC, 10).syn(2).at(300, 400), at(vethC, 2).at(50, 320))
}

// permute calls f with every order of the sights.
func permute(sights []sight, f func([]sight)) {
	var visit func(n int)
	visit = func(n int) {
		if n == len(sights) {
			f(sights)
			return
		}
		for i := n; i < len(sights); i++ {
			sights[n], sights[i] = sights[i], sights[n]
			visit(n + 1)
			sights[n], sights[i] = sights[i], sights[n]
		}
	}
	visit(0)
}

// TestEndOfAnEarlierUse has a connection end and another one begin in the next interval: two records.
func TestEndOfAnEarlierUse(t *testing.T) {
	s := play(t, host{}).with(seen(client, backend).on(vethC).sent(3).syn(1)).gives(plainLine + "3/0 vethC none syn")
	s.with(seen(client, backend).on(vethC).sent(1).at(50, 60), seen(client, backend).on(vethC).sent(2).syn(2).at(70, 80))
	s.endsWith(plainLine+"1/0 vethC none syn", plainLine+"2/0 vethC none syn")
}

// TestRecordOfSeveralInterfaces joins the times and flags of all interfaces; the volume is one's.
func TestRecordOfSeveralInterfaces(t *testing.T) {
	table := NewTable(Config{Locality: host{}, Node: "n"})
	a := seen(client, backend).on(vethC).sent(3).got(2).syn(1).at(100, 200)
	b := seen(client, backend).on(eth0).sent(2).got(2).answered().at(90, 210)
	a.o.Sampling, b.o.Sampling = 10, 10
	a.tell(table, epoch)
	b.tell(table, epoch)
	got := finish(t, table, epoch+second, true)
	if len(got) != 1 {
		t.Fatalf("%d records, want 1: %+v", len(got), got)
	}
	r := got[0]
	if r.Start != epoch+90*millisecond || r.End != epoch+210*millisecond {
		t.Errorf("from %v to %v, want 90 to 210 ms", r.Start, r.End)
	}
	if r.TCPFlags != flow.SYN|flow.ACK || r.Sampling != 10 || r.Node != "n" || r.Iface != "vethC" {
		t.Errorf("flags %v, sampling %d, node %q, interface %q", r.TCPFlags, r.Sampling, r.Node, r.Iface)
	}
}
