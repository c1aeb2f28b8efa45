package capture

import (
	"encoding/binary"
	"net/netip"
	"slices"
)

// Builders of packets. Each layer takes what it carries, so a packet reads as it lies on the wire. Checksums are left
// at zero: nobody checks them here.

func concat(parts ...[]byte) []byte { return slices.Concat(parts...) }

func u16(n uint16) []byte { return binary.BigEndian.AppendUint16(nil, n) }
func u32(n uint32) []byte { return binary.BigEndian.AppendUint32(nil, n) }

// eth is an Ethernet frame of any kind.
func eth(kind uint16, payload ...[]byte) []byte {
	return concat([]byte{2, 0, 0, 0, 0, 2, 2, 0, 0, 0, 0, 1}, u16(kind), concat(payload...))
}

func eth4(payload ...[]byte) []byte { return eth(0x0800, payload...) }
func eth6(payload ...[]byte) []byte { return eth(0x86dd, payload...) }

// tag is the inside of a VLAN tag: what follows the kind that announced it.
func tag(id, kind uint16, payload ...[]byte) []byte {
	return concat(u16(id), u16(kind), concat(payload...))
}

// v4 is an IPv4 packet without options.
func v4(src, dst string, proto byte, payload ...[]byte) []byte {
	return v4with(src, dst, proto, nil, 0, 0, payload...)
}

// v4with is an IPv4 packet with options (a multiple of four bytes), identification, and the word of fragment flags and
// offset.
func v4with(src, dst string, proto byte, options []byte, id, fragment uint16, payload ...[]byte) []byte {
	body := concat(payload...)
	length := 20 + len(options)
	return concat(
		[]byte{0x40 | byte(length/4), 0}, u16(uint16(length+len(body))), u16(id), u16(fragment), []byte{64, proto}, u16(0),
		address(src), address(dst), options, body,
	)
}

// v6 is an IPv6 packet; next is the first header that it carries.
func v6(src, dst string, next byte, payload ...[]byte) []byte {
	body := concat(payload...)
	return concat([]byte{0x60, 0, 0, 0}, u16(uint16(len(body))), []byte{next, 64}, address(src), address(dst), body)
}

func address(text string) []byte { return netip.MustParseAddr(text).AsSlice() }

// ext is an IPv6 extension header of 8*units bytes that names the one after it.
func ext(next byte, units int) []byte {
	return concat([]byte{next, byte(units - 1)}, make([]byte, 8*units-2))
}

// ah is an authentication header of 4*words bytes.
func ah(next byte, words int) []byte {
	return concat([]byte{next, byte(words - 2)}, make([]byte, 4*words-2))
}

// frag6 is a fragment header; offset is in units of eight bytes.
func frag6(next byte, offset uint16, more bool, id uint32) []byte {
	word := offset << 3
	if more {
		word |= 1
	}
	return concat([]byte{next, 0}, u16(word), u32(id))
}

func tcp(sport, dport uint16, seq uint32, flags byte, payload ...byte) []byte {
	return concat(u16(sport), u16(dport), u32(seq), u32(0), []byte{0x50, flags}, u16(0xffff), u32(0), payload)
}

func udp(sport, dport uint16, payload ...byte) []byte {
	return concat(u16(sport), u16(dport), u16(uint16(8+len(payload))), u16(0), payload)
}

func sctp(sport, dport uint16, chunk byte) []byte {
	return concat(u16(sport), u16(dport), u32(7), u32(0), []byte{chunk, 0}, u16(20), make([]byte, 16))
}

// icmp is an ICMP or ICMPv6 message; id is the upper half of the word that the type gives its meaning.
func icmp(kind, code byte, id uint16, payload ...[]byte) []byte {
	return concat([]byte{kind, code}, u16(0), u16(id), u16(1), concat(payload...))
}
