package capture

import (
	"errors"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"github.com/seine-net/seine/bpf"
)

// RuleSyntax describes a filter rule to a user.
const RuleSyntax = `accept|reject [in|out] [proto P] [src|dst|net CIDR] [sport|dport|port PORTS] [icmp-type N] [icmp-code N] [flags SET[/MASK]]
  P is tcp, udp, sctp, icmp, icmpv6 or a number; PORTS up to four ports or ranges such as 80,443,8000-8999;
  SET and MASK are TCP flags such as syn or syn,ack. net and port match either end.`

// condition parses the value of one keyword into a rule.
type condition func(r *bpf.FilterRule, value string) error

const (
	ruleAccept   = uint32(bpf.CaptureFilterFlagRULE_ACCEPT)
	ruleIngress  = uint32(bpf.CaptureFilterFlagRULE_INGRESS)
	ruleEgress   = uint32(bpf.CaptureFilterFlagRULE_EGRESS)
	ruleProto    = uint32(bpf.CaptureFilterFlagRULE_PROTO)
	ruleICMPType = uint32(bpf.CaptureFilterFlagRULE_ICMP_TYPE)
	ruleICMPCode = uint32(bpf.CaptureFilterFlagRULE_ICMP_CODE)
	ruleSrc      = uint32(bpf.CaptureFilterFlagRULE_SRC)
	ruleDst      = uint32(bpf.CaptureFilterFlagRULE_DST)
	ruleNet      = uint32(bpf.CaptureFilterFlagRULE_NET)
	ruleSport    = uint32(bpf.CaptureFilterFlagRULE_SPORT)
	ruleDport    = uint32(bpf.CaptureFilterFlagRULE_DPORT)
	rulePort     = uint32(bpf.CaptureFilterFlagRULE_PORT)
)

var conditions = map[string]condition{
	"proto":     parseProto,
	"src":       parsePrefix(ruleSrc, func(r *bpf.FilterRule) *bpf.Prefix { return &r.Src }),
	"dst":       parsePrefix(ruleDst, func(r *bpf.FilterRule) *bpf.Prefix { return &r.Dst }),
	"net":       parsePrefix(ruleNet, func(r *bpf.FilterRule) *bpf.Prefix { return &r.Net }),
	"sport":     parsePorts(ruleSport, func(r *bpf.FilterRule) *ranges { return &r.Sport }),
	"dport":     parsePorts(ruleDport, func(r *bpf.FilterRule) *ranges { return &r.Dport }),
	"port":      parsePorts(rulePort, func(r *bpf.FilterRule) *ranges { return &r.Port }),
	"icmp-type": parseByte(ruleICMPType, func(r *bpf.FilterRule) *uint8 { return &r.IcmpType }),
	"icmp-code": parseByte(ruleICMPCode, func(r *bpf.FilterRule) *uint8 { return &r.IcmpCode }),
	"flags":     parseFlags,
}

type ranges = [bpf.RuleRanges]bpf.PortRange

// ParseRules compiles filter rules; at most as many as the kernel side has room for.
func ParseRules(texts []string) ([]bpf.FilterRule, error) {
	if len(texts) > bpf.MaxRules {
		return nil, fmt.Errorf("%d filter rules: want at most %d", len(texts), bpf.MaxRules)
	}
	rules := make([]bpf.FilterRule, len(texts))
	for i, text := range texts {
		var err error
		if rules[i], err = ParseRule(text); err != nil {
			return nil, fmt.Errorf("filter rule %d %q: %w", i+1, text, err)
		}
	}
	return rules, nil
}

// ParseRule compiles one rule of RuleSyntax.
func ParseRule(text string) (bpf.FilterRule, error) {
	r := bpf.FilterRule{Sport: noPorts, Dport: noPorts, Port: noPorts}
	words := strings.Fields(strings.ToLower(text))
	if len(words) == 0 {
		return r, errors.New("want accept or reject first")
	}
	switch words[0] {
	case "accept":
		r.Flags |= ruleAccept
	case "reject":
	default:
		return r, fmt.Errorf("action %q: want accept or reject", words[0])
	}
	seen := make(map[string]bool)
	for words = words[1:]; len(words) > 0; {
		used, err := parseCondition(&r, words, seen)
		if err != nil {
			return r, err
		}
		words = words[used:]
	}
	if seen["flags"] && !seen["proto"] {
		r.Flags |= ruleProto
		r.Proto = protocols["tcp"]
	}
	return r, contradiction(&r, seen)
}

// withPorts are the protocols that have ports, as has_ports of bpf/parse.h lists them, with UDP-Lite and DCCP.
var withPorts = []uint8{protocols["tcp"], protocols["udp"], protocols["sctp"], 136, 33}

// meaningful lists the conditions that only some protocols can fulfil, and what to say of the others.
var meaningful = []struct {
	words     []string
	protocols []uint8
	want      string
}{
	{[]string{"flags"}, []uint8{protocols["tcp"]}, "proto tcp"},
	{[]string{"icmp-type", "icmp-code"}, []uint8{protocols["icmp"], protocols["icmpv6"]}, "proto icmp or icmpv6"},
	{[]string{"sport", "dport", "port"}, withPorts, "proto tcp, udp, sctp, 33 (DCCP) or 136 (UDP-Lite)"},
}

