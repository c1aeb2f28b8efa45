package nat

import "testing"

// TestCountingInterface sees one connection on several interfaces with different volumes.
func TestCountingInterface(t *testing.T) {
	clientHere := map[string]uint32{"10.0.1.1": vethC}
	serverHere := map[string]uint32{"10.0.2.1": vethS}
	bothHere := map[string]uint32{"10.0.1.1": vethC, "10.0.2.1": vethS}
	translated := entry(client, service, backend, masked)
	plain := entry(client, backend, "", "")
	on := func(index uint32, from, to string, n uint64) sight { return seen(from, to).on(index).sent(n).got(n) }
	f := func(name string, own map[string]uint32, e Entry, want string, sights ...sight) {
		t.Helper()
		t.Run(name, func(t *testing.T) {
			t.Helper()
			permute(sights, func(order []sight) {
				s := play(t, host{own: own})
				for _, o := range order {
					s.with(o.resolved(e))
				}
				prefix := plainLine
				if e == translated {
					prefix = "TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 192.0.2.1:40000 "
				}
				s.endsWith(prefix + want + " " + e.nat().String() + " conntrack")
			})
		})
	}
	f("the client's own, fuller ones elsewhere", clientHere, translated, "3/3 vethC",
		on(vethC, client, service, 3), on(br0, client, service, 9), on(br0, client, backend, 9), on(eth0, masked, backend, 9))
	f("the client's own, as it dialled", clientHere, translated, "3/3 vethC",
		on(vethC, client, service, 3), on(vethC, client, backend, 9))
	f("the client's own, though translated there", clientHere, translated, "3/3 vethC",
		on(vethC, client, backend, 3), on(br0, client, service, 9))
	f("the client's own before the server's", bothHere, plain, "3/3 vethC",
		on(vethC, client, backend, 3), on(vethS, client, backend, 9), on(br0, client, backend, 9))
	f("the dialled face before the server's own", serverHere, translated, "3/3 br0",
		on(br0, client, service, 3), on(vethS, masked, backend, 9), on(eth0, client, backend, 9))
	f("the fullest of the dialled faces", nil, translated, "5/5 eth0",
		on(br0, client, service, 3), on(eth0, client, service, 5), on(eth1, masked, backend, 9))
	f("the server's own without translation", serverHere, plain, "3/3 vethS",
		on(br0, client, backend, 9), on(vethS, client, backend, 3), on(eth0, client, backend, 9))
	f("the server's own where no dialled face is seen", serverHere, translated, "3/3 vethS",
		on(br0, masked, backend, 9), on(vethS, masked, backend, 3))
	f("the fullest", nil, plain, "9/9 br0",
		on(eth0, client, backend, 8), on(br0, client, backend, 9), on(vethS, client, backend, 3))
	f("the node's own address has no interface", map[string]uint32{"10.0.1.1": 0}, plain, "9/9 br0",
		on(eth0, client, backend, 8), on(br0, client, backend, 9))
}

// TestFlooding is a bridge that sends the first packet out of all its ports.
func TestFlooding(t *testing.T) {
	s := play(t, host{own: map[string]uint32{"10.0.1.1": vethC}})
	s.with(
		seen(client, backend).on(br0).sent(1).syn(1), seen(client, backend).on(eth1).sent(1).syn(1),
		seen(client, backend).on(vethC).sent(7).got(5).syn(1), seen(client, backend).on(vethS).sent(7).got(5).syn(1))
	s.endsWith(plainLine + "7/5 vethC none syn")
}

func on(index uint32, n uint64) sight { return seen(client, backend).on(index).sent(n) }

func TestChoiceIsKept(t *testing.T) {
	s := play(t, host{})
	s.with(on(br0, 5).syn(1), on(eth0, 4)).gives(plainLine + "5/0 br0 none syn")
	s.with(on(br0, 2), on(eth0, 90)).gives(plainLine + "2/0 br0 none syn")
	s.gives()
	s.with(on(eth0, 90), on(br0, 3)).endsWith(plainLine + "3/0 br0 none syn")
}

// TestChoiceYieldsToTheClientsOwn learns only later which interface is the client's own.
func TestChoiceYieldsToTheClientsOwn(t *testing.T) {
	own := map[string]uint32{}
	s := play(t, host{own: own})
	s.with(on(br0, 5).syn(1), on(vethC, 5).syn(1)).gives(plainLine + "5/0 br0 none syn")
	own["10.0.1.1"] = vethC
	s.with(on(br0, 5), on(vethC, 4)).gives(plainLine + "4/0 vethC none syn")
	delete(own, "10.0.1.1")
	s.with(on(br0, 5), on(vethC, 4)).endsWith(plainLine + "4/0 vethC none syn")
}

// TestStraddlingPacket has packets on their way through the node when the flow map is swapped: they are in one interval
// on one interface and in the next on another.
func TestStraddlingPacket(t *testing.T) {
	begin := func() *script {
		return play(t, host{}).with(on(br0, 5).syn(1), on(eth0, 4)).gives(plainLine + "5/0 br0 none syn")
	}
	// The fifth comes to eth0 in the next interval.
	begin().with(on(eth0, 1)).gives().endsWith()
	begin().with(on(eth0, 1)).gives().with(on(br0, 2), on(eth0, 2)).endsWith(plainLine + "2/0 br0 none syn")
	begin().with(on(eth0, 3), on(br0, 2)).endsWith(plainLine + "2/0 br0 none syn")
	// An answer comes to eth0 in one interval and to br0 in the next.
	begin().with(on(eth0, 1).sent(0).got(1).gotFirst()).gives().
		with(on(br0, 1).got(1), on(eth0, 1)).endsWith(plainLine + "1/1 br0 none syn")
	// A new connection of the same tuple takes its own way at once.
	begin().with(on(eth0, 3).syn(2)).endsWith(plainLine + "3/0 eth0 none syn")
}

