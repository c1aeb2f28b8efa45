package ctnetlink

import (
	"encoding/binary"
	"errors"
	"net/netip"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// The attributes that decode reads, of enum ctattr_type, ctattr_tuple, ctattr_ip, ctattr_l4proto and ctattr_tstamp
// in linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaTupleOrig      = 1
	ctaTupleReply     = 2
	ctaZone           = 18
	ctaTimestamp      = 20
	ctaTimestampEvent = 27 // since Linux 6.14

	ctaTupleIP    = 1
	ctaTupleProto = 2
	ctaTupleZone  = 3

	ctaIPv4Src = 1
	ctaIPv4Dst = 2
	ctaIPv6Src = 3
	ctaIPv6Dst = 4

	ctaProtoNum      = 1
	ctaProtoSrcPort  = 2
	ctaProtoDstPort  = 3
	ctaProtoICMPID   = 4
	ctaProtoICMPv6ID = 7

	ctaTimestampStart = 1
	ctaTimestampStop  = 2
)

// The reasons for which decode refuses a message. They are values, so that a malformed message costs no allocation.
var (
	errShortMessage   = errors.New("netlink message shorter than its header says")
	errShortAttribute = errors.New("netlink attribute shorter than its header says")
	errValueSize      = errors.New("conntrack attribute of the wrong size")
	errNotConntrack   = errors.New("netlink message is no conntrack entry")
	errNoTuple        = errors.New("conntrack entry without original or reply addresses")
	errFamilies       = errors.New("conntrack entry of mixed address families")
	errProtocol       = errors.New("conntrack entry without one protocol for both directions")
)

// entry is what the attributes of one conntrack message say.
type entry struct {
	orig, reply        tuple
	zone               uint16
	start, stop, event flow.Time
}

// tuple is one CTA_TUPLE_ORIG or CTA_TUPLE_REPLY.
type tuple struct {
	src, dst         netip.Addr
	srcPort, dstPort uint16
	id               uint16 // of an ICMP query
	zone             uint16
	proto            flow.Proto
	hasProto         bool
}

// decode reads one conntrack message, from its netlink header to its end. The times are those that the kernel
// gave; they are zero where it gave none. The error is not nil if, and only if, the translation is the zero value.
func decode(msg []byte) (nat.Translation, error) {
	if len(msg) < unix.SizeofNlMsghdr+sizeofNfgenmsg {
		return nat.Translation{}, errShortMessage
	}
	m := message(msg)
	if m.kind() != msgNew && m.kind() != msgDelete {
		return nat.Translation{}, errNotConntrack
	}
	var e entry
	if err := eachAttribute(m.payload()[sizeofNfgenmsg:], e.set); err != nil {
		return nat.Translation{}, err
	}
	if err := e.check(); err != nil {
		return nat.Translation{}, err
	}
	return e.translation(m), nil
}

// set reads one attribute of the entry.
func (e *entry) set(kind uint16, value []byte) (err error) {
	switch kind {
	case ctaTupleOrig:
		return eachAttribute(value, e.orig.set)
	case ctaTupleReply:
		return eachAttribute(value, e.reply.set)
	case ctaTimestamp:
		return eachAttribute(value, e.setTimestamp)
	case ctaTimestampEvent:
		e.event, err = timeOf(value)
	case ctaZone:
		e.zone, err = uint16Of(value)
	}
	return err
}

func (e *entry) setTimestamp(kind uint16, value []byte) (err error) {
	switch kind {
	case ctaTimestampStart:
		e.start, err = timeOf(value)
	case ctaTimestampStop:
		e.stop, err = timeOf(value)
	}
	return err
}

// check says whether the entry is whole: conntrack never translates between families or protocols.
func (e *entry) check() error {
	o, r := &e.orig, &e.reply
	switch {
	case !o.src.IsValid() || !o.dst.IsValid() || !r.src.IsValid() || !r.dst.IsValid():
		return errNoTuple
	case o.src.Is4() != o.dst.Is4() || r.src.Is4() != r.dst.Is4() || o.src.Is4() != r.src.Is4():
		return errFamilies
	case !o.hasProto || !r.hasProto || o.proto != r.proto:
		return errProtocol
	}
	return nil
}

