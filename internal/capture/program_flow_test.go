package capture

import (
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/testkit"
)

const (
	ingress = int(bpf.CaptureHookHOOK_INGRESS)
	egress  = int(bpf.CaptureHookHOOK_EGRESS)
)

const (
	fin, syn, rst, ack = 1, 2, 4, 16
)

// TestFlowBothDirections lets each direction pass each hook another number of times.
func TestFlowBothDirections(t *testing.T) {
	m := newMachine(t, Config{})
	f := func(name string, there, back []byte, low string) {
		t.Helper()
		for i, first := range [][]byte{there, back} {
			m.in(t, first)
			m.in(t, there, there, back)
			m.run(t, hook{egress: true}, there, nil)
			for range 4 {
				m.run(t, hook{egress: true}, back, nil)
			}
			o := m.take(t)
			got := o.only(t)
			// Directions are 0 and 1; the second round begins with the way back.
			from := int(got.value.FirstDir)
			forth := from ^ i
			var want [2][2]uint64
			want[forth], want[1-forth] = [2]uint64{2, 1}, [2]uint64{1, 4}
			want[from][ingress]++
			var packets [2][2]uint64
			for d := range packets {
				for h := range packets[d] {
					packets[d][h] = got.value.Count[d][h].Packets
					if v := got.value.Count[d][h]; v.Bytes != v.Packets*uint64(len(there)) {
						t.Errorf("%s: %d bytes of %d packets: want %d each", name, v.Bytes, v.Packets, len(there))
					}
				}
			}
			if diff := cmp.Diff(want, packets); diff != "" {
				t.Errorf("%s: packets by direction and hook (-want +got):\n%s", name, diff)
			}
			if got.value.FirstNs >= got.value.LastNs {
				t.Errorf("%s: first %d, last %d: want first before last", name, got.value.FirstNs, got.value.LastNs)
			}
			if d := decodedOf(got); d.src.Addr().String() != sender(first) {
				t.Errorf("%s: first packet from %s: want %s", name, d.src, sender(first))
			}
		}
	}
	f("tcp", eth4(v4(a4, b4, 6, tcp(1000, 80, 1, ack))), eth4(v4(b4, a4, 6, tcp(80, 1000, 1, ack))), a4)
	f("udp of near addresses", eth4(v4("10.0.0.255", "10.0.1.0", 17, udp(1, 2))), eth4(v4("10.0.1.0", "10.0.0.255", 17, udp(2, 1))), a4)
	f("udp over ipv6", eth6(v6(a6, b6, 17, udp(2, 1))), eth6(v6(b6, a6, 17, udp(1, 2))), a6)
	f("addresses apart in the first half", eth6(v6("2001:db8::1", "2001:db9::1", 17, udp(1, 2))), eth6(v6("2001:db9::1", "2001:db8::1", 17, udp(2, 1))), a6)
	f("echo", eth4(v4(a4, b4, 1, icmp(8, 0, 7))), eth4(v4(b4, a4, 1, icmp(0, 0, 7))), a4)
	f("timestamp", eth4(v4(a4, b4, 1, icmp(13, 0, 7))), eth4(v4(b4, a4, 1, icmp(14, 0, 7))), a4)
	f("echo over ipv6", eth6(v6(a6, b6, 58, icmp(128, 0, 7))), eth6(v6(b6, a6, 58, icmp(129, 0, 7))), a6)
	f("gre", eth4(v4(a4, b4, 47)), eth4(v4(b4, a4, 47)), a4)
	// One host talks to itself: the ports tell the directions apart.
	same, back := eth4(v4(a4, a4, 6, tcp(1000, 80, 1, ack))), eth4(v4(a4, a4, 6, tcp(80, 1000, 1, ack)))
	m.in(t, same, same, back)
	o := m.take(t)
	v := o.only(t).value
	if n := [2]uint64{v.Count[v.FirstDir][ingress].Packets, v.Count[1-v.FirstDir][ingress].Packets}; n != [2]uint64{2, 1} {
		t.Errorf("one host: %v packets there and back: want 2 and 1", n)
	}
}

