package testkit

import (
	"encoding/binary"
	"net"
	"net/netip"
)

// FloodFlow is one connection of a flood. Its frames look like a connection's on the wire, but no host takes part:
// both sides are sent by Flooders, to hardware addresses that nobody has, so that nobody answers.
type FloodFlow struct {
	// Proto is 6 or 17.
	Proto                uint8
	Client, Server       netip.AddrPort
	ClientMAC, ServerMAC net.HardwareAddr
	// ClientSize and ServerSize are the lengths of each side's data frames as interfaces count them. Shorter than
	// the headers means no payload.
	ClientSize, ServerSize int
}

// FloodStep is what a frame does in its connection; UDP knows no difference but in size.
type FloodStep uint8

// The steps. Frames that open or end carry no payload.
const (
	FloodOpen FloodStep = iota
	FloodData
	FloodEnd
)

// FloodFrame is one frame: its headers, and zeroes up to Size.
type FloodFrame struct {
	header []byte
	Size   int
}

// TCP flags (RFC 9293, 3.1).
const (
	tcpFIN = 0x01
	tcpSYN = 0x02
	tcpPSH = 0x08
	tcpACK = 0x10
)

var tcpFlags = map[FloodStep]byte{FloodOpen: tcpSYN, FloodData: tcpPSH | tcpACK, FloodEnd: tcpFIN | tcpACK}

// Frame builds a frame of the client's, or of the server's. seq is TCP's sequence number. Transport
// checksums are left out: nobody on the way looks at them.
func (f *FloodFlow) Frame(fromServer bool, step FloodStep, seq uint32) FloodFrame {
	src, dst, srcMAC, dstMAC, size := f.Client, f.Server, f.ClientMAC, f.ServerMAC, f.ClientSize
	flags := tcpFlags[step]
	if fromServer {
		src, dst, srcMAC, dstMAC, size = dst, src, dstMAC, srcMAC, f.ServerSize
		flags |= tcpACK
	}
	transport := f.transport(src.Port(), dst.Port(), flags, seq)
	network := ipHeader(f.Proto, src.Addr(), dst.Addr())
	all := 14 + len(network) + len(transport)
	if step != FloodData || size < all {
		size = all
	}
	setIPLength(network, size-14)
	if f.Proto == 17 {
		binary.BigEndian.PutUint16(transport[4:], uint16(size-14-len(network)))
	}
	header := append(append(make([]byte, 0, all), dstMAC...), srcMAC...)
	header = binary.BigEndian.AppendUint16(header, map[bool]uint16{false: 0x0800, true: 0x86dd}[src.Addr().Is6()])
	return FloodFrame{header: append(append(header, network...), transport...), Size: size}
}

func (f *FloodFlow) transport(sport, dport uint16, flags byte, seq uint32) []byte {
	b := make([]byte, 8, 20)
	if f.Proto == 6 {
		b = b[:20]
		binary.BigEndian.PutUint32(b[4:], seq)
		b[12], b[13] = 5<<4, flags
	}
	binary.BigEndian.PutUint16(b, sport)
	binary.BigEndian.PutUint16(b[2:], dport)
	return b
}

// ipHeader builds an IPv4 or IPv6 header without its length.
func ipHeader(proto uint8, src, dst netip.Addr) []byte {
	if src.Is6() {
		b := make([]byte, 8, 40)
		b[0], b[6], b[7] = 6<<4, proto, 64
		return append(append(b, src.AsSlice()...), dst.AsSlice()...)
	}
	b := make([]byte, 12, 20)
	b[0], b[8], b[9] = 4<<4|5, 64, proto
	return append(append(b, src.AsSlice()...), dst.AsSlice()...)
}

// setIPLength writes IPv4's total length, which includes the header, and its checksum, which a bridge with netfilter
// checks; or IPv6's payload length, which does not include the header.
func setIPLength(header []byte, length int) {
	if header[0]>>4 == 6 {
		binary.BigEndian.PutUint16(header[4:], uint16(length-len(header)))
		return
	}
	binary.BigEndian.PutUint16(header[2:], uint16(length))
	var sum uint32
	for i := 0; i < len(header); i += 2 {
		sum += uint32(binary.BigEndian.Uint16(header[i:]))
	}
	sum = sum>>16 + sum&0xffff
	binary.BigEndian.PutUint16(header[10:], ^uint16(sum>>16+sum))
}