// contradiction refuses a rule that no packet can match, as no protocol has all that it asks for.
func contradiction(r *bpf.FilterRule, seen map[string]bool) error {
	var icmp string
	for _, m := range meaningful {
		for _, word := range m.words {
			switch {
			case !seen[word]:
			case r.Flags&ruleProto != 0 && !slices.Contains(m.protocols, r.Proto):
				return fmt.Errorf("%s: want %s: no packet of another protocol has it", word, m.want)
			case strings.HasPrefix(word, "icmp-"):
				icmp = word
			case icmp != "":
				return fmt.Errorf("%s: want it without %s: no packet has both", word, icmp)
			}
		}
	}
	return nil
}

// parseCondition parses the condition that words begin with and returns how many it took.
func parseCondition(r *bpf.FilterRule, words []string, seen map[string]bool) (int, error) {
	word := words[0]
	if seen[word] {
		return 0, fmt.Errorf("%s is there twice", word)
	}
	seen[word] = true
	switch word {
	case "in":
		r.Flags |= ruleIngress
		return 1, nil
	case "out":
		r.Flags |= ruleEgress
		return 1, nil
	}
	parse := conditions[word]
	if parse == nil {
		return 0, fmt.Errorf("condition %q: want in, out, proto, src, dst, net, sport, dport, port, icmp-type, icmp-code or flags", word)
	}
	if len(words) < 2 {
		return 0, fmt.Errorf("%s: want a value", word)
	}
	if err := parse(r, words[1]); err != nil {
		return 0, fmt.Errorf("%s %q: %w", word, words[1], err)
	}
	return 2, nil
}

var protocols = map[string]uint8{"icmp": 1, "tcp": 6, "udp": 17, "icmpv6": 58, "sctp": 132}

func parseProto(r *bpf.FilterRule, value string) error {
	proto, ok := protocols[value]
	if !ok {
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil {
			return errors.New("want tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255")
		}
		proto = uint8(n)
	}
	r.Flags |= ruleProto
	r.Proto = proto
	return nil
}

func parsePrefix(flag uint32, at func(*bpf.FilterRule) *bpf.Prefix) condition {
	return func(r *bpf.FilterRule, value string) error {
		p, err := netip.ParsePrefix(value)
		if err != nil {
			a, addrErr := netip.ParseAddr(value)
			if addrErr != nil || a.Zone() != "" {
				return errors.New("want an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32")
			}
			p = netip.PrefixFrom(a, a.BitLen())
		}
		p = p.Masked()
		bits := p.Bits()
		if p.Addr().Is4() {
			bits += 96
		}
		to := at(r)
		to.Addr.Bytes = p.Addr().As16()
		for i := range bits {
			to.Mask.Bytes[i/8] |= 0x80 >> (i % 8)
		}
		r.Flags |= flag
		return nil
	}
}

// noPorts are ranges that no port is in.
var noPorts = ranges{{Low: 1}, {Low: 1}, {Low: 1}, {Low: 1}}

func parsePorts(flag uint32, at func(*bpf.FilterRule) *ranges) condition {
	return func(r *bpf.FilterRule, value string) error {
		parts := strings.Split(value, ",")
		if len(parts) > bpf.RuleRanges {
			return fmt.Errorf("want at most %d ports or ranges", bpf.RuleRanges)
		}
		to := at(r)
		for i, part := range parts {
			low, high, isRange := strings.Cut(part, "-")
			if !isRange {
				high = low
			}
			l, err1 := strconv.ParseUint(low, 10, 16)
			h, err2 := strconv.ParseUint(high, 10, 16)
			if err1 != nil || err2 != nil || l > h {
				return fmt.Errorf("%q: want a port from 0 to 65535 or a range such as 8000-8999", part)
			}
			to[i] = bpf.PortRange{Low: uint16(l), High: uint16(h)}
		}
		r.Flags |= flag
		return nil
	}
}

func parseByte(flag uint32, at func(*bpf.FilterRule) *uint8) condition {
	return func(r *bpf.FilterRule, value string) error {
		n, err := strconv.ParseUint(value, 10, 8)
		if err != nil {
			return errors.New("want a number from 0 to 255")
		}
		*at(r) = uint8(n)
		r.Flags |= flag
		return nil
	}
}

var flagBits = map[string]uint8{"fin": 1, "syn": 2, "rst": 4, "psh": 8, "ack": 16, "urg": 32, "ece": 64, "cwr": 128}

// parseFlags parses SET/MASK: of the flags in MASK exactly those in SET are set. Without MASK it is SET.
func parseFlags(r *bpf.FilterRule, value string) error {
	set, mask, masked := strings.Cut(value, "/")
	var err error
	if r.TcpValue, err = flagSet(set); err != nil {
		return err
	}
	r.TcpMask = r.TcpValue
	if masked {
		if r.TcpMask, err = flagSet(mask); err != nil {
			return err
		}
	}
	if r.TcpValue&^r.TcpMask != 0 {
		return errors.New("want every flag of SET to be in MASK")
	}
	return nil
}

func flagSet(text string) (uint8, error) {
	var set uint8
	for name := range strings.SplitSeq(text, ",") {
		bit, ok := flagBits[name]
		if !ok {
			return 0, fmt.Errorf("%q: want fin, syn, rst, psh, ack, urg, ece or cwr", name)
		}
		set |= bit
	}
	return set, nil
}
