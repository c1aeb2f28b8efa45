package ctnetlink

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"testing"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// attr builds one attribute out of its payload's parts.
func attr(kind uint16, parts ...[]byte) []byte {
	b := make([]byte, 4)
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.NativeEndian.PutUint16(b, uint16(len(b)))
	binary.NativeEndian.PutUint16(b[2:], kind)
	return append(b, make([]byte, align(len(b))-len(b))...)
}

func nest(kind uint16, parts ...[]byte) []byte { return attr(kind|unix.NLA_F_NESTED, parts...) }
func be16(v uint16) []byte                     { return binary.BigEndian.AppendUint16(nil, v) }
func be64(v uint64) []byte                     { return binary.BigEndian.AppendUint64(nil, v) }

// buildMessage builds a netlink message of attributes.
func buildMessage(kind, flags uint16, parts ...[]byte) []byte {
	b := make([]byte, unix.SizeofNlMsghdr+sizeofNfgenmsg)
	for _, p := range parts {
		b = append(b, p...)
	}
	binary.NativeEndian.PutUint32(b, uint32(len(b)))
	binary.NativeEndian.PutUint16(b[4:], kind)
	binary.NativeEndian.PutUint16(b[6:], flags)
	return b
}

// direction builds a CTA_TUPLE_ORIG or CTA_TUPLE_REPLY with the attributes of the protocol after its number.
func direction(kind uint16, src, dst string, proto uint8, rest ...[]byte) []byte {
	s, d := netip.MustParseAddr(src), netip.MustParseAddr(dst)
	first := uint16(ctaIPv4Src)
	if s.Is6() {
		first = ctaIPv6Src
	}
	return nest(kind,
		nest(ctaTupleIP, attr(first, s.AsSlice()), attr(first+1, d.AsSlice())),
		nest(ctaTupleProto, append([][]byte{attr(ctaProtoNum, []byte{proto})}, rest...)...))
}

func ports(src, dst uint16) []byte {
	return append(attr(ctaProtoSrcPort, be16(src)), attr(ctaProtoDstPort, be16(dst))...)
}

const newFlags = unix.NLM_F_CREATE | unix.NLM_F_EXCL

var sampleTuples = [][]byte{
	direction(ctaTupleOrig, "10.0.1.2", "10.96.0.1", 6, ports(40000, 80)),
	direction(ctaTupleReply, "10.0.2.2", "10.0.2.1", 6, ports(8080, 40000)),
}

func sample(kind, flags uint16, more ...[]byte) []byte {
	return buildMessage(kind, flags, append(sampleTuples[:2:2], more...)...)
}

var sampleTranslation = nat.Translation{
	Proto:  flow.TCP,
	Orig:   nat.Tuple{Src: addrPort("10.0.1.2:40000"), Dst: addrPort("10.96.0.1:80")},
	Reply:  nat.Tuple{Src: addrPort("10.0.2.2:8080"), Dst: addrPort("10.0.2.1:40000")},
	Source: flow.CTNetlink,
}

