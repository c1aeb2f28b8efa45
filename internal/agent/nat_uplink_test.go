package agent_test

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// uplinkCases leave the node by its uplink.
var uplinkCases = []struct {
	name  string
	drive func(*testing.T, *stage) []truth
}{
	{"cluster ip on the other node", dial{client, "tcp", service(testkit.FarService, 80), flow.DNAT, false}.drive},
	{"masquerade", dial{client, "tcp", direct(outside, testkit.TCPPort), flow.SNAT, false}.drive},
	{"udp masquerade", dial{client, "udp", direct(outside, testkit.UDPPort), flow.SNAT, false}.drive},
	{"node port", dial{outside, "tcp", nodePort(testkit.WebNodePort), both, false}.drive},
	{"plain", dial{client, "tcp", direct(server3, testkit.TCPPort), 0, false}.drive},
}

// TestNATUplinks has the node reach the others by a VLAN, by a bond, and by a VLAN on a bond: every packet passes two
// or three interfaces of the node more, and counts once.
func TestNATUplinks(t *testing.T) {
	for _, uplink := range []testkit.Uplink{testkit.VLAN, testkit.Bond, testkit.VLANOnBond} {
		t.Run(string(uplink), func(t *testing.T) {
			c := testkit.NewClusterBy(t, uplink)
			c.Node.Apply(testkit.NFTables, c.Rules())
			for _, source := range fewSources(t) {
				t.Run(source.String(), func(t *testing.T) { runUplink(t, c, source) })
			}
		})
	}
}

func runUplink(t *testing.T, c *testkit.Cluster, source natSource) {
	testkit.SinceKernel(t, source.since, source.String())
	reported := observe(t, c.Node.NS, c.Pods(), source, 1)
	var all []truth
	for _, f := range families {
		for _, tt := range uplinkCases {
			t.Run(f.name+"/"+tt.name, func(t *testing.T) { all = append(all, tt.drive(t, &stage{Cluster: c, v6: f.v6})...) })
		}
	}
	reported.stop()
	reported.check(t, all)
	reported.checkUnclaimed()
}
