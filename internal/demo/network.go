package demo

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// The names of links inside the namespaces, as CNI plug-ins name them.
const (
	uplink    = "eth0" // of nodes, pods and the internet
	podBridge = "cni0" // of nodes
	lanBridge = "lan0" // of the fabric
	wanPort   = "wan0" // of the fabric
)

// namespace configures the network namespace of one process from outside.
type namespace struct {
	name string
	fd   netns.NsHandle
	link *netlink.Handle
}

// network is all namespaces while they are being joined.
type network map[string]*namespace

// connect makes every link, address and route of the cluster.
func (c *Cluster) connect() (err error) {
	all := network{}
	defer func() { err = errors.Join(err, all.close()) }()
	for name, p := range c.procs {
		if err := all.open(name, p.netNS()); err != nil {
			return err
		}
	}
	if err := all.joinFabric(); err != nil {
		return err
	}
	if err := all.joinNodes(); err != nil {
		return err
	}
	return all.joinPods(c.routed)
}

func (n network) open(name, path string) error {
	fd, err := netns.GetFromPath(path)
	if err != nil {
		return fmt.Errorf("open namespace of %s: %w", name, err)
	}
	n[name] = &namespace{name: name, fd: fd}
	if n[name].link, err = netlink.NewHandleAt(fd, unix.NETLINK_ROUTE); err != nil {
		return fmt.Errorf("open netlink in namespace of %s: %w", name, err)
	}
	return n[name].up("lo")
}

// close gives back what would keep the namespaces alive.
func (n network) close() error {
	var errs []error
	for _, s := range n {
		if s.link != nil {
			s.link.Close()
		}
		errs = append(errs, s.fd.Close())
	}
	return errors.Join(errs...)
}

// joinFabric makes the wire between the nodes, and the router and the route to the internet.
func (n network) joinFabric() error {
	fabric, internet := n[fabricName], n[internetName]
	if err := fabric.bridge(lanBridge, prefixes(lanAddrs(1), lan)); err != nil {
		return err
	}
	if err := fabric.veth(wanPort, "", internet); err != nil {
		return err
	}
	return errors.Join(
		fabric.addresses(wanPort, prefixes(wanAddrs(1), wan)),
		internet.addresses(uplink, prefixes(internetAddrs, wan)),
		internet.defaultRoutes(wanAddrs(1)),
	)
}

// joinNodes gives each node its link to the fabric, its bridge for pods, and plain routes to the other nodes' pods.
func (n network) joinNodes() error {
	for _, p := range nodePlans {
		node := n[p.name]
		if err := n[fabricName].veth(p.name, lanBridge, node); err != nil {
			return err
		}
		if err := errors.Join(
			node.addresses(uplink, prefixes(p.addrs(), lan)),
			node.defaultRoutes(lanAddrs(1)),
			node.bridge(podBridge, prefixes(podAddrs(p.number, 1), podPrefixes(p.number))),
			node.podRoutes(p),
		); err != nil {
			return err
		}
	}
	return nil
}

// joinPods attaches the pods to their nodes' bridges. Bridged pods of one node reach each other through the bridge;
// where the kernel does not show bridged packets to netfilter, replies would bypass the translation, so
// there (routed) a pod knows only its node and sends everything to it.
func (n network) joinPods(routed bool) error {
	for _, p := range podPlans() {
		pod, node := n[p.process()], n[p.node.name]
		port := fmt.Sprintf("veth%x", sha256.Sum256([]byte(p.process())))[:12]
		if err := node.veth(port, podBridge, pod); err != nil {
			return err
		}
		nets := podPrefixes(p.node.number)
		if routed {
			nets = hostPrefixes
		}
		if err := errors.Join(
			node.hairpin(port),
			pod.addresses(uplink, prefixes(p.addrs, nets)),
			pod.gateway(podAddrs(p.node.number, 1), routed),
		); err != nil {
			return err
		}
	}
	return nil
}

// hostPrefixes has networks of one address: only the lengths count.
var hostPrefixes = map[family]netip.Prefix{
	4: netip.PrefixFrom(netip.IPv4Unspecified(), 32),
	6: netip.PrefixFrom(netip.IPv6Unspecified(), 128),
}

func podPrefixes(node int) map[family]netip.Prefix {
	return map[family]netip.Prefix{4: podPrefix(4, node), 6: podPrefix(6, node)}
}

