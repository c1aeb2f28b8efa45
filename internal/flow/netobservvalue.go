package flow

import (
	"net/netip"
	"strconv"
)

// The functions here append a value of a NetObserv flow log, or nothing where the leg does not have it.

func appendMs(dst []byte, t Time) []byte { return strconv.AppendInt(dst, int64(t)/1e6, 10) }

func appendAddr(dst []byte, a netip.Addr) []byte {
	return append(a.AppendTo(append(dst, '"')), '"')
}

func appendKnown(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	return AppendJSONString(dst, text)
}

func (l leg) appendPort(dst []byte, port uint16) []byte {
	if !l.r.Proto.HasPorts() {
		return dst
	}
	return strconv.AppendUint(dst, uint64(port), 10)
}

// appendEtype appends the EtherType of IPv4 or IPv6 (IANA "IEEE 802 Numbers").
func (l leg) appendEtype(dst []byte) []byte {
	switch a := l.r.Src.Addr; {
	case a.Is4(), a.Is4In6():
		return append(dst, "2048"...)
	case a.Is6():
		return append(dst, "34525"...)
	}
	return dst
}

// appendICMPType appends the type of the leg's messages.
func (l leg) appendICMPType(dst []byte) []byte {
	icmp, ok := l.icmp()
	if !ok {
		return dst
	}
	return strconv.AppendUint(dst, uint64(icmp.Type), 10)
}

// appendICMPCode appends the code of the leg's messages.
func (l leg) appendICMPCode(dst []byte) []byte {
	icmp, ok := l.icmp()
	if !ok {
		return dst
	}
	return strconv.AppendUint(dst, uint64(icmp.Code), 10)
}

// icmp returns type and code of what the client sent, and for the way back those of the answer: answers to
// queries have code 0, and what else came back is not known.
func (l leg) icmp() (ICMP, bool) {
	if !l.r.Proto.IsICMP() || !l.reverse {
		return l.r.ICMP, l.r.Proto.IsICMP()
	}
	answer, ok := l.r.Proto.icmpAnswer(l.r.ICMP.Type)
	return ICMP{Type: answer}, ok
}

func (l leg) appendFlags(dst []byte) []byte {
	if l.r.Proto != TCP {
		return dst
	}
	return l.r.TCPFlags.AppendJSON(dst)
}

func (l leg) appendSampling(dst []byte) []byte {
	if l.r.Sampling == 0 {
		return dst
	}
	return strconv.AppendUint(dst, uint64(l.r.Sampling), 10)
}

func (l leg) appendInterfaces(dst []byte) []byte {
	if l.r.Iface == "" {
		return dst
	}
	return append(AppendJSONString(append(dst, '['), l.r.Iface), ']')
}

func (l leg) appendDirection(dst []byte) []byte {
	direction, ok := l.direction()
	if !ok {
		return dst
	}
	return strconv.AppendInt(dst, int64(direction), 10)
}

func (l leg) appendZone(dst []byte) []byte {
	if l.r.NAT == 0 {
		return dst
	}
	return strconv.AppendUint(dst, uint64(l.r.Zone), 10)
}

func (l leg) appendXlatAddr(dst []byte, a netip.AddrPort) []byte {
	if l.r.NAT == 0 {
		return dst
	}
	return appendAddr(dst, a.Addr())
}

func (l leg) appendXlatPort(dst []byte, a netip.AddrPort) []byte {
	if l.r.NAT == 0 {
		return dst
	}
	return l.appendPort(dst, a.Port())
}
