package health

import (
	"cmp"
	"context"
	"slices"
	"strings"
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
func (c *check) isWide(e *cause) bool {
	return len(e.found) >= 2 && float64(len(e.found)) >= mostEdges*float64(e.judged) && c.isSeveral(e)
}

// isSeveral says whether a node explains what no one server explains, nor, for what comes from it, one client.
func (c *check) isSeveral(e *cause) bool {
	differ := func(of func(Edge) Entity) bool {
		return slices.ContainsFunc(e.found, func(s *edgeState) bool { return of(s.edge) != of(e.found[0].edge) })
	}
	server := func(one Edge) Entity { return c.behind.server(one.Dst) }
	return e.direction == "" || differ(server) && (e.direction != fromNode || differ(byClient.of))
}

// explain makes findings of what a rule found at edges: one of each cause that explains several, the widest first, and
// one of each edge that remains.
func (c *check) explain(ctx context.Context, j judged) error {
	left := c.behind.roots(j.rule, j.stand())
	if len(left) >= 2 {
		causes := append(c.shared(j, left, byServer), c.shared(j, left, byClient)...)
		nodes, err := c.nodeCauses(ctx, j, left)
		if err != nil {
			return err
		}
		left = c.addCauses(j.rule, append(causes, nodes...), left)
	}
	for _, s := range left {
		c.findings = append(c.findings, &finding{
			rule: j.rule, subject: Subject{Kind: edgeSubject, Src: &s.edge.Src, Dst: &s.edge.Dst}, verdict: s.verdict,
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
		causes = slices.DeleteFunc(causes, func(one *cause) bool { return !c.isWide(one) })
		if len(causes) == 0 {
			return left
		}
		best := slices.MaxFunc(causes, compareCauses)
		c.findings = append(c.findings, best.finding(rule))
		left = slices.DeleteFunc(left, func(s *edgeState) bool { return slices.Contains(best.found, s) })
	}
}

func (e *cause) finding(rule *Rule) *finding {
	f := &finding{
		rule: rule, subject: e.subject, verdict: e.verdict, edges: slices.Clone(e.found), filter: e.filter, judged: e.judged,
	}
	if e.direction == atNode {
		f.at = e.subject.Src.Name
	}
	return f
}

// compareCauses prefers what explains more edges, and then what is worse: of a Service and its node the Service, where
// the node's others are well.
func compareCauses(a, b *cause) int {
	return cmp.Or(
		cmp.Compare(len(a.found), len(b.found)), cmp.Compare(a.verdict.now.share(), b.verdict.now.share()),
		-cmp.Compare(a.judged, b.judged), cmp.Compare(a.subject.String(), b.subject.String()),
	)
}

// end is one end of edges as a cause: who they share there, and as what that is told.
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

// shared returns what edges share at one of their ends. Those outside are no one, and the nodes are many. Who dials a
// Service and who dials its pods share the server.
func (c *check) shared(j judged, left []*edgeState, by end) []*cause {
	var order []Entity
	groups, isLeft := make(map[Entity][]*edgeState), make(map[*edgeState]bool)
	for _, s := range left {
		isLeft[s] = true
	}
	for _, s := range j.states {
		who := c.behind.server(by.of(s.edge))
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
		one := &cause{judged: len(groups[who])}
		one.found = slices.DeleteFunc(slices.Clone(groups[who]), func(s *edgeState) bool { return !isLeft[s] })
		if c.isWide(one) {
			one.name(j.rule, groups[who], by)
			one.verdict = together(j.rule, groups[who], one.found, c.periods)
			causes = append(causes, one)
		}
	}
	return causes
}

// name gives a cause its subject, the Service if one was dialled, and the condition on its rows.
func (e *cause) name(rule *Rule, states []*edgeState, by end) {
	var who Entity
	var filters []string
	for _, s := range states {
		if one := by.of(s.edge); who.Name == "" || one.Kind == serviceKind && who.Kind != serviceKind {
			who = one
		}
		if filter := by.filter(by.of(s.edge)); !slices.Contains(filters, filter) {
			filters = append(filters, filter)
		}
	}
	e.subject, e.filter = by.subject(rule.Dataset, &who), filters[0]
	if len(filters) > 1 {
		e.filter = "(" + strings.Join(filters, " || ") + ")"
	}
}

// together is the verdict on several edges. What cannot be added is that of the largest with a finding; the severity is
// the gravest.
func together(rule *Rule, states, found []*edgeState, p Periods) verdict {
	now, before := noFacts(), noFacts()
	for _, s := range states {
		now, before = now.plus(s.verdict.now), before.plus(s.verdict.before)
	}
	largest := slices.MaxFunc(found, func(a, b *edgeState) int { return cmp.Compare(a.verdict.now.volume(), b.verdict.now.volume()) })
	gravest := slices.MinFunc(found, func(a, b *edgeState) int {
		return cmp.Compare(a.verdict.severity.rank(), b.verdict.severity.rank())
	})
	if rule.Form == Growth {
		now.Value, before.Value = largest.verdict.value, largest.verdict.baseline
	}
	v, ok := rule.judge(now, before, p)
	if !ok || rule.Form != Share {
		v.severity = gravest.verdict.severity
	}
	return v
}
