package nat

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/flow"
)

// The interfaces of the tests' node.
const (
	lo uint32 = iota + 1
	vethC
	vethS
	br0
	eth0
	eth1
)

var interfaceNames = map[uint32]string{lo: "lo", vethC: "vethC", vethS: "vethS", br0: "br0", eth0: "eth0", eth1: "eth1"}

// host is a node that knows some addresses: own leads to an interface (0: an address of the node itself), watched are
// those that some agent reports.
type host struct {
	own     map[string]uint32
	watched []string
}

func (h host) Interface(a netip.Addr) (uint32, bool) {
	index, ok := h.own[a.String()]
	return index, ok
}
func (h host) Watched(a netip.Addr) bool         { return slices.Contains(h.watched, a.String()) }
func (h host) InterfaceName(index uint32) string { return interfaceNames[index] }

const (
	millisecond flow.Time = 1e6
	// second is the length of an interval. Each begins at a whole one, the first at epoch.
	second = 1000 * millisecond
	epoch  = 1000 * second
)

// script plays intervals to a table and compares what comes of them.
type script struct {
	t     *testing.T
	table *Table
	now   flow.Time
}

// event is something that a table is told.
type event interface{ tell(*Table, flow.Time) }

func play(t *testing.T, h host) *script { return playWith(t, Config{Locality: h}) }

func playWith(t *testing.T, c Config) *script {
	return &script{t: t, table: NewTable(c), now: epoch}
}

// with tells the table of events in the present interval.
func (s *script) with(events ...event) *script {
	for _, e := range events {
		e.tell(s.table, s.now)
	}
	return s
}

// gives ends the interval and compares its records, in any order.
func (s *script) gives(want ...string) *script {
	s.t.Helper()
	return s.finish(false, want)
}

// endsWith ends the last interval.
func (s *script) endsWith(want ...string) {
	s.t.Helper()
	s.finish(true, want)
}

func (s *script) finish(last bool, want []string) *script {
	s.t.Helper()
	s.now += second
	var got []string
	for _, r := range finish(s.t, s.table, s.now, last) {
		got = append(got, show(s.t, &r))
	}
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		s.t.Errorf("records of interval %d (-want +got):\n%s", (s.now-epoch)/second, diff)
	}
	return s
}

// packetBytes is the size of every packet.
const packetBytes = 100

// show writes a record in a line: client>dialled, >backend and the client as the backend sees it where they are
// others, packets forth/back, interface, rewrites and the evidence of orientation.
func show(t *testing.T, r *flow.Record) string {
	t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "%v ", r.Proto)
	if r.Proto.IsICMP() {
		fmt.Fprintf(&b, "%d/%d#%d ", r.ICMP.Type, r.ICMP.Code, r.ICMP.ID)
	}
	fmt.Fprintf(&b, "%v>%v", r.Src.AddrPort(), r.Dst.AddrPort())
	if r.Backend.AddrPort() != r.Dst.AddrPort() {
		fmt.Fprintf(&b, ">%v", r.Backend.AddrPort())
	}
	if r.SNAT != r.Src.AddrPort() {
		fmt.Fprintf(&b, " as %v", r.SNAT)
	}
	if r.Zone != 0 {
		fmt.Fprintf(&b, " zone %d", r.Zone)
	}
	fmt.Fprintf(&b, " %d/%d %s %v %v", r.Fwd.Packets, r.Rev.Packets, r.Iface, r.NAT, r.OrientedBy)
	showFacts(&b, r)
	if r.Fwd.Bytes != packetBytes*r.Fwd.Packets || r.Rev.Bytes != packetBytes*r.Rev.Packets {
		t.Errorf("%s: %d and %d bytes, want %d a packet", b.String(), r.Fwd.Bytes, r.Rev.Bytes, packetBytes)
	}
	return b.String()
}

func point(s string) Point { return PointOf(netip.MustParseAddrPort(s)) }

func addr(s string) [16]byte { return netip.MustParseAddr(s).As16() }

// entry is a conntrack entry of TCP. An empty backend is what was dialled, an empty snat the client.
func entry(client, dialled, backend, snat string) Entry {
	if backend == "" {
		backend = dialled
	}
	if snat == "" {
		snat = client
	}
	return Entry{
		Source: flow.KFunc, Proto: flow.TCP,
		OrigSrc: point(client), OrigDst: point(dialled), ReplySrc: point(backend), ReplyDst: point(snat),
	}
}

func (e Entry) of(p flow.Proto) Entry    { e.Proto = p; return e }
func (e Entry) inZone(zone uint16) Entry { e.Zone = zone; return e }

// sight is an observation as the test tells it: of what one endpoint sends to the other, and gets from it. Times are
// relative to the interval.
type sight struct {
	o Observation
	// up is the direction of what is sent.
	up Dir
}

