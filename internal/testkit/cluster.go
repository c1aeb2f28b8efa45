package testkit

import (
	"fmt"
	"net/netip"
	"testing"
	"time"
)

// Cluster is a node under test with pods, beside another node and a host outside. IPv4 and IPv6 alike:
//
//	client ─┐                        ┌─ remote (node) ── server3
//	server1 ┼ br0 ─ node ─ mv0/eth0 ─┤
//	idle ───┘   br1 ┘                └─ outside
//	server2 ─────┘
//
// Links of the node are named after the pods; mv0 is its uplink, a macvlan on eth0 unless NewClusterBy is told another
// kind, so all traffic of the node passes two links.
// All neighbours are known for good: nothing but the test's own traffic moves.
type Cluster struct {
	Node, Remote, Outside     *Host
	Client, Idle              *Host
	Server1, Server2, Server3 *Host
	fabric                    *NS
	uplink                    Uplink
}

// Pods returns the pods of the node under test.
func (c *Cluster) Pods() []*Host { return []*Host{c.Client, c.Idle, c.Server1, c.Server2} }

// Host is a namespace with its addresses on eth0 (mv0 on the node under test).
type Host struct {
	*NS
	V4, V6 netip.Addr
}

// Addr returns the host's address of a family.
func (h *Host) Addr(v6 bool) netip.Addr {
	if v6 {
		return h.V6
	}
	return h.V4
}

// The ports on which every pod and the host outside echo.
const (
	TCPPort = 8080
	UDPPort = 5353
	// ClosedPort has no server.
	ClosedPort = 5999
	// SCTPPort answers on server2 only.
	SCTPPort = 9000
)

// Networks of a Cluster: the number is the third group of the address. All pods' networks lie in PodsV4 and PodsV6.
const (
	fabricNet   = 0x00
	br0Net      = 0x11
	remoteNet   = 0x12
	br1Net      = 0x13
	serviceNet  = 0x32
	fabricBits4 = 24
)

// PodsV4 and PodsV6 contain every pod of a Cluster.
var (
	PodsV4 = netip.MustParsePrefix("172.30.16.0/20")
	PodsV6 = netip.MustParsePrefix("fd5e:0:0:10::/60")
)

func address(v6 bool, network, host int) netip.Addr {
	if v6 {
		return netip.MustParseAddr(fmt.Sprintf("fd5e:0:0:%x::%x", network, host))
	}
	return netip.AddrFrom4([4]byte{172, 30, byte(network), byte(host)})
}

func prefix(v6 bool, network, host int) string {
	bits := fabricBits4
	if v6 {
		bits = 64
	}
	return netip.PrefixFrom(address(v6, network, host), bits).String()
}

func network(v6 bool, n int) string {
	return netip.MustParsePrefix(prefix(v6, n, 0)).Masked().String()
}

// VIP returns the nth address for Services of a family.
func (c *Cluster) VIP(v6 bool, n int) netip.Addr { return address(v6, serviceNet, n) }

// NewCluster makes the namespaces and starts the servers. Conntrack of the node accounts packets and bytes.
func NewCluster(t testing.TB) *Cluster {
	t.Helper()
	return NewClusterBy(t, Macvlan)
}

// NewClusterBy is NewCluster with a node whose uplink is of another kind.
func NewClusterBy(t testing.TB, uplink Uplink) *Cluster {
	t.Helper()
	host := func(name string, network, n int) *Host {
		return &Host{NS: NewNS(t, name), V4: address(false, network, n), V6: address(true, network, n)}
	}
	c := &Cluster{
		Node: host("node", fabricNet, 1), Remote: host("remote", fabricNet, 2), Outside: host("outside", fabricNet, 9),
		Client: host("client", br0Net, 2), Server1: host("server1", br0Net, 10), Idle: host("idle", br0Net, 99),
		Server2: host("server2", br1Net, 10), Server3: host("server3", remoteNet, 10),
		fabric: NewNS(t, "fabric"), uplink: uplink,
	}
	c.wireFabric()
	c.wirePods()
	c.knowNeighbors()
	c.serve()
	c.settle()
	return c
}

