package agent_test

import (
	"net/netip"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// ethernet is the length of the header that conntrack does not count and interfaces do.
const ethernet = 14

// truth is one connection as conntrack, an interface or the sender tells it.
type truth struct {
	identity
	fwd, rev flow.Volume
	// uses is how many connections of the same identity there were, one after the other.
	uses int
}

// truthOf turns a conntrack entry into what the records must say.
func truthOf(e testkit.Entry) truth {
	id := identity{
		Proto: flow.Proto(e.Proto), Src: e.Orig.Src, Dst: e.Orig.Dst, Backend: e.Reply.Src, SNAT: e.Reply.Dst, Zone: e.Zone,
	}
	if id.SNAT != id.Src {
		id.NAT |= flow.SNAT
	}
	if isICMP(id.Proto) {
		id.withoutPorts(e)
	}
	if id.Backend != id.Dst {
		id.NAT |= flow.DNAT
	}
	return truth{identity: id, fwd: volumeOf(e.Orig), rev: volumeOf(e.Reply), uses: 1}
}

func isICMP(p flow.Proto) bool { return p == flow.ICMPv4 || p == flow.ICMPv6 }

// withoutPorts puts the identifier of an ICMP query, which conntrack has in place of both ports, where records have
// it. Masquerade may rewrite it: that makes no other server of the server.
func (id *identity) withoutPorts(e testkit.Entry) {
	id.ICMP = flow.ICMP{Type: e.ICMPType, Code: e.ICMPCode, ID: e.Orig.Src.Port()}
	for _, a := range []*netip.AddrPort{&id.Src, &id.Dst, &id.Backend, &id.SNAT} {
		*a = netip.AddrPortFrom(a.Addr(), 0)
	}
}

func volumeOf(d testkit.Direction) flow.Volume {
	return flow.Volume{Packets: d.Packets, Bytes: d.Bytes + ethernet*d.Packets}
}

// entryOf finds the living entry of a connection in a zone. TCP is awaited in the given state, so that the last
// packets are in the accounts.
func entryOf(t *testing.T, node *testkit.NS, proto uint8, client, dialed netip.AddrPort, zone uint16, state string) testkit.Entry {
	t.Helper()
	var last []testkit.Entry
	for deadline := time.Now().Add(testkit.IOTimeout); time.Now().Before(deadline); {
		entries, err := node.Conntrack(client.Addr().Is6())
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Proto == proto && e.Orig.Src == client && e.Orig.Dst == dialed && e.Zone == zone &&
				(state == "" || e.State == state || state == "TIME_WAIT" && e.State == reset) {
				return e
			}
		}
		last = entries
	}
	t.Fatalf("no conntrack entry of protocol %d, %v -> %v, zone %d, state %q; there are %+v", proto, client, dialed, zone, state, last)
	return testkit.Entry{}
}

// reset is the other state of a connection that has ended: a late retransmission to a closed socket is answered so.
const reset = "CLOSE"

// check holds the records against the truth: each connection is there with its very volume, once in each interval,
// and under no other face. The agent must have stopped.
func (c *observer) check(t *testing.T, all []truth) {
	t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	expected := make(map[identity]bool)
	for _, want := range all {
		expected[want.identity] = true
		c.checkOne(t, want)
	}
	for id, s := range c.sums {
		for _, want := range all {
			if !expected[id] && id.touches(want.identity) {
				t.Errorf("second record for one connection:\n  got  %+v fwd %+v rev %+v\n  want only %+v", id, s.fwd, s.rev, want.identity)
				s.claimed = true
				break
			}
		}
	}
}

func (c *observer) checkOne(t *testing.T, want truth) {
	t.Helper()
	got := c.sums[want.identity]
	if got == nil {
		t.Errorf("no record of %+v fwd %+v rev %+v", want.identity, want.fwd, want.rev)
		return
	}
	got.claimed = true
	if got.fwd != want.fwd || got.rev != want.rev {
		t.Errorf("%+v:\n  got  fwd %+v rev %+v\n  want fwd %+v rev %+v", want.identity, got.fwd, got.rev, want.fwd, want.rev)
	}
	if got.most > want.uses {
		t.Errorf("%+v: %d records in one interval, want at most %d", want.identity, got.most, want.uses)
	}
}
