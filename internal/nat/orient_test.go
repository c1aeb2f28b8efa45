package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// TestOrientation tells client from server. The order of the endpoints in the key must not matter.
func TestOrientation(t *testing.T) {
	f := func(name, a, b, want string, change func(sight) sight) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			play(t, host{}).with(change(seen(a, b).sent(3).got(2))).endsWith(want)
		})
	}
	asIs := func(s sight) sight { return s }
	syn := func(s sight) sight { return s.syn(1) }
	for _, addrs := range [][2]string{{"10.0.0.1", "10.0.0.2"}, {"10.0.0.2", "10.0.0.1"}, {"[fd00::1]", "[fd00::2]"}, {"[fd00::2]", "[fd00::1]"}} {
		a, b := addrs[0], addrs[1]
		there, back := " 3/2 eth0 none ", " 2/3 eth0 none "
		f("conntrack against all else", a+":80", b+":40000", "TCP "+b+":40000>"+a+":80"+back+"conntrack", func(s sight) sight {
			return s.syn(1).resolved(entry(b+":40000", a+":80", "", ""))
		})
		f("SYN against the ports", a+":80", b+":40000", "TCP "+a+":80>"+b+":40000"+there+"syn", syn)
		f("SYN and SYN-ACK", a+":1000", b+":2000", "TCP "+a+":1000>"+b+":2000"+there+"syn", func(s sight) sight {
			return s.syn(1).answered()
		})
		f("SYN-ACK only", a+":40000", b+":80", "TCP "+b+":80>"+a+":40000"+back+"syn", func(s sight) sight {
			return s.answeredBySender()
		})
		f("SYN-ACK only, from the other", a+":80", b+":40000", "TCP "+a+":80>"+b+":40000"+there+"syn", func(s sight) sight {
			return s.answered()
		})
		f("both opened: the ports", a+":40000", b+":80", "TCP "+a+":40000>"+b+":80"+there+"port", func(s sight) sight {
			s.o.Opened, s.o.TCPFlags = [2]bool{true, true}, [2]flow.TCPFlags{flow.SYN, flow.SYN}
			return s
		})
		f("the ports", a+":40000", b+":80", "TCP "+a+":40000>"+b+":80"+there+"port", asIs)
		f("the ports against the first packet", a+":80", b+":32768", "TCP "+b+":32768>"+a+":80"+back+"port", asIs)
		f("the first packet", a+":1000", b+":2000", "TCP "+a+":1000>"+b+":2000"+there+"first_packet", asIs)
		f("the first packet between high ports", a+":50000", b+":40000", "TCP "+a+":50000>"+b+":40000"+there+"first_packet", asIs)
		f("the first packet came back", a+":1000", b+":2000", "TCP "+b+":2000>"+a+":1000"+back+"first_packet", sight.gotFirst)
	}
	f("to a multicast group", "10.0.0.1:5353", "224.0.0.251:5353", "UDP 10.0.0.1:5353>224.0.0.251:5353 3/2 eth0 none first_packet", sight.udp)
	f("to a multicast group, against the ports", "10.0.0.1:1900", "239.255.255.250:40000",
		"UDP 10.0.0.1:1900>239.255.255.250:40000 3/2 eth0 none first_packet", sight.udp)
	f("to an IPv6 multicast group", "[ff02::fb]:5353", "[fe80::1]:5353",
		"UDP [fe80::1]:5353>[ff02::fb]:5353 2/3 eth0 none first_packet", sight.udp)
	f("to everybody", "0.0.0.0:68", "255.255.255.255:67", "UDP 0.0.0.0:68>255.255.255.255:67 3/2 eth0 none first_packet", sight.udp)
}

// TestOrientationIsKept holds what was once found out, until there is better evidence.
func TestOrientationIsKept(t *testing.T) {
	const a, b = "10.0.0.1:1000", "10.0.0.2:2000"
	s := play(t, host{})
	s.with(seen(a, b).sent(3).got(2)).gives("TCP " + a + ">" + b + " 3/2 eth0 none first_packet")
	s.with(seen(b, a).sent(3).got(2)).gives("TCP " + a + ">" + b + " 2/3 eth0 none first_packet")
	s.with(seen(b, a).sent(3).got(2).syn(1)).gives("TCP " + b + ">" + a + " 3/2 eth0 none syn")
	s.with(seen(a, b).sent(3).got(2)).gives("TCP " + b + ">" + a + " 2/3 eth0 none syn")
	s.idle(3)
	s.with(seen(a, b).sent(3).got(2)).endsWith("TCP " + b + ">" + a + " 2/3 eth0 none syn")
}

// TestOrientationOfAllUses turns what was gathered before the evidence came.
func TestOrientationOfAllUses(t *testing.T) {
	const a, b = "10.0.0.1:1000", "10.0.0.2:2000"
	permute([]sight{seen(a, b).sent(3).got(2).at(100, 150), seen(b, a).sent(5).got(4).syn(1).at(300, 350)}, func(order []sight) {
		table := NewTable(Config{Locality: host{}})
		for _, o := range order {
			o.tell(table, epoch)
		}
		var there, back uint64
		for _, r := range finish(t, table, epoch+second, true) {
			if r.Src.AddrPort().String() == a {
				r.Fwd, r.Rev = r.Rev, r.Fwd
			}
			there, back = there+r.Fwd.Packets, back+r.Rev.Packets
		}
		if there != 5+2 || back != 4+3 {
			t.Errorf("%d packets from %s and %d back, want 7 and 7", there, b, back)
		}
	})
}
