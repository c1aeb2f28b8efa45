package nat

import (
	"maps"
	"net/netip"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// idle ends n intervals in which nothing happens.
func (s *script) idle(n int) *script {
	s.t.Helper()
	for range n {
		s.gives()
	}
	return s
}

// remembers compares the number of connections in the table, and what its index holds with it.
func (s *script) remembers(want int) *script {
	s.t.Helper()
	if got := s.table.Stats().Connections; got != want {
		s.t.Errorf("%d connections remembered, want %d", got, want)
	}
	checkIndex(s.t, s.table)
	return s
}

// checkIndex compares the number of connections that the table claims with those that its index leads to: each under
// all of its faces, none under others.
func checkIndex(t *testing.T, table *Table) {
	t.Helper()
	under := make(map[*connection]map[face]bool)
	for f, s := range table.byFace {
		for c := range s.all() {
			if under[c] == nil {
				under[c] = make(map[face]bool)
			}
			under[c][f] = true
		}
	}
	if len(under) != table.count {
		t.Errorf("the index leads to %d connections, the table counts %d", len(under), table.count)
	}
	for c, got := range under {
		want := make(map[face]bool)
		for _, f := range c.entry.faces() {
			want[f] = true
		}
		if !maps.Equal(want, got) {
			t.Errorf("%+v is under %v, want %v", c.entry, got, want)
		}
	}
}

// TestRedump is what follows a lost event: all living entries are told again, without times.
func TestRedump(t *testing.T) {
	s := play(t, host{}).with(learnt(toBackend).born(100), learnt(toOther.inZone(3)).born(100))
	s.gives().remembers(2)
	s.with(learnt(toBackend), learnt(toOther.inZone(3)), learnt(toBackend)).remembers(2)
	s.with(seen(client, service).sent(1).syn(1)).gives(dnatLine + "1/0 eth0 dnat conntrack")
	// The death was lost with the overrun; the new life is told by its birth.
	s.with(learnt(toBackend).born(10), seen(client, service).sent(2).syn(2)).remembers(2)
	s.endsWith(dnatLine + "2/0 eth0 dnat conntrack")
}

// pinning is the Config where ctnetlink's events are followed.
var pinning = Config{Locality: host{}, TellsEnds: true}

// TestNotPinned forgets a translation of which only the present state was asked.
func TestNotPinned(t *testing.T) {
	play(t, host{}).with(learnt(toBackend)).idle(40).remembers(1).idle(30).remembers(0)
}

// TestPinned keeps a silent connection whose source will tell its end, and forgets it soon after.
func TestPinned(t *testing.T) {
	s := playWith(t, pinning).with(learnt(toBackend).born(100)).idle(200).remembers(1)
	s.with(seen(client, backend).sent(1)).gives(dnatLine + "1/0 eth0 dnat conntrack")
	s.with(learnt(toBackend).died(100)).remembers(1)
	// Its last packets may still come.
	s.with(seen(client, backend).sent(2)).gives(dnatLine + "2/0 eth0 dnat conntrack")
	s.idle(16).remembers(0)
}

// TestPinnedAgain pins the new life of an entry that had ended.
func TestPinnedAgain(t *testing.T) {
	s := playWith(t, pinning)
	s.with(learnt(toBackend).born(100), learnt(toBackend).died(200), learnt(toBackend).born(300))
	s.idle(200).remembers(1)
	s.with(learnt(toBackend).died(100)).idle(16).remembers(0)
}

// TestIdle forgets what is not pinned after Config.Idle intervals, looked at every eighth.
func TestIdle(t *testing.T) {
	s := playWith(t, Config{Locality: host{}, Idle: 20})
	s.with(seen(client, service).sent(1).resolved(entry(client, service, backend, masked)),
		seen(client, otherBackend).sent(2),
		seen("10.0.1.1:0", backend).sent(3).expires(flow.TCP, "10.0.9.9"))
	s.gives(
		"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 192.0.2.1:40000 1/0 eth0 dnat+snat conntrack",
		otherLine2+"2/0 eth0 none port",
		"ICMP 11/0#0 10.0.2.1:8080>10.0.9.9:0 0/3 eth0 none first_packet",
	)
	s.remembers(3).idle(19).remembers(3).idle(8).remembers(0)
}

const otherLine2 = "TCP 10.0.1.1:40000>10.0.2.2:8080 "

// TestUntrackedAbsorbed is counted without conntrack first; when the entry comes, one connection remains.
func TestUntrackedAbsorbed(t *testing.T) {
	s := play(t, host{}).with(
		seen(client, service).on(vethC).sent(1),
		seen(client, backend).on(br0).sent(1),
		seen(masked, backend).on(eth0).sent(1))
	s.gives(
		"TCP 10.0.1.1:40000>10.96.0.1:80 1/0 vethC none port",
		"TCP 10.0.1.1:40000>10.0.2.1:8080 1/0 br0 none port",
		"TCP 192.0.2.1:40000>10.0.2.1:8080 1/0 eth0 none port").remembers(3)
	s.with(
		seen(client, service).on(vethC).sent(2),
		seen(client, backend).on(br0).sent(2),
		seen(masked, backend).on(eth0).sent(2).resolved(entry(client, service, backend, masked)))
	s.gives("TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 192.0.2.1:40000 2/0 vethC dnat+snat conntrack")
	s.remembers(1)
}

// TestFull refuses what it is taught, and makes room by what is silent, pinned or not.
func TestFull(t *testing.T) {
	nth := func(i int) string {
		return netip.AddrPortFrom(netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}), 40000).String()
	}
	s := playWith(t, Config{Locality: host{}, MaxConnections: 4, TellsEnds: true})
	for i := range 6 {
		s.with(learnt(entry(nth(i), service, backend, "")).born(100))
	}
	s.gives().remembers(4).idle(10).remembers(4)
	if st := s.table.Stats(); st.Refused != 2 || st.Forgotten != 0 {
		t.Errorf("refused %d and forgot %d, want 2 and 0", st.Refused, st.Forgotten)
	}
	// Packets are always taken. The connection in use stays.
	s.with(seen(nth(9), backend).sent(1)).gives("TCP 10.1.0.9:40000>10.0.2.1:8080 1/0 eth0 none port").remembers(1)
	if st := s.table.Stats(); st.Forgotten != 4 {
		t.Errorf("forgot %d, want 4", st.Forgotten)
	}
}

