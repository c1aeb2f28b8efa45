package health

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

// roots leaves out the edges whose server has the same with what it calls itself, by half as much at least, and notes
// them at those. Where servers wait for each other in a circle, each is left.
func (b backends) roots(found []*edgeState) []*edgeState {
	var roots []*edgeState
	for _, s := range found {
		if b.below(s, found) == nil {
			roots = append(roots, s)
		}
	}
	if len(roots) == 0 {
		return found
	}
	for _, s := range found {
		root := s
		for range found { // No chain is longer; a circle ends here, too.
			next := b.below(root, found)
			if next == nil {
				break
			}
			root = next
		}
		if root != s {
			root.waiting = append(root.waiting, s)
		}
	}
	return roots
}

// below returns the edge that an edge's server waits for, nil if there is none.
func (b backends) below(s *edgeState, found []*edgeState) (worst *edgeState) {
	for _, next := range found {
		waits := next != s && next.edge.Src.Name != "" && b[s.edge.Dst][next.edge.Src] && next.increase() >= s.increase()/2
		if waits && (worst == nil || next.increase() > worst.increase()) {
			worst = next
		}
	}
	return worst
}

func (s *edgeState) increase() float64 { return s.verdict.value - s.verdict.baseline }
