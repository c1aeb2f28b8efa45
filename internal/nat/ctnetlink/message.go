package ctnetlink

import (
	"encoding/binary"

	"golang.org/x/sys/unix"
)

// Conntrack's netlink messages: enum cntl_msg_types of linux/netfilter/nfnetlink_conntrack.h, each below its subsystem
// (linux/netfilter/nfnetlink.h).
const (
	msgNew      = unix.NFNL_SUBSYS_CTNETLINK << 8   // IPCTNL_MSG_CT_NEW is 0
	msgGet      = unix.NFNL_SUBSYS_CTNETLINK<<8 | 1 // IPCTNL_MSG_CT_GET
	msgDelete   = unix.NFNL_SUBSYS_CTNETLINK<<8 | 2 // IPCTNL_MSG_CT_DELETE
	msgGetStats = unix.NFNL_SUBSYS_CTNETLINK<<8 | 5 // IPCTNL_MSG_CT_GET_STATS
)

// sizeofNfgenmsg is the size of struct nfgenmsg of linux/netfilter/nfnetlink.h.
const sizeofNfgenmsg = 4

// allFamilies is a struct nfgenmsg of address family AF_UNSPEC, for which a dump lists IPv4 and IPv6 entries alike.
var allFamilies = []byte{unix.AF_UNSPEC, unix.NFNETLINK_V0, 0, 0}

// message is one netlink message, its header included, inside a datagram.
type message []byte

func (m message) kind() uint16     { return binary.NativeEndian.Uint16(m[4:]) }
func (m message) flags() uint16    { return binary.NativeEndian.Uint16(m[6:]) }
func (m message) sequence() uint32 { return binary.NativeEndian.Uint32(m[8:]) }
func (m message) payload() []byte  { return m[unix.SizeofNlMsghdr:] }

// isNewEvent tells the event of a new entry from that of a changed one: only the former bears these flags.
func (m message) isNewEvent() bool {
	const created = unix.NLM_F_CREATE | unix.NLM_F_EXCL
	return m.kind() == msgNew && m.flags()&created == created
}

// errno is the error that a message of kind NLMSG_ERROR or NLMSG_DONE carries, 0 for none.
func (m message) errno() unix.Errno {
	p := m.payload()
	if len(p) < 4 {
		return 0
	}
	return unix.Errno(-int32(binary.NativeEndian.Uint32(p)))
}

// cutMessage takes the first message off a datagram.
func cutMessage(datagram []byte) (m message, rest []byte, err error) {
	if len(datagram) < unix.SizeofNlMsghdr {
		return nil, nil, errShortMessage
	}
	n := uint64(binary.NativeEndian.Uint32(datagram))
	if n < unix.SizeofNlMsghdr || n > uint64(len(datagram)) {
		return nil, nil, errShortMessage
	}
	return message(datagram[:n]), datagram[min(align(int(n)), len(datagram)):], nil
}

// eachAttribute hands the attributes of a list to set, until one is refused.
func eachAttribute(list []byte, set func(kind uint16, value []byte) error) error {
	for len(list) > 0 {
		kind, value, rest, err := cutAttribute(list)
		if err != nil {
			return err
		}
		if err := set(kind, value); err != nil {
			return err
		}
		list = rest
	}
	return nil
}

// cutAttribute takes the first attribute (struct nlattr) off a list and drops the flag bits of its type.
func cutAttribute(list []byte) (kind uint16, value, rest []byte, err error) {
	if len(list) < unix.SizeofNlAttr {
		return 0, nil, nil, errShortAttribute
	}
	n := int(binary.NativeEndian.Uint16(list))
	if n < unix.SizeofNlAttr || n > len(list) {
		return 0, nil, nil, errShortAttribute
	}
	kind = binary.NativeEndian.Uint16(list[2:]) &^ (unix.NLA_F_NESTED | unix.NLA_F_NET_BYTEORDER)
	return kind, list[unix.SizeofNlAttr:n], list[min(align(n), len(list)):], nil
}

// align rounds up to the boundary that netlink keeps for messages and attributes alike.
func align(n int) int { return (n + unix.NLA_ALIGNTO - 1) &^ (unix.NLA_ALIGNTO - 1) }