// TestChurn sends a million tuples through a small table: half of them conntrack's, under three faces each.
func TestChurn(t *testing.T) {
	const limit, perInterval = 1000, 2000
	intervals := 500
	if testing.Short() {
		intervals = 50
	}
	table := NewTable(Config{Locality: host{}, MaxConnections: limit})
	var records []flow.Record
	batch := make([]Observation, 0, perInterval)
	for k := range intervals {
		batch = batch[:0]
		for i := range perInterval {
			batch = append(batch, churned(k*perInterval+i))
		}
		table.Add(batch)
		records = finish(t, table, epoch+flow.Time(k+1)*second, false)
		if len(records) != perInterval {
			t.Fatalf("interval %d: %d records, want %d", k, len(records), perInterval)
		}
		if n := table.Stats().Connections; n > limit+perInterval {
			t.Fatalf("interval %d: %d connections, want at most %d and the active %d", k, n, limit, perInterval)
		}
		if n := len(table.byFace); n > 3*(limit+perInterval) {
			t.Fatalf("interval %d: %d faces", k, n)
		}
	}
	checkIndex(t, table)
	st := table.Stats()
	if want := uint64(intervals*perInterval - st.Connections); st.Forgotten != want {
		t.Errorf("forgot %d connections, want %d", st.Forgotten, want)
	}
	// Without further connections the table shrinks below its limit.
	for k := range flow.Time(2) {
		records = finish(t, table, epoch+(flow.Time(intervals)+k+1)*second, false)
	}
	if n := table.Stats().Connections; n > limit || len(records) != 0 {
		t.Errorf("%d connections and %d records after silence", n, len(records))
	}
}

// churned is the observation of the i-th connection.
func churned(i int) Observation {
	from := Point{Addr: addr("10.1.0.0"), Port: uint16(32768 + i%16384)}
	from.Addr[14], from.Addr[15] = byte(i>>22), byte(i>>14)
	o := Observation{
		Low: from, High: point(service), Interface: eth0, Proto: flow.TCP, Sampling: 1,
		First: epoch, Last: epoch, Counts: Counts{{{Bytes: packetBytes, Packets: 1}}},
	}
	if i%2 == 0 {
		snat := Point{Addr: addr("192.0.2.1"), Port: from.Port}
		snat.Addr[13] = byte(i >> 14)
		o.Entry = &Entry{
			Source: flow.KFunc, Proto: flow.TCP,
			OrigSrc: from, OrigDst: o.High, ReplySrc: point(backend), ReplyDst: snat,
		}
	}
	return o
}

// TestEndedIsForgotten forgets a TCP connection that both sides ended, or one reset, long before an idle one.
func TestEndedIsForgotten(t *testing.T) {
	f := func(name string, want int, intervals ...sight) {
		t.Run(name, func(t *testing.T) {
			s := playWith(t, Config{Locality: host{}, Idle: 100})
			for _, one := range intervals {
				s.with(one)
				finish(t, s.table, 0, true)
			}
			s.idle(10).remembers(want)
		})
	}
	some := func() sight { return seen(client, otherBackend).sent(2) }
	f("open", 1, some())
	f("one side done", 1, some().fin())
	f("both done at once", 0, some().fin().finBack())
	f("both done one after the other", 0, some().fin(), some().finBack(), some())
	f("reset", 0, some().rst())
	f("begun anew", 1, some().fin().finBack(), some().syn(7))
}
