package credential

import (
	"net"
	"net/netip"
)

// IsLoopback says whether "host:port" surely is this machine: a loopback address, or localhost, which is one by RFC 6761.
func IsLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	if host == "localhost" {
		return true
	}
	ip, err := netip.ParseAddr(host)
	return err == nil && ip.Unmap().IsLoopback()
}
