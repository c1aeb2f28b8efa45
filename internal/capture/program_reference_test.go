package capture

import (
	"encoding/binary"
	"fmt"
	"net/netip"
)

// The reference parser says what a packet is by the RFCs: 791 and 792 (IPv4, ICMP), 950 (ICMP address masks), 4302
// (AH), 4443 (ICMPv6), 8200 (IPv6), 9260 (SCTP), 9293 (TCP), and IEEE 802.1Q. It trusts no length field of IP,
// as packets that a device is to segment later (GSO) carry none that holds, and it has the kernel side's own limits.
const (
	// farthestHeader is the last offset in the packet at which a header may begin.
	farthestHeader = 1024
	mostExtensions = 8
	mostTags       = 2
)

// decoded is what the reference finds.
type decoded struct {
	// outside is the reason why the packet is in no flow, or "".
	outside            string
	src, dst           netip.AddrPort
	proto              uint8
	icmpType, icmpCode uint8
	flags              uint8
	// opens tells that the packet asks for a connection or an answer; isn is the sequence number of a SYN.
	opens       bool
	isn         uint32
	quotedProto uint8
	quotedDst   netip.Addr
	errors      []string
}

// String writes everything that is not zero.
func (d decoded) String() string {
	counts := make(map[string]uint64)
	for _, e := range d.errors {
		counts[e]++
	}
	if d.outside != "" {
		return d.outside + errorText(counts)
	}
	text := fmt.Sprintf("%s %s > %s", protoText(d.proto), d.src, d.dst)
	if d.icmpType != 0 || d.icmpCode != 0 {
		text += fmt.Sprintf(" type %d/%d", d.icmpType, d.icmpCode)
	}
	if d.flags != 0 {
		text += fmt.Sprintf(" flags %#02x", d.flags)
	}
	if d.opens {
		text += fmt.Sprintf(" opens %d", d.isn)
	}
	if d.quotedDst.IsValid() {
		text += fmt.Sprintf(" quotes %s to %s", protoText(d.quotedProto), d.quotedDst)
	}
	return text + errorText(counts)
}

func protoText(p uint8) string {
	for name, number := range protocols {
		if number == p {
			return name
		}
	}
	return fmt.Sprint(p)
}

// datagram is an IP packet's fragment identity: RFC 791 joins by source, destination, protocol and identification,
// RFC 8200 by all of these but the protocol; what follows a fragment header is the same in each fragment.
type datagram struct {
	src, dst netip.Addr
	id       uint32
	proto    uint8
}

// carried is what the first fragment tells of all.
type carried struct {
	proto              uint8
	sport, dport       uint16
	icmpType, icmpCode uint8
}

// reference decodes packets one after another; it remembers first fragments.
type reference struct {
	fragments map[datagram]carried
}

// walk is one packet on its way through decoding.
type walk struct {
	data []byte
	// pos is where the next header begins, next its protocol.
	pos  int
	next uint8
	// fragment is set where the packet is one; first and later cannot both hold.
	fragment     datagram
	first, later bool
	src, dst     netip.Addr
}

// header returns n bytes of the header at pos, or nil.
func (w *walk) header(n int) []byte {
	if w.pos > farthestHeader || w.pos+n > len(w.data) {
		return nil
	}
	return w.data[w.pos : w.pos+n]
}

func be16(b []byte) uint16 { return binary.BigEndian.Uint16(b) }
func be32(b []byte) uint32 { return binary.BigEndian.Uint32(b) }

// decodeFrame decodes an Ethernet frame.
func (r *reference) decodeFrame(frame []byte) decoded {
	kind := frame[12:]
	for range mostTags {
		if k := be16(kind); k != 0x8100 && k != 0x88a8 {
			break
		}
		// A tag is the kind that announced it, two bytes of its own, and the kind of what follows.
		if len(kind) < 6 {
			return decoded{outside: "not_ip"}
		}
		kind = kind[4:]
	}
	return r.decodeIP(be16(kind), frame, len(frame)-len(kind)+2)
}

// decodeIP decodes the packet at an offset.
func (r *reference) decodeIP(kind uint16, data []byte, at int) decoded {
	w := &walk{data: data, pos: at}
	var d decoded
	switch kind {
	case 0x0800:
		if !w.ipv4() {
			return decoded{outside: "malformed"}
		}
	case 0x86dd:
		if !w.ipv6() {
			return decoded{outside: "malformed"}
		}
		d.errors = w.extensions()
	default:
		return decoded{outside: "not_ip"}
	}
	d.src, d.dst = netip.AddrPortFrom(w.src, 0), netip.AddrPortFrom(w.dst, 0)
	d.proto = w.next
	if w.later {
		r.join(w, &d)
		return d
	}
	if layer, known := transports[w.next]; known && !layer(w, &d) {
		d.errors = append(d.errors, "truncated")
	} else if w.first && known {
		r.fragments[w.fragment] = carried{d.proto, d.src.Port(), d.dst.Port(), d.icmpType, d.icmpCode}
	}
	return d
}

// join gives a later fragment what the first one told.
func (r *reference) join(w *walk, d *decoded) {
	if _, known := transports[w.next]; !known && !extensionHeaders[w.next] {
		return // No fragment of it has ports.
	}
	c, ok := r.fragments[w.fragment]
	if !ok {
		d.errors = append(d.errors, "fragment_unknown")
		return
	}
	d.proto, d.icmpType, d.icmpCode = c.proto, c.icmpType, c.icmpCode
	d.setPorts(c.sport, c.dport)
}

