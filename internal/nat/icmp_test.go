package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// TestEcho has the query's identifier in the place of both ports; records have it where it belongs.
func TestEcho(t *testing.T) {
	ask := func(from, to string) sight { return seen(from+":7", to+":7").echo().sent(3).got(3) }
	f := func(name string, want string, sights ...event) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, host{}).with(sights...).endsWith(want) })
	}
	echo := func(client, dialled, backend, snat string) Entry {
		return entry(client, dialled, backend, snat).of(flow.ICMPv4)
	}
	f("untranslated", "ICMP 8/0#7 10.0.1.1:0>10.0.2.1:0 3/3 eth0 none syn", ask("10.0.1.1", "10.0.2.1"))
	f("from the higher address", "ICMP 8/0#7 10.0.2.1:0>10.0.1.1:0 3/3 eth0 none syn", ask("10.0.2.1", "10.0.1.1"))
	f("tracked", "ICMP 8/0#7 10.0.1.1:0>10.0.2.1:0 3/3 eth0 none conntrack",
		ask("10.0.1.1", "10.0.2.1").resolved(echo("10.0.1.1:7", "10.0.2.1:7", "", "")))
	f("masqueraded", "ICMP 8/0#7 10.0.1.1:0>10.0.2.1:0 as 192.0.2.1:0 3/3 vethC snat conntrack",
		ask("10.0.1.1", "10.0.2.1").on(vethC).resolved(echo("10.0.1.1:7", "10.0.2.1:7", "", "192.0.2.1:7")),
		ask("192.0.2.1", "10.0.2.1"))
	f("masqueraded with another identifier", "ICMP 8/0#7 10.0.1.1:0>10.0.2.1:0 as 192.0.2.1:0 3/3 vethC snat conntrack",
		ask("10.0.1.1", "10.0.2.1").on(vethC).resolved(echo("10.0.1.1:7", "10.0.2.1:7", "10.0.2.1:9", "192.0.2.1:9")),
		seen("192.0.2.1:9", "10.0.2.1:9").echo().sent(3).got(3))
	f("a Service's address", "ICMP 8/0#7 10.0.1.1:0>10.96.0.1:0>10.0.2.1:0 3/3 vethC dnat conntrack",
		ask("10.0.1.1", "10.96.0.1").on(vethC).resolved(echo("10.0.1.1:7", "10.96.0.1:7", "10.0.2.1:7", "")),
		ask("10.0.1.1", "10.0.2.1"))
	v6 := seen("[fd00::1]:7", "[fd00::2]:7").echo().sent(3).got(3)
	v6.o.Proto, v6.o.ICMPType = flow.ICMPv6, 128
	f("ICMPv6", "ICMPv6 128/0#7 [fd00::1]:0>[fd00::2]:0 3/3 eth0 none syn", v6)
}

