package agent_test

import (
	"net/netip"
	"testing"

	"github.com/seine-net/seine/internal/testkit"
)

var exactClients = [2]netip.Addr{netip.MustParseAddr("192.0.2.4"), netip.MustParseAddr("2001:db8:4::4")}

// quietNS makes a namespace that does not speak IPv6 itself, and so says nothing of its own accord.
func quietNS(t *testing.T, name string) *testkit.NS {
	t.Helper()
	ns := testkit.NewNS(t, name)
	ns.Sysctl("net.ipv6.conf.default.disable_ipv6", "1")
	return ns
}

// vethStage is one pair of links. The agent is at the servers' end.
func vethStage(t *testing.T) *exactStage {
	t.Helper()
	near, far := quietNS(t, "near"), quietNS(t, "far")
	testkit.Veth(near, "eth0", far, "eth0")
	return &exactStage{
		watched: near, client: exactEnd{far, "eth0"}, server: exactEnd{near, "eth0"}, addresses: exactClients,
		links: []string{"eth0"},
	}
}

// loopbackStage has both ends on one loopback link.
func loopbackStage(t *testing.T) *exactStage {
	t.Helper()
	ns := quietNS(t, "local")
	if err := ns.OffloadsOff("lo"); err != nil {
		t.Fatal(err)
	}
	return &exactStage{
		watched: ns, client: exactEnd{ns, "lo"}, server: exactEnd{ns, "lo"}, addresses: exactClients,
		links: []string{"lo"}, loopback: true,
	}
}

// bridgeStage is a node with a bridge of three pods' ports. Each server has a hardware address of its own, which the
// bridge does not know before its first answer.
func bridgeStage(t *testing.T, hairpin, learning bool) *exactStage {
	t.Helper()
	node := quietNS(t, "node")
	pods := map[string]*testkit.NS{
		"client": testkit.NewNS(t, "client"), "server": quietNS(t, "server"), "idle": quietNS(t, "idle"),
	}
	for name, pod := range pods {
		if name == "client" {
			// Without a link-local address fewer multicast groups are to be announced.
			pod.Sysctl("net.ipv6.conf.default.addr_gen_mode", "1")
		}
		testkit.Veth(pod, "eth0", node, name)
	}
	node.Bridge("br0", "client", "server", "idle")
	for name := range pods {
		port, err := node.Links.LinkByName(name)
		if err != nil {
			t.Fatal(err)
		}
		if err := node.Links.LinkSetHairpin(port, hairpin); err != nil {
			t.Fatal(err)
		}
		if err := node.Links.LinkSetLearning(port, learning); err != nil {
			t.Fatal(err)
		}
	}
	pods["client"].AddAddr("eth0", exactClients[0].String()+"/24", exactClients[1].String()+"/64")
	s := &exactStage{
		watched: node, client: exactEnd{pods["client"], "eth0"}, server: exactEnd{pods["server"], "eth0"},
		addresses: exactClients, everyServerMAC: true, links: []string{"client", "server", "idle"}, reflects: hairpin,
	}
	arrive(s)
	return s
}

func learningStage(t *testing.T) *exactStage { return bridgeStage(t, false, true) }
func hairpinStage(t *testing.T) *exactStage  { return bridgeStage(t, true, true) }
func floodingStage(t *testing.T) *exactStage { return bridgeStage(t, false, false) }
