package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"slices"
	"syscall"
)

// sysctl is a setting of a network namespace: a file below /proc/sys/net, which shows its opener's namespace.
type sysctl struct{ path, value string }

// commonSysctls are for every namespace: addresses are usable at once, nothing is learnt from the wire, and no packet
// is dropped for the way it came.
var commonSysctls = []sysctl{
	{"ipv6/conf/all/disable_ipv6", "0"},
	{"ipv6/conf/default/disable_ipv6", "0"},
	{"ipv6/conf/all/accept_dad", "0"},
	{"ipv6/conf/default/accept_dad", "0"},
	{"ipv6/conf/default/accept_ra", "0"},
	{"ipv6/conf/all/accept_redirects", "0"},
	{"ipv6/conf/default/accept_redirects", "0"},
	{"ipv4/conf/all/rp_filter", "0"},
	{"ipv4/conf/default/rp_filter", "0"},
	{"ipv4/conf/all/send_redirects", "0"},
	{"ipv4/conf/default/send_redirects", "0"},
}

var forwardingSysctls = []sysctl{
	{"ipv4/ip_forward", "1"},
	{"ipv6/conf/all/forwarding", "1"},
}

// bridgeSysctls show bridged packets to netfilter, as kube-proxy wants it on nodes. The files exist where the module
// br_netfilter is loaded and the kernel keeps the setting for each namespace (5.3 and later).
var bridgeSysctls = []sysctl{
	{"bridge/bridge-nf-call-iptables", "1"},
	{"bridge/bridge-nf-call-ip6tables", "1"},
}

func setSysctls(r role) error {
	if !exists("/proc/sys/net/ipv6") {
		return errors.New("this kernel runs without IPv6, which the demo needs: boot it without ipv6.disable=1")
	}
	list := commonSysctls
	if r == router || r == node {
		list = append(slices.Clip(list), forwardingSysctls...)
	}
	for _, s := range list {
		if err := s.write(); err != nil {
			return err
		}
	}
	if r == node {
		return setBridgeSysctls()
	}
	return nil
}

func setBridgeSysctls() error {
	for _, s := range bridgeSysctls {
		if err := s.write(); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return err
		}
	}
	return nil
}

func (s sysctl) write() error {
	err := os.WriteFile("/proc/sys/net/"+s.path, []byte(s.value), 0)
	if errors.Is(err, syscall.EROFS) {
		return fmt.Errorf("set sysctl net/%s: %w: in a container, run the demo privileged", s.path, err)
	}
	if err != nil {
		return fmt.Errorf("set sysctl net/%s: %w", s.path, err)
	}
	return nil
}
