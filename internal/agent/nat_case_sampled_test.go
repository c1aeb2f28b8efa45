package agent_test

import (
	"testing"

	"github.com/seine-net/seine/internal/testkit"
)

// TestNATSampled counts one packet in ten: whatever is reported of a connection still has its translation, and
// connections are not split.
func TestNATSampled(t *testing.T) {
	testkit.SinceKernel(t, "6.6", "TCX")
	for _, kind := range natKinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := testkit.NewCluster(t)
			c.Node.Apply(kind, c.Rules())
			for _, source := range natSources {
				t.Run(source, func(t *testing.T) { runSampled(t, c, source) })
			}
		})
	}
}

func runSampled(t *testing.T, c *testkit.Cluster, source string) {
	const sampling, connections = 10, 10
	drives := []dial{
		{client, "tcp", service(testkit.WebService, 80), 1, false},
		{outside, "tcp", nodePort(testkit.FarNodePort), both, false},
		{client, "udp", service(testkit.NameService, 53), 1, false},
	}
	reported := capturing(t, c.Node.NS, source, sampling)
	known := make(map[identity]bool)
	for _, f := range families {
		s := &stage{Cluster: c, v6: f.v6}
		for range connections {
			for _, d := range drives {
				known[d.drive(t, s)[0].identity] = true
			}
		}
	}
	reported.stop()
	reported.checkSampled(t, known, sampling)
}

// checkSampled wants every record to be a known connection in full. With these connections' dozens of packets, each
// passing four links or more, a tenth unseen would be chance of less than one in a million.
func (c *capture) checkSampled(t *testing.T, known map[identity]bool, sampling uint32) {
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
	if seen < len(known)*9/10 {
		t.Errorf("%d of %d connections reported", seen, len(known))
	}
}
