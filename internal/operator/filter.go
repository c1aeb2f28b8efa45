package operator

import (
	"cmp"
	"fmt"
	"net/netip"
	"slices"
	"strconv"
	"strings"

	"k8s.io/apimachinery/pkg/util/intstr"

	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// rulesOf makes the agent's filter rules. The resource's rules are chosen by the longest prefix, the agent's in order: so
// they are sorted by that. What none of them matches is refused if any rule accepts, else accepted.
func rulesOf(f *flowcollector.FlowFilter) (rules []string, fallback string, err error) {
	fallback = "accept"
	if f == nil || f.Enable == nil || !*f.Enable {
		return nil, fallback, nil
	}
	all := slices.Clone(f.Rules)
	if len(all) == 0 {
		all = []flowcollector.Rule{f.Rule}
	}
	for i := range all {
		if _, err := prefixOf(all[i].CIDR); err != nil {
			return nil, "", fmt.Errorf("rules[%d].cidr %w", i, err)
		}
	}
	slices.SortStableFunc(all, func(a, b flowcollector.Rule) int { return cmp.Compare(bits(b.CIDR), bits(a.CIDR)) })
	for i := range all {
		if all[i].Action != "Reject" {
			fallback = "reject"
		}
		texts, err := ruleOf(&all[i])
		if err != nil {
			return nil, "", err
		}
		rules = append(rules, texts...)
	}
	_, err = capture.ParseRules(rules)
	return rules, fallback, err
}

// prefixOf reads a CIDR; empty is none.
func prefixOf(cidr string) (netip.Prefix, error) {
	if cidr == "" {
		return netip.Prefix{}, nil
	}
	p, err := netip.ParsePrefix(cidr)
	if err != nil {
		return p, fmt.Errorf("%q: want a CIDR such as 10.0.0.0/8", cidr)
	}
	return p, nil
}

func bits(cidr string) int {
	p, err := prefixOf(cidr)
	if err != nil || !p.IsValid() {
		return 0
	}
	return p.Bits()
}

// ruleOf makes one rule, or two where either end may be the peer.
func ruleOf(r *flowcollector.Rule) ([]string, error) {
	head, tail := []string{strings.ToLower(cmp.Or(r.Action, "Accept"))}, []string{}
	switch r.Direction {
	case "Ingress":
		head = append(head, "in")
	case "Egress":
		head = append(head, "out")
	}
	if r.Protocol != "" {
		tail = append(tail, "proto", strings.ToLower(r.Protocol))
	}
	for _, p := range []struct {
		word, field string
		ports       *intstr.IntOrString
	}{{"sport", "sourcePorts", r.SourcePorts}, {"dport", "destPorts", r.DestPorts}, {"port", "ports", r.Ports}} {
		if p.ports == nil {
			continue
		}
		text, err := portsOf(*p.ports)
		if err != nil {
			return nil, fmt.Errorf("%s %w", p.field, err)
		}
		tail = append(tail, p.word, text)
	}
	if r.ICMPType != nil {
		tail = append(tail, "icmp-type", strconv.Itoa(int(*r.ICMPType)))
	}
	if r.ICMPCode != nil {
		tail = append(tail, "icmp-code", strconv.Itoa(int(*r.ICMPCode)))
	}
	if r.TCPFlags != "" {
		tail = append(tail, "flags", strings.ReplaceAll(strings.ToLower(r.TCPFlags), "-", ","))
	}
	return combine(head, tail, r)
}

// combine puts addresses between the other conditions.
func combine(head, tail []string, r *flowcollector.Rule) ([]string, error) {
	rule := func(addresses ...string) string {
		return strings.Join(slices.Concat(head, addresses, tail), " ")
	}
	cidr, peer := r.CIDR, r.PeerCIDR
	if r.PeerIP != "" {
		a, err := netip.ParseAddr(r.PeerIP)
		if err != nil {
			return nil, fmt.Errorf("peerIP %q: want an IP address", r.PeerIP)
		}
		peer = netip.PrefixFrom(a, a.BitLen()).String()
	}
	if _, err := prefixOf(peer); err != nil {
		return nil, fmt.Errorf("peerCIDR %w", err)
	}
	if p, _ := prefixOf(cidr); p.IsValid() && p.Bits() == 0 && peer == "" {
		cidr = "" // 0.0.0.0/0 is every packet there, of IPv6, too.
	}
	switch {
	case cidr == "" && peer == "":
		return []string{rule()}, nil
	case peer == "":
		return []string{rule("net", cidr)}, nil
	case cidr == "":
		return []string{rule("net", peer)}, nil
	}
	return []string{rule("src", cidr, "dst", peer), rule("src", peer, "dst", cidr)}, nil
}

// portsOf reads 80, "80-90" or "80,443".
func portsOf(ports intstr.IntOrString) (string, error) {
	text := strings.ReplaceAll(ports.String(), " ", "")
	for one := range strings.SplitSeq(text, ",") {
		from, to, isRange := strings.Cut(one, "-")
		first, err := strconv.ParseUint(from, 10, 16)
		last := first
		if err == nil && isRange {
			last, err = strconv.ParseUint(to, 10, 16)
		}
		if err != nil || first == 0 || last < first {
			return "", fmt.Errorf("%q: want a port from 1 to 65535, a range such as 80-90, or two as 80,443", ports.String())
		}
	}
	return text, nil
}
