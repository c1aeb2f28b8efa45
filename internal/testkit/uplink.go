package testkit

import (
	"fmt"

	"github.com/vishvananda/netlink"
)

// Uplink is the kind of link by which a Cluster's node reaches the others.
type Uplink string

// The kinds of uplinks. Kernels without the modules 8021q and bonding have the first only; see Lacks.
const (
	Macvlan    Uplink = "macvlan"
	VLAN       Uplink = "vlan"
	Bond       Uplink = "bond"
	VLANOnBond Uplink = "vlan on bond"
)

// vlanID is that of the uplinks' VLANs.
const vlanID = 7

// wireUplink makes the node's uplink, mv0, and returns its ports at the fabric.
func (c *Cluster) wireUplink() []string {
	Veth(c.Node.NS, "eth0", c.fabric, "node")
	switch c.uplink {
	case VLAN:
		c.Node.vlan("mv0", "eth0")
		return []string{c.fabric.vlan("node-vlan", "node")}
	case Bond:
		return c.wireBond("mv0")
	case VLANOnBond:
		ports := c.wireBond("bond0")
		c.Node.vlan("mv0", "bond0")
		for i, port := range ports {
			ports[i] = c.fabric.vlan(port+"-vlan", port)
		}
		return ports
	}
	c.Node.Macvlan("mv0", "eth0")
	return []string{"node"}
}

// wireBond joins eth0 and a second link to the fabric to a bond of which the first link is in use.
func (c *Cluster) wireBond(name string) []string {
	Veth(c.Node.NS, "eth1", c.fabric, "node2")
	bond := netlink.NewLinkBond(netlink.NewLinkAttrs())
	bond.LinkAttrs.Name, bond.Mode, bond.Miimon = name, netlink.BOND_MODE_ACTIVE_BACKUP, 100
	if err := c.Node.Links.LinkAdd(bond); err != nil {
		Lacks(c.Node.t, "bonding", err)
	}
	for _, port := range []string{"eth0", "eth1"} {
		c.Node.check(c.Node.Links.LinkSetDown(c.Node.link(port)))
		if err := c.Node.Links.LinkSetMaster(c.Node.link(port), bond); err != nil {
			c.Node.check(fmt.Errorf("make %s a port of %s: %w", port, name, err))
		}
	}
	c.Node.check(c.Node.OffloadsOff(name))
	c.Node.Up(name)
	return []string{"node", "node2"}
}

// vlan makes a VLAN link on top of another link, up, and returns its name.
func (ns *NS) vlan(name, parent string) string {
	ns.t.Helper()
	attrs := netlink.NewLinkAttrs()
	attrs.Name, attrs.ParentIndex = name, ns.link(parent).Attrs().Index
	if err := ns.Links.LinkAdd(&netlink.Vlan{LinkAttrs: attrs, VlanId: vlanID, VlanProtocol: netlink.VLAN_PROTOCOL_8021Q}); err != nil {
		Lacks(ns.t, "8021q", err)
	}
	ns.check(ns.OffloadsOff(name))
	ns.Up(name)
	return name
}
