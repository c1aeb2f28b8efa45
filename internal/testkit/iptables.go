package testkit

import (
	"fmt"
	"net/netip"
	"strings"
)

// iptables writes rules as iptables-restore reads them, in the chains of kube-proxy's iptables mode: Services lead to
// a chain that draws a backend by the statistic match, and that to a chain which rewrites the destination.
func (r Rules) iptables(v6 bool) string {
	var l lines
	r.iptablesRaw(&l)
	r.iptablesFilter(&l, v6)
	r.iptablesNAT(&l, v6)
	return l.String()
}

func (r Rules) iptablesRaw(l *lines) {
	l.add("*raw")
	for link, zone := range r.Zones {
		l.add("-A PREROUTING -i %s -j CT --zone %d", link, zone)
	}
	l.add("COMMIT")
}

// iptablesFilter rejects Services without backends.
func (r Rules) iptablesFilter(l *lines, v6 bool) {
	l.add("*filter")
	l.add(":KUBE-SERVICES - [0:0]")
	for _, hook := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		l.add("-A %s -m conntrack --ctstate NEW -j KUBE-SERVICES", hook)
	}
	for _, s := range r.Services {
		if len(s.Backends) == 0 {
			l.add(`-A KUBE-SERVICES %s -m comment --comment "%s has no endpoints" -j REJECT`, s.iptablesMatch(v6), s.Name)
		}
	}
	l.add("COMMIT")
}

func (r Rules) iptablesNAT(l *lines, v6 bool) {
	l.add("*nat")
	for _, chain := range []string{"KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-MARK-MASQ", "KUBE-POSTROUTING"} {
		l.add(":%s - [0:0]", chain)
	}
	l.add("-A PREROUTING -j KUBE-SERVICES")
	l.add("-A OUTPUT -j KUBE-SERVICES")
	l.add("-A POSTROUTING -j KUBE-POSTROUTING")
	l.add("-A KUBE-MARK-MASQ -j MARK --or-mark %s", masqueradeMark)
	r.iptablesPostrouting(l)
	for _, s := range r.Services {
		if len(s.Backends) > 0 {
			r.iptablesService(l, &s, v6)
		}
	}
	l.add("-A KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
	l.add("COMMIT")
}

// iptablesPostrouting masquerades what is marked, and pods on their way out, as a network plug-in does.
func (r Rules) iptablesPostrouting(l *lines) {
	for _, pods := range r.Pods {
		l.add("-A POSTROUTING -s %s ! -d %s -j MASQUERADE --random-fully", pods, pods)
	}
	l.add("-A KUBE-POSTROUTING -m mark ! --mark %s/%s -j RETURN", masqueradeMark, masqueradeMark)
	l.add("-A KUBE-POSTROUTING -j MARK --xor-mark %s", masqueradeMark)
	l.add("-A KUBE-POSTROUTING -j MASQUERADE --random-fully")
}

func (r Rules) iptablesService(l *lines, s *Service, v6 bool) {
	name := strings.ToUpper(s.Name)
	svc := "KUBE-SVC-" + name
	l.add(":%s - [0:0]", svc)
	l.add("-A KUBE-SERVICES %s -j %s", s.iptablesMatch(v6), svc)
	if s.MasqueradeAll {
		l.add("-A %s %s -j KUBE-MARK-MASQ", svc, s.iptablesMatch(v6))
	}
	for _, pods := range r.Pods {
		l.add("-A %s %s ! -s %s -j KUBE-MARK-MASQ", svc, s.iptablesMatch(v6), pods)
	}
	s.iptablesBalance(l, svc, "KUBE-SEP-"+name, s.Backends, v6)
	if s.NodePort != 0 {
		s.iptablesNodePort(l, name, svc, v6)
	}
}

func (s *Service) iptablesNodePort(l *lines, name, svc string, v6 bool) {
	ext := "KUBE-EXT-" + name
	l.add(":%s - [0:0]", ext)
	l.add("-A KUBE-NODEPORTS -p %s --dport %d -j %s", s.Proto, s.NodePort, ext)
	if !s.Local {
		l.add("-A %s -j KUBE-MARK-MASQ", ext)
		l.add("-A %s -j %s", ext, svc)
		return
	}
	svl := "KUBE-SVL-" + name
	l.add(":%s - [0:0]", svl)
	l.add("-A %s -m addrtype --src-type LOCAL -j KUBE-MARK-MASQ", ext)
	l.add("-A %s -m addrtype --src-type LOCAL -j %s", ext, svc)
	l.add("-A %s -j %s", ext, svl)
	s.iptablesBalance(l, svl, "KUBE-SEL-"+name, s.nodePortBackends(), v6)
}

// iptablesBalance draws among n backends: the first with probability 1/n, the next with 1/(n-1), and so on.
func (s *Service) iptablesBalance(l *lines, chain, endpoint string, backends []netip.AddrPort, v6 bool) {
	for i, b := range backends {
		sep := fmt.Sprintf("%s-%d", endpoint, i)
		l.add(":%s - [0:0]", sep)
		l.add("-A %s -s %s -j KUBE-MARK-MASQ", sep, b.Addr())
		l.add("-A %s -p %s -j DNAT --to-destination %s", sep, s.iptablesProto(v6), s.target(b))
		draw := ""
		if left := len(backends) - i; left > 1 {
			draw = fmt.Sprintf("-m statistic --mode random --probability %.10f ", 1/float64(left))
		}
		l.add("-A %s %s-j %s", chain, draw, sep)
	}
}

func (s *Service) iptablesMatch(v6 bool) string {
	match := fmt.Sprintf("-d %s -p %s", s.VIP, s.iptablesProto(v6))
	if s.Proto != "icmp" {
		match += fmt.Sprintf(" --dport %d", s.Port)
	}
	if s.Interface != "" {
		match = fmt.Sprintf("-i %s %s", s.Interface, match)
	}
	return match
}

func (s *Service) iptablesProto(v6 bool) string {
	if s.Proto == "icmp" && v6 {
		return "ipv6-icmp"
	}
	return s.Proto
}