func TestDecodeAttributes(t *testing.T) {
	f := func(name string, msg []byte, change func(*nat.Translation)) {
		t.Helper()
		want := sampleTranslation
		change(&want)
		got, err := decode(msg)
		if err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got, cmpAddrs); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
	}
	asIs := func(*nat.Translation) {}
	stamp := nest(ctaTimestamp, attr(ctaTimestampStart, be64(1000)), attr(ctaTimestampStop, be64(2000)))
	event := attr(ctaTimestampEvent, be64(3000))
	f("tuples", sample(msgNew, 0), asIs)
	f("attributes of no interest", sample(msgNew, 0, attr(3, be64(1)), attr(200)), asIs)
	f("zone", sample(msgNew, 0, attr(ctaZone, be16(7))), func(x *nat.Translation) { x.Zone = 7 })
	f("timestamps of an update", sample(msgNew, 0, stamp, event), func(x *nat.Translation) { x.Start = 1000 })
	f("event time of a new entry", sample(msgNew, newFlags, event), func(x *nat.Translation) { x.Start = 3000 })
	f("event time of an update", sample(msgNew, 0, event), asIs)
	f("timestamps of an end", sample(msgDelete, 0, stamp, event), func(x *nat.Translation) { x.Start, x.End = 1000, 2000 })
	f("event time of an end", sample(msgDelete, 0, event), func(x *nat.Translation) { x.End = 3000 })
	f("zone of the original direction", buildMessage(msgNew, 0,
		nest(ctaTupleOrig, sampleTuples[0][4:], attr(ctaTupleZone, be16(9))), sampleTuples[1]),
		func(x *nat.Translation) { x.Zone = 9 })
	f("zone of the reply direction", buildMessage(msgNew, 0,
		sampleTuples[0], nest(ctaTupleReply, sampleTuples[1][4:], attr(ctaTupleZone, be16(9)))),
		func(x *nat.Translation) { x.Zone = 9 })
}

func TestDecodeProtocols(t *testing.T) {
	f := func(proto uint8, detail []byte, src, dst string, wantSrc, wantDst uint16) {
		t.Helper()
		got, err := decode(buildMessage(msgNew, 0,
			direction(ctaTupleOrig, src, dst, proto, detail), direction(ctaTupleReply, dst, src, proto, detail)))
		want := nat.Tuple{
			Src: netip.AddrPortFrom(netip.MustParseAddr(src), wantSrc),
			Dst: netip.AddrPortFrom(netip.MustParseAddr(dst), wantDst),
		}
		if err != nil || got.Proto != flow.Proto(proto) || got.Orig != want {
			t.Errorf("protocol %d: %v, %v, want %v", proto, got, err, want)
		}
	}
	v4, v6 := [2]string{"192.0.2.1", "192.0.2.2"}, [2]string{"2001:db8::1", "::ffff:192.0.2.2"}
	for _, a := range [][2]string{v4, v6} {
		for _, proto := range []uint8{unix.IPPROTO_TCP, unix.IPPROTO_UDP, unix.IPPROTO_SCTP, unix.IPPROTO_UDPLITE, unix.IPPROTO_DCCP} {
			f(proto, ports(0x1234, 0x5678), a[0], a[1], 0x1234, 0x5678)
		}
		f(unix.IPPROTO_GRE, ports(1, 2), a[0], a[1], 0, 0)
		f(unix.IPPROTO_ESP, nil, a[0], a[1], 0, 0)
		f(unix.IPPROTO_ICMP, attr(ctaProtoICMPID, be16(4711)), a[0], a[1], 4711, 4711)
		f(unix.IPPROTO_ICMPV6, attr(ctaProtoICMPv6ID, be16(4712)), a[0], a[1], 4712, 4712)
	}
}

func TestDecodeRefuses(t *testing.T) {
	f := func(name string, msg []byte, want error) {
		t.Helper()
		if got, err := decode(msg); !errors.Is(err, want) || got != (nat.Translation{}) {
			t.Errorf("%s: %v, %v, want the error %v", name, got, err, want)
		}
	}
	o, r := sampleTuples[0], sampleTuples[1]
	f("nothing", nil, errShortMessage)
	f("header only", sample(msgNew, 0)[:16], errShortMessage)
	f("another subsystem", sample(unix.NFNL_SUBSYS_NFTABLES<<8, 0), errNotConntrack)
	f("a request", sample(msgGet, 0), errNotConntrack)
	f("cut off", sample(msgNew, 0)[:60], errShortAttribute)
	f("no attribute", buildMessage(msgNew, 0), errNoTuple)
	f("original only", buildMessage(msgNew, 0, o), errNoTuple)
	f("two families", buildMessage(msgNew, 0, o, direction(ctaTupleReply, "::2", "::1", 6)), errFamilies)
	f("two protocols", buildMessage(msgNew, 0, o, direction(ctaTupleReply, "10.0.2.2", "10.0.2.1", 17)), errProtocol)
	f("zone of one byte", buildMessage(msgNew, 0, o, r, attr(ctaZone, []byte{1})), errValueSize)
	f("short address", buildMessage(msgNew, 0, o, nest(ctaTupleReply, nest(ctaTupleIP, attr(ctaIPv6Src, be64(0))))), errValueSize)
	f("attribute of no length", append(sample(msgNew, 0), 0, 0, 0, 0), errShortAttribute)
}