func sender(frame []byte) string {
	return newReference().decodeFrame(frame).src.Addr().String()
}

// TestFlowSeparates gives two packets that belong to two connections.
func TestFlowSeparates(t *testing.T) {
	m := newMachine(t, Config{})
	f := func(name string, a, b []byte) {
		t.Helper()
		m.in(t, a, b)
		if o := m.take(t); len(o.flows) != 2 {
			t.Errorf("%s: %d flows: want 2; %v", name, len(o.flows), o)
		}
	}
	base := eth4(v4(a4, b4, 6, tcp(1000, 80, 1, ack)))
	f("protocol", base, eth4(v4(a4, b4, 132, sctp(1000, 80, 0))))
	f("port", base, eth4(v4(a4, b4, 6, tcp(1001, 80, 1, ack))))
	f("ports swapped, addresses not", base, eth4(v4(a4, b4, 6, tcp(80, 1000, 1, ack))))
	f("address", base, eth4(v4(a4, "10.0.0.3", 6, tcp(1000, 80, 1, ack))))
	f("identifier", eth4(v4(a4, b4, 1, icmp(8, 0, 7))), eth4(v4(a4, b4, 1, icmp(8, 0, 8))))
	f("query", eth4(v4(a4, b4, 1, icmp(8, 0, 7))), eth4(v4(a4, b4, 1, icmp(13, 0, 7))))
	f("code", eth4(v4(a4, b4, 1, icmp(3, 0, 0))), eth4(v4(a4, b4, 1, icmp(3, 1, 0))))
}

// TestFlowFlags joins the flags of each direction.
func TestFlowFlags(t *testing.T) {
	m := newMachine(t, Config{})
	m.in(t,
		eth4(v4(a4, b4, 6, tcp(1000, 80, 1, syn))), eth4(v4(b4, a4, 6, tcp(80, 1000, 9, syn|ack))),
		eth4(v4(a4, b4, 6, tcp(1000, 80, 2, ack|8))), eth4(v4(b4, a4, 6, tcp(80, 1000, 10, rst))),
	)
	o := m.take(t)
	v := o.only(t).value
	from, to := v.FirstDir, 1-v.FirstDir
	if got, want := [2]uint8{v.TcpFlags[from], v.TcpFlags[to]}, [2]uint8{syn | ack | 8, syn | ack | rst}; got != want {
		t.Errorf("flags %#02x there and back: want %#02x", got, want)
	}
	if v.Opened[from] != 1 || v.Opened[to] != 0 || v.Isn[from] != 1 || v.Isn[to] != 0 {
		t.Errorf("opened %v with %v: want the first side alone with 1", v.Opened, v.Isn)
	}
}

// TestFlowMarks counts what tells of trouble: resets and closed windows, at each hook, by the short way's packets and
// the long one's.
func TestFlowMarks(t *testing.T) {
	closed := func(flags byte) []byte {
		segment := tcp(80, 1000, 10, flags)
		segment[14], segment[15] = 0, 0
		return eth4(v4(b4, a4, 6, segment))
	}
	m := newMachine(t, Config{})
	m.in(t,
		eth4(v4(a4, b4, 6, tcp(1000, 80, 1, syn))), closed(syn|ack), eth4(v4(a4, b4, 6, tcp(1000, 80, 2, ack))),
		closed(ack), closed(ack|8), eth4(v4(b4, a4, 6, tcp(80, 1000, 10, ack))),
		closed(rst), eth4(v4(b4, a4, 6, tcp(80, 1000, 10, rst|ack))), eth4(v4(a4, b4, 6, tcp(1000, 80, 2, rst))),
	)
	o := m.take(t)
	v := o.only(t).value
	in := bpf.CaptureHookHOOK_INGRESS
	from, to := v.Marks[v.FirstDir][in], v.Marks[1-v.FirstDir][in]
	if from.Resets != 1 || to.Resets != 2 || from.ZeroWindows != 0 || to.ZeroWindows != 2 {
		t.Errorf("marks %+v there, %+v back: want 1 reset there, 2 back, 2 closed windows back", from, to)
	}
	if n := v.Count[1-v.FirstDir][in].Packets; n != 6 {
		t.Errorf("%d packets back, want 6", n)
	}
}

