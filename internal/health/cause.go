package health

import (
	"cmp"
	"context"
	"math"
	"slices"
)

// cause is something that several edges share, and that would explain what was found at them.
type cause struct {
	subject Subject
	filter  string
	// found are the edges with a finding that it explains, judged how many edges it has that could be judged.
	found   []*edgeState
	judged  int
	verdict verdict
	// direction is that of a node, empty for other causes.
	direction string
}

// The parts of a cause's edges that must have a finding, and of an edge's trouble that must be at a node, for the one to
// explain the other.
const (
	mostEdges   = 0.6
	mostTrouble = 0.8
)

// isWide says whether a cause explains enough to be told in place of its edges.
func (e *cause) isWide() bool {
	return len(e.found) >= 2 && float64(len(e.found)) >= mostEdges*float64(e.judged) && e.isSeveral()
}

// isSeveral says whether a node explains what no one server explains, nor, for what comes from it, one client.
func (e *cause) isSeveral() bool {
	differ := func(of func(Edge) Entity) bool {
		return slices.ContainsFunc(e.found, func(s *edgeState) bool { return of(s.edge) != of(e.found[0].edge) })
	}
	return e.direction == "" || differ(byServer.of) && (e.direction != fromNode || differ(byClient.of))
}

// explain makes findings of what a rule found at edges: one of each cause that explains several, the widest first, and
// one of each edge that remains.
func (c *check) explain(ctx context.Context, j judged) error {
	rule, states := j.rule, j.states
	left := slices.DeleteFunc(slices.Clone(states), func(s *edgeState) bool { return !s.found })
	if rule.Chained {
		left = j.behind.roots(left)
	}
	if len(left) >= 2 {
		causes := append(shared(rule, states, c.periods, byServer), shared(rule, states, c.periods, byClient)...)
		nodes, err := c.nodeCauses(ctx, rule, left)
		if err != nil {
			return err
		}
		left = c.addCauses(rule, append(causes, nodes...), left)
	}
	for _, s := range left {
		c.findings = append(c.findings, &finding{
			rule: rule, subject: Subject{Kind: edgeSubject, Src: &s.edge.Src, Dst: &s.edge.Dst}, verdict: s.verdict,
			edges: []*edgeState{s}, filter: s.edge.filter(),
		})
	}
	return nil
}

// addCauses makes findings of causes, those that explain most first, and returns the edges that none explains.
func (c *check) addCauses(rule *Rule, causes []*cause, left []*edgeState) []*edgeState {
	for {
		for _, one := range causes {
			one.found = slices.DeleteFunc(one.found, func(s *edgeState) bool { return !slices.Contains(left, s) })
		}
		causes = slices.DeleteFunc(causes, func(one *cause) bool { return !one.isWide() })
		if len(causes) == 0 {
			return left
		}
		best := slices.MaxFunc(causes, compareCauses)
		c.findings = append(c.findings, &finding{
			rule: rule, subject: best.subject, verdict: best.verdict, edges: slices.Clone(best.found), filter: best.filter,
			judged: best.judged,
		})
		left = slices.DeleteFunc(left, func(s *edgeState) bool { return slices.Contains(best.found, s) })
	}
}

// compareCauses prefers what explains more edges, and then what is worse: of a Service and its node the Service, where
// the node's others are well.
func compareCauses(a, b *cause) int {
	return cmp.Or(
		cmp.Compare(len(a.found), len(b.found)), cmp.Compare(a.verdict.now.share(), b.verdict.now.share()),
		-cmp.Compare(a.judged, b.judged), cmp.Compare(a.subject.String(), b.subject.String()),
	)
}

// end is one end of edges as a cause.
type end struct {
	of      func(Edge) Entity
	subject func(dataset string, e *Entity) Subject
	filter  func(Entity) string
}

var (
	byServer = end{
		func(e Edge) Entity { return e.Dst },
		func(dataset string, e *Entity) Subject {
			return Subject{Kind: map[bool]string{true: resolverSubject, false: serviceSubject}[dataset == "dns"], Dst: e}
		},
		Entity.dialledFilter,
	}
	byClient = end{
		func(e Edge) Entity { return e.Src },
		func(_ string, e *Entity) Subject { return Subject{Kind: workloadSubject, Src: e} },
		func(e Entity) string { return e.filter("src") },
	}
)

// shared returns what edges share at one of their ends. Those outside are no one, and the nodes are many.
func shared(rule *Rule, states []*edgeState, p Periods, by end) []*cause {
	var order []Entity
	groups := make(map[Entity][]*edgeState)
	for _, s := range states {
		who := by.of(s.edge)
		if !s.judged || who.Name == "" {
			continue
		}
		if groups[who] == nil {
			order = append(order, who)
		}
		groups[who] = append(groups[who], s)
	}
	var causes []*cause
	for _, who := range order {
		one := &cause{subject: by.subject(rule.Dataset, &who), filter: by.filter(who), judged: len(groups[who])}
		one.found = slices.DeleteFunc(slices.Clone(groups[who]), func(s *edgeState) bool { return !s.found })
		if one.isWide() {
			one.verdict = together(rule, groups[who], p)
			causes = append(causes, one)
		}
	}
	return causes
}

// together is the verdict on several edges. What cannot be added is that of the largest with a finding; the severity is
// the gravest.
func together(rule *Rule, states []*edgeState, p Periods) verdict {
	now, before := noFacts(), noFacts()
	var largest, gravest *edgeState
	for _, s := range states {
		now, before = now.plus(s.verdict.now), before.plus(s.verdict.before)
		if !s.found {
			continue
		}
		if largest == nil || s.verdict.now.volume() > largest.verdict.now.volume() {
			largest = s
		}
		if gravest == nil || s.verdict.severity.rank() < gravest.verdict.severity.rank() {
			gravest = s
		}
	}
	if rule.Form == Growth {
		now.Value, before.Value = largest.verdict.value, largest.verdict.baseline
	}
	v, found := rule.judge(now, before, p)
	if !found || rule.Form != Share {
		v.severity = gravest.verdict.severity
	}
	return v
}

// cell is the part of an edge's records that is between two nodes, as one of them reports it.
type cell struct {
	edge         Edge
	from, to, by string
}

// nodeCauses returns the nodes that would explain shares: as where packets and connects go to, or come from.
func (c *check) nodeCauses(ctx context.Context, rule *Rule, found []*edgeState) ([]*cause, error) {
	if rule.Form != Share {
		return nil, nil
	}
	q := &question{
		dataset: rule.Dataset, rules: []*Rule{rule}, keys: append(slices.Clone(edgeKeys), "src.node", "backend.node", "node"),
		limit: maxEdges,
	}
	now, before, err := pairOf(ctx, c, q, func(r answerRow) cell {
		return cell{edgeOf(r), r.text("src.node"), r.text("backend.node"), r.text("node")}
	})
	if err != nil {
		return nil, err
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
