package testkit

import (
	"fmt"
	"net/netip"
	"strings"
)

// RuleKind is the tool whose rules translate.
type RuleKind string

// The kinds of rules.
const (
	IPTables RuleKind = "iptables"
	NFTables RuleKind = "nftables"
)

// Service is one Service of one address family, as kube-proxy sees it.
type Service struct {
	// Name is lower-case letters and digits, unique among a namespace's Services.
	Name string
	// Proto is "tcp", "udp", "sctp" or "icmp"; the last, which Kubernetes does not have, ignores ports and stands for
	// ICMPv6 in IPv6.
	Proto string
	VIP   netip.Addr
	Port  uint16
	// Backends answer; without any the Service is rejected.
	Backends []netip.AddrPort
	// NodePort opens the Service on all of the node's own addresses; 0 does not.
	NodePort uint16
	// Local is externalTrafficPolicy Local: the NodePort leads only to LocalBackends and keeps the client's address.
	Local         bool
	LocalBackends []netip.AddrPort
	// MasqueradeAll hides every client of the VIP behind the node, as kube-proxy does for all Services where its
	// setting of that name is on.
	MasqueradeAll bool
	// Interface limits the Service to packets that enter by it; "" does not.
	Interface string
}

// Rules are all that a node's packet filter does.
type Rules struct {
	Services []Service
	// Pods are the addresses of pods, one prefix for each family: clients from elsewhere are masqueraded on the way to
	// a Service, and pods on the way out.
	Pods []netip.Prefix
	// Zones puts packets that enter by an interface into a conntrack zone.
	Zones map[string]uint16
}

// masqueradeMark is the packet mark by which kube-proxy asks for masquerade.
const masqueradeMark = "0x4000"

// Apply puts rules in force in the namespace, in place of those of the same kind.
func (ns *NS) Apply(kind RuleKind, r Rules) {
	ns.t.Helper()
	for _, v6 := range []bool{false, true} {
		ns.check(ns.applyFamily(kind, r.family(v6), v6))
	}
}

func (ns *NS) applyFamily(kind RuleKind, r Rules, v6 bool) error {
	tool, args, text := "iptables-restore", []string(nil), r.iptables
	switch {
	case kind == NFTables:
		tool, args, text = "nft", []string{"-f", "-"}, r.nftables
	case v6:
		tool = "ip6tables-restore"
	}
	rules := text(v6)
	if _, err := ns.Run(rules, tool, args...); err != nil {
		return fmt.Errorf("%w\n%s", err, rules)
	}
	return nil
}

// family returns the rules of one address family.
func (r Rules) family(v6 bool) Rules {
	of := r
	of.Services, of.Pods = nil, nil
	for _, s := range r.Services {
		if s.VIP.Is6() == v6 {
			of.Services = append(of.Services, s)
		}
	}
	for _, p := range r.Pods {
		if p.Addr().Is6() == v6 {
			of.Pods = append(of.Pods, p)
		}
	}
	return of
}

// nodePortBackends are those that a NodePort leads to.
func (s *Service) nodePortBackends() []netip.AddrPort {
	if s.Local {
		return s.LocalBackends
	}
	return s.Backends
}

// target writes a backend as a rule wants it.
func (s *Service) target(b netip.AddrPort) string {
	if s.Proto == "icmp" {
		return b.Addr().String()
	}
	return b.String()
}

// lines joins the lines of a rule file.
type lines struct{ strings.Builder }

func (l *lines) add(format string, args ...any) {
	fmt.Fprintf(l, format, args...)
	l.WriteByte('\n')
}
