package capture

import (
	"bytes"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/bpf"
)

const (
	a4, b4, r4 = "10.0.0.1", "10.0.0.2", "10.9.9.9"
	a6, b6, r6 = "2001:db8::1", "2001:db8::2", "2001:db8:9::9"
)

// Fragment words of IPv4: more to come, and an offset in units of eight bytes.
const (
	more4 = 0x2000
	off4  = 185
)

// parseCase is a packet and what it is: see counted.String, or a reason why it is in no flow.
type parseCase struct {
	name  string
	frame []byte
	want  string
}

func options(words int) []byte { return bytes.Repeat([]byte{1}, 4*words) }

// chain is n destination options headers in front of UDP.
func chain(n int) []byte {
	var out []byte
	for i := range n {
		next := byte(60)
		if i == n-1 {
			next = 17
		}
		out = append(out, ext(next, 1)...)
	}
	return append(out, udp(1000, 53)...)
}

// edited changes one byte of a packet.
func edited(packet []byte, at int, value byte) []byte {
	out := bytes.Clone(packet)
	out[at] = value
	return out
}

var parseCases = []parseCase{
	{"tcp", eth4(v4(a4, b4, 6, tcp(1000, 80, 7, 2))), "tcp 10.0.0.1:1000 > 10.0.0.2:80 flags 0x02 opens 7"},
	{"tcp with every flag", eth4(v4(b4, a4, 6, tcp(80, 1000, 7, 0xff))), "tcp 10.0.0.2:80 > 10.0.0.1:1000 flags 0xff"},
	{"tcp syn ack", eth4(v4(b4, a4, 6, tcp(80, 1000, 7, 0x12))), "tcp 10.0.0.2:80 > 10.0.0.1:1000 flags 0x12"},
	{"tcp syn of explicit congestion notification", eth4(v4(a4, b4, 6, tcp(1, 2, 7, 0xc2))), "tcp 10.0.0.1:1 > 10.0.0.2:2 flags 0xc2 opens 7"},
	{"udp", eth4(v4(a4, b4, 17, udp(1000, 53, 1, 2, 3))), "udp 10.0.0.1:1000 > 10.0.0.2:53"},
	{"udp to itself", eth4(v4(a4, a4, 17, udp(53, 1000))), "udp 10.0.0.1:53 > 10.0.0.1:1000"},
	{"udp-lite", eth4(v4(a4, b4, 136, udp(1000, 53))), "136 10.0.0.1:1000 > 10.0.0.2:53"},
	{"dccp", eth4(v4(a4, b4, 33, udp(1000, 53))), "33 10.0.0.1:1000 > 10.0.0.2:53"},
	{"sctp init", eth4(v4(a4, b4, 132, sctp(1000, 9, 1))), "sctp 10.0.0.1:1000 > 10.0.0.2:9 opens 0"},
	{"sctp data", eth4(v4(a4, b4, 132, sctp(1000, 9, 0))), "sctp 10.0.0.1:1000 > 10.0.0.2:9"},
	{"gre", eth4(v4(a4, b4, 47, udp(1000, 53))), "47 10.0.0.1:0 > 10.0.0.2:0"},
	{"esp", eth4(v4(a4, b4, 50, udp(1000, 53))), "50 10.0.0.1:0 > 10.0.0.2:0"},
	{"protocol 0", eth4(v4(a4, b4, 0, udp(1000, 53))), "0 10.0.0.1:0 > 10.0.0.2:0"},
	{"protocol 255", eth4(v4(a4, b4, 255, udp(1000, 53))), "255 10.0.0.1:0 > 10.0.0.2:0"},

	{"tcp over ipv6", eth6(v6(a6, b6, 6, tcp(1000, 80, 7, 2))), "tcp [2001:db8::1]:1000 > [2001:db8::2]:80 flags 0x02 opens 7"},
	{"udp over ipv6", eth6(v6(b6, a6, 17, udp(53, 1000))), "udp [2001:db8::2]:53 > [2001:db8::1]:1000"},
	{"sctp over ipv6", eth6(v6(a6, b6, 132, sctp(1000, 9, 1))), "sctp [2001:db8::1]:1000 > [2001:db8::2]:9 opens 0"},
	{"no next header", eth6(v6(a6, b6, 59, udp(1000, 53))), "59 [2001:db8::1]:0 > [2001:db8::2]:0"},
	{"esp over ipv6", eth6(v6(a6, b6, 50, udp(1000, 53))), "50 [2001:db8::1]:0 > [2001:db8::2]:0"},
	{"version 7", eth6(edited(v6(a6, b6, 17, udp(1000, 53)), 0, 0x70)), "malformed"},
	{"version 4 in ipv6", eth6(edited(v6(a6, b6, 17, udp(1000, 53)), 0, 0x45)), "malformed"},

	{"version 6 in ipv4", eth4(edited(v4(a4, b4, 17, udp(1000, 53)), 0, 0x65)), "malformed"},
	{"version 0", eth4(edited(v4(a4, b4, 17, udp(1000, 53)), 0, 0x05)), "malformed"},
	{"ihl 4", eth4(edited(v4(a4, b4, 17, udp(1000, 53)), 0, 0x44)), "malformed"},
	{"ihl 0", eth4(edited(v4(a4, b4, 17, udp(1000, 53)), 0, 0x40)), "malformed"},
	{"ihl beyond the end", eth4(edited(v4(a4, b4, 17, udp(1000, 53)), 0, 0x4f)), "udp 10.0.0.1:0 > 10.0.0.2:0 !truncated"},

	{"hop-by-hop", eth6(v6(a6, b6, 0, ext(17, 1), udp(1, 2))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"routing", eth6(v6(a6, b6, 43, ext(6, 3), tcp(1, 2, 3, 16))), "tcp [2001:db8::1]:1 > [2001:db8::2]:2 flags 0x10"},
	{"destination options", eth6(v6(a6, b6, 60, ext(17, 2), udp(1, 2))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"authentication header", eth6(v6(a6, b6, 51, ah(17, 6), udp(1, 2))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"authentication header of IPv4", eth4(v4(a4, b4, 51, ah(17, 6), udp(1, 2))), "51 10.0.0.1:0 > 10.0.0.2:0"},
	{"mobility", eth6(v6(a6, b6, 135, ext(59, 2))), "59 [2001:db8::1]:0 > [2001:db8::2]:0"},
	{"hip", eth6(v6(a6, b6, 139, ext(59, 5))), "59 [2001:db8::1]:0 > [2001:db8::2]:0"},
	{"shim6", eth6(v6(a6, b6, 140, ext(17, 1), udp(1, 2))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"one of each", eth6(v6(a6, b6, 0, ext(60, 1), ext(43, 1), ext(44, 1), frag6(51, 0, false, 9), ah(135, 4), ext(6, 1), tcp(1, 2, 3, 2))), "tcp [2001:db8::1]:1 > [2001:db8::2]:2 flags 0x02 opens 3"},
	{"the longest header", eth6(v6(a6, b6, 60, ext(17, 256), udp(1, 2))), "udp [2001:db8::1]:0 > [2001:db8::2]:0 !truncated"},
	{"a long header within reach", eth6(v6(a6, b6, 60, ext(17, 121), udp(1, 2))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"header beyond the end", eth6(v6(a6, b6, 60, edited(ext(17, 1), 1, 200), udp(1, 2))), "udp [2001:db8::1]:0 > [2001:db8::2]:0 !truncated"},
	{"extension header cut short", eth6(v6(a6, b6, 60, ext(17, 1)[:7])), "60 [2001:db8::1]:0 > [2001:db8::2]:0 !truncated"},

	{"vlan", eth(0x8100, tag(5, 0x0800, v4(a4, b4, 17, udp(1, 2)))), "udp 10.0.0.1:1 > 10.0.0.2:2"},
	{"vlan and ipv6", eth(0x8100, tag(5, 0x86dd, v6(a6, b6, 17, udp(1, 2)))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"service tag alone", eth(0x88a8, tag(5, 0x0800, v4(a4, b4, 17, udp(1, 2)))), "udp 10.0.0.1:1 > 10.0.0.2:2"},
	{"qinq", eth(0x88a8, tag(5, 0x8100, tag(6, 0x0800, v4(a4, b4, 17, udp(1, 2))))), "udp 10.0.0.1:1 > 10.0.0.2:2"},
	{"two customer tags", eth(0x8100, tag(5, 0x8100, tag(6, 0x86dd, v6(a6, b6, 17, udp(1, 2))))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"three tags", eth(0x88a8, tag(5, 0x8100, tag(6, 0x8100, tag(7, 0x0800, v4(a4, b4, 17, udp(1, 2)))))), "not_ip"},
	{"vlan of arp", eth(0x8100, tag(5, 0x0806, make([]byte, 28))), "not_ip"},
	{"vlan cut short", eth(0x8100, []byte{0, 5, 8}), "not_ip"},
	{"arp", eth(0x0806, make([]byte, 28)), "not_ip"},
	{"lldp", eth(0x88cc, make([]byte, 46)), "not_ip"},
	{"802.3 length", eth(46, make([]byte, 46)), "not_ip"},
	{"ipv4 under another ethertype", eth(0x1234, v4(a4, b4, 17, udp(1, 2))), "not_ip"},

	{"echo request", eth4(v4(a4, b4, 1, icmp(8, 0, 77))), "icmp 10.0.0.1:77 > 10.0.0.2:77 type 8/0 opens 0"},
	{"echo reply", eth4(v4(b4, a4, 1, icmp(0, 0, 77))), "icmp 10.0.0.2:77 > 10.0.0.1:77 type 8/0"},
	{"timestamp request", eth4(v4(a4, b4, 1, icmp(13, 0, 77))), "icmp 10.0.0.1:77 > 10.0.0.2:77 type 13/0 opens 0"},
	{"timestamp reply", eth4(v4(b4, a4, 1, icmp(14, 0, 77))), "icmp 10.0.0.2:77 > 10.0.0.1:77 type 13/0"},
	{"information request", eth4(v4(a4, b4, 1, icmp(15, 0, 77))), "icmp 10.0.0.1:77 > 10.0.0.2:77 type 15/0 opens 0"},
	{"information reply", eth4(v4(b4, a4, 1, icmp(16, 0, 77))), "icmp 10.0.0.2:77 > 10.0.0.1:77 type 15/0"},
	{"address mask request", eth4(v4(a4, b4, 1, icmp(17, 0, 77))), "icmp 10.0.0.1:77 > 10.0.0.2:77 type 17/0 opens 0"},
	{"address mask reply", eth4(v4(b4, a4, 1, icmp(18, 0, 77))), "icmp 10.0.0.2:77 > 10.0.0.1:77 type 17/0"},
	{"router solicitation", eth4(v4(a4, b4, 1, icmp(10, 0, 77))), "icmp 10.0.0.1:0 > 10.0.0.2:0 type 10/0"},
	{"echo request over ipv6", eth6(v6(a6, b6, 58, icmp(128, 0, 77))), "icmpv6 [2001:db8::1]:77 > [2001:db8::2]:77 type 128/0 opens 0"},
	{"echo reply over ipv6", eth6(v6(b6, a6, 58, icmp(129, 0, 77))), "icmpv6 [2001:db8::2]:77 > [2001:db8::1]:77 type 128/0"},
	{"neighbour solicitation", eth6(v6(a6, b6, 58, icmp(135, 0, 77, make([]byte, 16)))), "icmpv6 [2001:db8::1]:0 > [2001:db8::2]:0 type 135/0"},
	{"listener report", eth6(v6(a6, "ff02::16", 0, ext(58, 1), icmp(143, 0, 0))), "icmpv6 [2001:db8::1]:0 > [ff02::16]:0 type 143/0"},

	{"port unreachable", eth4(v4(r4, a4, 1, icmp(3, 3, 0, v4(a4, b4, 17, udp(1000, 53))))), "icmp 10.9.9.9:53 > 10.0.0.1:1000 type 3/3 quotes udp to 10.0.0.2"},
	{"unreachable for tcp", eth4(v4(r4, a4, 1, icmp(3, 1, 0, v4(a4, b4, 6, tcp(1000, 80, 7, 2)[:8])))), "icmp 10.9.9.9:80 > 10.0.0.1:1000 type 3/1 quotes tcp to 10.0.0.2"},
	{"unreachable for sctp with options", eth4(v4(r4, a4, 1, icmp(3, 1, 0, v4with(a4, b4, 132, options(3), 0, 0, sctp(1000, 9, 1)[:8])))), "icmp 10.9.9.9:9 > 10.0.0.1:1000 type 3/1 quotes sctp to 10.0.0.2"},
	{"source quench", eth4(v4(r4, a4, 1, icmp(4, 0, 0, v4(a4, b4, 17, udp(1000, 53))))), "icmp 10.9.9.9:53 > 10.0.0.1:1000 type 4/0 quotes udp to 10.0.0.2"},
	{"redirect", eth4(v4(r4, a4, 1, icmp(5, 1, 0, v4(a4, b4, 17, udp(1000, 53))))), "icmp 10.9.9.9:53 > 10.0.0.1:1000 type 5/1 quotes udp to 10.0.0.2"},
	{"time exceeded for an echo", eth4(v4(r4, a4, 1, icmp(11, 0, 0, v4(a4, b4, 1, icmp(8, 0, 77))))), "icmp 10.9.9.9:77 > 10.0.0.1:77 type 11/0 quotes icmp to 10.0.0.2"},
	{"time exceeded for an error", eth4(v4(r4, a4, 1, icmp(11, 0, 0, v4(a4, b4, 1, icmp(3, 0, 77))))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 11/0"},
	{"parameter problem", eth4(v4(r4, a4, 1, icmp(12, 0, 0, v4(a4, b4, 17, udp(1000, 53))))), "icmp 10.9.9.9:53 > 10.0.0.1:1000 type 12/0 quotes udp to 10.0.0.2"},
	{"unreachable for gre", eth4(v4(r4, a4, 1, icmp(3, 2, 0, v4(a4, b4, 47, udp(1, 2))))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 3/2"},
	{"unreachable for a first fragment", eth4(v4(r4, a4, 1, icmp(3, 4, 0, v4with(a4, b4, 17, nil, 7, more4, udp(1, 2))))), "icmp 10.9.9.9:2 > 10.0.0.1:1 type 3/4 quotes udp to 10.0.0.2"},
	{"unreachable for a later fragment", eth4(v4(r4, a4, 1, icmp(3, 4, 0, v4with(a4, b4, 17, nil, 7, off4, udp(1, 2))))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 3/4"},
	{"unreachable, ports cut off", eth4(v4(r4, a4, 1, icmp(3, 3, 0, v4(a4, b4, 17, udp(1000, 53)[:3])))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 3/3"},
	{"unreachable, echo cut off", eth4(v4(r4, a4, 1, icmp(3, 3, 0, v4(a4, b4, 1, icmp(8, 0, 77)[:7])))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 3/3"},
	{"unreachable, quote cut off", eth4(v4(r4, a4, 1, icmp(3, 3, 0, v4(a4, b4, 17)[:19]))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 3/3"},
	{"unreachable, bad quote", eth4(v4(r4, a4, 1, icmp(3, 3, 0, edited(v4(a4, b4, 17, udp(1, 2)), 0, 0x44)))), "icmp 10.9.9.9:0 > 10.0.0.1:0 type 3/3"},
	{"unreachable over ipv6", eth6(v6(r6, a6, 58, icmp(1, 4, 0, v6(a6, b6, 17, udp(1000, 53))))), "icmpv6 [2001:db8:9::9]:53 > [2001:db8::1]:1000 type 1/4 quotes udp to 2001:db8::2"},
	{"too big for tcp", eth6(v6(r6, a6, 58, icmp(2, 0, 0, v6(a6, b6, 6, tcp(1000, 80, 1, 16))))), "icmpv6 [2001:db8:9::9]:80 > [2001:db8::1]:1000 type 2/0 quotes tcp to 2001:db8::2"},
	{"time exceeded for an echo over ipv6", eth6(v6(r6, a6, 58, icmp(3, 0, 0, v6(a6, b6, 58, icmp(128, 0, 77))))), "icmpv6 [2001:db8:9::9]:77 > [2001:db8::1]:77 type 3/0 quotes icmpv6 to 2001:db8::2"},
	{"parameter problem over ipv6", eth6(v6(r6, a6, 58, icmp(4, 1, 0, v6(a6, b6, 132, sctp(1, 2, 1))))), "icmpv6 [2001:db8:9::9]:2 > [2001:db8::1]:1 type 4/1 quotes sctp to 2001:db8::2"},
	{"unreachable for gre over ipv6", eth6(v6(r6, a6, 58, icmp(1, 0, 0, v6(a6, b6, 47, udp(1, 2))))), "icmpv6 [2001:db8:9::9]:0 > [2001:db8::1]:0 type 1/0"},
	{"unreachable for neighbour solicitation", eth6(v6(r6, a6, 58, icmp(1, 0, 0, v6(a6, b6, 58, icmp(135, 0, 77))))), "icmpv6 [2001:db8:9::9]:0 > [2001:db8::1]:0 type 1/0"},
	{"private error of ipv6", eth6(v6(r6, a6, 58, icmp(100, 0, 0, v6(a6, b6, 17, udp(1, 2))))), "icmpv6 [2001:db8:9::9]:0 > [2001:db8::1]:0 type 100/0"},

	{"fragment of its own", eth6(v6(a6, b6, 44, frag6(17, 0, false, 1), udp(1, 2))), "udp [2001:db8::1]:1 > [2001:db8::2]:2"},
	{"unknown later fragment", eth4(v4with(a4, b4, 17, nil, 99, off4, udp(1, 2))), "udp 10.0.0.1:0 > 10.0.0.2:0 !fragment_unknown"},
	{"unknown later fragment of ipv6", eth6(v6(a6, b6, 44, frag6(6, off4, true, 99), tcp(1, 2, 3, 2))), "tcp [2001:db8::1]:0 > [2001:db8::2]:0 !fragment_unknown"},
	{"later fragment of a portless protocol", eth4(v4with(a4, b4, 47, nil, 99, off4, udp(1, 2))), "47 10.0.0.1:0 > 10.0.0.2:0"},
	{"the last offset", eth4(v4with(a4, b4, 17, nil, 99, 0x1fff, udp(1, 2))), "udp 10.0.0.1:0 > 10.0.0.2:0 !fragment_unknown"},
	{"don't fragment is no fragment", eth4(v4with(a4, b4, 17, nil, 99, 0x4000, udp(1, 2))), "udp 10.0.0.1:1 > 10.0.0.2:2"},
	{"the reserved bit is no fragment", eth4(v4with(a4, b4, 17, nil, 99, 0x8000, udp(1, 2))), "udp 10.0.0.1:1 > 10.0.0.2:2"},
}

func init() {
	for words := range 11 {
		parseCases = append(parseCases, parseCase{
			fmt.Sprintf("ihl %d", 5+words), eth4(v4with(a4, b4, 6, options(words), 0, 0, tcp(1000, 80, 7, 16))),
			"tcp 10.0.0.1:1000 > 10.0.0.2:80 flags 0x10",
		})
	}
	for n := 1; n <= mostExtensions+1; n++ {
		want := "udp [2001:db8::1]:1000 > [2001:db8::2]:53"
		if n > mostExtensions {
			want = "60 [2001:db8::1]:0 > [2001:db8::2]:0 !extension_headers"
		}
		parseCases = append(parseCases, parseCase{fmt.Sprintf("%d extension headers", n), eth6(v6(a6, b6, 60, chain(n))), want})
	}
}

// TestParse says what the programs make of one packet at each hook. The reference parser must agree, so that fuzzing
// has something to hold on to.
func TestParse(t *testing.T) {
	m := newMachine(t, Config{})
	for _, c := range parseCases {
		for _, h := range []hook{{}, {egress: true}} {
			t.Run(fmt.Sprintf("%s/egress=%t", c.name, h.egress), func(t *testing.T) {
				m.run(t, h, c.frame, nil)
				got := m.take(t)
				if diff := cmp.Diff(c.want, got.String()); diff != "" {
					t.Errorf("programs (-want +got):\n%s\npacket % x", diff, c.frame)
				}
				checkAccount(t, got, h, c.frame)
				m.runAgain(t, got, h, c.frame)
			})
		}
		if got := newReference().decodeFrame(c.frame).String(); got != c.want {
			t.Errorf("%s: the reference says %q, the table %q", c.name, got, c.want)
		}
	}
}

// checkAccount fails unless one packet is accounted for exactly once: its bytes at its hook, in its direction, under
// a well-formed key.
func checkAccount(t *testing.T, got outcome, h hook, frame []byte) {
	t.Helper()
	want := bpf.Volume{Bytes: uint64(len(frame)), Packets: 1}
	side := bpf.CaptureHookHOOK_INGRESS
	if h.egress {
		side = bpf.CaptureHookHOOK_EGRESS
	}
	if sum := got.bytes(); sum != want.Bytes {
		t.Errorf("%d bytes accounted for: want %d; %v", sum, want.Bytes, got)
	}
	if len(got.flows) == 0 {
		reasons := got.outside[bpf.InterfaceKey{Ifindex: 1, Hook: uint32(side)}]
		for _, v := range reasons {
			if v != want {
				t.Errorf("outside of flows %v: want %v once", got.outside, want)
			}
		}
		return
	}
	f := got.only(t)
	wanted := bpf.FlowValue{
		FirstNs: f.value.LastNs, LastNs: f.value.LastNs, FirstDir: f.value.FirstDir & 1, Sampling: 1,
		// These are the parser's, and compared as text.
		Isn: f.value.Isn, Opened: f.value.Opened, TcpFlags: f.value.TcpFlags, QuotedProto: f.value.QuotedProto, QuotedDst: f.value.QuotedDst,
	}
	wanted.Count[wanted.FirstDir][side] = want
	wanted.Marks[wanted.FirstDir][side].ZeroWindows = f.value.Marks[wanted.FirstDir][side].ZeroWindows & 1
	if f.value.TcpFlags[wanted.FirstDir]&rst != 0 {
		wanted.Marks[wanted.FirstDir][side].Resets = 1
	}
	other := 1 - wanted.FirstDir
	wanted.Isn[other], wanted.Opened[other], wanted.TcpFlags[other] = 0, 0, 0
	if f.value != wanted || f.value.LastNs == 0 {
		t.Errorf("value %+v: want %+v", f.value, wanted)
	}
	if f.key.Ifindex != 1 || f.key.Pad1 != 0 || f.key.Pad2 != 0 || f.key.Gen != 0 {
		t.Errorf("key %+v: want interface 1 and zero padding", f.key)
	}
}

func newReference() *reference { return &reference{fragments: make(map[datagram]carried)} }

// TestParseTruncated cuts every packet of the table at every byte that the kernel takes.
func TestParseTruncated(t *testing.T) {
	m := newMachine(t, Config{})
	for _, c := range parseCases {
		for length := shortest; length <= min(len(c.frame), 300); length++ {
			cut := runnable(c.frame[:length])
			m.in(t, cut)
			got := m.take(t)
			checkAccount(t, got, hook{}, cut)
			if want := newReference().decodeFrame(cut).String(); got.String() != want {
				t.Errorf("%s cut to %d bytes: %q; want %q; packet % x", c.name, length, got, want, cut)
			}
			m.forgetFragmentsOf(t, c.frame)
		}
	}
}

// shortest is the least that a test run takes of an Ethernet frame: its header and a byte.
const shortest = 15

// runnable returns the frame, behind one more VLAN tag where the kernel would not take it for a test run: it wants a
// whole IP header behind an ethertype of IP.
func runnable(frame []byte) []byte {
	need := map[uint16]int{0x0800: 34, 0x86dd: 54}
	if len(frame) >= need[be16(frame[12:])] {
		return frame
	}
	return concat(frame[:12], u16(0x8100), u16(5), frame[12:])
}

// forgetFragmentsOf empties the map of fragments where a packet may have left one.
func (m *machine) forgetFragmentsOf(t *testing.T, frame []byte) {
	r := newReference()
	r.decodeFrame(frame)
	if len(r.fragments) > 0 {
		m.forgetFragments(t)
	}
}

// TestParseWithoutLinkLayer runs the programs of tunnels. A test run takes the ethertype from where it lies in an
// Ethernet frame, which is in the source address here.
func TestParseWithoutLinkLayer(t *testing.T) {
	m := newMachine(t, Config{})
	f := func(name string, packet []byte, want string) {
		t.Helper()
		for _, h := range []hook{{l3: true}, {l3: true, egress: true}} {
			m.run(t, h, packet, nil)
			got := m.take(t)
			if got.String() != want {
				t.Errorf("%s: %q; want %q", name, got, want)
			}
			checkAccount(t, got, h, packet)
			m.runAgain(t, got, h, packet)
		}
	}
	f("tcp", v4("8.0.0.1", b4, 6, tcp(1000, 80, 7, 2)), "tcp 8.0.0.1:1000 > 10.0.0.2:80 flags 0x02 opens 7")
	f("udp over ipv6", v6("2001:db8:86dd::1", b6, 17, udp(1, 2, 1, 2, 3, 4, 5, 6)), "udp [2001:db8:86dd::1]:1 > [2001:db8::2]:2")
	f("another ethertype", v4("8.6.0.1", b4, 6, tcp(1000, 80, 7, 2)), "not_ip")
	f("ipv6 under the ethertype of ipv4", v6("2001:db8:800::1", b6, 17, udp(1, 2)), "malformed")
	f("ipv4 under the ethertype of ipv6", concat(v4("134.221.0.1", b4, 6, tcp(1000, 80, 7, 2)), make([]byte, 14)), "malformed")
}

// TestParseFragments gives fragments in turn; want is the set of flows, each a line, then the errors.
func TestParseFragments(t *testing.T) {
	m := newMachine(t, Config{})
	f := func(name, want string, packets ...[]byte) {
		t.Helper()
		m.in(t, packets...)
		got := m.take(t)
		text := strings.ReplaceAll(got.String(), " | ", "\n")
		if diff := cmp.Diff(want, text); diff != "" {
			t.Errorf("%s (-want +got):\n%s", name, diff)
		}
		if sum := len(concat(packets...)); got.bytes() != uint64(sum) {
			t.Errorf("%s: %d bytes accounted for: want %d", name, got.bytes(), sum)
		}
		m.forgetFragments(t)
	}
	first4 := eth4(v4with(a4, b4, 17, nil, 7, more4, udp(1000, 53, 1, 2, 3, 4, 5, 6, 7, 8)))
	later4 := eth4(v4with(a4, b4, 17, nil, 7, more4|2, make([]byte, 16)))
	last4 := eth4(v4with(a4, b4, 17, nil, 7, 4, make([]byte, 5)))
	one4 := "udp 10.0.0.1:1000 > 10.0.0.2:53"
	alone4 := "udp 10.0.0.1:0 > 10.0.0.2:0"
	f("in order", one4, first4, later4, last4)
	f("first one last", alone4+"\n"+one4+" !fragment_unknown*2", last4, later4, first4)
	f("first one in the middle", alone4+"\n"+one4+" !fragment_unknown", later4, first4, last4)
	f("another identification", alone4+"\n"+one4+" !fragment_unknown", first4, eth4(v4with(a4, b4, 17, nil, 8, 2, make([]byte, 16))))
	f("another protocol", "tcp 10.0.0.1:0 > 10.0.0.2:0\n"+one4+" !fragment_unknown", first4, eth4(v4with(a4, b4, 6, nil, 7, 2, make([]byte, 16))))
	f("the other way", "udp 10.0.0.1:1000 > 10.0.0.2:53\nudp 10.0.0.2:0 > 10.0.0.1:0 !fragment_unknown", first4, eth4(v4with(b4, a4, 17, nil, 7, 2, make([]byte, 16))))
	f("first one cut short", alone4+" !fragment_unknown !truncated", eth4(v4with(a4, b4, 17, nil, 7, more4, []byte{1, 2, 3})), last4)
	f("tcp", "tcp 10.0.0.1:1000 > 10.0.0.2:80 flags 0x18", eth4(v4with(a4, b4, 6, nil, 7, more4, tcp(1000, 80, 1, 0x18))), eth4(v4with(a4, b4, 6, nil, 7, 3, make([]byte, 16))))
	f("sctp", "sctp 10.0.0.1:1000 > 10.0.0.2:9", eth4(v4with(a4, b4, 132, nil, 7, more4, sctp(1000, 9, 0))), eth4(v4with(a4, b4, 132, nil, 7, 4, []byte{1})))
	f("identification used again", one4+"\nudp 10.0.0.1:2000 > 10.0.0.2:53", first4, last4, eth4(v4with(a4, b4, 17, nil, 7, more4, udp(2000, 53))), last4)

	first6 := eth6(v6(a6, b6, 44, frag6(17, 0, true, 7), udp(1000, 53, 1, 2, 3, 4, 5, 6, 7, 8)))
	last6 := eth6(v6(a6, b6, 44, frag6(17, 2, false, 7), make([]byte, 5)))
	one6 := "udp [2001:db8::1]:1000 > [2001:db8::2]:53"
	alone6 := "udp [2001:db8::1]:0 > [2001:db8::2]:0"
	f("ipv6", one6, first6, last6)
	f("ipv6, first one last", alone6+"\n"+one6+" !fragment_unknown", last6, first6)
	f("ipv6 behind hop-by-hop", one6, eth6(v6(a6, b6, 0, ext(44, 1), frag6(17, 0, true, 7), udp(1000, 53))), eth6(v6(a6, b6, 0, ext(44, 1), frag6(17, 1, false, 7), []byte{1})))
	// RFC 8200, 4.5: each fragment names the first header of the fragmentable part, here destination options.
	f("ipv6 in front of destination options", one6, eth6(v6(a6, b6, 44, frag6(60, 0, true, 7), ext(17, 1), udp(1000, 53))), eth6(v6(a6, b6, 44, frag6(60, 2, false, 7), []byte{1})))
	f("echo in two parts", "icmp 10.0.0.1:77 > 10.0.0.2:77 type 8/0 opens 0", eth4(v4with(a4, b4, 1, nil, 7, more4, icmp(8, 0, 77))), eth4(v4with(a4, b4, 1, nil, 7, 1, []byte{1})))
}