// settle waits until the hosts have announced their multicast groups.
func (c *Cluster) settle() {
	var last [2]Counters
	for quiet := 0; quiet < 3; quiet++ {
		time.Sleep(50 * time.Millisecond)
		if now := [2]Counters{c.Idle.Counters("eth0"), c.Node.Counters("eth0")}; now != last {
			last, quiet = now, 0
		}
	}
}

func (c *Cluster) wireFabric() {
	ports := c.wireUplink()
	for _, h := range []*Host{c.Remote, c.Outside} {
		Veth(h.NS, "eth0", c.fabric, h.Name)
		ports = append(ports, h.Name)
	}
	c.fabric.Bridge("fabric", ports...)
	c.Node.Account()
	c.Node.AddAddr("mv0", prefix(false, fabricNet, 1), prefix(true, fabricNet, 1))
	c.Remote.AddAddr("eth0", prefix(false, fabricNet, 2), prefix(true, fabricNet, 2))
	c.Outside.AddAddr("eth0", prefix(false, fabricNet, 9), prefix(true, fabricNet, 9))
	for _, router := range []*Host{c.Node, c.Remote} {
		router.Forward()
	}
}

func (c *Cluster) wirePods() {
	pods := []struct {
		pod, node *Host
		network   int
	}{
		{c.Client, c.Node, br0Net},
		{c.Server1, c.Node, br0Net},
		{c.Idle, c.Node, br0Net},
		{c.Server2, c.Node, br1Net},
		{c.Server3, c.Remote, remoteNet},
	}
	for _, p := range pods {
		Veth(p.pod.NS, "eth0", p.node.NS, p.pod.Name)
	}
	c.Node.Bridge("br0", "client", "server1", "idle")
	c.Node.Bridge("br1", "server2")
	c.Node.AddAddr("br0", prefix(false, br0Net, 1), prefix(true, br0Net, 1))
	c.Node.AddAddr("br1", prefix(false, br1Net, 1), prefix(true, br1Net, 1))
	c.Remote.AddAddr("server3", prefix(false, remoteNet, 1), prefix(true, remoteNet, 1))
	for _, p := range pods {
		host := int(p.pod.V4.As4()[3])
		p.pod.AddAddr("eth0", prefix(false, p.network, host), prefix(true, p.network, host))
		p.pod.Route("0.0.0.0/0", address(false, p.network, 1).String())
		p.pod.Route("::/0", address(true, p.network, 1).String())
	}
	c.routes()
}

// routes lets the nodes reach each other's pods. Addresses of Services lead outside, where nobody has them: only
// translated packets arrive.
func (c *Cluster) routes() {
	for _, v6 := range []bool{false, true} {
		c.Node.Route(network(v6, remoteNet), c.Remote.Addr(v6).String())
		c.Node.Route(network(v6, serviceNet), c.Outside.Addr(v6).String())
		c.Remote.Route(network(v6, br0Net), c.Node.Addr(v6).String())
		c.Remote.Route(network(v6, br1Net), c.Node.Addr(v6).String())
	}
}

func (c *Cluster) knowNeighbors() {
	type end struct {
		ns      *NS
		link    string
		network int
		host    int
	}
	groups := [][]end{
		{{c.Node.NS, "br0", br0Net, 1}, {c.Client.NS, "eth0", br0Net, 2}, {c.Server1.NS, "eth0", br0Net, 10}, {c.Idle.NS, "eth0", br0Net, 99}},
		{{c.Node.NS, "br1", br1Net, 1}, {c.Server2.NS, "eth0", br1Net, 10}},
		{{c.Remote.NS, "server3", remoteNet, 1}, {c.Server3.NS, "eth0", remoteNet, 10}},
		{{c.Node.NS, "mv0", fabricNet, 1}, {c.Remote.NS, "eth0", fabricNet, 2}, {c.Outside.NS, "eth0", fabricNet, 9}},
	}
	for _, group := range groups {
		for _, a := range group {
			for _, b := range group {
				if a == b {
					continue
				}
				for _, v6 := range []bool{false, true} {
					a.ns.Neighbor(a.link, address(v6, b.network, b.host).String(), b.ns.MAC(b.link))
				}
			}
		}
	}
}

