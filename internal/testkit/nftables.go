package testkit

import (
	"fmt"
	"net/netip"
)

// nftables writes rules as nft reads them, in the manner of kube-proxy's nftables mode: a verdict map leads from
// address, protocol and port to a Service's chain, which draws a backend by numgen.
func (r Rules) nftables(v6 bool) string {
	w := nftWriter{Rules: r, family: "ip"}
	if v6 {
		w.family = "ip6"
	}
	w.add("table %s kube-proxy", w.family)
	w.add("delete table %s kube-proxy", w.family)
	w.add("table %s kube-proxy {", w.family)
	w.maps()
	w.hooks()
	for _, s := range r.Services {
		if len(s.Backends) > 0 {
			w.service(&s)
		}
	}
	w.add("}")
	for _, s := range r.Services {
		if s.Proto != "icmp" && s.Interface == "" {
			w.elements(&s)
		}
	}
	return w.String()
}

type nftWriter struct {
	lines
	Rules
	family string
}

func (w *nftWriter) maps() {
	key := map[string]string{"ip": "ipv4_addr", "ip6": "ipv6_addr"}[w.family]
	w.add("map service-ips { type %s . inet_proto . inet_service : verdict; }", key)
	w.add("map no-endpoint-services { type %s . inet_proto . inet_service : verdict; }", key)
	w.add("map service-nodeports { type inet_proto . inet_service : verdict; }")
}

// hooks writes the chains that do not depend on the Services.
func (w *nftWriter) hooks() {
	w.zones()
	for _, hook := range []string{"input", "forward", "output"} {
		w.add("chain filter-%s { type filter hook %s priority 0;", hook, hook)
		w.add("ct state new %s daddr . meta l4proto . th dport vmap @no-endpoint-services; }", w.family)
	}
	w.add("chain nat-prerouting { type nat hook prerouting priority dstnat; jump services; }")
	w.add("chain nat-output { type nat hook output priority -100; jump services; }")
	w.add("chain reject-chain { reject; }")
	w.add("chain mark-for-masquerade { meta mark set meta mark or %s; }", masqueradeMark)
	w.add("chain masquerading {")
	w.add("meta mark & %s == 0 return", masqueradeMark)
	w.add("meta mark set meta mark xor %s", masqueradeMark)
	w.add("masquerade fully-random")
	w.add("}")
	w.postrouting()
	w.dispatch()
}

func (w *nftWriter) zones() {
	w.add("chain zones { type filter hook prerouting priority raw;")
	for link, zone := range w.Zones {
		w.add(`iifname "%s" ct zone set %d`, link, zone)
	}
	w.add("}")
}

// postrouting masquerades what is marked, and pods on their way out, as a network plug-in does.
func (w *nftWriter) postrouting() {
	w.add("chain nat-postrouting { type nat hook postrouting priority srcnat;")
	w.add("jump masquerading")
	for _, pods := range w.Pods {
		w.add("%s saddr %s %s daddr != %s masquerade fully-random", w.family, pods, w.family, pods)
	}
	w.add("}")
}

// dispatch leads from what was dialled to the Services' chains. Those that the map cannot hold have a rule each.
func (w *nftWriter) dispatch() {
	w.add("chain services {")
	for _, s := range w.Services {
		switch {
		case s.Proto == "icmp":
			w.add("%s daddr %s meta l4proto %s goto service-%s", w.family, s.VIP, w.proto(&s), s.Name)
		case s.Interface != "":
			w.add(`iifname "%s" %s daddr %s meta l4proto %s th dport %d goto service-%s`,
				s.Interface, w.family, s.VIP, s.Proto, s.Port, s.Name)
		}
	}
	w.add("%s daddr . meta l4proto . th dport vmap @service-ips", w.family)
	w.add("fib daddr type local meta l4proto . th dport vmap @service-nodeports")
	w.add("}")
}

func (w *nftWriter) elements(s *Service) {
	to, verdict := "service-ips", "goto service-"+s.Name
	if len(s.Backends) == 0 {
		to, verdict = "no-endpoint-services", "goto reject-chain"
	}
	w.add("add element %s kube-proxy %s { %s . %s . %d : %s }", w.family, to, s.VIP, s.Proto, s.Port, verdict)
	if s.NodePort != 0 {
		w.add("add element %s kube-proxy service-nodeports { %s . %d : goto external-%s }",
			w.family, s.Proto, s.NodePort, s.Name)
	}
}

func (w *nftWriter) service(s *Service) {
	w.add("chain service-%s {", s.Name)
	match := fmt.Sprintf("%s daddr %s meta l4proto %s", w.family, s.VIP, w.proto(s))
	if s.MasqueradeAll {
		w.add("%s jump mark-for-masquerade", match)
	}
	for _, pods := range w.Pods {
		w.add("%s %s saddr != %s jump mark-for-masquerade", match, w.family, pods)
	}
	w.balance("endpoint-"+s.Name, s.Backends)
	w.add("}")
	w.endpoints("endpoint-"+s.Name, s, s.Backends)
	if s.NodePort != 0 {
		w.nodePort(s)
	}
}

func (w *nftWriter) nodePort(s *Service) {
	w.add("chain external-%s {", s.Name)
	if !s.Local {
		w.add("jump mark-for-masquerade")
		w.add("goto service-%s", s.Name)
		w.add("}")
		return
	}
	w.add("fib saddr type local jump mark-for-masquerade")
	w.add("fib saddr type local goto service-%s", s.Name)
	w.balance("local-"+s.Name, s.LocalBackends)
	w.add("}")
	w.endpoints("local-"+s.Name, s, s.LocalBackends)
}

func (w *nftWriter) balance(endpoint string, backends []netip.AddrPort) {
	if len(backends) == 0 {
		return
	}
	w.WriteString(fmt.Sprintf("numgen random mod %d vmap {", len(backends)))
	for i := range backends {
		w.WriteString(fmt.Sprintf(" %d : goto %s-%d,", i, endpoint, i))
	}
	w.add(" }")
}

func (w *nftWriter) endpoints(endpoint string, s *Service, backends []netip.AddrPort) {
	for i, b := range backends {
		w.add("chain %s-%d {", endpoint, i)
		w.add("%s saddr %s jump mark-for-masquerade", w.family, b.Addr())
		w.add("meta l4proto %s dnat to %s", w.proto(s), s.target(b))
		w.add("}")
	}
}

func (w *nftWriter) proto(s *Service) string {
	if s.Proto == "icmp" && w.family == "ip6" {
		return "ipv6-icmp"
	}
	return s.Proto
}