// prefixes gives each address the length of its family's network.
func prefixes(addrs []netip.Addr, nets map[family]netip.Prefix) []netip.Prefix {
	var list []netip.Prefix
	for _, f := range families {
		list = append(list, netip.PrefixFrom(f.of(addrs), nets[f].Bits()))
	}
	return list
}

// bridge makes a bridge with addresses.
func (s *namespace) bridge(name string, addrs []netip.Prefix) error {
	if err := s.link.LinkAdd(&netlink.Bridge{LinkAttrs: attributes(name)}); err != nil {
		return s.failed("add bridge", name, err)
	}
	return errors.Join(s.up(name), s.addresses(name, addrs))
}

// veth makes a pair of links: name here, a port of master unless that is empty, and eth0 in the other namespace.
func (s *namespace) veth(name, master string, other *namespace) error {
	pair := &netlink.Veth{LinkAttrs: attributes(name), PeerName: uplink, PeerNamespace: netlink.NsFd(other.fd)}
	if master != "" {
		bridge, err := s.link.LinkByName(master)
		if err != nil {
			return s.failed("find bridge", master, err)
		}
		pair.MasterIndex = bridge.Attrs().Index
	}
	if err := s.link.LinkAdd(pair); err != nil {
		return s.failed("add veth", name, err)
	}
	return errors.Join(s.up(name), other.up(uplink))
}

func attributes(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

func (s *namespace) up(name string) error {
	return s.with("set up", name, s.link.LinkSetUp)
}

// hairpin lets a bridge port send back what it received, for pods that reach themselves through a Service.
func (s *namespace) hairpin(name string) error {
	return s.with("set hairpin", name, func(l netlink.Link) error { return s.link.LinkSetHairpin(l, true) })
}

func (s *namespace) addresses(name string, addrs []netip.Prefix) error {
	return s.with("add address", name, func(l netlink.Link) error {
		for _, a := range addrs {
			// No duplicate address detection: the address is usable at once.
			if err := s.link.AddrAdd(l, &netlink.Addr{IPNet: ipNet(a), Flags: unix.IFA_F_NODAD}); err != nil {
				return err
			}
		}
		return nil
	})
}

func (s *namespace) defaultRoutes(gateways []netip.Addr) error {
	var errs []error
	for _, f := range families {
		everything := netip.PrefixFrom(hostPrefixes[f].Addr(), 0)
		errs = append(errs, s.route(&netlink.Route{Dst: ipNet(everything), Gw: f.of(gateways).AsSlice()}))
	}
	return errors.Join(errs...)
}

// podRoutes leads to the pods of the other nodes.
func (s *namespace) podRoutes(own nodePlan) error {
	var errs []error
	for _, other := range nodePlans {
		for _, f := range families {
			if other != own {
				gateway := f.of(other.addrs()).AsSlice()
				errs = append(errs, s.route(&netlink.Route{Dst: ipNet(podPrefix(f, other.number)), Gw: gateway}))
			}
		}
	}
	return errors.Join(errs...)
}

// gateway makes the node a pod's way to everything; a routed pod needs to be told that the node is on its link.
func (s *namespace) gateway(addrs []netip.Addr, routed bool) error {
	if routed {
		if err := s.with("add route by", uplink, func(l netlink.Link) error { return s.onLink(l, addrs) }); err != nil {
			return err
		}
	}
	return s.defaultRoutes(addrs)
}

func (s *namespace) onLink(l netlink.Link, addrs []netip.Addr) error {
	for _, a := range addrs {
		r := &netlink.Route{Dst: ipNet(netip.PrefixFrom(a, a.BitLen())), LinkIndex: l.Attrs().Index, Scope: netlink.SCOPE_LINK}
		if err := s.route(r); err != nil {
			return err
		}
	}
	return nil
}

func (s *namespace) route(r *netlink.Route) error {
	if err := s.link.RouteAdd(r); err != nil {
		return s.failed("add route to", r.Dst.String(), err)
	}
	return nil
}

// with applies a change to the link of that name.
func (s *namespace) with(verb, name string, change func(netlink.Link) error) error {
	l, err := s.link.LinkByName(name)
	if err == nil {
		err = change(l)
	}
	if err != nil {
		return s.failed(verb, name, err)
	}
	return nil
}

func (s *namespace) failed(verb, object string, err error) error {
	return fmt.Errorf("%s %s in namespace of %s: %w", verb, object, s.name, err)
}

func ipNet(p netip.Prefix) *net.IPNet {
	return &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
}
