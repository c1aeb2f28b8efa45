package health

import (
	"cmp"
	"slices"
)

// backends has the workloads that answer for what is dialled.
type backends map[Entity]map[Entity]bool

// edgeOf reads the edge of a row, and notes who answered.
func (b backends) edgeOf(r answerRow) Edge {
	edge := edgeOf(r)
	if b[edge.Dst] == nil {
		b[edge.Dst] = make(map[Entity]bool)
	}
	b[edge.Dst][r.end("backend")] = true
	return edge
}

// server is the one workload that answers for what is dialled, so that who dials a Service and who dials its pods have
// the same server; what is dialled itself where none or several answer.
func (b backends) server(dialled Entity) Entity {
	one := dialled
	for workload := range b[dialled] {
		switch {
		case workload.Name == "" || workload.Kind == serviceKind || workload == one:
		case one != dialled:
			return dialled
		default:
			one = workload
		}
	}
	return one
}

// named are the workloads that answer for what is dialled, in the order of their names.
func (b backends) named(dialled Entity) []Entity {
	var all []Entity
	for workload := range b[dialled] {
		if workload.Name != "" {
			all = append(all, workload)
		}
	}
	slices.SortFunc(all, func(a, b Entity) int { return cmp.Compare(a.String(), b.String()) })
	return all
}

// below returns the edge that an edge's server waits for: one with half as much at least. It is nil if there is none.
func (b backends) below(s *edgeState, found []*edgeState) (worst *edgeState) {
	for _, next := range found {
		waits := next != s && next.edge.Src.Name != "" && b[s.edge.Dst][next.edge.Src] && next.increase() >= s.increase()/2
		if waits && (worst == nil || next.increase() > worst.increase()) {
			worst = next
		}
	}
	return worst
}

// above returns an edge whose server is the client of an edge, nil if there is none.
func (b backends) above(s *edgeState, found []*edgeState) *edgeState {
	for _, next := range found {
		if next != s && s.edge.Src.Name != "" && b[next.edge.Dst][s.edge.Src] {
			return next
		}
	}
	return nil
}

func (s *edgeState) increase() float64 { return s.verdict.value - s.verdict.baseline }

// origins are the ways from an edge to the one that it has the same rule's finding from.
var origins = map[string]func(backends, *edgeState, []*edgeState) *edgeState{
	"slow-connections": backends.below, "traffic-stopped": backends.above,
}

// roots leaves out the edges that have a finding because another has it, and notes them there. Where edges lead to each
// other in a circle, each is left.
func (b backends) roots(rule *Rule, found []*edgeState) []*edgeState {
	origin := origins[rule.Name]
	if origin == nil {
		return found
	}
	var roots []*edgeState
	for _, s := range found {
		if origin(b, s, found) == nil {
			roots = append(roots, s)
		}
	}
	if len(roots) == 0 {
		return found
	}
	for _, s := range found {
		if slices.Contains(roots, s) {
			continue
		}
		root := s
		for range found { // No chain is longer; a circle ends here, too.
			next := origin(b, root, found)
			if next == nil {
				break
			}
			root = next
		}
		if !slices.Contains(roots, root) { // It leads to a circle.
			roots = append(roots, s)
			continue
		}
		root.consequences = append(root.consequences, consequence{rule, s})
	}
	return roots
}
