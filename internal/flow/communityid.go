package flow

import (
	"crypto/sha1"
	"encoding/base64"
	"encoding/binary"
	"net/netip"
)

// CommunityID returns the Community ID, version 1 with seed 0, of the packets that the client sent: from Src to
// Dst, before any translation. It is empty for a record without addresses.
//
// The algorithm is that of https://github.com/corelight/community-id-spec. Other protocols than TCP, UDP, SCTP
// and ICMP hash without ports.
func CommunityID(r *Record) string {
	if !r.Src.Addr.IsValid() || !r.Dst.Addr.IsValid() {
		return ""
	}
	src, dst, oneWay := communityEnds(r)
	if !oneWay && dst.Compare(src) < 0 {
		src, dst = dst, src
	}
	buf := append(make([]byte, 0, 40), 0, 0) // The seed.
	buf = append(append(buf, src.Addr().AsSlice()...), dst.Addr().AsSlice()...)
	buf = append(buf, byte(r.Proto), 0)
	if r.Proto.HasPorts() || r.Proto.IsICMP() {
		buf = binary.BigEndian.AppendUint16(buf, src.Port())
		buf = binary.BigEndian.AppendUint16(buf, dst.Port())
	}
	sum := sha1.Sum(buf)
	return "1:" + base64.StdEncoding.EncodeToString(sum[:])
}

// communityEnds returns the ends with the ports that the hash takes. For ICMP these are the type and the type of
// the answer; messages that have no answer take type and code, and are not sorted.
func communityEnds(r *Record) (src, dst netip.AddrPort, oneWay bool) {
	if !r.Proto.IsICMP() {
		return r.Src.AddrPort(), r.Dst.AddrPort(), false
	}
	second, answered := r.Proto.icmpAnswer(r.ICMP.Type)
	if !answered {
		second = r.ICMP.Code
	}
	src = netip.AddrPortFrom(r.Src.Addr, uint16(r.ICMP.Type))
	dst = netip.AddrPortFrom(r.Dst.Addr, uint16(second))
	return src, dst, !answered
}

// icmpPairs has the message types that ask and answer each other (IANA "ICMP Parameters" and "ICMPv6 Parameters"),
// the set that Community ID uses.
var icmpPairs = map[Proto][][2]uint8{
	ICMPv4: {{8, 0}, {13, 14}, {15, 16}, {10, 9}, {17, 18}},
	ICMPv6: {{128, 129}, {133, 134}, {135, 136}, {130, 131}, {139, 140}, {144, 145}},
}

// icmpAnswer returns the type of the message that answers, or asked for, a message of the type.
func (p Proto) icmpAnswer(t uint8) (uint8, bool) {
	for _, pair := range icmpPairs[p] {
		switch t {
		case pair[0]:
			return pair[1], true
		case pair[1]:
			return pair[0], true
		}
	}
	return 0, false
}
