package health

import (
	"cmp"
	"context"
	"maps"
	"math"
	"slices"
)

// cell is the part of an edge's records that is between two nodes, as one of them reports it.
type cell struct {
	edge         Edge
	from, to, by string
}

// pathNodes makes findings of the nodes at which packets are lost, or to or from which they are, whatever the edges: each
// edge alone may have too few. What follows from them is noted there.
func (c *check) pathNodes(ctx context.Context, j judged) error {
	touched := slices.DeleteFunc(slices.Clone(j.states), func(s *edgeState) bool { return s.explained || s.verdict.now.bad() == 0 })
	bad := noFacts()
	for _, s := range touched {
		bad = bad.plus(s.verdict.now)
	}
	if len(touched) < 2 || bad.bad() < j.rule.MinBad {
		return nil
	}
	causes, err := c.nodeCauses(ctx, j, touched)
	if err != nil {
		return err
	}
	for {
		for _, one := range causes {
			one.found = slices.DeleteFunc(one.found, func(s *edgeState) bool { return s.explained })
		}
		causes = slices.DeleteFunc(causes, func(one *cause) bool { return !c.isSpread(one) })
		if len(causes) == 0 {
			return nil
		}
		f := slices.MaxFunc(causes, compareCauses).finding(j.rule)
		for _, s := range f.edges {
			s.explained = true
		}
		c.findings = append(c.findings, f)
		c.follow(f)
		if err := c.lookUps(ctx, f); err != nil {
			return err
		}
	}
}

// lookUps notes at a node to or from which segments are lost the look-ups of names that fail there: no segments are sent
// again for those, so that their edges tell nothing of it.
func (c *check) lookUps(ctx context.Context, f *finding) error {
	if f.at != "" {
		return nil
	}
	node := cmp.Or(f.subject.Src, f.subject.Dst).Name
	for _, j := range c.judged {
		stand := j.stand()
		if j.rule.Dataset != "dns" || j.rule.Form != Share || len(f.rule.effects(j.rule.Name, true)) == 0 || len(stand) == 0 {
			continue
		}
		now, _, err := c.cells(ctx, j.rule)
		if err != nil {
			return err
		}
		there := make(map[Edge]float64)
		for k, facts := range now {
			if k.from == node || k.to == node {
				there[k.edge] += facts[0].bad()
			}
		}
		for _, s := range stand {
			if there[s.edge] >= mostTrouble*s.verdict.now.bad() && f.isEnoughFor(j.rule, s) {
				s.explained = true
				f.consequences = append(f.consequences, consequence{j.rule, s})
			}
		}
	}
	return nil
}

// isSpread says whether what is bad at a node is at several of its edges, and no one server has nearly all of it.
func (c *check) isSpread(one *cause) bool {
	all, servers := 0.0, make(map[Entity]float64)
	for _, s := range one.found {
		all += s.verdict.now.bad()
		servers[c.behind.server(s.edge.Dst)] += s.verdict.now.bad()
	}
	for _, bad := range servers {
		if bad > mostTrouble*all {
			return false
		}
	}
	return len(one.found) >= 2 && c.isSeveral(one)
}

// nodeCauses returns the nodes that would explain shares at edges: as where packets and connects go to, or come from. What
// is explained already is left out.
func (c *check) nodeCauses(ctx context.Context, j judged, found []*edgeState) ([]*cause, error) {
	rule := j.rule
	if rule.Form != Share {
		return nil, nil
	}
	now, before, err := c.cells(ctx, rule)
	if err != nil {
		return nil, err
	}
	for _, s := range j.states {
		if s.explained {
			maps.DeleteFunc(now, func(k cell, _ []Facts) bool { return k.edge == s.edge })
		}
	}
	var causes []*cause
	directions := []string{toNode, fromNode}
	if rule.AtReporter {
		directions = []string{atNode}
	}
	for _, direction := range directions {
		for _, name := range nodesOf(now) {
			if one := c.nodeCause(rule, found, direction, name, now, before); one != nil {
				causes = append(causes, one)
			}
		}
	}
	return causes, nil
}

// cells are a rule's facts by edge and nodes.
func (c *check) cells(ctx context.Context, rule *Rule) (now, before map[cell][]Facts, err error) {
	q := &question{
		dataset: rule.Dataset, rules: []*Rule{rule}, keys: append(slices.Clone(edgeKeys), "src.node", "backend.node", "node"),
		limit: maxEdges,
	}
	return pairOf(ctx, c, q, func(r answerRow) cell {
		return cell{edgeOf(r), r.text("src.node"), r.text("backend.node"), r.text("node")}
	})
}

func nodesOf(cells map[cell][]Facts) []string {
	var names []string
	for k := range cells {
		names = append(names, k.from, k.to, k.by)
	}
	slices.Sort(names)
	return slices.DeleteFunc(slices.Compact(names), func(name string) bool { return name == "" })
}

// What a node may be to blame for: what goes to it, what comes from it, what happens at it.
const (
	toNode   = "to"
	fromNode = "from"
	atNode   = "at"
)

// at is the part of a cell's facts that goes to a node, comes from it, or happened at it.
func (k cell) at(direction, node string, f Facts) Facts {
	there := Facts{Value: math.NaN()}
	if direction == atNode && k.by == node {
		return Facts{Bad: f.Bad, BadBack: f.BadBack, Of: f.Seen, Value: math.NaN()}
	}
	if direction == atNode {
		return there
	}
	first, second := k.to, k.from
	if direction == fromNode {
		first, second = k.from, k.to
	}
	if first == node {
		there.Bad, there.Of = f.Bad, f.Of
	}
	if second == node {
		there.BadBack, there.OfBack = f.BadBack, f.OfBack
	}
	return there
}

// nodeCause returns a node as a cause, nil if it is none.
func (c *check) nodeCause(rule *Rule, found []*edgeState, direction, name string, now, before map[cell][]Facts) *cause {
	here, all, was := noFacts(), noFacts(), noFacts()
	byEdge := make(map[Edge]Facts)
	for k, f := range now {
		part := k.at(direction, name, f[0])
		here, all = here.plus(part), all.plus(f[0])
		byEdge[k.edge] = byEdge[k.edge].plus(part)
	}
	for k, f := range before {
		was = was.plus(k.at(direction, name, f[0]))
	}
	v, bad := rule.judge(here, was, c.periods)
	elsewhere := Facts{Bad: all.bad() - here.bad(), Of: max(all.volume(), all.Seen) - here.volume()}
	if !bad || here.share() < 2*elsewhere.share() {
		return nil
	}
	one := &cause{verdict: v, direction: direction}
	one.subject, one.filter = nodeSubjectOf(rule, direction, name)
	for _, f := range byEdge {
		if f.volume() >= rule.MinVolume/2 {
			one.judged++
		}
	}
	for _, s := range found {
		if byEdge[s.edge].bad() >= mostTrouble*s.verdict.now.bad() {
			one.found = append(one.found, s)
		}
	}
	return one
}

// nodeSubjectOf is a node as the subject of a finding, and the condition on its rows.
func nodeSubjectOf(rule *Rule, direction, name string) (Subject, string) {
	node := Entity{Kind: nodeKind, Name: name}
	filter := map[string]string{toNode: equal("backend.node", name), fromNode: equal("src.node", name), atNode: equal("node", name)}[direction]
	if rule.BadBack != "" && direction != atNode {
		filter = "(" + equal("src.node", name) + " || " + equal("backend.node", name) + ")"
	}
	if direction == toNode {
		return Subject{Kind: nodeSubject, Dst: &node}, filter
	}
	return Subject{Kind: nodeSubject, Src: &node}, filter
}