func (w *walk) ipv4() bool {
	h := w.header(20)
	if h == nil || h[0]>>4 != 4 || h[0]&15 < 5 {
		return false
	}
	w.src, w.dst = netip.AddrFrom4([4]byte(h[12:])), netip.AddrFrom4([4]byte(h[16:]))
	w.next = h[9]
	w.pos += int(h[0]&15) * 4
	more, offset := h[6]&0x20 != 0, be16(h[6:])&0x1fff
	w.first, w.later = more && offset == 0, offset != 0
	w.fragment = datagram{w.src, w.dst, uint32(be16(h[4:])), w.next}
	return true
}

func (w *walk) ipv6() bool {
	h := w.header(40)
	if h == nil || h[0]>>4 != 6 {
		return false
	}
	w.src, w.dst = netip.AddrFrom16([16]byte(h[8:])).Unmap(), netip.AddrFrom16([16]byte(h[24:])).Unmap()
	w.next = h[6]
	w.pos += 40
	return true
}

const (
	nextFragment = 44
	nextAH       = 51
)

// extensionHeaders are IANA's: hop-by-hop, routing, fragment, AH, destination, mobility, HIP, Shim6. ESP hides what
// follows.
var extensionHeaders = map[uint8]bool{0: true, 43: true, nextFragment: true, nextAH: true, 60: true, 135: true, 139: true, 140: true}

// extensions walks to the upper layer and returns what stopped it.
func (w *walk) extensions() []string {
	for n := 0; extensionHeaders[w.next] && !w.later; n++ {
		if n == mostExtensions {
			return []string{"extension_headers"}
		}
		h := w.header(8)
		if h == nil {
			return []string{"truncated"}
		}
		kind := w.next
		w.next = h[0]
		switch kind {
		case nextFragment:
			w.pos += 8
			more, offset := h[3]&1 != 0, be16(h[2:])>>3
			w.first, w.later = more && offset == 0, offset != 0
			w.fragment = datagram{w.src, w.dst, be32(h[4:]), w.next}
		case nextAH:
			w.pos += (int(h[1]) + 2) * 4
		default:
			w.pos += (int(h[1]) + 1) * 8
		}
	}
	return nil
}

// transports decode an upper layer. They return false where the header is cut short.
var transports map[uint8]func(*walk, *decoded) bool

func init() {
	transports = map[uint8]func(*walk, *decoded) bool{
		1: (*walk).icmp, 58: (*walk).icmp, 6: (*walk).tcp, 132: (*walk).sctp,
		17: (*walk).ports, 33: (*walk).ports, 136: (*walk).ports,
	}
}

func (d *decoded) setPorts(sport, dport uint16) {
	d.src, d.dst = netip.AddrPortFrom(d.src.Addr(), sport), netip.AddrPortFrom(d.dst.Addr(), dport)
}

func (w *walk) ports(d *decoded) bool {
	h := w.header(4)
	if h != nil {
		d.setPorts(be16(h), be16(h[2:]))
	}
	return h != nil
}

func (w *walk) tcp(d *decoded) bool {
	// What is wanted lies in the first four words, so that much is enough.
	h := w.header(16)
	if h == nil {
		return false
	}
	d.setPorts(be16(h), be16(h[2:]))
	d.flags = h[13]
	if syn, ack := d.flags&2 != 0, d.flags&16 != 0; syn && !ack {
		d.opens, d.isn = true, be32(h[4:])
	}
	return true
}

func (w *walk) sctp(d *decoded) bool {
	if !w.ports(d) {
		return false
	}
	chunk := *w
	chunk.pos += 12
	kind := chunk.header(1)
	d.opens = kind != nil && kind[0] == 1
	return true
}

func isICMP(proto uint8) bool { return proto == 1 || proto == 58 }

// requests maps the type of an ICMP query, and of its answer, to the query's.
var requests = map[uint8]map[uint8]uint8{
	1:  {8: 8, 0: 8, 13: 13, 14: 13, 15: 15, 16: 15, 17: 17, 18: 17},
	58: {128: 128, 129: 128},
}

// quoting are the types that carry the head of the packet they are about.
var quoting = map[uint8]map[uint8]bool{
	1:  {3: true, 4: true, 5: true, 11: true, 12: true},
	58: {1: true, 2: true, 3: true, 4: true},
}

func (w *walk) icmp(d *decoded) bool {
	h := w.header(8)
	if h == nil {
		return false
	}
	d.icmpType, d.icmpCode = h[0], h[1]
	request, query := requests[w.next][h[0]]
	switch {
	case query:
		d.icmpType, d.opens = request, h[0] == request
		d.setPorts(be16(h[4:]), be16(h[4:]))
	case quoting[w.next][h[0]]:
		w.quoted(d)
	}
	return true
}

// quoted takes what an ICMP error quotes: the packet that the error's receiver sent.
func (w *walk) quoted(d *decoded) {
	inner := &walk{data: w.data, pos: w.pos + 8}
	read := inner.ipv4
	if w.next == 58 {
		read = inner.ipv6
	}
	if !read() || inner.later {
		return
	}
	var q decoded
	layer := (*walk).ports
	switch _, known := transports[inner.next]; {
	case !known, isICMP(inner.next) && inner.next != w.next:
		return
	case isICMP(inner.next):
		h := inner.header(8)
		if h == nil {
			return
		}
		if _, query := requests[inner.next][h[0]]; !query {
			return
		}
		layer = (*walk).icmp
	}
	if !layer(inner, &q) {
		return
	}
	d.quotedProto, d.quotedDst = inner.next, inner.dst
	d.setPorts(q.dst.Port(), q.src.Port())
}
