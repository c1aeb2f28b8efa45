package health

import (
	"context"
	"slices"
)

// reasonWords say in plain words what the kernel's most usual reasons mean (include/net/dropreason-core.h).
var reasonWords = map[string]string{
	"NETFILTER_DROP": "by a rule of nftables or iptables", "QDISC_DROP": "by the queue of an interface",
	"SOCKET_RCVBUFF": "as a socket's buffer is full", "SOCKET_BACKLOG": "as a socket's backlog is full",
	"CPU_BACKLOG": "as a processor's backlog is full", "FULL_RING": "as a ring is full", "IP_RPFILTER": "by the reverse path filter",
	"IP_OUTNOROUTES": "as there is no route", "IP_INNOROUTES": "as there is no route", "NEIGH_FAILED": "as a neighbour does not answer",
	"TC_INGRESS": "by a filter of tc", "TC_EGRESS": "by a filter of tc", "XDP": "by an XDP program", "PKT_TOO_BIG": "as they are too big",
}

// findReasons names why most packets were dropped, where a finding is of drops.
func (c *check) findReasons(ctx context.Context) error {
	var asked []*finding
	for _, f := range c.findings[:min(len(c.findings), maxTraced)] {
		if f.rule.Name == dropsRule {
			asked = append(asked, f)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	q := &question{
		dataset: asked[0].rule.Dataset, keys: append(slices.Clone(edgeKeys), "drop_reason"), from: c.periods.From, to: c.periods.To,
		limit: maxEdges, filter: c.with(anyOf(asked)),
	}
	q.add(asked)
	counts := make([]map[string]float64, len(asked))
	_, err := c.ask(ctx, q, func(row answerRow) {
		for i, f := range asked {
			if !f.has(row) {
				continue
			}
			if counts[i] == nil {
				counts[i] = make(map[string]float64)
			}
			counts[i][row.text("drop_reason")] += row.facts(f.rule).bad()
		}
	})
	for i, f := range asked {
		f.why = most(counts[i])
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
func (f *finding) reason() string {
	switch words := reasonWords[f.why]; {
	case f.why == "":
		return ""
	case words == "":
		return " (" + f.why + ")"
	default:
		return " " + words + " (" + f.why + ")"
	}
}
