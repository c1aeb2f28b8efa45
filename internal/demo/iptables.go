package demo

import (
	"fmt"
	"strings"
)

// iptablesCommands returns the commands that give both families to the two programs.
func iptablesCommands(v4, v6 string) func(nodeRules) []command {
	return func(r nodeRules) []command {
		return []command{
			{Args: []string{v4}, Stdin: iptablesRules(r, 4)},
			{Args: []string{v6}, Stdin: iptablesRules(r, 6)},
		}
	}
}

// iptablesRules writes the rules of one family for iptables-restore, in the chains that kube-proxy's iptables mode
// makes (kubernetes/pkg/proxy/iptables).
func iptablesRules(r nodeRules, f family) string {
	nat, filter := natTable(f), filterTable(r, f)
	for _, s := range r.services {
		if len(s.endpoints) == 0 {
			rejectService(filter, s, f)
			continue
		}
		translateService(nat, s, f)
	}
	nat.add("KUBE-SERVICES -m addrtype --dst-type LOCAL -j KUBE-NODEPORTS")
	return nat.String() + filter.String()
}

// iptablesTable collects one table. A chain comes into being by being declared at the table's head.
type iptablesTable struct {
	name          string
	chains, rules []string
}

func (t *iptablesTable) chain(names ...string) { t.chains = append(t.chains, names...) }

func (t *iptablesTable) add(format string, args ...any) {
	t.rules = append(t.rules, "-A "+fmt.Sprintf(format, args...))
}

// String is the table as iptables-restore reads it.
func (t *iptablesTable) String() string {
	var b strings.Builder
	fmt.Fprintf(&b, "*%s\n", t.name)
	for _, c := range t.chains {
		fmt.Fprintf(&b, ":%s - [0:0]\n", c)
	}
	for _, r := range t.rules {
		fmt.Fprintln(&b, r)
	}
	b.WriteString("COMMIT\n")
	return b.String()
}

// natTable holds the translation that belongs to no Service: masquerading of marked packets, as kube-proxy does it,
// and of pods that leave the cluster, as CNI plug-ins do it.
func natTable(f family) *iptablesTable {
	t := &iptablesTable{name: "nat"}
	t.chain("KUBE-SERVICES", "KUBE-NODEPORTS", "KUBE-POSTROUTING", "KUBE-MARK-MASQ", "IP-MASQ")
	t.add("PREROUTING -j KUBE-SERVICES")
	t.add("OUTPUT -j KUBE-SERVICES")
	t.add("POSTROUTING -j KUBE-POSTROUTING")
	t.add("POSTROUTING -s %s -j IP-MASQ", clusterPods[f])
	t.add("KUBE-MARK-MASQ -j MARK --or-mark %#x", masqueradeMark)
	t.add("KUBE-POSTROUTING -m mark ! --mark %#x/%#[1]x -j RETURN", masqueradeMark)
	t.add("KUBE-POSTROUTING -j MARK --xor-mark %#x", masqueradeMark)
	t.add("KUBE-POSTROUTING -j MASQUERADE --random-fully")
	t.add("IP-MASQ -d %s -j RETURN", clusterPods[f])
	t.add("IP-MASQ -d %s -j RETURN", lan[f])
	t.add("IP-MASQ -j MASQUERADE --random-fully")
	return t
}

func filterTable(r nodeRules, f family) *iptablesTable {
	t := &iptablesTable{name: "filter"}
	t.chain("KUBE-SERVICES", "KUBE-FORWARD")
	for _, hook := range []string{"INPUT", "FORWARD"} {
		if r.loss > 0 {
			t.add("%s -i eth0 -m statistic --mode random --probability %.2f -j DROP", hook, float64(r.loss)/100)
		}
	}
	for _, hook := range []string{"INPUT", "FORWARD", "OUTPUT"} {
		t.podRules(r, f, hook)
		t.add("%s -m conntrack --ctstate NEW -j KUBE-SERVICES", hook)
	}
	t.add("FORWARD -j KUBE-FORWARD")
	t.add("KUBE-FORWARD -m conntrack --ctstate INVALID -j DROP")
	return t
}

// prohibited are the answers of a firewall that rejects, as iptables calls them.
var prohibited = map[family]string{4: "icmp-admin-prohibited", 6: "icmp6-adm-prohibited"}

// podRules writes what faults do to packets for pods.
func (t *iptablesTable) podRules(r nodeRules, f family, hook string) {
	for _, p := range r.silenced {
		t.add("%s -d %s -j DROP", hook, f.of(p.addrs))
	}
	for _, p := range r.rejected {
		t.add("%s -d %s -m conntrack --ctstate NEW -j REJECT --reject-with %s", hook, f.of(p.addrs), prohibited[f])
	}
}

func rejectService(t *iptablesTable, s serviceRules, f family) {
	t.add(`KUBE-SERVICES -d %s %s -m comment --comment "%s has no endpoints" -j REJECT`, f.of(s.addrs), match(s.port.port, s), s.name)
}

// translateService writes the chain of the Service and one for each endpoint; who comes from outside the pods'
// network, or from the endpoint itself (hairpin), is masqueraded, so that the answer comes back this way.
func translateService(t *iptablesTable, s serviceRules, f family) {
	svc := "KUBE-SVC-" + s.id()
	t.chain(svc)
	t.add(`KUBE-SERVICES -d %s %s -m comment --comment "%s cluster IP" -j %s`, f.of(s.addrs), match(s.port.port, s), s.name, svc)
	t.add("%s ! -s %s -d %s %s -j KUBE-MARK-MASQ", svc, clusterPods[f], f.of(s.addrs), match(s.port.port, s))
	if s.port.nodePort != 0 {
		translateNodePort(t, s, svc)
	}
	for i, p := range s.endpoints {
		sep := "KUBE-SEP-" + s.endpointID(p)
		t.chain(sep)
		t.add("%s%s -j %s", svc, chance(len(s.endpoints)-i), sep)
		t.add("%s -s %s -j KUBE-MARK-MASQ", sep, f.of(p.addrs))
		t.add("%s -p %s -j DNAT --to-destination %s", sep, protoName(s.port.proto), s.endpointAt(p, f))
	}
}

// translateNodePort follows externalTrafficPolicy Cluster: any node takes the connection and masquerades it.
func translateNodePort(t *iptablesTable, s serviceRules, svc string) {
	ext := "KUBE-EXT-" + s.id()
	t.chain(ext)
	t.add(`KUBE-NODEPORTS %s -m comment --comment "%s" -j %s`, match(s.port.nodePort, s), s.name, ext)
	t.add("%s -j KUBE-MARK-MASQ", ext)
	t.add("%s -j %s", ext, svc)
}

func match(port uint16, s serviceRules) string {
	return fmt.Sprintf("-p %s -m %[1]s --dport %d", protoName(s.port.proto), port)
}

// chance gives the first of the remaining endpoints its equal share; the last one takes what comes to it.
func chance(remaining int) string {
	if remaining == 1 {
		return ""
	}
	return fmt.Sprintf(" -m statistic --mode random --probability %.10f", 1/float64(remaining))
}
