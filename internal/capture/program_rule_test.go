package capture

import (
	"strings"
	"testing"

	"github.com/seine-net/seine/bpf"
)

// wrongRules are texts that ParseRule refuses, and what it says.
var wrongRules = map[string]string{
	"":                                "want accept or reject first",
	"  \t":                            "want accept or reject first",
	"drop":                            `action "drop": want accept or reject`,
	"in accept":                       `action "in": want accept or reject`,
	"accept in in":                    "in is there twice",
	"accept proto tcp proto tcp":      "proto is there twice",
	"accept from 10.0.0.1":            `condition "from": want in, out, proto, src, dst, net, sport, dport, port, icmp-type, icmp-code or flags`,
	"accept proto":                    "proto: want a value",
	"accept in src":                   "src: want a value",
	"accept proto gre":                `proto "gre": want tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255`,
	"accept proto 256":                `proto "256": want tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255`,
	"accept proto -1":                 `proto "-1": want tcp, udp, sctp, icmp, icmpv6 or a number from 0 to 255`,
	"accept src 10.0.0":               `src "10.0.0": want an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32`,
	"accept dst 10.0.0.0/33":          `dst "10.0.0.0/33": want an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32`,
	"accept net 2001:db8::/129":       `net "2001:db8::/129": want an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32`,
	"accept net fe80::1%eth0":         `net "fe80::1%eth0": want an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32`,
	"accept net host.example":         `net "host.example": want an address or a CIDR such as 10.0.0.0/8 or 2001:db8::/32`,
	"accept sport http":               `sport "http": "http": want a port from 0 to 65535 or a range such as 8000-8999`,
	"accept dport 65536":              `dport "65536": "65536": want a port from 0 to 65535 or a range such as 8000-8999`,
	"accept dport 9-8":                `dport "9-8": "9-8": want a port from 0 to 65535 or a range such as 8000-8999`,
	"accept dport 8-":                 `dport "8-": "8-": want a port from 0 to 65535 or a range such as 8000-8999`,
	"accept dport 1-2-3":              `dport "1-2-3": "1-2-3": want a port from 0 to 65535 or a range such as 8000-8999`,
	"accept port 80,":                 `port "80,": "": want a port from 0 to 65535 or a range such as 8000-8999`,
	"accept port 1,2,3,4,5":           `port "1,2,3,4,5": want at most 4 ports or ranges`,
	"accept icmp-type 256":            `icmp-type "256": want a number from 0 to 255`,
	"accept icmp-type echo":           `icmp-type "echo": want a number from 0 to 255`,
	"accept icmp-code -1":             `icmp-code "-1": want a number from 0 to 255`,
	"accept flags none":               `flags "none": "none": want fin, syn, rst, psh, ack, urg, ece or cwr`,
	"accept flags syn,":               `flags "syn,": "": want fin, syn, rst, psh, ack, urg, ece or cwr`,
	"accept flags syn/":               `flags "syn/": "": want fin, syn, rst, psh, ack, urg, ece or cwr`,
	"accept flags syn,ack/syn":        `flags "syn,ack/syn": want every flag of SET to be in MASK`,
	"accept proto udp flags syn":      "flags: want proto tcp: no packet of another protocol has it",
	"accept flags syn proto icmp":     "flags: want proto tcp: no packet of another protocol has it",
	"reject proto tcp icmp-type 8":    "icmp-type: want proto icmp or icmpv6: no packet of another protocol has it",
	"reject icmp-code 3 proto udp":    "icmp-code: want proto icmp or icmpv6: no packet of another protocol has it",
	"reject flags syn icmp-type 8":    "icmp-type: want proto icmp or icmpv6: no packet of another protocol has it",
	"reject proto icmp port 80":       "port: want proto tcp, udp, sctp, 33 (DCCP) or 136 (UDP-Lite): no packet of another protocol has it",
	"reject dport 53 proto 47":        "dport: want proto tcp, udp, sctp, 33 (DCCP) or 136 (UDP-Lite): no packet of another protocol has it",
	"reject icmp-type 8 sport 53":     "sport: want it without icmp-type: no packet has both",
	"reject port 53 icmp-code 0":      "port: want it without icmp-code: no packet has both",
	"accept port 80 dport 1 port 443": "port is there twice",
}

