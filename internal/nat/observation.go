package nat

import (
	"bytes"
	"encoding/binary"
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// Point is an address and port as the kernel side holds them: IPv4 addresses are mapped into ::ffff:0:0/96.
type Point struct {
	Addr [16]byte
	Port uint16
}

// PointOf converts an address and port.
func PointOf(a netip.AddrPort) Point { return Point{Addr: a.Addr().As16(), Port: a.Port()} }

// AddrPort converts back; mapped addresses become IPv4.
func (p Point) AddrPort() netip.AddrPort {
	return netip.AddrPortFrom(netip.AddrFrom16(p.Addr).Unmap(), p.Port)
}

func (p Point) compare(q Point) int {
	if c := bytes.Compare(p.Addr[:], q.Addr[:]); c != 0 {
		return c
	}
	return int(p.Port) - int(q.Port)
}

// Dir is a packet's direction against an Observation: Up from Low to High, Down from High to Low.
type Dir uint8

// The directions.
const (
	Up Dir = iota
	Down
)

func (d Dir) other() Dir { return 1 - d }

// Counts holds volumes by direction, then by hook (ingress, egress). Loopback counts each packet at both hooks, other
// interfaces at one.
type Counts [2][2]flow.Volume

// Marks counts packets of a direction that tell how a TCP connection fares: RST segments, and those whose sender takes
// no more data.
type Marks struct{ Resets, ZeroWindows uint32 }

// most returns the larger of each count: both hooks of a place may see the same packets.
func (m Marks) most(o Marks) Marks {
	return Marks{max(m.Resets, o.Resets), max(m.ZeroWindows, o.ZeroWindows)}
}

// Observation is one connection on one interface in one interval, in the kernel's order of endpoints.
type Observation struct {
	Low, High   Point
	Interface   uint32
	Proto       flow.Proto
	ICMPType    uint8
	ICMPCode    uint8
	FirstDir    Dir
	Opened      [2]bool
	TCPFlags    [2]flow.TCPFlags
	ISN         [2]uint32
	First, Last flow.Time
	// Acked is when the ACK that ended TCP's handshake passed, 0 where it was not seen behind a SYN-ACK.
	Acked  flow.Time
	Counts Counts
	// Marks are by direction and hook, like Counts.
	Marks    [2][2]Marks
	Sampling uint32
	// QuotedProto and QuotedDst tell of the packet that an ICMP error quotes; zero where there is none.
	QuotedProto flow.Proto
	QuotedDst   [16]byte
	// Entry is the conntrack entry that the kernel side found, nil where it found none. It lies beside the observation,
	// as those without one are many and wait in memory.
	Entry *Entry
}

// Entry is a conntrack entry as the kernel side reads it: sources and destinations of both tuples.
type Entry struct {
	Source             flow.NATSource
	Proto              flow.Proto
	Zone               uint16
	OrigSrc, OrigDst   Point
	ReplySrc, ReplyDst Point
}

// entryOf converts a translation.
func entryOf(t *Translation) Entry {
	return Entry{
		Source: t.Source, Proto: t.Proto, Zone: t.Zone,
		OrigSrc: PointOf(t.Orig.Src), OrigDst: PointOf(t.Orig.Dst),
		ReplySrc: PointOf(t.Reply.Src), ReplyDst: PointOf(t.Reply.Dst),
	}
}

// same tells whether two entries are the same conntrack identity.
func (e *Entry) same(o *Entry) bool {
	return e.Proto == o.Proto && e.Zone == o.Zone && e.OrigSrc == o.OrigSrc && e.OrigDst == o.OrigDst &&
		e.ReplySrc == o.ReplySrc && e.ReplyDst == o.ReplyDst
}

// nat tells what is rewritten. An ICMP query's identifier, which stands in both ports, is no part of an address:
// masquerading rewrites it, too.
func (e *Entry) nat() flow.NAT {
	var n flow.NAT
	ports := e.Proto != flow.ICMPv4 && e.Proto != flow.ICMPv6
	if e.ReplySrc.Addr != e.OrigDst.Addr || ports && e.ReplySrc.Port != e.OrigDst.Port {
		n |= flow.DNAT
	}
	if e.ReplyDst.Addr != e.OrigSrc.Addr || ports && e.ReplyDst.Port != e.OrigSrc.Port {
		n |= flow.SNAT
	}
	return n
}

// face is a pair of endpoints that packets of a connection bear somewhere on the node, without direction.
type face struct {
	a, b         [16]byte
	aPort, bPort uint16
	proto        flow.Proto
}

func faceOf(p, q Point, proto flow.Proto) face {
	if p.compare(q) > 0 {
		p, q = q, p
	}
	return face{a: p.Addr, b: q.Addr, aPort: p.Port, bPort: q.Port, proto: proto}
}

// face is the pair of endpoints that the observation bears, or that the packet bears that it quotes.
func (o *Observation) face() face {
	if o.QuotedProto != 0 {
		src, dst := o.quoted()
		return faceOf(src, dst, o.QuotedProto)
	}
	return faceOf(o.Low, o.High, o.Proto)
}

// faces returns the pairs of endpoints that a connection's packets bear: as the client sent them, as the backend gets
// them, and in between, where the destination is rewritten but not yet the source (a bridge that calls netfilter).
func (e *Entry) faces() [3]face {
	return [3]face{
		faceOf(e.OrigSrc, e.OrigDst, e.Proto),
		faceOf(e.ReplyDst, e.ReplySrc, e.Proto),
		faceOf(e.OrigSrc, e.ReplySrc, e.Proto),
	}
}

// quoted returns the packet that an ICMP error quotes: it came from where the error goes.
func (o *Observation) quoted() (src, dst Point) {
	from, to := o.Low, o.High
	if o.FirstDir == Down {
		from, to = to, from
	}
	return to, Point{Addr: o.QuotedDst, Port: from.Port}
}

// isMulticast tells whether the address is no host's own.
func isMulticast(a [16]byte) bool {
	if binary.BigEndian.Uint64(a[:8]) == 0 && a[10] == 0xff && a[11] == 0xff {
		return a[12] >= 224
	}
	return a[0] == 0xff
}

// Translation converts back.
func (e *Entry) Translation() Translation {
	return Translation{
		Proto: e.Proto, Zone: e.Zone, Source: e.Source,
		Orig:  Tuple{Src: e.OrigSrc.AddrPort(), Dst: e.OrigDst.AddrPort()},
		Reply: Tuple{Src: e.ReplySrc.AddrPort(), Dst: e.ReplyDst.AddrPort()},
	}
}
