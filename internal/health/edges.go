package health

import (
	"cmp"
	"context"
	"slices"
	"time"
)

// edgeState is an edge as one rule sees it.
type edgeState struct {
	edge    Edge
	judged  bool
	found   bool
	verdict verdict
	// explained says that the finding follows from another, or is told with it.
	explained bool
	// consequences are what follows from the finding.
	consequences []consequence
}

// stands says whether there is a finding that follows from no other.
func (s *edgeState) stands() bool { return s.found && !s.explained }

// byEdge applies the rules on edges of a dataset.
func (c *check) byEdge(ctx context.Context, dataset string) error {
	rules := c.settings.rules(dataset, ByEdge)
	if len(rules) == 0 {
		return nil
	}
	now, before, err := pairOf(ctx, c, &question{dataset: dataset, rules: rules, keys: edgeKeys, limit: maxEdges}, c.behind.edgeOf)
	if err != nil {
		return err
	}
	c.rules += len(rules)
	for _, one := range []map[Edge][]Facts{now, before} {
		for e := range one {
			c.edges[e] = true
		}
	}
	for i, rule := range rules {
		c.judged = append(c.judged, judged{rule, statesOf(rule, c.periods, i, now, before)})
	}
	return nil
}

// statesOf lets a rule, which is the i-th, judge each edge. They are in the order of their names.
func statesOf(rule *Rule, p Periods, i int, now, before map[Edge][]Facts) []*edgeState {
	var all []*edgeState
	add := func(e Edge) {
		s := &edgeState{edge: e}
		n, b := factsOf(now[e], i), factsOf(before[e], i)
		s.judged = rule.isJudged(n, b, p)
		s.verdict, s.found = rule.judge(n, b, p)
		all = append(all, s)
	}
	for e := range now {
		add(e)
	}
	for e := range before {
		if now[e] == nil {
			add(e)
		}
	}
	slices.SortFunc(all, func(a, b *edgeState) int { return cmp.Compare(a.edge.String(), b.edge.String()) })
	return all
}

func factsOf(all []Facts, i int) Facts {
	if all == nil {
		return noFacts()
	}
	return all[i]
}

// byNode applies the rules on nodes of a dataset.
func (c *check) byNode(ctx context.Context, dataset string) error {
	rules := c.settings.rules(dataset, ByNode)
	if len(rules) == 0 || c.within != nil {
		return nil // Of a node's records some may be of other namespaces.
	}
	q := &question{dataset: dataset, rules: rules, keys: []string{"node"}, limit: maxNodes}
	now, before, err := pairOf(ctx, c, q, func(r answerRow) string { return r.text("node") })
	if err != nil {
		return err
	}
	c.rules += len(rules)
	names := make(map[string]bool)
	for _, one := range []map[string][]Facts{now, before} {
		for name := range one {
			names[name], c.nodes[name] = true, true
		}
	}
	for i, rule := range rules {
		for name := range names {
			if v, found := rule.judge(factsOf(now[name], i), factsOf(before[name], i), c.periods); found {
				node := Entity{Kind: nodeKind, Name: name}
				c.findings = append(c.findings, &finding{
					rule: rule, subject: Subject{Kind: nodeSubject, Src: &node}, verdict: v, filter: equal("node", name),
				})
			}
		}
	}
	return nil
}

// stepOf is a length of buckets that divides the period into some 15.
func stepOf(length time.Duration) time.Duration {
	for _, step := range []time.Duration{
		time.Second, 5 * time.Second, 10 * time.Second, 30 * time.Second, time.Minute, 5 * time.Minute, 10 * time.Minute, 30 * time.Minute, time.Hour,
	} {
		if length/step <= 20 {
			return step
		}
	}
	return 6 * time.Hour
}