// TestFlowHandshake tells the ACK that ends a handshake from all others.
func TestFlowHandshake(t *testing.T) {
	there := func(flags byte) []byte { return eth4(v4(a4, b4, 6, tcp(1000, 80, 1, flags))) }
	back := func(flags byte) []byte { return eth4(v4(b4, a4, 6, tcp(80, 1000, 9, flags))) }
	f := func(name string, want bool, packets ...[]byte) {
		t.Helper()
		m := newMachine(t, Config{})
		m.in(t, packets...)
		o := m.take(t)
		v := o.only(t).value
		if got := v.AckedNs != 0; got != want || got && (v.AckedNs <= v.FirstNs || v.AckedNs > v.LastNs) {
			t.Errorf("%s: acked at %d, first packet at %d, last at %d: want acked %t", name, v.AckedNs, v.FirstNs, v.LastNs, want)
		}
	}
	f("whole", true, there(syn), back(syn|ack), there(ack), there(ack|8))
	f("with data", true, there(syn), back(syn|ack), there(ack|8))
	f("its SYN was in another interval", true, back(syn|ack), there(ack))
	f("unanswered", false, there(syn), there(syn))
	f("not ended", false, there(syn), back(syn|ack), back(syn|ack))
	f("refused", false, there(syn), back(rst|ack))
	f("the SYN-ACK is refused", false, there(syn), back(syn|ack), there(rst))
	f("in the middle", false, there(ack), back(ack))
}

// TestFlowReuse says how many packets each use of a tuple counts.
func TestFlowReuse(t *testing.T) {
	m := newMachine(t, Config{})
	there := func(seq uint32, flags byte) []byte { return eth4(v4(a4, b4, 6, tcp(1000, 80, seq, flags))) }
	back := func(seq uint32, flags byte) []byte { return eth4(v4(b4, a4, 6, tcp(80, 1000, seq, flags))) }
	f := func(name string, want map[uint16]uint64, packets ...[]byte) {
		t.Helper()
		m.in(t, packets...)
		o := m.take(t)
		got := make(map[uint16]uint64)
		for _, flow := range o.flows {
			for d := range flow.value.Count {
				got[flow.key.Gen] += flow.value.Count[d][ingress].Packets
			}
			if newest := uint16(len(want) - 1); flow.key.Gen == 0 && flow.value.Newest != newest {
				t.Errorf("%s: newest %d: want %d", name, flow.value.Newest, newest)
			}
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s: packets by generation (-want +got):\n%s", name, diff)
		}
	}
	f("one connection", map[uint16]uint64{0: 4}, there(1, syn), back(9, syn|ack), there(2, ack), back(10, fin|ack))
	f("the first packet sent again", map[uint16]uint64{0: 4}, there(1, syn), there(1, syn), back(9, syn|ack), there(1, syn))
	f("another sequence number", map[uint16]uint64{0: 2, 1: 3}, there(1, syn), there(2, ack), there(500, syn), back(9, syn|ack), there(501, ack))
	f("sequence number 0", map[uint16]uint64{0: 1, 1: 1}, there(1, syn), there(0, syn))
	f("sequence number 0 again", map[uint16]uint64{0: 2}, there(0, syn), there(0, syn))
	f("sent again in the second use", map[uint16]uint64{0: 1, 1: 3}, there(1, syn), there(500, syn), there(500, syn), back(9, syn|ack))
	f("three uses", map[uint16]uint64{0: 1, 1: 2, 2: 2}, there(1, syn), there(500, syn), there(501, ack), there(900, syn), there(901, fin|ack))
	f("after the end, seen from its start", map[uint16]uint64{0: 3, 1: 2}, there(1, syn), there(2, fin|ack), back(9, fin|ack), there(500, syn), there(501, ack))
	f("after the end, seen from its middle", map[uint16]uint64{0: 2, 1: 2}, there(2, ack), there(2, fin|ack), there(500, syn), there(501, ack))
	f("after a reset by the other side", map[uint16]uint64{0: 2, 1: 1}, there(2, ack), back(9, rst), there(500, syn))
	f("opened by the other side after the end", map[uint16]uint64{0: 2, 1: 1}, there(1, syn), there(2, fin|ack), back(7, syn))
	f("opened by both sides at once", map[uint16]uint64{0: 3}, there(1, syn), back(7, syn), there(1, syn|ack))
	f("syn in a connection seen from its middle", map[uint16]uint64{0: 2}, there(2, ack), there(500, syn))
	f("more data after the end", map[uint16]uint64{0: 3}, there(1, syn), there(2, fin|ack), back(9, ack))

	echo := eth4(v4(a4, b4, 1, icmp(8, 0, 7)))
	f("many echo requests", map[uint16]uint64{0: 3}, echo, echo, echo)
	init := eth4(v4(a4, b4, 132, sctp(1000, 9, 1)))
	f("init sent again", map[uint16]uint64{0: 2}, init, init)
}