// seen begins a sight of TCP on eth0, from 100 to 200 ms of the interval, whose first packet was sent.
func seen(from, to string) sight {
	s := sight{o: Observation{
		Low: point(from), High: point(to), Interface: eth0, Proto: flow.TCP, Sampling: 1,
		First: 100 * millisecond, Last: 200 * millisecond,
	}}
	if s.o.Low.compare(s.o.High) > 0 {
		s.o.Low, s.o.High, s.up, s.o.FirstDir = s.o.High, s.o.Low, Down, Down
	}
	return s
}

func (s sight) tell(t *Table, now flow.Time) {
	s.o.First += now
	s.o.Last += now
	t.Add([]Observation{s.o})
}

func (s sight) on(index uint32) sight { s.o.Interface = index; return s }

// sent counts packets where the interface takes them in, got counts those of the other direction.
func (s sight) sent(n uint64) sight { return s.count(s.up, 0, n) }
func (s sight) got(n uint64) sight  { return s.count(s.up.other(), 0, n) }

func (s sight) count(d Dir, hook int, n uint64) sight {
	s.o.Counts[d][hook] = flow.Volume{Packets: n, Bytes: n * packetBytes}
	return s
}

// leaving moves the counts to the hook of egress, atBoth copies them there.
func (s sight) leaving() sight {
	for d := range s.o.Counts {
		s.o.Counts[d][0], s.o.Counts[d][1] = s.o.Counts[d][1], s.o.Counts[d][0]
	}
	return s
}

func (s sight) atBoth() sight {
	for d := range s.o.Counts {
		s.o.Counts[d][1] = s.o.Counts[d][0]
	}
	return s
}

// at sets the times of the first and last packet in milliseconds.
func (s sight) at(first, last flow.Time) sight {
	s.o.First, s.o.Last = first*millisecond, last*millisecond
	return s
}

// syn tells that what was sent opened a connection, answered that a SYN-ACK came back.
func (s sight) syn(isn uint32) sight {
	s.o.Opened[s.up], s.o.ISN[s.up] = true, isn
	s.o.TCPFlags[s.up] |= flow.SYN
	return s
}

func (s sight) answered() sight {
	s.o.TCPFlags[s.up.other()] |= flow.SYN | flow.ACK
	return s
}

// answeredBySender tells that the SYN-ACK is what was sent: the other end opened before anything was seen.
func (s sight) answeredBySender() sight {
	s.o.TCPFlags[s.up] |= flow.SYN | flow.ACK
	return s
}

// gotFirst tells that the first packet came the other way.
func (s sight) gotFirst() sight { s.o.FirstDir = s.up.other(); return s }

func (s sight) udp() sight             { s.o.Proto = flow.UDP; return s }
func (s sight) resolved(e Entry) sight { s.o.Entry = &e; return s }
func (s sight) icmp(kind, code uint8) sight {
	s.o.Proto, s.o.ICMPType, s.o.ICMPCode = flow.ICMPv4, kind, code
	return s
}

// echo is a query with its answers: the identifier is in the place of both ports.
func (s sight) echo() sight {
	s = s.icmp(8, 0)
	s.o.Opened[s.up] = true
	return s
}

// refuses makes the sight an ICMP error (port unreachable) about a packet to dst.
func (s sight) refuses(proto flow.Proto, dst string) sight {
	s = s.icmp(3, 3)
	s.o.QuotedProto, s.o.QuotedDst = proto, addr(dst)
	return s
}

// expires makes the sight an ICMP error of a router on the way (time exceeded) about a packet to dst.
func (s sight) expires(proto flow.Proto, dst string) sight {
	s = s.refuses(proto, dst)
	s.o.ICMPType, s.o.ICMPCode = 11, 0
	return s
}

// lesson is a translation from outside the flow map. Times are milliseconds in the interval.
type lesson struct {
	entry      Entry
	start, end flow.Time
}

func learnt(e Entry) lesson {
	e.Source = flow.CTNetlink
	return lesson{entry: e}
}

func (l lesson) born(ms flow.Time) lesson { l.start = ms * millisecond; return l }
func (l lesson) died(ms flow.Time) lesson { l.end = ms * millisecond; return l }

func (l lesson) tell(t *Table, now flow.Time) {
	tr := l.entry.Translation()
	if l.start != 0 {
		tr.Start = now + l.start
	}
	if l.end != 0 {
		tr.End = now + l.end
	}
	t.Learn([]Translation{tr})
}

// fin has the sender end, finBack the other side; rst resets.
func (s sight) fin() sight     { s.o.TCPFlags[s.up] |= flow.FIN; return s }
func (s sight) finBack() sight { s.o.TCPFlags[s.up.other()] |= flow.FIN; return s }
func (s sight) rst() sight     { s.o.TCPFlags[s.up.other()] |= flow.RST; return s }

// finish ends an interval of a table and returns its records.
func finish(t testing.TB, table *Table, end flow.Time, last bool) (records []flow.Record) {
	t.Helper()
	err := table.Finish(end, last, func(batch []flow.Record) error {
		records = append(records, batch...)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return records
}
