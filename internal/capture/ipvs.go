package capture

import (
	"bytes"
	"os"
)

// ipvsModule balances Services without NAT.
const ipvsModule = "ip_vs"

// ipvsConntrack makes IPVS keep conntrack's entries as it translates (Documentation/networking/ipvs-sysctl.rst);
// kube-proxy sets it. It is each network namespace's own.
const ipvsConntrack = "/proc/sys/net/ipv4/vs/conntrack"

// ipvsServices lists the virtual services behind three lines of heading (net/netfilter/ipvs/ip_vs_ctl.c).
const (
	ipvsServices = "/proc/thread-self/net/ip_vs"
	ipvsHeading  = 3
)

// ipvsHides returns what IPVS keeps from view, "" if nothing.
func (n *namespace) ipvsHides() string {
	var tracks, services []byte
	err := n.do(func() (err error) {
		if tracks, err = os.ReadFile(ipvsConntrack); err != nil {
			return err
		}
		services, err = os.ReadFile(ipvsServices)
		return err
	})
	if err != nil || string(bytes.TrimSpace(tracks)) != "0" || bytes.Count(services, []byte("\n")) <= ipvsHeading {
		return ""
	}
	return "IPVS is loaded and keeps its backends to itself until net.ipv4.vs.conntrack is 1"
}
