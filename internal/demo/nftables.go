package demo

import (
	"fmt"
	"strings"
)

func nftCommands(r nodeRules) []command {
	return []command{{Args: []string{"nft", "-f", "-"}, Stdin: nftRules(r, 4) + nftRules(r, 6)}}
}

// nftRules writes the table of one family for nft, with the maps and chains that kube-proxy's nftables mode makes
// (kubernetes/pkg/proxy/nftables). The file is one transaction: the table of before, if any, is replaced.
func nftRules(r nodeRules, f family) string {
	t := nftTable{family: f, word: map[family]string{4: "ip", 6: "ip6"}[f]}
	fmt.Fprintf(&t.out, "add table %s kube-proxy\ndelete table %[1]s kube-proxy\ntable %[1]s kube-proxy {\n", t.word)
	t.maps(r)
	t.baseChains(r)
	for _, s := range r.services {
		t.service(s)
	}
	t.out.WriteString("}\n")
	return t.out.String()
}

type nftTable struct {
	family family
	word   string // the family's keyword: "ip" or "ip6"
	out    strings.Builder
}

// block writes a named block whose statements stand on a line each, as older versions of nft demand.
func (t *nftTable) block(head string, lines ...string) {
	fmt.Fprintf(&t.out, "\t%s {\n", head)
	for _, l := range lines {
		fmt.Fprintf(&t.out, "\t\t%s\n", l)
	}
	t.out.WriteString("\t}\n")
}

// maps writes what each cluster IP and node port leads to.
func (t *nftTable) maps(r nodeRules) {
	var ips, ports, empty []string
	for _, s := range r.services {
		key := fmt.Sprintf("%s . %s . %d", t.family.of(s.addrs), protoName(s.port.proto), s.port.port)
		if len(s.endpoints) == 0 {
			empty = append(empty, key+" : goto reject-chain")
			continue
		}
		ips = append(ips, key+" : goto service-"+s.id())
		if s.port.nodePort != 0 {
			ports = append(ports, fmt.Sprintf("%s . %d : goto external-%s", protoName(s.port.proto), s.port.nodePort, s.id()))
		}
	}
	key := map[family]string{4: "ipv4_addr", 6: "ipv6_addr"}[t.family]
	t.block("map service-ips", "type "+key+" . inet_proto . inet_service : verdict", elements(ips))
	t.block("map no-endpoint-services", "type "+key+" . inet_proto . inet_service : verdict", elements(empty))
	t.block("map service-nodeports", "type inet_proto . inet_service : verdict", elements(ports))
	t.block("set nodeport-ips", "type "+key, elements([]string{t.family.of(r.node.addrs()).String()}))
}

func elements(list []string) string {
	if len(list) == 0 {
		return ""
	}
	return "elements = { " + strings.Join(list, ", ") + " }"
}

// baseChains writes what belongs to no Service: the hooks, the look-ups, and the masquerading, by kube-proxy of marked
// packets and, as CNI plug-ins do it, of pods that leave the cluster.
func (t *nftTable) baseChains(r nodeRules) {
	t.block("chain mark-for-masquerade", fmt.Sprintf("meta mark set meta mark or %#x", masqueradeMark))
	t.block("chain reject-chain", "reject")
	t.block("chain services",
		t.word+" daddr . meta l4proto . th dport vmap @service-ips",
		t.word+" daddr @nodeport-ips meta l4proto . th dport vmap @service-nodeports")
	t.block("chain service-endpoints-check", t.word+" daddr . meta l4proto . th dport vmap @no-endpoint-services")
	t.block("chain masquerading",
		fmt.Sprintf("meta mark and %#x == 0 return", masqueradeMark),
		fmt.Sprintf("meta mark set meta mark xor %#x", masqueradeMark),
		"masquerade fully-random")
	t.block("chain ip-masq", fmt.Sprintf("%s saddr %s %[1]s daddr != { %[2]s, %[3]s } masquerade fully-random",
		t.word, clusterPods[t.family], lan[t.family]))
	t.hook("nat", "prerouting", -100, "jump services")
	t.hook("nat", "output", -100, "jump services")
	t.hook("nat", "postrouting", 100, "jump masquerading", "jump ip-masq")
	for _, hook := range []string{"input", "forward"} {
		t.hook("filter", hook, 0, append(t.podRules(r), lossRule(r.loss), "ct state new jump service-endpoints-check")...)
	}
	t.hook("filter", "output", 0, append(t.podRules(r), "ct state new jump service-endpoints-check")...)
}

func (t *nftTable) hook(kind, hook string, priority int, rules ...string) {
	head := fmt.Sprintf("type %s hook %s priority %d; policy accept;", kind, hook, priority)
	t.block("chain "+kind+"-"+hook, append([]string{head}, rules...)...)
}

// podRules writes what faults do to packets for pods.
func (t *nftTable) podRules(r nodeRules) (rules []string) {
	for _, p := range r.silenced {
		rules = append(rules, fmt.Sprintf("%s daddr %s drop", t.word, t.family.of(p.addrs)))
	}
	for _, p := range r.rejected {
		rules = append(rules, fmt.Sprintf("%s daddr %s ct state new reject with %s type admin-prohibited",
			t.word, t.family.of(p.addrs), map[family]string{4: "icmp", 6: "icmpv6"}[t.family]))
	}
	return rules
}

func lossRule(percent int) string {
	if percent == 0 {
		return ""
	}
	return fmt.Sprintf(`iifname "eth0" numgen random mod 100 < %d drop`, percent)
}

// service writes the chain of the Service and one for each endpoint; who comes from outside the pods' network, or
// from the endpoint itself (hairpin), is masqueraded, so that the answer comes back this way.
func (t *nftTable) service(s serviceRules) {
	if len(s.endpoints) == 0 {
		return
	}
	proto := protoName(s.port.proto)
	var choices []string
	for i, p := range s.endpoints {
		chain := "endpoint-" + s.endpointID(p)
		choices = append(choices, fmt.Sprintf("%d : goto %s", i, chain))
		t.block("chain "+chain,
			fmt.Sprintf("%s saddr %s jump mark-for-masquerade", t.word, t.family.of(p.addrs)),
			fmt.Sprintf("meta l4proto %s dnat to %s", proto, s.endpointAt(p, t.family)))
	}
	t.block("chain service-"+s.id(),
		fmt.Sprintf("%s daddr %s %s dport %d %[1]s saddr != %[5]s jump mark-for-masquerade",
			t.word, t.family.of(s.addrs), proto, s.port.port, clusterPods[t.family]),
		fmt.Sprintf("numgen random mod %d vmap { %s }", len(choices), strings.Join(choices, ", ")))
	if s.port.nodePort != 0 {
		t.block("chain external-"+s.id(), "jump mark-for-masquerade", "goto service-"+s.id())
	}
}
