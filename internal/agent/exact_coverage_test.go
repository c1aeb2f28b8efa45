package agent_test

import (
	"fmt"
	"net/netip"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// TestCoverageKinds sends real connections through interfaces of every kind here. Each interface's own counters, which
// kinds keep in different ways, are accounted for to the byte.
func TestCoverageKinds(t *testing.T) {
	// A packet that passes while an interface's counters and flows are being read is in one of them only, such as a
	// neighbour's probe. That does not happen each time; a fault of counting does.
	const tries = 3
	for try := range tries {
		wrong := coverageFaults(t)
		if len(wrong) == 0 {
			return
		}
		t.Logf("try %d: %s", try+1, strings.Join(wrong, "; "))
	}
	t.Errorf("coverage was wrong in each of %d tries", tries)
}

// coverageFaults drives traffic over every kind of interface and tells whose account does not equal its counters.
func coverageFaults(t *testing.T) (wrong []string) {
	c := testkit.NewCluster(t)
	c.Node.Apply(testkit.NFTables, c.Rules())
	if err := c.Node.OffloadsOff("lo"); err != nil {
		t.Fatal(err)
	}
	c.Node.ServeUDP(netip.MustParseAddrPort("127.0.0.1:5353"))
	cfg := agent.Config{Node: "node", Interval: interval}
	cfg.NetNS = c.Node.Path
	e := newExactAgent(t, cfg, exactWatch{})
	for _, d := range []struct {
		from *testkit.NS
		to   netip.AddrPort
	}{
		{c.Client.NS, netip.AddrPortFrom(c.Outside.V4, testkit.UDPPort)},
		{c.Client.NS, netip.AddrPortFrom(c.Server2.V6, testkit.UDPPort)},
		{c.Client.NS, netip.AddrPortFrom(c.VIP(false, testkit.FarService), 80)},
		{c.Node.NS, netip.AddrPortFrom(c.VIP(true, testkit.WebService), 80)},
		{c.Node.NS, netip.MustParseAddrPort("127.0.0.1:5353")},
	} {
		network := map[bool]string{false: "udp", true: "tcp"}[d.to.Port() == 80]
		conn, err := d.from.Dial(network, d.to, 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := testkit.Exchange(conn, 600, 10); err != nil {
			t.Errorf("exchange with %v: %v", d.to, err)
		}
		conn.Close()
	}
	e.stop()
	for _, link := range []string{"client", "br0", "br1", "mv0", "eth0", "lo"} {
		one := e.coverage(link)
		accounted := one.Flows
		for _, v := range one.Outside {
			accounted = addVolumes(accounted, v)
		}
		if accounted != one.Counted || one.Counted == (flow.Volume{}) {
			wrong = append(wrong, fmt.Sprintf("%s: flows and what is outside them are %+v, the interface counted %+v", link, accounted, one.Counted))
		}
	}
	return wrong
}