// TestParseRuleProtocols compiles conditions beside every protocol that can fulfil them.
func TestParseRuleProtocols(t *testing.T) {
	for _, text := range []string{
		"reject port 1", "reject proto tcp port 1", "reject proto udp sport 1", "reject proto sctp dport 1",
		"reject proto 33 port 1", "reject proto 136 port 1", "reject flags syn port 1", "reject proto tcp flags syn",
		"reject icmp-type 8", "reject proto icmp icmp-type 8", "reject proto icmpv6 icmp-type 128 icmp-code 0",
	} {
		if _, err := ParseRule(text); err != nil {
			t.Errorf("%q: %v", text, err)
		}
	}
}

func TestParseRuleErrors(t *testing.T) {
	for text, want := range wrongRules {
		if _, err := ParseRule(text); err == nil || err.Error() != want {
			t.Errorf("%q: error %v; want %s", text, err, want)
		}
	}
	if _, err := ParseRules([]string{"accept", "drop"}); err == nil || err.Error() != `filter rule 2 "drop": action "drop": want accept or reject` {
		t.Errorf("second rule wrong: error %v; want its number and text", err)
	}
	if _, err := ParseRules(make([]string, bpf.MaxRules+1)); err == nil || err.Error() != "17 filter rules: want at most 16" {
		t.Errorf("too many rules: error %v; want the most there can be", err)
	}
}

// FuzzParseRule holds that a rule is compiled or refused, that upper case and space do not matter, and that what is
// compiled is in the form that the programs rely on.
func FuzzParseRule(f *testing.F) {
	for text := range wrongRules {
		f.Add(text)
	}
	f.Add("accept in out proto tcp src 10.0.0.0/8 dst 2001:db8::/32 net 10.1.2.3 sport 1 dport 2-3 port 4,5 flags syn/syn,ack")
	f.Add("reject icmp-type 3 icmp-code 0 proto icmp")
	f.Fuzz(func(t *testing.T, text string) {
		r, err := ParseRule(text)
		if err != nil {
			if err.Error() == "" {
				t.Errorf("%q: empty error", text)
			}
			return
		}
		spaced, err := ParseRule(" " + strings.Join(strings.Fields(strings.ToLower(text)), "\t ") + "\n")
		if err != nil || spaced != r {
			t.Errorf("%q: %+v, %v in lower case and with other space; want %+v", text, spaced, err, r)
		}
		for flag, p := range map[uint32]bpf.Prefix{ruleSrc: r.Src, ruleDst: r.Dst, ruleNet: r.Net} {
			checkPrefix(t, text, r.Flags&flag != 0, p)
		}
		for flag, ports := range map[uint32]ranges{ruleSport: r.Sport, ruleDport: r.Dport, rulePort: r.Port} {
			if set := ports != noPorts; set != (r.Flags&flag != 0) {
				t.Errorf("%q: flags %#x with ports %v: want both or none", text, r.Flags, ports)
			}
		}
		if r.TcpValue&^r.TcpMask != 0 || r.TcpMask != 0 && (r.Flags&ruleProto == 0 || r.Proto != 6) || r.Pad != [7]uint8{} {
			t.Errorf("%q: %+v: want flags within their mask and for TCP alone", text, r)
		}
	})
}

// checkPrefix wants a mask of leading ones, and no bit of the address beyond it.
func checkPrefix(t *testing.T, text string, inForce bool, p bpf.Prefix) {
	t.Helper()
	if !inForce && p != (bpf.Prefix{}) {
		t.Errorf("%q: prefix %v is not in force: want zero", text, p)
	}
	ended := false
	for i := range 128 {
		bit := byte(0x80) >> (i % 8)
		one := p.Mask.Bytes[i/8]&bit != 0
		if one && ended || !one && p.Addr.Bytes[i/8]&bit != 0 {
			t.Fatalf("%q: prefix %v: want a mask of leading ones that covers the address", text, p)
		}
		ended = ended || !one
	}
}
