package ctnetlink

import (
	"errors"
	"fmt"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// More attributes of a tuple, for questions: enum ctattr_l4proto of linux/netfilter/nfnetlink_conntrack.h.
const (
	ctaProtoICMPType   = 5
	ctaProtoICMPCode   = 6
	ctaProtoICMPv6Type = 8
	ctaProtoICMPv6Code = 9
)

// echoTypes are the types of an echo's request and reply (RFC 792, RFC 4443), the only queries that are asked about. An
// entry's reply tuple has the reply's.
var echoTypes = map[flow.Proto][]uint8{flow.ICMPv4: {8, 0}, flow.ICMPv6: {128, 129}}

// Resolver asks conntrack about single connections of a network namespace's default zone. It is for one goroutine.
type Resolver struct{ table *socket }

// OpenResolver opens a socket in the namespace of the descriptor; 0 is the process's own.
func OpenResolver(netNS int) (*Resolver, error) {
	table, err := dial(netNS)
	if err != nil {
		return nil, explain("open netfilter netlink socket", err)
	}
	return &Resolver{table: table}, nil
}

// Close closes the socket.
func (r *Resolver) Close() error { return r.table.conn.Close() }

// Lookup finds the entry that packets of the tuple, or of its reverse, belong to, before or after translation. It
// tells false where there is none.
func (r *Resolver) Lookup(proto flow.Proto, t nat.Tuple) (nat.Translation, bool, error) {
	types := echoTypes[proto]
	if types == nil {
		types = []uint8{0}
	}
	for _, icmpType := range types {
		for _, one := range []nat.Tuple{t, t.Reverse()} {
			found, ok, err := r.ask(proto, icmpType, one)
			if ok || err != nil {
				return found, ok, err
			}
		}
	}
	return nat.Translation{}, false, nil
}

// ask finds the entry with the tuple as one of its two.
func (r *Resolver) ask(proto flow.Proto, icmpType uint8, t nat.Tuple) (found nat.Translation, ok bool, err error) {
	question, err := encodeQuestion(proto, icmpType, t)
	if err != nil {
		return found, false, err
	}
	sequence, err := r.table.send(msgGet, 0, question)
	if err != nil {
		return found, false, fmt.Errorf("ask conntrack: %w", err)
	}
	found, err = r.answer(sequence)
	switch {
	case errors.Is(err, unix.ENOENT):
		return found, false, nil
	case err != nil:
		return found, false, fmt.Errorf("look up %s %v: %w", proto, t, err)
	}
	return found, true, nil
}

// answer reads the answer, which waits when the request returns. Like that to the statistics' request it claims to be
// one of many.
func (r *Resolver) answer(sequence uint32) (nat.Translation, error) {
	for {
		datagram, err := r.table.read(false)
		if err != nil {
			return nat.Translation{}, err
		}
		m, _, err := cutMessage(datagram)
		switch {
		case err != nil:
			return nat.Translation{}, err
		case m.sequence() != sequence:
		case m.kind() == unix.NLMSG_ERROR:
			return nat.Translation{}, m.errno()
		default:
			return decode(m)
		}
	}
}

// encodeQuestion writes the family and the tuple, as the kernel reads it in ctnetlink_get_conntrack.
func encodeQuestion(proto flow.Proto, icmpType uint8, t nat.Tuple) ([]byte, error) {
	family := byte(unix.AF_INET6)
	if t.Src.Addr().Is4() {
		family = unix.AF_INET
	}
	e := netlink.NewAttributeEncoder()
	e.Nested(ctaTupleOrig, func(e *netlink.AttributeEncoder) error {
		e.Nested(ctaTupleIP, func(e *netlink.AttributeEncoder) error { return encodeAddresses(e, t) })
		e.Nested(ctaTupleProto, func(e *netlink.AttributeEncoder) error { return encodeProtocol(e, proto, icmpType, t) })
		return nil
	})
	attributes, err := e.Encode()
	if err != nil {
		return nil, fmt.Errorf("encode a conntrack tuple: %w", err)
	}
	return append([]byte{family, unix.NFNETLINK_V0, 0, 0}, attributes...), nil
}

func encodeAddresses(e *netlink.AttributeEncoder, t nat.Tuple) error {
	src, dst := uint16(ctaIPv6Src), uint16(ctaIPv6Dst)
	if t.Src.Addr().Is4() {
		src, dst = ctaIPv4Src, ctaIPv4Dst
	}
	e.Bytes(src, t.Src.Addr().AsSlice())
	e.Bytes(dst, t.Dst.Addr().AsSlice())
	return nil
}

func encodeProtocol(e *netlink.AttributeEncoder, proto flow.Proto, icmpType uint8, t nat.Tuple) error {
	e.Uint8(ctaProtoNum, uint8(proto))
	switch proto {
	case flow.ICMPv4:
		e.Bytes(ctaProtoICMPID, bigEndian(t.Src.Port()))
		e.Uint8(ctaProtoICMPType, icmpType)
		e.Uint8(ctaProtoICMPCode, 0)
	case flow.ICMPv6:
		e.Bytes(ctaProtoICMPv6ID, bigEndian(t.Src.Port()))
		e.Uint8(ctaProtoICMPv6Type, icmpType)
		e.Uint8(ctaProtoICMPv6Code, 0)
	default:
		e.Bytes(ctaProtoSrcPort, bigEndian(t.Src.Port()))
		e.Bytes(ctaProtoDstPort, bigEndian(t.Dst.Port()))
	}
	return nil
}

func bigEndian(n uint16) []byte { return []byte{byte(n >> 8), byte(n)} }
