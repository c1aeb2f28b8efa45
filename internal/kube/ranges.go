package kube

import (
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// knownRanges are addresses that no object has and that mean the same everywhere. The longest prefix counts.
//
// Sources: IANA's IPv4 and IPv6 Special-Purpose Address Registries; for clouds the documentation of their instance
// metadata services; for networks of clusters that of OVN-Kubernetes (masquerade, join and transit subnets), Calico (link-local
// gateway), and the NodeLocal DNSCache add-on of Kubernetes.
var knownRanges = []struct{ name, prefix string }{
	{"unspecified", "0.0.0.0/8"},
	{"unspecified", "::/128"},
	{"loopback", "127.0.0.0/8"},
	{"loopback", "::1/128"},
	{"broadcast", "255.255.255.255/32"},
	{"reserved", "240.0.0.0/4"},
	{"multicast", "224.0.0.0/4"},
	{"multicast", "ff00::/8"},
	{"mdns", "224.0.0.251/32"},
	{"mdns", "ff02::fb/128"},
	{"link-local", "169.254.0.0/16"},
	{"link-local", "fe80::/10"},
	{"cloud-metadata", "169.254.169.254/32"},
	{"cloud-metadata", "fd00:ec2::254/128"},
	{"cloud-metadata", "fd20:ce::254/128"},
	{"cloud-metadata", "100.100.100.200/32"},
	{"cloud-dns", "169.254.169.253/32"},
	{"cloud-dns", "fd00:ec2::253/128"},
	{"cloud-time", "169.254.169.123/32"},
	{"cloud-time", "fd00:ec2::123/128"},
	{"cloud-credentials", "169.254.170.2/32"},
	{"cloud-credentials", "169.254.170.23/32"},
	{"cloud-credentials", "fd00:ec2::23/128"},
	{"cloud-platform", "168.63.129.16/32"},
	{"node-local-dns", "169.254.20.10/32"},
	{"calico-gateway", "169.254.1.1/32"},
	{"ovn-masquerade", "169.254.0.0/29"},
	{"ovn-masquerade", "169.254.169.0/29"},
	{"ovn-masquerade", "fd69::/64"},
	{"ovn-join", "100.64.0.0/16"},
	{"ovn-join", "fd98::/64"},
	{"ovn-transit", "100.88.0.0/16"},
	{"ovn-transit", "fd97::/64"},
	{"shared-address-space", "100.64.0.0/10"},
}

// ranges are the same, by prefix.
var ranges = func() (all prefixes[*flow.Identity]) {
	for _, r := range knownRanges {
		all.set(netip.MustParsePrefix(r.prefix), &flow.Identity{Kind: flow.Special, Name: r.name, ResolvedBy: flow.ByRange})
	}
	return all
}()

// sharedSpace is not routed on the internet (RFC 6598).
var sharedSpace = netip.MustParsePrefix("100.64.0.0/10")

// isPublic says whether an address is routed on the internet.
func isPublic(a netip.Addr) bool {
	if !a.IsGlobalUnicast() || a.IsPrivate() || sharedSpace.Contains(a) {
		return false
	}
	_, special := ranges.find(a)
	return !special
}

var (
	// unknown is an address outside of which nothing is known, noAddress what is none.
	unknown   = &flow.Identity{Kind: flow.External}
	noAddress = &flow.Identity{}
)

// outside says what an address is that no object has.
func (x *Index) outside(a netip.Addr) *flow.Identity {
	if !a.IsValid() {
		return noAddress
	}
	if label, _ := x.subnets.find(a); label != "" {
		return x.byLabel[label]
	}
	if known, ok := ranges.find(a); ok {
		return known
	}
	return unknown
}

// identities are those of labels.
func (s *Subnets) identities() map[string]*flow.Identity {
	all := make(map[string]*flow.Identity)
	for _, label := range s.Labels() {
		all[label] = &flow.Identity{Kind: flow.External, Subnet: label, ResolvedBy: flow.BySubnet}
	}
	return all
}