// TestStraddlingSYN has the opening packet alone on its way: it is the same use in both intervals.
func TestStraddlingSYN(t *testing.T) {
	for _, own := range []map[string]uint32{nil, {"10.0.1.1": br0}} {
		s := play(t, host{own: own}).with(on(br0, 1).syn(1)).gives(plainLine + "1/0 br0 none syn")
		s.with(on(eth0, 1).syn(1)).gives()
		s.with(on(br0, 1).syn(1), on(eth0, 1).syn(1)).endsWith(plainLine + "1/0 br0 none syn")
	}
}

// TestOldUseKeepsItsChoice has packets of an ending use where they were always counted, and a new use elsewhere.
func TestOldUseKeepsItsChoice(t *testing.T) {
	permute([]sight{on(br0, 3).at(1, 7), on(eth0, 1).syn(2).at(991, 991)}, func(order []sight) {
		s := play(t, host{}).with(on(br0, 5).syn(1), on(eth0, 4)).gives(plainLine + "5/0 br0 none syn")
		for _, o := range order {
			s.with(o)
		}
		s.endsWith(plainLine+"3/0 br0 none syn", plainLine+"1/0 eth0 none syn")
	})
}

// TestStraddlersBeforeNewUses has packets on their way twice in a row, each time followed by a new use.
func TestStraddlersBeforeNewUses(t *testing.T) {
	s := play(t, host{}).with(on(br0, 5).syn(1), on(eth0, 4)).gives(plainLine + "5/0 br0 none syn")
	for isn := range uint32(3) {
		sights := []sight{on(eth0, 1).at(1, 1), on(br0, 2).syn(isn+2).at(10, 99), on(eth0, 1).syn(isn+2).at(11, 98)}
		for i := range sights {
			s.with(sights[(i+int(isn))%3])
		}
		s.gives(plainLine + "2/0 br0 none syn")
	}
}

// TestRouteChange finds packets on other interfaces only. Few wait an interval, as they may be on their way; many do
// not.
func TestRouteChange(t *testing.T) {
	begin := func() *script {
		return play(t, host{}).with(on(br0, 5).syn(1), on(eth0, 4)).gives(plainLine + "5/0 br0 none syn")
	}
	begin().with(on(eth0, 3)).gives().with(on(eth0, 2)).gives(plainLine + "5/0 eth0 none syn").
		with(on(eth0, 2)).endsWith(plainLine + "2/0 eth0 none syn")
	begin().with(on(eth0, straddling+1)).gives(plainLine + "129/0 eth0 none syn").
		with(on(eth0, 2)).endsWith(plainLine + "2/0 eth0 none syn")
	begin().with(on(eth0, 3)).gives().with(on(eth1, 9)).gives(plainLine + "9/0 eth1 none syn")
}

// TestStashIsTurned learns which end is the client while packets wait.
func TestStashIsTurned(t *testing.T) {
	s := play(t, host{}).with(seen("10.0.1.1:1000", "10.0.2.1:2000").on(br0).sent(5))
	s.gives("TCP 10.0.1.1:1000>10.0.2.1:2000 5/0 br0 none first_packet")
	s.with(seen("10.0.1.1:1000", "10.0.2.1:2000").on(eth0).sent(3).got(1)).gives()
	s.with(seen("10.0.1.1:1000", "10.0.2.1:2000").on(eth0).sent(10).got(20).gotFirst().answeredBySender())
	s.endsWith("TCP 10.0.2.1:2000>10.0.1.1:1000 21/13 eth0 none syn")
}

// TestLoopback counts each packet at both hooks, and once. Between the hooks the flow map may be swapped: a packet is
// counted where it is taken in.
func TestLoopback(t *testing.T) {
	at := func() sight { return seen("127.0.0.1:40000", "127.0.0.1:80").on(lo) }
	line := "TCP 127.0.0.1:40000>127.0.0.1:80 "
	play(t, host{}).with(at().sent(5).got(4).atBoth()).endsWith(line + "5/4 lo none port")
	s := play(t, host{}).with(at().sent(1).leaving()).gives()
	s.with(at().sent(1)).gives(line + "1/0 lo none port")
	s.with(at().sent(5).got(4).atBoth()).endsWith(line + "5/4 lo none port")
}

// TestHooks counts other interfaces at whichever hook a direction passes.
func TestHooks(t *testing.T) {
	f := func(o sight, want string) { t.Helper(); play(t, host{}).with(o).endsWith(plainLine + want) }
	f(on(vethC, 3).got(2), "3/2 vethC none port")
	f(on(vethC, 3).got(2).leaving(), "3/2 vethC none port")
	in, out := on(vethC, 3), on(vethC, 0).got(2).leaving()
	in.o.Counts[in.up.other()] = out.o.Counts[in.up.other()]
	f(in, "3/2 vethC none port")
}
