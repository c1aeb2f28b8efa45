package agent_test

import (
	"fmt"
	"net"
	"net/netip"
	"testing"

	"github.com/vishvananda/netlink"

	"github.com/seine-net/seine/internal/testkit"
)

// tenant is a client and a server behind links of their own, in a conntrack zone of their own. All tenants' clients
// have the same address.
type tenant struct {
	name   string
	zone   uint16
	client *testkit.NS
	server *testkit.NS
	third  int
}

// tenantAddr returns the address of host n in a network of pods.
func tenantAddr(v6 bool, third, n int) string {
	if v6 {
		return fmt.Sprintf("fd5e:0:0:%x::%x", third, n)
	}
	return fmt.Sprintf("172.30.%d.%d", third, n)
}

const (
	tenantClients = 0x14
	tenantPort    = 45000
)

var tenantVIP = map[bool]netip.Addr{
	false: netip.MustParseAddr("172.30.60.1"), true: netip.MustParseAddr("fd5e:0:0:60::1"),
}

// TestNATZones has two connections with the very same tuple in two conntrack zones: each record has its own zone
// and backend.
func TestNATZones(t *testing.T) {
	for _, kind := range fewKinds(t) {
		for _, f := range families {
			for _, source := range natSources {
				t.Run(string(kind)+"/"+f.name+"/"+source.String(), func(t *testing.T) { runZones(t, kind, f.v6, source) })
			}
		}
	}
}

func runZones(t *testing.T, kind testkit.RuleKind, v6 bool, source natSource) {
	testkit.SinceKernel(t, source.wholeSince, source.String()+" with zones")
	node := testkit.NewNS(t, "node")
	node.Forward()
	node.Account()
	rules := testkit.Rules{Pods: []netip.Prefix{testkit.PodsV4, testkit.PodsV6}, Zones: make(map[string]uint16)}
	tenants := []*tenant{{name: "a", zone: 1, third: 0x15}, {name: "b", zone: 2, third: 0x16}}
	for _, tn := range tenants {
		tn.build(t, node, v6)
		rules.Services = append(rules.Services, testkit.Service{
			Name: tn.name, Proto: "tcp", VIP: tenantVIP[v6], Port: 80, Interface: "client-" + tn.name,
			Backends: []netip.AddrPort{tn.backend(v6)},
		})
		rules.Zones["client-"+tn.name], rules.Zones["server-"+tn.name] = tn.zone, tn.zone
	}
	node.Apply(kind, rules)
	reported := observe(t, node, nil, source, 1)
	all := driveTenants(t, node, tenants, v6)
	reported.stop()
	reported.check(t, all)
	reported.checkUnclaimed()
}

func (tn *tenant) backend(v6 bool) netip.AddrPort {
	return netip.AddrPortFrom(netip.MustParseAddr(tenantAddr(v6, tn.third, 10)), testkit.TCPPort)
}

// build makes the tenant's namespaces. The node tells the clients' common address apart by the link that an answer
// enters by.
func (tn *tenant) build(t *testing.T, node *testkit.NS, v6 bool) {
	t.Helper()
	tn.client, tn.server = testkit.NewNS(t, "client-"+tn.name), testkit.NewNS(t, "server-"+tn.name)
	for _, end := range []struct {
		ns          *testkit.NS
		third, host int
		table       int
	}{{tn.client, tenantClients, 2, 100 + int(tn.zone)}, {tn.server, tn.third, 10, 0}} {
		link, gateway := end.ns.Name, tenantAddr(v6, end.third, 1)
		addr := tenantAddr(v6, end.third, end.host)
		testkit.Veth(end.ns, "eth0", node, link)
		node.Sysctl("net.ipv4.conf."+link+".rp_filter", "0")
		end.ns.AddAddr("eth0", netip.PrefixFrom(netip.MustParseAddr(addr), map[bool]int{false: 24, true: 64}[v6]).String())
		end.ns.Neighbor("eth0", gateway, node.MAC(link))
		end.ns.Route(map[bool]string{false: "0.0.0.0/0", true: "::/0"}[v6], gateway)
		node.Neighbor(link, addr, end.ns.MAC("eth0"))
		routeHost(t, node, link, addr, end.table)
	}
	rule := netlink.NewRule()
	rule.IifName, rule.Table, rule.Priority = "server-"+tn.name, 100+int(tn.zone), 1000
	rule.Family = map[bool]int{false: netlink.FAMILY_V4, true: netlink.FAMILY_V6}[v6]
	if err := node.Links.RuleAdd(rule); err != nil {
		t.Fatalf("add rule for tenant %s: %v", tn.name, err)
	}
	tn.server.ServeTCP(tn.backend(v6))
}

// routeHost leads an address to a link, in a routing table of its own unless that is 0.
func routeHost(t *testing.T, node *testkit.NS, link, addr string, table int) {
	t.Helper()
	l, err := node.Links.LinkByName(link)
	if err != nil {
		t.Fatal(err)
	}
	ip := netip.MustParseAddr(addr)
	route := &netlink.Route{
		LinkIndex: l.Attrs().Index, Table: table, Scope: netlink.SCOPE_LINK,
		Dst: &net.IPNet{IP: ip.AsSlice(), Mask: net.CIDRMask(ip.BitLen(), ip.BitLen())},
	}
	if err := node.Links.RouteAdd(route); err != nil {
		t.Fatalf("add route to %s by %s: %v", addr, link, err)
	}
}

// driveTenants has both connections alive at the same time, message by message in turns.
func driveTenants(t *testing.T, node *testkit.NS, tenants []*tenant, v6 bool) []truth {
	t.Helper()
	to := netip.AddrPortFrom(tenantVIP[v6], 80)
	conns := make([]net.Conn, len(tenants))
	for i, tn := range tenants {
		conn, err := tn.client.Dial("tcp", to, tenantPort)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { conn.Close() })
		conns[i] = conn
	}
	for i := range messages {
		for _, conn := range conns {
			mustExchange(t, conn, messageSize+i, 1)
		}
	}
	from := netip.AddrPortFrom(netip.MustParseAddr(tenantAddr(v6, tenantClients, 2)), tenantPort)
	var all []truth
	for i, tn := range tenants {
		if err := testkit.Finish(conns[i]); err != nil {
			t.Fatal(err)
		}
		got := truthOf(entryOf(t, node, 6, from, to, tn.zone, "TIME_WAIT"))
		if got.Backend != tn.backend(v6) {
			t.Errorf("conntrack leads tenant %s to %v, want %v", tn.name, got.Backend, tn.backend(v6))
		}
		all = append(all, got)
	}
	return all
}