// TestFlowSegments counts the packets on the wire of one that a device is to segment.
func TestFlowSegments(t *testing.T) {
	m := newMachine(t, Config{})
	f := func(name string, segments, size uint32, frame []byte, want uint64) {
		t.Helper()
		m.run(t, hook{}, frame, &skbContext{GSOSegs: segments, GSOSize: size})
		o := m.take(t)
		v := o.only(t).value
		if got := v.Count[v.FirstDir][ingress]; got != (bpf.Volume{Bytes: uint64(len(frame)), Packets: want}) {
			t.Errorf("%s: %v: want %d packets of %d bytes together", name, got, want, len(frame))
		}
	}
	large := eth4(v4(a4, b4, 6, tcp(1000, 80, 1, ack, make([]byte, 2900)...)))
	f("none", 0, 0, large, 1)
	f("one segment", 1, 0, large, 1)
	f("segments", 3, 1000, large, 3)
	f("segments alone", 45, 0, large, 45)
	f("size alone", 0, 1000, large, 3)
	f("size alone, not reached", 0, 3000, large, 1)
	f("size alone, last segment full", 0, 1450, large, 2)

	arp := eth(0x0806, make([]byte, 28))
	m.run(t, hook{}, arp, &skbContext{GSOSegs: 5})
	if got := m.take(t).outside[bpf.InterfaceKey{Ifindex: 1}]["not_ip"]; got != (bpf.Volume{Bytes: 42, Packets: 5}) {
		t.Errorf("outside of flows: %v; want 5 packets of 42 bytes together", got)
	}
}

// TestFlowInterfaces counts a packet on two interfaces twice.
func TestFlowInterfaces(t *testing.T) {
	ns := testkit.NewNS(t, "interfaces")
	testkit.Veth(ns, "one", ns, "other")
	other, err := ns.Links.LinkByName("other")
	if err != nil {
		t.Fatal(err)
	}
	second := uint32(other.Attrs().Index)
	m := newMachine(t, Config{})
	frame := eth4(v4(a4, b4, 17, udp(1, 2)))
	for _, index := range []uint32{1, second, second} {
		if err := ns.Do(func() error { m.run(t, hook{}, frame, &skbContext{Ifindex: index}); return nil }); err != nil {
			t.Fatal(err)
		}
	}
	got := make(map[uint32]uint64)
	for _, f := range m.take(t).flows {
		got[f.key.Ifindex] += f.value.Count[f.value.FirstDir][ingress].Packets
	}
	if diff := cmp.Diff(map[uint32]uint64{1: 1, second: 2}, got); diff != "" {
		t.Errorf("packets by interface (-want +got):\n%s", diff)
	}
}
