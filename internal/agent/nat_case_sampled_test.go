package agent_test

import (
	"net/netip"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// TestNATSampled counts one packet in ten: whatever is reported of a connection still has its translation, and
// connections are not split.
func TestNATSampled(t *testing.T) {
	for _, kind := range fewKinds(t) {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := testkit.NewCluster(t)
			c.Node.Apply(kind, c.Rules())
			for _, source := range natSources {
				t.Run(source.String(), func(t *testing.T) { runSampled(t, c, source) })
			}
		})
	}
}

func runSampled(t *testing.T, c *testkit.Cluster, source natSource) {
	testkit.SinceKernel(t, source.since, source.String())
	const sampling, connections = 10, 10
	drives := []dial{
		{client, "tcp", service(testkit.WebService, 80), flow.DNAT, false},
		{outside, "tcp", nodePort(testkit.FarNodePort), both, false},
		{client, "udp", service(testkit.NameService, 53), flow.DNAT, false},
	}
	reported := observe(t, c.Node.NS, c.Pods(), source, sampling)
	known := make(map[identity]bool)
	for _, f := range families {
		s := &stage{Cluster: c, v6: f.v6}
		dialed := make(map[[2]netip.AddrPort]bool)
		for range connections {
			for _, d := range drives {
				client, to := d.traffic(t, s)
				dialed[[2]netip.AddrPort{client, to}] = true
			}
		}
		s.know(t, dialed, known)
	}
	reported.stop()
	reported.checkSampled(t, known, sampling)
}

// know adds the connections that were dialled, client to Service, as conntrack knows them.
func (s *stage) know(t *testing.T, dialed map[[2]netip.AddrPort]bool, known map[identity]bool) {
	t.Helper()
	entries, err := s.Node.Conntrack(s.v6)
	if err != nil {
		t.Fatal(err)
	}
	found := 0
	for _, e := range entries {
		if dialed[[2]netip.AddrPort{e.Orig.Src, e.Orig.Dst}] {
			known[truthOf(e).identity] = true
			found++
		}
	}
	if found != len(dialed) {
		t.Errorf("conntrack has %d of %d connections", found, len(dialed))
	}
}

// checkSampled wants every record to be a known connection in full. The connections are short, so that many are known
// by one packet only, and some by none: the shortest is 8 datagrams past 2 links, unseen by chance of 0.9^16 = 0.18.
func (c *observer) checkSampled(t *testing.T, known map[identity]bool, sampling uint32) {
	t.Helper()
	seen := 0
	for id, s := range c.sums {
		if !known[id] {
			t.Errorf("record of no connection that was made: %+v", id)
			continue
		}
		seen++
		if s.sampling != sampling {
			t.Errorf("%+v: sampling %d, want %d", id, s.sampling, sampling)
		}
		if s.most > 1 {
			t.Errorf("%+v: %d records in one interval, want 1", id, s.most)
		}
	}
	if seen < len(known)/2 {
		t.Errorf("%d of %d connections reported", seen, len(known))
	}
}
