package kube

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// at is a time of the tests, in seconds.
func at(seconds int) flow.Time { return flow.Time(seconds) * flow.Time(time.Second) }

// clocked is an index whose clock the test sets.
type clocked struct {
	*Index
	clock flow.Time
}

func newClocked() *clocked {
	c := &clocked{}
	c.Index = NewIndex(nil, withClock(func() flow.Time { return c.clock }))
	return c
}

// who returns the name of who had an address.
func (c *clocked) who(addr string, seconds int) string {
	id := c.Identify(&Query{Addr: netip.MustParseAddr(addr), Port: 80, Proto: flow.TCP, At: at(seconds)})
	return id.Name
}

func pod(name, uid, addr string, since int) Object {
	return Object{
		Kind: flow.Pod, Namespace: "shop", Name: name, UID: uid, Node: "n1", Since: at(since), Addrs: addrs(addr),
		Workload: flow.Workload{Kind: "ReplicaSet", Name: "web-1"},
	}
}

func (c *clocked) want(t *testing.T, addr string, seconds int, want string) {
	t.Helper()
	if got := c.who(addr, seconds); got != want {
		t.Errorf("at %d s %s is %q's, want %q's", seconds, addr, got, want)
	}
}

func TestAddressUsedAgain(t *testing.T) {
	x := newClocked()
	x.clock = at(1000)
	x.Set(pod("a", "1", "10.0.0.1", 1000))
	x.clock = at(2000)
	x.Remove(flow.Pod, "shop", "a")
	x.clock = at(3000)
	x.Set(pod("b", "2", "10.0.0.1", 3000))
	x.want(t, "10.0.0.1", 980, "")
	x.want(t, "10.0.0.1", 995, "a") // Clocks differ a little.
	x.want(t, "10.0.0.1", 1000, "a")
	x.want(t, "10.0.0.1", 1999, "a")
	x.want(t, "10.0.0.1", 2010, "a") // Its last packets.
	x.want(t, "10.0.0.1", 2031, "")
	x.want(t, "10.0.0.1", 2999, "b")
	x.want(t, "10.0.0.1", 3000, "b")
	x.want(t, "10.0.0.1", 9000, "b")
}

// The next holder is seen before the end of the one before, as watches of two nodes' pods may tell it.
func TestEndComesLate(t *testing.T) {
	x := newClocked()
	x.Set(pod("a", "1", "10.0.0.1", 1000))
	x.clock = at(2005)
	x.Set(pod("b", "2", "10.0.0.1", 2000))
	x.clock = at(2010)
	x.Remove(flow.Pod, "shop", "a")
	x.want(t, "10.0.0.1", 1999, "a")
	x.want(t, "10.0.0.1", 2000, "b")
	x.want(t, "10.0.0.1", 2020, "b")
}

// A pod of the same name begins anew elsewhere, as those of StatefulSets do.
func TestSameNameAnew(t *testing.T) {
	x := newClocked()
	x.clock = at(1000)
	x.Set(pod("db-0", "1", "10.0.0.1", 1000))
	x.clock = at(2001)
	x.Set(pod("db-0", "2", "10.0.0.2", 2000))
	x.want(t, "10.0.0.1", 1500, "db-0")
	x.want(t, "10.0.0.1", 2100, "")
	x.want(t, "10.0.0.2", 1500, "")
	x.want(t, "10.0.0.2", 2100, "db-0")
	if got := x.Identify(&Query{Addr: netip.MustParseAddr("10.0.0.9"), At: at(2100), PodUID: "1"}); got.Name != "" {
		t.Errorf("the pod that is gone is found by its UID: %+v", got)
	}
}

// A job's pod stays listed when it is over, and another has its address.
func TestPodIsOverButListed(t *testing.T) {
	x := newClocked()
	x.Set(pod("job", "1", "10.0.0.1", 1000))
	over := pod("job", "1", "10.0.0.1", 1000)
	over.Until = at(1500)
	x.clock = at(1502)
	x.Set(over)
	x.Set(pod("b", "2", "10.0.0.1", 1600))
	x.Set(over)
	x.want(t, "10.0.0.1", 1400, "job")
	x.want(t, "10.0.0.1", 1599, "b")
	x.want(t, "10.0.0.1", 1700, "b")
}

func TestAddressChanges(t *testing.T) {
	x := newClocked()
	first := pod("a", "1", "10.0.0.1", 1000)
	first.Addrs = nil
	x.Set(first) // Scheduled, without an address yet.
	x.Set(pod("a", "1", "10.0.0.1", 1000))
	x.clock = at(2000)
	x.Set(pod("a", "1", "10.0.0.2", 1000))
	x.want(t, "10.0.0.1", 1000, "a")
	x.want(t, "10.0.0.2", 1500, "")
	x.want(t, "10.0.0.2", 2500, "a")
	x.want(t, "10.0.0.1", 2500, "")
}

// What a pod had of its node and its owner stays with its past.
func TestPastKeepsNames(t *testing.T) {
	x := newClocked()
	x.Set(Object{Kind: flow.Node, Name: "n1", Node: "n1", Zone: "a", Region: "r"})
	x.SetOwner("shop", flow.Workload{Kind: "ReplicaSet", Name: "web-1"}, flow.Workload{Kind: "Rollout", Name: "web"})
	x.Set(pod("a", "1", "10.0.0.1", 1000))
	x.clock = at(2000)
	x.Remove(flow.Pod, "shop", "a")
	x.RemoveOwner("shop", flow.Workload{Kind: "ReplicaSet", Name: "web-1"})
	x.Remove(flow.Node, "", "n1")
	got := x.Identify(&Query{Addr: netip.MustParseAddr("10.0.0.1"), At: at(1500)})
	if got.Zone != "a" || got.Region != "r" || got.Workload.Name != "web" || got.Node != "n1" {
		t.Errorf("of the past is known %+v", got)
	}
	if len(x.nodes)+len(x.owners)+len(x.objects)+len(x.byUID) != 0 {
		t.Errorf("%d nodes, %d owners, %d objects, %d UIDs stay", len(x.nodes), len(x.owners), len(x.objects), len(x.byUID))
	}
}

