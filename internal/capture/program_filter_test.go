package capture

import (
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/bpf"
)

// filterPackets are what the rules are tried on, each by a letter.
var filterPackets = map[rune]struct {
	frame  []byte
	egress bool
}{
	't': {eth4(v4(a4, b4, 6, tcp(1000, 80, 7, syn))), false},
	'T': {eth4(v4(a4, b4, 6, tcp(1000, 80, 7, syn))), true},
	'a': {eth4(v4(b4, a4, 6, tcp(80, 1000, 7, syn|ack))), false},
	'u': {eth4(v4(a4, b4, 17, udp(1000, 53))), false},
	's': {eth4(v4(a4, b4, 132, sctp(8000, 9999, 1))), false},
	'q': {eth4(v4(a4, b4, 1, icmp(8, 0, 80))), false},
	'r': {eth4(v4(b4, a4, 1, icmp(0, 0, 80))), false},
	'x': {eth4(v4(r4, a4, 1, icmp(3, 3, 0, v4(a4, b4, 17, udp(1000, 53))))), false},
	'g': {eth4(v4(a4, b4, 47)), false},
	'6': {eth6(v6(a6, b6, 6, tcp(1000, 80, 7, syn))), false},
	'Q': {eth6(v6(a6, b6, 58, icmp(128, 0, 80))), true},
}

const allPackets = "tTausqrxg6Q"

// TestFilter says which packets the rules let pass, with acceptance and with rejection as default.
func TestFilter(t *testing.T) {
	never := "reject proto 255"
	machines := map[bool]*machine{}
	for _, reject := range []bool{false, true} {
		machines[reject] = newMachine(t, Config{Reject: reject}, never, never, never)
	}
	f := func(reject bool, want string, rules ...string) {
		t.Helper()
		m := machines[reject]
		for len(rules) < 3 {
			rules = append(rules, never)
		}
		compiled, err := ParseRules(rules)
		if err != nil {
			t.Fatal(err)
		}
		if err := putRules(m.SeineRules, compiled); err != nil {
			t.Fatal(err)
		}
		var passed string
		for _, letter := range allPackets {
			p := filterPackets[letter]
			m.run(t, hook{egress: p.egress}, p.frame, nil)
			o := m.take(t)
			if len(o.flows) == 1 {
				passed += string(letter)
				continue
			}
			key := bpf.InterfaceKey{Ifindex: 1}
			if p.egress {
				key.Hook = uint32(egress)
			}
			if got := o.outside[key]["filtered"]; got != (bpf.Volume{Bytes: uint64(len(p.frame)), Packets: 1}) {
				t.Errorf("%q on %c: filtered %v; want its %d bytes", rules, letter, got, len(p.frame))
			}
		}
		if diff := cmp.Diff(want, passed); diff != "" {
			t.Errorf("%q (-want +got):\n%s", rules, diff)
		}
	}
	only := func(condition, want string) {
		t.Helper()
		f(true, want, "accept "+condition)
		var rest string
		for _, letter := range allPackets {
			if !strings.ContainsRune(want, letter) {
				rest += string(letter)
			}
		}
		f(false, rest, "reject "+condition)
	}
	f(false, allPackets)
	f(true, "")
	only("", allPackets)
	only("in", "tausqrxg6")
	only("out", "TQ")
	only("in out", allPackets)
	only("proto tcp", "tTa6")
	only("proto udp", "u")
	only("proto sctp", "s")
	only("proto icmp", "qrx")
	only("proto icmpv6", "Q")
	only("proto 47", "g")
	only("proto 0", "")
	only("src 10.0.0.1", "tTusqg")
	only("dst 10.0.0.1", "arx")
	only("net 10.0.0.1", "tTausqrxg")
	only("net 10.9.0.0/16", "x")
	only("src 10.0.0.0/30", "tTausqrg")
	only("dst 10.0.0.2/31", "tTusqg")
	only("net 0.0.0.0/0", "tTausqrxg")
	only("net ::/0", "6Q")
	only("src ::/0", "6Q")
	only("net ::/64", "")
	only("src 2001:db8::/32", "6Q")
	only("src 2001:db8::1", "6Q")
	only("dst 2001:db8::1", "")
	only("sport 1000", "tTu6")
	only("dport 1000", "a")
	only("port 1000", "tTau6")
	only("port 80", "tTa6")
	only("dport 53,80", "tTu6")
	only("dport 9000-9999", "s")
	only("port 1,2,3,7999-8001", "s")
	only("port 8000-9998", "s")
	only("port 0-65535", "tTaus6")
	only("dport 79", "")
	only("dport 81-9998", "a")
	only("icmp-type 0", "r")
	only("icmp-type 8", "q")
	only("icmp-type 3", "x")
	only("icmp-type 128", "Q")
	only("icmp-code 0", "qrQ")
	only("icmp-code 3", "x")
	only("icmp-type 3 icmp-code 3", "x")
	only("icmp-type 3 icmp-code 0", "")
	only("flags syn", "tTa6")
	only("flags syn/syn,ack", "tT6")
	only("flags syn,ack", "a")
	only("flags ack", "a")
	only("flags fin", "")
	only("flags syn proto tcp in src 10.0.0.0/8 dst 10.0.0.2 sport 1000 dport 80 net 10.0.0.1 port 80", "t")
	only("proto tcp in src 10.0.0.0/8 dst 10.0.0.2 sport 1000 dport 81", "")

	f(true, "tTa", "reject net 2001:db8::/32", "accept proto tcp")
	f(true, "tTa6", "accept proto tcp", "reject net 2001:db8::/32")
	f(false, "ausqrxg6Q", "accept proto udp", "reject sport 1000 src 10.0.0.1", "accept")
	f(false, "T6", "accept out proto tcp", "accept net ::/0 in", "reject")
}

// TestFilterFragments lets the conditions on ports and types hold for later fragments as for the first one.
func TestFilterFragments(t *testing.T) {
	m := newMachine(t, Config{Reject: true}, "accept dport 53", "accept icmp-type 8")
	m.in(t,
		eth4(v4with(a4, b4, 17, nil, 7, more4, udp(1000, 53))), eth4(v4with(a4, b4, 17, nil, 7, 1, []byte{1})),
		eth4(v4with(a4, b4, 1, nil, 8, more4, icmp(8, 0, 77))), eth4(v4with(a4, b4, 1, nil, 8, 1, []byte{1})),
		eth4(v4with(a4, b4, 1, nil, 9, 1, []byte{1})),
	)
	o := m.take(t)
	want := "icmp 10.0.0.1:77 > 10.0.0.2:77 type 8/0 opens 0 | udp 10.0.0.1:1000 > 10.0.0.2:53 | filtered !fragment_unknown"
	if diff := cmp.Diff(want, o.String()); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}

// TestFilterMost loads as many rules as fit; the last one decides.
func TestFilterMost(t *testing.T) {
	rules := make([]string, bpf.MaxRules)
	for i := range rules {
		rules[i] = "accept proto 255"
	}
	rules[len(rules)-1] = "reject proto udp"
	m := newMachine(t, Config{}, rules...)
	m.in(t, eth4(v4(a4, b4, 17, udp(1, 2))), eth4(v4(a4, b4, 6, tcp(1, 2, 3, ack))))
	if got, want := m.take(t).String(), "tcp 10.0.0.1:1 > 10.0.0.2:2 flags 0x10 | filtered"; got != want {
		t.Errorf("%q: want %q", got, want)
	}
}
