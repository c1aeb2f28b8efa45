package demo

import (
	"fmt"
	"net/netip"
)

// family is an IP version, 4 or 6.
type family int

var families = []family{4, 6}

// of returns the one address of the family among addrs, or the zero Addr.
func (f family) of(addrs []netip.Addr) netip.Addr {
	for _, a := range addrs {
		if a.Is4() == (f == 4) {
			return a
		}
	}
	return netip.Addr{}
}

// The networks of the cluster, by family. IPv6 addresses carry the decimal digits of their IPv4 counterparts.
var (
	clusterPods = map[family]netip.Prefix{4: netip.MustParsePrefix("10.244.0.0/16"), 6: netip.MustParsePrefix("fd00:10:244::/48")}
	lan         = map[family]netip.Prefix{4: netip.MustParsePrefix("10.89.0.0/24"), 6: netip.MustParsePrefix("fd00:89::/64")}
	wan         = map[family]netip.Prefix{4: netip.MustParsePrefix("203.0.113.0/24"), 6: netip.MustParsePrefix("2001:db8:113::/64")}
)

// pair returns the two addresses of one thing: format strings of both families, filled with the same numbers.
func pair(v4, v6 string, numbers ...any) []netip.Addr {
	return []netip.Addr{
		netip.MustParseAddr(fmt.Sprintf(v4, numbers...)),
		netip.MustParseAddr(fmt.Sprintf(v6, numbers...)),
	}
}

func lanAddrs(host int) []netip.Addr { return pair("10.89.0.%d", "fd00:89::%d", host) }

func wanAddrs(host int) []netip.Addr { return pair("203.0.113.%d", "2001:db8:113::%d", host) }

func podAddrs(node, host int) []netip.Addr {
	return pair("10.244.%d.%d", "fd00:10:244:%d::%d", node, host)
}

func serviceAddrs(host int) []netip.Addr { return pair("10.96.0.%d", "fd00:10:96::%d", host) }

// podPrefix is the pod network of one node.
func podPrefix(f family, node int) netip.Prefix {
	bits := map[family]int{4: 24, 6: 64}[f]
	return netip.PrefixFrom(f.of(podAddrs(node, 0)), bits)
}
