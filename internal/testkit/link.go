package testkit

import (
	"fmt"
	"net"
	"net/netip"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// Counters are an interface's own, as the kernel counts them: bytes with the link-layer header.
type Counters struct {
	RxPackets, RxBytes, TxPackets, TxBytes uint64
}

// Sub returns what was counted since o.
func (c Counters) Sub(o Counters) Counters {
	return Counters{
		RxPackets: c.RxPackets - o.RxPackets, RxBytes: c.RxBytes - o.RxBytes,
		TxPackets: c.TxPackets - o.TxPackets, TxBytes: c.TxBytes - o.TxBytes,
	}
}

// Veth joins two namespaces (or one with itself) by a pair of links, both up, with all offloads off so that each wire
// segment is a packet to every counter on its way.
func Veth(a *NS, nameA string, b *NS, nameB string) {
	a.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.TxQLen = nameA, 1000
	pair := netlink.NewVeth(attrs)
	pair.PeerName, pair.PeerNamespace = nameB, netlink.NsFd(b.file.Fd())
	a.check(a.Links.LinkAdd(pair))
	for _, end := range []struct {
		ns   *NS
		name string
	}{{a, nameA}, {b, nameB}} {
		end.ns.check(end.ns.OffloadsOff(end.name))
		end.ns.Up(end.name)
	}
}

// Bridge makes a bridge, up, of the named links. It neither snoops nor joins multicast groups, and like a Kubernetes
// node's it sends a packet back by the port it came from where the destination is there, and its packets pass netfilter.
func (ns *NS) Bridge(name string, ports ...string) {
	ns.t.Helper()
	ns.needModule("br_netfilter", "net.bridge.bridge-nf-call-iptables")
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	snooping := false
	ns.check(ns.Links.LinkAdd(&netlink.Bridge{LinkAttrs: attrs, MulticastSnooping: &snooping}))
	for _, port := range ports {
		ns.AddPort(name, port)
	}
	ns.check(ns.OffloadsOff(name))
	ns.Up(name)
}

// AddPort makes a link a port of a bridge, in hairpin mode.
func (ns *NS) AddPort(bridge, port string) {
	ns.t.Helper()
	ns.check(ns.Links.LinkSetMaster(ns.link(port), ns.link(bridge)))
	ns.check(ns.Links.LinkSetHairpin(ns.link(port), true))
}

// Macvlan makes a macvlan link in bridge mode on top of another link, up.
func (ns *NS) Macvlan(name, parent string) {
	ns.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = name, ns.link(parent).Attrs().Index
	ns.check(ns.Links.LinkAdd(&netlink.Macvlan{LinkAttrs: attrs, Mode: netlink.MACVLAN_MODE_BRIDGE}))
	ns.check(ns.OffloadsOff(name))
	ns.Up(name)
}

// Up sets a link up.
func (ns *NS) Up(link string) {
	ns.t.Helper()
	ns.check(ns.Links.LinkSetUp(ns.link(link)))
}

// AddAddr adds addresses to a link, written "ADDRESS/LENGTH".
func (ns *NS) AddAddr(link string, prefixes ...string) {
	ns.t.Helper()
	for _, prefix := range prefixes {
		addr, err := netlink.ParseAddr(prefix)
		ns.check(err)
		if addr.IP.To4() == nil {
			addr.Flags = unix.IFA_F_NODAD
		}
		if err := ns.Links.AddrAdd(ns.link(link), addr); err != nil {
			ns.check(fmt.Errorf("add address %s to %s: %w", prefix, link, err))
		}
	}
}

// Route adds a route to a prefix by a gateway.
func (ns *NS) Route(prefix, via string) {
	ns.t.Helper()
	p := netip.MustParsePrefix(prefix)
	dst := &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}
	if err := ns.Links.RouteAdd(&netlink.Route{Dst: dst, Gw: netip.MustParseAddr(via).AsSlice()}); err != nil {
		ns.check(fmt.Errorf("add route to %s via %s: %w", prefix, via, err))
	}
}

// Forward makes the namespace a router for IPv4 and IPv6.
func (ns *NS) Forward() {
	ns.t.Helper()
	ns.Sysctl("net.ipv4.ip_forward", "1")
	ns.Sysctl("net.ipv6.conf.all.forwarding", "1")
}

// Neighbor makes the namespace know the hardware address of an IP address on a link for good, so that it asks nobody.
func (ns *NS) Neighbor(link, ip string, mac net.HardwareAddr) {
	ns.t.Helper()
	ns.check(ns.Links.NeighSet(&netlink.Neigh{
		LinkIndex: ns.link(link).Attrs().Index, IP: netip.MustParseAddr(ip).AsSlice(),
		HardwareAddr: mac, State: netlink.NUD_PERMANENT,
	}))
}

// MAC returns a link's hardware address.
func (ns *NS) MAC(link string) net.HardwareAddr {
	ns.t.Helper()
	return ns.link(link).Attrs().HardwareAddr
}

// ForgetMAC removes a hardware address from the forwarding table of the bridge that port belongs to: the next packet
// to it is flooded. It reports whether the bridge knew the address.
func (ns *NS) ForgetMAC(port string, mac net.HardwareAddr) bool {
	ns.t.Helper()
	err := ns.Links.NeighDel(&netlink.Neigh{
		LinkIndex: ns.link(port).Attrs().Index, Family: unix.AF_BRIDGE,
		Flags: netlink.NTF_MASTER, HardwareAddr: mac,
	})
	return err == nil
}

// Counters reads a link's counters.
func (ns *NS) Counters(link string) Counters {
	ns.t.Helper()
	s := ns.link(link).Attrs().Statistics
	return Counters{RxPackets: s.RxPackets, RxBytes: s.RxBytes, TxPackets: s.TxPackets, TxBytes: s.TxBytes}
}

func (ns *NS) link(name string) netlink.Link {
	ns.t.Helper()
	l, err := ns.Links.LinkByName(name)
	if err != nil {
		ns.check(fmt.Errorf("find link %s: %w", name, err))
	}
	return l
}
