package ctnetlink

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// TestResolver finds every entry of a busy namespace by each tuple that its packets bear, and no other.
func TestResolver(t *testing.T) {
	n := newNetwork(t, natRules)
	n.serve(t)
	for _, d := range dials {
		n.dial(t, d.network, d.dialled)
	}
	n.ping(t, "10.0.2.2", 99)
	n.ping(t, "fd00:2::2", 99)
	r, err := OpenResolver(n.router.fd())
	if err != nil {
		t.Fatal(err)
	}
	defer r.Close()
	listed := n.router.listed()
	if len(listed) == 0 {
		t.Fatal("conntrack lists nothing")
	}
	for k := range listed {
		for _, tuple := range []nat.Tuple{k.Orig, k.Orig.Reverse(), k.Reply, k.Reply.Reverse()} {
			found, ok, err := r.Lookup(k.Proto, tuple)
			if err != nil || !ok || keyOf(found) != k {
				t.Errorf("look up %v %v: %v, found %v, error %v; want %v", k.Proto, tuple, keyOf(found), ok, err, k)
			}
		}
	}
	nobody := nat.Tuple{Src: addrPort("192.0.2.1:1"), Dst: addrPort("192.0.2.2:2")}
	for range 3 {
		if found, ok, err := r.Lookup(flow.TCP, nobody); ok || err != nil {
			t.Errorf("look up a connection that is none: %v, found %v, error %v", found, ok, err)
		}
	}
}
