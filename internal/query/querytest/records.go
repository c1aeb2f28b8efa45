// Package querytest makes random records and random plans, the same for the same seed, for the tests that hold
// evaluators against each other. It is for tests alone.
package querytest

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// Begin is the earliest time of a random record, Span how long the latest comes after it. Begin is no multiple of an
// hour, so that records lie in several hours.
var Begin = time.Date(2026, 3, 1, 11, 40, 0, 0, time.UTC)

// Span is the time that random records cover.
const Span = 2 * time.Hour

// RandomRecords returns n records. Values repeat, so that groups have several rows; unknown values, sampled packets,
// equal times, extreme numbers and texts of any bytes are among them.
func RandomRecords(seed uint64, n int) []flow.Record {
	g := newGenerator(seed)
	records := make([]flow.Record, n)
	for i := range records {
		records[i] = g.record()
	}
	return records
}

type generator struct{ *rand.Rand }

func newGenerator(seed uint64) *generator { return &generator{rand.New(rand.NewPCG(seed, 1))} }

// chance is true once in n times.
func (g *generator) chance(n int) bool { return g.IntN(n) == 0 }

func pick[T any](g *generator, values ...T) T { return values[g.IntN(len(values))] }

func (g *generator) record() flow.Record {
	end := Begin.Add(time.Duration(g.Int64N(int64(Span))))
	if g.chance(3) {
		end = end.Truncate(5 * time.Minute)
		if end.Before(Begin) {
			end = Begin
		}
	}
	r := flow.Record{
		End:        flow.Time(end.UnixNano()),
		Start:      flow.Time(end.Add(-time.Duration(g.Int64N(int64(10 * time.Second)))).UnixNano()),
		Proto:      pick(g, flow.TCP, flow.TCP, flow.TCP, flow.UDP, flow.ICMPv4, flow.ICMPv6, flow.SCTP, flow.Proto(47)),
		Src:        g.endpoint(),
		Dst:        g.endpoint(),
		NAT:        flow.NAT(g.IntN(4)),
		NATSource:  flow.NATSource(g.IntN(5)),
		OrientedBy: flow.Orientation(g.IntN(5)),
		Zone:       pick(g, uint16(0), 0, 0, 7, math.MaxUint16),
		Fwd:        g.volume(),
		Rev:        g.volume(),
		Node:       g.name("node", 3),
		Iface:      pick(g, "eth0", "veth1", "", "odd\xffname", "odd\uFFFDname"),
		Reporter:   flow.Reporter(g.IntN(3)),
		Primary:    !g.chance(3),
		Traffic:    flow.TrafficClass(g.IntN(7)),
		Cost:       pick(g, 0, uint64(g.IntN(1e6)), uint64(g.Int64N(1e15))),
		Sampling:   pick(g, uint32(1), 1, 1, 1, 10, 0),
	}
	r.Backend = r.Dst
	if r.NAT&flow.DNAT != 0 {
		r.Backend = g.endpoint()
	}
	r.SNAT = r.Src.AddrPort()
	g.byProtocol(&r)
	return r
}

func (g *generator) byProtocol(r *flow.Record) {
	switch {
	case r.Proto.IsICMP():
		r.Src.Port, r.Dst.Port, r.Backend.Port = 0, 0, 0
		r.ICMP = flow.ICMP{Type: pick(g, uint8(8), 128), Code: uint8(g.IntN(2)), ID: uint16(g.IntN(5))}
	case r.Proto == flow.TCP:
		r.TCPFlags = flow.TCPFlags(g.IntN(256))
		r.TCP = flow.TCPHealth{
			State: flow.TCPState(g.IntN(5)), RTT: g.rarely(5000), MinRTT: g.rarely(2000), Handshake: g.rarely(9000),
			Lifetime: uint64(g.rarely(100_000)), Resets: g.rarely(2), ResetBy: flow.ResetBy(g.IntN(3)), Connect: flow.Connect(g.IntN(5)),
		}
		r.FwdFaults, r.RevFaults = g.faults(), g.faults()
	}
}

// rarely returns a number below the limit, mostly 0, which stands for unknown.
func (g *generator) rarely(limit int) uint32 {
	if g.chance(3) {
		return uint32(g.IntN(limit))
	}
	return 0
}

func (g *generator) faults() flow.Faults {
	return flow.Faults{
		Retransmits: uint64(g.rarely(5)), DropPackets: uint64(g.rarely(3)), DropBytes: uint64(g.rarely(4000)),
		ZeroWindows: uint64(g.rarely(2)), OutOfOrder: uint64(g.rarely(9)),
	}
}

// volume has mostly small numbers, and rarely one beyond what a column holds.
func (g *generator) volume() flow.Volume {
	switch g.IntN(200) {
	case 0:
		return flow.Volume{Bytes: math.MaxUint64, Packets: math.MaxInt64}
	case 1, 2, 3, 4, 5, 6, 7, 8, 9, 10:
		return flow.Volume{}
	}
	packets := uint64(g.IntN(20) + 1)
	return flow.Volume{Bytes: packets * uint64(60+g.IntN(1440)), Packets: packets}
}

func (g *generator) endpoint() flow.Endpoint {
	return flow.Endpoint{
		Addr: g.addr(),
		Port: pick(g, uint16(80), 443, 53, 8080, uint16(32768+g.IntN(50)), math.MaxUint16),
		Identity: flow.Identity{
			Kind:       flow.Kind(g.IntN(6)),
			Namespace:  g.name("ns", 4),
			Name:       g.name("pod", 40),
			Workload:   flow.Workload{Kind: pick(g, "", "Deployment", "DaemonSet"), Name: g.name("app", 10)},
			Node:       g.name("node", 3),
			Zone:       g.name("zone", 2),
			Region:     g.name("region", 2),
			Image:      g.name("image", 6),
			Labels:     pick(g, "", "team=a", "team=b,tier=front"),
			Service:    g.name("svc", 5),
			App:        g.name("app", 5),
			Subnet:     pick(g, "", "", `office, "north"`, "Zürich"),
			ResolvedBy: flow.Resolution(g.IntN(10)),
		},
	}
}

// name returns one of n names, or "" for unknown.
func (g *generator) name(kind string, n int) string {
	if g.chance(5) {
		return ""
	}
	return fmt.Sprintf("%s-%d", kind, g.IntN(n))
}

// addr returns an address of either family, IPv4 mapped into IPv6, or none.
func (g *generator) addr() netip.Addr {
	v4 := netip.AddrFrom4([4]byte{10, byte(g.IntN(2)), byte(g.IntN(4)), byte(g.IntN(8))})
	switch g.IntN(12) {
	case 0:
		return netip.Addr{}
	case 1, 2:
		return netip.AddrFrom16([16]byte{0x20, 0x01, 0x0d, 0xb8, 15: byte(g.IntN(4))})
	case 3:
		return netip.AddrFrom16(v4.As16())
	case 4:
		return netip.MustParseAddr("fe80::1").WithZone(pick(g, "eth0", "eth1"))
	}
	return v4
}