func (e *entry) translation(m message) nat.Translation {
	t := nat.Translation{
		Proto:  e.orig.proto,
		Orig:   e.orig.tuple(),
		Reply:  e.reply.tuple(),
		Zone:   e.zone | e.orig.zone | e.reply.zone, // The kernel gives one: for both directions, or for one of them.
		Source: flow.CTNetlink,
		Start:  e.start,
	}
	if t.Start == 0 && m.isNewEvent() {
		t.Start = e.event
	}
	if m.kind() != msgDelete {
		return t
	}
	if t.End = e.stop; t.End == 0 {
		t.End = e.event
	}
	return t
}

// set reads one attribute of the tuple.
func (t *tuple) set(kind uint16, value []byte) (err error) {
	switch kind {
	case ctaTupleIP:
		return eachAttribute(value, t.setAddress)
	case ctaTupleProto:
		return eachAttribute(value, t.setProtocol)
	case ctaTupleZone:
		t.zone, err = uint16Of(value)
	}
	return err
}

func (t *tuple) setAddress(kind uint16, value []byte) (err error) {
	switch kind {
	case ctaIPv4Src:
		t.src, err = ipv4Of(value)
	case ctaIPv4Dst:
		t.dst, err = ipv4Of(value)
	case ctaIPv6Src:
		t.src, err = ipv6Of(value)
	case ctaIPv6Dst:
		t.dst, err = ipv6Of(value)
	}
	return err
}

func (t *tuple) setProtocol(kind uint16, value []byte) (err error) {
	switch kind {
	case ctaProtoNum:
		t.proto, err = protoOf(value)
		t.hasProto = err == nil
	case ctaProtoSrcPort:
		t.srcPort, err = uint16Of(value)
	case ctaProtoDstPort:
		t.dstPort, err = uint16Of(value)
	case ctaProtoICMPID, ctaProtoICMPv6ID:
		t.id, err = uint16Of(value)
	}
	return err
}

func (t *tuple) tuple() nat.Tuple {
	src, dst := t.ports()
	return nat.Tuple{Src: netip.AddrPortFrom(t.src, src), Dst: netip.AddrPortFrom(t.dst, dst)}
}

// ports are what takes the place of ports in the protocol. Conntrack gives GRE the keys of PPTP calls as ports;
// records hold GRE as portless, so they are left out.
func (t *tuple) ports() (src, dst uint16) {
	switch t.proto {
	case flow.TCP, flow.UDP, flow.SCTP, unix.IPPROTO_UDPLITE, unix.IPPROTO_DCCP:
		return t.srcPort, t.dstPort
	case flow.ICMPv4, flow.ICMPv6:
		return t.id, t.id
	}
	return 0, 0
}

func protoOf(value []byte) (flow.Proto, error) {
	if len(value) != 1 {
		return 0, errValueSize
	}
	return flow.Proto(value[0]), nil
}

// uint16Of reads a port, identifier or zone: conntrack sends them in network byte order.
func uint16Of(value []byte) (uint16, error) {
	if len(value) != 2 {
		return 0, errValueSize
	}
	return binary.BigEndian.Uint16(value), nil
}

// timeOf reads a time: nanoseconds since the epoch in network byte order (ktime_get_real_ns).
func timeOf(value []byte) (flow.Time, error) {
	if len(value) != 8 {
		return 0, errValueSize
	}
	return flow.Time(binary.BigEndian.Uint64(value)), nil
}

func ipv4Of(value []byte) (netip.Addr, error) {
	if len(value) != 4 {
		return netip.Addr{}, errValueSize
	}
	return netip.AddrFrom4([4]byte(value)), nil
}

func ipv6Of(value []byte) (netip.Addr, error) {
	if len(value) != 16 {
		return netip.Addr{}, errValueSize
	}
	return netip.AddrFrom16([16]byte(value)), nil
}
