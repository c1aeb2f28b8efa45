package health

import (
	"context"
	"slices"
)

// mostOfName is the part of what is bad that one name must have for it to be told.
const mostOfName = 0.5

// findNames tells which name most of the DNS queries are for that failed.
func (c *check) findNames(ctx context.Context) error {
	var asked []*finding
	for _, f := range c.findings[:min(len(c.findings), maxTraced)] {
		if f.rule.Dataset == "dns" && f.rule.Form == Share {
			asked = append(asked, f)
		}
	}
	if len(asked) == 0 {
		return nil
	}
	q := &question{
		dataset: "dns", keys: append(slices.Clone(edgeKeys), "dns.name"), from: c.periods.From, to: c.periods.To, limit: maxEdges,
		filter: c.with(anyOf(asked)),
	}
	q.add(asked)
	names := make([]map[string]float64, len(asked))
	_, err := c.ask(ctx, q, func(row answerRow) {
		for i, f := range asked {
			if !f.has(row) {
				continue
			}
			if names[i] == nil {
				names[i] = make(map[string]float64)
			}
			names[i][row.text("dns.name")] += row.facts(f.rule).bad()
		}
	})
	for i, f := range asked {
		if name := most(names[i]); names[i][name] >= mostOfName*f.verdict.now.bad() {
			f.name = name
		}
	}
	return err
}
