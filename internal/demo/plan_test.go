package demo

import (
	"net/netip"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

func TestObjects(t *testing.T) {
	owner := map[netip.Addr]string{}
	count := map[flow.Kind]int{}
	for _, o := range Objects() {
		count[o.Kind]++
		for _, a := range o.Addrs {
			if owner[a] != "" {
				t.Errorf("%s belongs to %s and %s", a, owner[a], o.Name)
			}
			owner[a] = o.Name
		}
		if o.Kind == flow.Pod && (o.Node == "" || o.Zone == "" || o.Workload.Name == "" || len(o.Addrs) != 2) {
			t.Errorf("incomplete pod %+v", o)
		}
		if o.Kind == flow.Service && len(o.Ports) == 0 {
			t.Errorf("Service without ports: %+v", o)
		}
	}
	diff(t, count, map[flow.Kind]int{flow.Pod: len(podPlans()), flow.Service: len(servicePlans), flow.Node: len(nodePlans)})
}

// TestRate adds up all calls of the plan with those that they cause.
func TestRate(t *testing.T) {
	const chain = 4 // frontend, checkout, payments, inventory
	rate := 0.0
	for _, s := range specs() {
		for _, c := range s.Calls {
			if c.Every <= 0 {
				t.Errorf("%s calls %s without a pause", s.Name, c.Target)
			}
			rate += chain * float64(time.Second) / float64(c.Every)
		}
	}
	if rate > 60 {
		t.Errorf("at most %.0f requests a second, want a few tens", rate)
	}
}

func TestPodName(t *testing.T) {
	seen := map[string]bool{}
	for _, p := range podPlans() {
		if seen[p.process()] {
			t.Errorf("two pods %s", p.process())
		}
		seen[p.process()] = true
	}
	if !seen["shop/inventory-0"] || !seen["shop/inventory-1"] {
		t.Errorf("got %v, want a StatefulSet's pods numbered", seen)
	}
}