// TestErrors has ICMP errors about a connection: a record of their own in the connection's orientation.
func TestErrors(t *testing.T) {
	e := entry(client, service, backend, masked).of(flow.UDP)
	const line = "10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 192.0.2.1:40000 "
	f := func(name string, want string, o sight) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			request := seen(client, service).on(vethC).udp().sent(1).resolved(e)
			play(t, host{}).with(request, o).endsWith("UDP "+line+"1/0 vethC dnat+snat conntrack", want)
			play(t, host{}).with(request).gives("UDP " + line + "1/0 vethC dnat+snat conntrack").with(o).endsWith(want)
			play(t, host{}).with(o.resolved(e)).endsWith(want)
		})
	}
	back := "ICMP 3/3#0 " + line + "0/1 "
	expired := "ICMP 11/0#0 " + line + "0/1 "
	f("from the server, before it is turned back", back+"eth0 dnat+snat conntrack", seen(backend, masked).refuses(flow.UDP, "10.0.2.1").sent(1))
	f("from the server, half turned back", back+"br0 dnat+snat conntrack", seen(backend, client).on(br0).refuses(flow.UDP, "10.0.2.1").sent(1))
	f("from the server, at the client", back+"vethC dnat+snat conntrack", seen(service, client).on(vethC).refuses(flow.UDP, "10.96.0.1").sent(1))
	f("from a router", expired+"eth0 dnat+snat conntrack", seen("172.16.0.1:8080", masked).expires(flow.UDP, "10.0.2.1").sent(1))
	f("from a router, at the client", expired+"vethC dnat+snat conntrack", seen("172.16.0.1:80", client).on(vethC).expires(flow.UDP, "10.96.0.1").sent(1))
	f("from a router of high address", expired+"eth0 dnat+snat conntrack", seen("223.0.0.1:8080", masked).expires(flow.UDP, "10.0.2.1").sent(1))
	f("from the client about the answer", "ICMP 3/3#0 "+line+"1/0 vethC dnat+snat conntrack",
		seen(client, service).on(vethC).refuses(flow.UDP, "10.0.1.1").sent(1))
	f("from the client about the answer, at the server", "ICMP 3/3#0 "+line+"1/0 eth0 dnat+snat conntrack",
		seen(masked, backend).refuses(flow.UDP, "192.0.2.1").sent(1))
}

// TestErrorsOfUnknown tells of connections that only the errors tell of: the quoted packet's source is the client.
func TestErrorsOfUnknown(t *testing.T) {
	f := func(name, want string, o sight) {
		t.Helper()
		t.Run(name, func(t *testing.T) { t.Helper(); play(t, host{}).with(o).endsWith(want) })
	}
	for _, server := range []string{"10.0.0.1", "10.0.9.1"} {
		f("from the server "+server, "ICMP 3/3#0 10.0.1.1:2000>"+server+":1000 0/1 eth0 none first_packet",
			seen(server+":1000", "10.0.1.1:2000").refuses(flow.UDP, server).sent(1))
		f("from a router to "+server, "ICMP 11/0#0 10.0.1.1:2000>"+server+":1000 0/1 eth0 none first_packet",
			seen("172.16.0.1:1000", "10.0.1.1:2000").expires(flow.UDP, server).sent(1))
		f("about an echo to "+server, "ICMP 11/0#7 10.0.1.1:0>"+server+":0 0/1 eth0 none first_packet",
			seen("172.16.0.1:7", "10.0.1.1:7").expires(flow.ICMPv4, server).sent(1))
	}
	f("quoting nothing known", "ICMP 3/3#0 10.0.9.1:0>10.0.1.1:0 1/0 eth0 none first_packet",
		seen("10.0.9.1:0", "10.0.1.1:0").icmp(3, 3).sent(1))
}

// TestErrorsOfEcho is traceroute's way: errors about an echo go their own way and leave the choice of the echo's
// interface alone.
func TestErrorsOfEcho(t *testing.T) {
	e := entry("10.0.1.1:7", "10.0.2.1:7", "", "").of(flow.ICMPv4)
	const line = "#7 10.0.1.1:0>10.0.2.1:0 "
	s := play(t, host{})
	ask := func(index uint32) sight { return seen("10.0.1.1:7", "10.0.2.1:7").on(index).echo().sent(1).resolved(e) }
	expired := seen("172.16.0.1:7", "10.0.1.1:7").on(eth1).expires(flow.ICMPv4, "10.0.2.1").sent(1)
	s.with(ask(eth0)).gives("ICMP 8/0" + line + "1/0 eth0 none conntrack")
	s.with(ask(eth0), expired).gives("ICMP 8/0"+line+"1/0 eth0 none conntrack", "ICMP 11/0"+line+"0/1 eth1 none conntrack")
	s.with(expired).gives("ICMP 11/0" + line + "0/1 eth1 none conntrack")
	s.with(ask(eth0), ask(eth1)).endsWith("ICMP 8/0" + line + "1/0 eth0 none conntrack")
}