func FuzzDecode(f *testing.F) {
	f.Add(sample(msgNew, newFlags, attr(ctaZone, be16(7))))
	f.Add(sample(msgDelete, 0, nest(ctaTimestamp, attr(ctaTimestampStart, be64(1)), attr(ctaTimestampStop, be64(2)))))
	f.Add(buildMessage(msgNew, 0, direction(ctaTupleOrig, "::1", "::2", 58, attr(ctaProtoICMPv6ID, be16(1))),
		direction(ctaTupleReply, "::2", "::1", 58, attr(ctaProtoICMPv6ID, be16(1)))))
	f.Fuzz(func(t *testing.T, msg []byte) {
		got, err := decode(msg)
		if err != nil {
			if got != (nat.Translation{}) {
				t.Errorf("error %v with translation %v", err, got)
			}
			return
		}
		for _, a := range []netip.AddrPort{got.Orig.Src, got.Orig.Dst, got.Reply.Src, got.Reply.Dst} {
			if !a.IsValid() || a.Addr().Is4() != got.Orig.Src.Addr().Is4() || a.Addr().Zone() != "" {
				t.Errorf("address %v in %v", a, got)
			}
		}
		if got.Source != flow.CTNetlink {
			t.Errorf("source %v", got.Source)
		}
	})
}

func FuzzEvents(f *testing.F) {
	f.Add(append(sample(msgNew, newFlags), sample(msgDelete, 0)...))
	f.Fuzz(func(t *testing.T, datagram []byte) {
		var s Source
		got := s.addEvents(nil, datagram)
		st := s.Stats()
		if uint64(len(got)) != st.Entries || st.Entries > st.Events || st.Events > st.Entries+st.Malformed {
			t.Errorf("%d translations, %+v", len(got), st)
		}
	})
}

// TestEventsAllocateNothing guards the hot path.
func TestEventsAllocateNothing(t *testing.T) {
	var s Source
	msg, batch := sample(msgNew, newFlags), make([]nat.Translation, 0, 1)
	if n := testing.AllocsPerRun(1000, func() { s.addEvents(batch, msg) }); n != 0 {
		t.Errorf("an event allocates %v times", n)
	}
}

func BenchmarkDecode(b *testing.B) {
	v6 := buildMessage(msgNew, newFlags,
		direction(ctaTupleOrig, "2001:db8::1", "2001:db8::2", 17, ports(40000, 53)),
		direction(ctaTupleReply, "2001:db8::2", "2001:db8::1", 17, ports(53, 40000)))
	more := [][]byte{attr(3, make([]byte, 4)), attr(7, make([]byte, 4)), attr(12, make([]byte, 4)), attr(11, make([]byte, 4))}
	f := func(name string, msg []byte) {
		b.Run(name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := decode(msg); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
	f("IPv4", sample(msgNew, newFlags, more...))
	f("IPv6", v6)
}

// BenchmarkEvents is the way of an event from the socket's buffer to the batch, its system call left out.
func BenchmarkEvents(b *testing.B) {
	var s Source
	msg, batch := sample(msgNew, newFlags), make([]nat.Translation, 0, batchSize)
	b.ReportAllocs()
	for b.Loop() {
		if batch = s.addEvents(batch, msg); len(batch) == batchSize {
			batch = batch[:0]
		}
	}
}
