package health

import (
	"context"
	"maps"
	"slices"
	"strings"
)

// reasonWords say in plain words what the kernel's most usual reasons mean (include/net/dropreason-core.h).
var reasonWords = map[string]string{
	"NETFILTER_DROP": "by a rule of nftables or iptables", "QDISC_DROP": "by the queue of an interface",
	"SOCKET_RCVBUFF": "as a socket's buffer is full", "SOCKET_BACKLOG": "as a socket's backlog is full",
	"CPU_BACKLOG": "as a processor's backlog is full", "FULL_RING": "as a ring is full", "IP_RPFILTER": "by the reverse path filter",
	"IP_OUTNOROUTES": "as there is no route", "IP_INNOROUTES": "as there is no route", "NEIGH_FAILED": "as a neighbour does not answer",
	"TC_INGRESS": "by a filter of tc", "TC_EGRESS": "by a filter of tc", "XDP": "by an XDP program", "PKT_TOO_BIG": "as they are too big",
}

// dropped is what kernels dropped of the packets of a finding's edges.
type dropped struct {
	packets float64
	// reasons and nodes have the packets by the kernel's reason and by the node that dropped them.
	reasons, nodes map[string]float64
}

func (d *dropped) add(reason, node string, packets float64) {
	if d.reasons == nil {
		d.reasons, d.nodes = make(map[string]float64), make(map[string]float64)
	}
	d.packets += packets
	d.reasons[reason] += packets
	d.nodes[node] += packets
}

// findDrops names why and where kernels dropped packets, for findings of drops, and for what fails at edges where as much
// was dropped as would explain it.
func (c *check) findDrops(ctx context.Context) error {
	rule := c.settings.rule(dropsRule)
	var asked []*finding
	for _, f := range c.findings[:min(len(c.findings), maxTraced)] {
		if f.rule.Name == dropsRule || f.rule.ByDrops {
			asked = append(asked, f)
		}
	}
	if len(asked) == 0 || rule == nil {
		return nil
	}
	q := &question{
		dataset: rule.Dataset, keys: append(slices.Clone(edgeKeys), "drop_reason", "node"), from: c.periods.From, to: c.periods.To,
		limit: maxEdges, filter: joined(c.with(anyOf(asked)), "("+rule.Rows+")"), rules: []*Rule{rule},
	}
	_, err := c.ask(ctx, q, func(row answerRow) {
		for _, f := range asked {
			if f.has(row) {
				f.drops.add(row.text("drop_reason"), row.text("node"), row.facts(rule).bad())
			}
		}
	})
	for _, f := range asked {
		if f.rule.Name != dropsRule && f.drops.packets < f.verdict.now.bad()/2 {
			f.drops = dropped{}
		}
	}
	return err
}

// most is the name with the largest count, "" where nothing was counted.
func most(counts map[string]float64) (name string) {
	largest := 0.0
	for one, n := range counts {
		if n > largest || n == largest && n > 0 && one < name {
			name, largest = one, n
		}
	}
	return name
}

// reason is why packets were dropped, in words and as the kernel calls it.
func (d *dropped) reason() string {
	why := most(d.reasons)
	switch words := reasonWords[why]; {
	case why == "":
		return ""
	case words == "":
		return " (" + why + ")"
	default:
		return " " + words + " (" + why + ")"
	}
}

// where are the nodes that dropped the packets.
func (d *dropped) where() []string {
	return slices.DeleteFunc(slices.Sorted(maps.Keys(d.nodes)), func(name string) bool { return name == "" || d.nodes[name] == 0 })
}

// maxNamed are told by name; more are counted.
const maxNamed = 3

// listed cuts names to those told, and counts the rest.
func listed(names []string) []string {
	if more := len(names) - maxNamed; more > 0 {
		return append(names[:maxNamed-1:maxNamed-1], digits(float64(more+1))+" more")
	}
	return names
}

// several joins names as people do, behind a word for one or for many; without names it is empty.
func several(names []string, one, many string) string {
	switch n := len(names); n {
	case 0:
		return ""
	case 1:
		return one + names[0]
	default:
		return many + strings.Join(names[:n-1], ", ") + " and " + names[n-1]
	}
}