func (c *Cluster) serve() {
	c.Node.Sysctl("net.ipv4.icmp_ratelimit", "0")
	c.Node.Sysctl("net.ipv6.icmp.ratelimit", "0")
	for _, h := range []*Host{c.Client, c.Server1, c.Server2, c.Server3, c.Outside} {
		h.Sysctl("net.ipv4.icmp_ratelimit", "0")
		h.Sysctl("net.ipv6.icmp.ratelimit", "0")
		for _, v6 := range []bool{false, true} {
			h.ServeTCP(netip.AddrPortFrom(h.Addr(v6), TCPPort))
			h.ServeUDP(netip.AddrPortFrom(h.Addr(v6), UDPPort))
		}
	}
	for _, v6 := range []bool{false, true} {
		c.Server2.ServeSCTP(netip.AddrPortFrom(c.Server2.Addr(v6), SCTPPort))
	}
}

// The numbers of a Cluster's Services: Service n of a family has the address VIP(v6, n).
const (
	WebService    = iota + 1 // TCP 80, on server1 and server2, NodePort WebNodePort
	FarService               // TCP 80, on server3, NodePort FarNodePort
	LocalService             // TCP 80, on server1 and server3, NodePort LocalNodePort with externalTrafficPolicy Local
	SelfService              // TCP 80, on the client itself
	NameService              // UDP 53, on server1 and server2
	ClosedService            // UDP 53, on a port of server2 where nobody listens
	AssocService             // SCTP 80, on server2
	PingService              // ICMP, on server2
	EmptyService             // TCP 80, on nobody
	NearService              // TCP 80, on server1, which shares the client's bridge
	HiddenService            // TCP 80, on server2, with MasqueradeAll
)

// The NodePorts of a Cluster's Services.
const (
	WebNodePort   = 30080
	FarNodePort   = 30081
	LocalNodePort = 30082
)

// Rules are those of all Services above in both families.
func (c *Cluster) Rules() Rules {
	r := Rules{Pods: []netip.Prefix{PodsV4, PodsV6}}
	for _, v6 := range []bool{false, true} {
		r.Services = append(r.Services, c.services(v6)...)
	}
	return r
}

func (c *Cluster) services(v6 bool) []Service {
	at := func(port uint16, hosts ...*Host) []netip.AddrPort {
		var all []netip.AddrPort
		for _, h := range hosts {
			all = append(all, netip.AddrPortFrom(h.Addr(v6), port))
		}
		return all
	}
	vip := func(n int) netip.Addr { return c.VIP(v6, n) }
	return []Service{
		{Name: "web", Proto: "tcp", VIP: vip(WebService), Port: 80, Backends: at(TCPPort, c.Server1, c.Server2), NodePort: WebNodePort},
		{Name: "far", Proto: "tcp", VIP: vip(FarService), Port: 80, Backends: at(TCPPort, c.Server3), NodePort: FarNodePort},
		{
			Name: "local", Proto: "tcp", VIP: vip(LocalService), Port: 80, Backends: at(TCPPort, c.Server1, c.Server3),
			NodePort: LocalNodePort, Local: true, LocalBackends: at(TCPPort, c.Server1),
		},
		{Name: "self", Proto: "tcp", VIP: vip(SelfService), Port: 80, Backends: at(TCPPort, c.Client)},
		{Name: "name", Proto: "udp", VIP: vip(NameService), Port: 53, Backends: at(UDPPort, c.Server1, c.Server2)},
		{Name: "closed", Proto: "udp", VIP: vip(ClosedService), Port: 53, Backends: at(ClosedPort, c.Server2)},
		{Name: "assoc", Proto: "sctp", VIP: vip(AssocService), Port: 80, Backends: at(SCTPPort, c.Server2)},
		{Name: "ping", Proto: "icmp", VIP: vip(PingService), Backends: at(0, c.Server2)},
		{Name: "empty", Proto: "tcp", VIP: vip(EmptyService), Port: 80},
		{Name: "near", Proto: "tcp", VIP: vip(NearService), Port: 80, Backends: at(TCPPort, c.Server1)},
		{Name: "hidden", Proto: "tcp", VIP: vip(HiddenService), Port: 80, Backends: at(TCPPort, c.Server2), MasqueradeAll: true},
	}
}