// The owner and the node come after the pod that names them.
func TestOrderOfSourcesDoesNotMatter(t *testing.T) {
	x := newClocked()
	x.Set(pod("a", "1", "10.0.0.1", 1000))
	x.SetOwner("shop", flow.Workload{Kind: "ReplicaSet", Name: "web-1"}, flow.Workload{Kind: "Deployment", Name: "web"})
	x.Set(Object{Kind: flow.Node, Name: "n1", Node: "n1", Zone: "a"})
	got := x.Identify(&Query{Addr: netip.MustParseAddr("10.0.0.1"), At: at(1500)})
	if got.Zone != "a" || got.Workload != (flow.Workload{Kind: "Deployment", Name: "web"}) {
		t.Errorf("got %+v", got)
	}
}

func TestPastIsBounded(t *testing.T) {
	x := newClocked()
	x.maxPast = 100
	for i := range 1000 {
		x.clock = at(i)
		x.Set(pod("a", "1", "10.0.0.1", i))
		x.Set(pod("b", "2", netip.AddrFrom4([4]byte{10, 1, byte(i >> 8), byte(i)}).String(), i))
		x.Remove(flow.Pod, "shop", "a")
		x.Remove(flow.Pod, "shop", "b")
	}
	s := x.Stats()
	if s.Past > 100 || s.Addresses > 101 || s.Forgotten < 1800 {
		t.Errorf("got %+v", s)
	}
	x.clock = at(1000) + retention
	x.Set(Object{Kind: flow.Node, Name: "n1"})
	if s := x.Stats(); s.Past != 0 || s.Addresses != 0 {
		t.Errorf("after the retention: %+v", s)
	}
}

// What is kept of look-ups never differs from what would be found anew, whatever changes in between.
func TestKnownIsForgotten(t *testing.T) {
	rng := rand.New(rand.NewPCG(1, 2))
	x := newClocked()
	x.clock = at(10_000)
	workload := func() flow.Workload { return flow.Workload{Kind: "ReplicaSet", Name: fmt.Sprint("rs-", rng.IntN(3))} }
	name := func() string { return fmt.Sprint("n", rng.IntN(4)) }
	address := func() netip.Addr {
		a := netip.AddrFrom4([4]byte{10, 0, 0, byte(rng.IntN(5))})
		if rng.IntN(2) == 0 {
			a = netip.AddrFrom16([16]byte{0: 0xfd, 15: byte(rng.IntN(5))})
		}
		return a
	}
	zone := func() string { return string("abc"[rng.IntN(3)]) }
	changes := []func(){
		func() {
			x.Set(Object{
				Kind: flow.Pod, Namespace: "shop", Name: name(), UID: fmt.Sprint(rng.IntN(3)), Node: name(), Workload: workload(), App: zone(),
				Since: x.clock - at(rng.IntN(60)), Addrs: []netip.Addr{address()},
			})
		},
		func() { x.Set(Object{Kind: flow.Node, Name: name(), Zone: zone(), Addrs: []netip.Addr{address()}}) },
		func() {
			x.Set(Object{
				Kind: flow.Service, Namespace: "shop", Name: name(), Addrs: []netip.Addr{address()},
				Ports: []Port{{Port: 80, Proto: flow.TCP, NodePort: uint16(30000 + rng.IntN(2))}},
			})
		},
		func() {
			x.SetSlice(Slice{
				Namespace: "shop", Name: name(), Service: name(), Ports: []Port{{Port: 80, Proto: flow.TCP}},
				Endpoints: []Endpoint{{Addr: address(), Pod: name()}, {Addr: address()}},
			})
		},
		func() { x.Remove([]flow.Kind{flow.Pod, flow.Node, flow.Service}[rng.IntN(3)], "shop", name()) },
		func() { x.Remove(flow.Node, "", name()) },
		func() { x.RemoveSlice("shop", name()) },
		func() { x.SetOwner("shop", workload(), flow.Workload{Kind: "Deployment", Name: zone()}) },
		func() { x.RemoveOwner("shop", workload()) },
		func() { x.clock += at(rng.IntN(3000)) },
	}
	kept := 0
	for range 20_000 {
		changes[rng.IntN(len(changes))]()
		for range 4 {
			q := Query{
				Addr: address(), Port: []uint16{80, 30000, 9}[rng.IntN(3)], Proto: flow.TCP, At: x.clock - at(rng.IntN(90)) + at(30),
				Translated: rng.IntN(2) == 0, PodUID: []string{"", "1"}[rng.IntN(2)],
			}
			kept += len(x.known.v4) + len(x.known.v6)
			got, steady := *x.Identify(&q), x.Steady([]netip.Addr{q.Addr}, q.At)[0]
			warm := x.known
			x.known = newAnswers()
			if want := *x.Identify(&q); got != want {
				t.Fatalf("%+v is %+v, anew %+v", q, got, want)
			}
			x.known = warm
			if steady != nil && x.places[q.Addr] != nil && *steady != got {
				t.Fatalf("%+v is %+v, and %+v at every port", q, got, *steady)
			}
		}
	}
	if kept < 1000 {
		t.Errorf("%d answers were kept", kept)
	}
}
