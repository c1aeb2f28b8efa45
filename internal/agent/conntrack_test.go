package agent_test

import (
	"net/netip"
	"testing"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/testkit"
)

// TestReadConntrack reads a namespace that tracks connections, one that has no reason to, and one that does not exist.
func TestReadConntrack(t *testing.T) {
	client, server := quietNS(t, "client"), quietNS(t, "server")
	testkit.Veth(client, "eth0", server, "eth0")
	client.AddAddr("eth0", "192.0.2.1/24")
	server.AddAddr("eth0", "192.0.2.2/24")
	vip := netip.MustParseAddrPort("198.51.100.1:7")
	backend := netip.MustParseAddrPort("192.0.2.2:7")
	client.Route("198.51.100.0/24", "192.0.2.2")
	client.Apply(testkit.NFTables, testkit.Rules{Services: []testkit.Service{{
		Name: "echo", Proto: "udp", VIP: vip.Addr(), Port: vip.Port(), Backends: []netip.AddrPort{backend},
	}}})
	server.ServeUDP(backend)
	if got := agent.ReadConntrack(client.Path); got != (agent.Conntrack{State: agent.ConntrackIdle}) {
		t.Errorf("rules without traffic: got %+v, want idle", got)
	}
	conn, err := client.Dial("udp", vip, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := testkit.Exchange(conn, 100, 1); err != nil {
		t.Fatal(err)
	}
	if got := agent.ReadConntrack(client.Path); got != (agent.Conntrack{State: agent.ConntrackTracking, Entries: 1}) {
		t.Errorf("a connection: got %+v, want one entry", got)
	}
	if got := agent.ReadConntrack(server.Path); got != (agent.Conntrack{State: agent.ConntrackIdle}) {
		t.Errorf("no rules: got %+v, want idle", got)
	}
	if got := agent.ReadConntrack("/no/such"); got.State != agent.ConntrackUnknown || got.Why == "" {
		t.Errorf("no namespace: got %+v, want unknown, and why", got)
	}
}
