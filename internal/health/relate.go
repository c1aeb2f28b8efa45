package health

import (
	"context"
	"slices"
)

// judged is what a rule found at edges, before it is put down to what they share.
type judged struct {
	rule   *Rule
	states []*edgeState
}

// stand are the edges whose finding does not follow from another.
func (j judged) stand() []*edgeState {
	return slices.DeleteFunc(slices.Clone(j.states), func(s *edgeState) bool { return !s.stands() })
}

// consequence is what a rule found at an edge, and follows from something else.
type consequence struct {
	rule  *Rule
	state *edgeState
}

// mostOfSymptom is the share of what fails that a smaller share of lost packets does not explain.
const mostOfSymptom = 0.5

// relate notes what follows from another finding there, and leaves it out: first what follows from nodes that lose packets,
// then from edge to edge. A cause may follow from another itself.
func (c *check) relate(ctx context.Context) error {
	for _, j := range c.judged {
		if !j.rule.OfPath {
			continue
		}
		if err := c.pathNodes(ctx, j); err != nil {
			return err
		}
	}
	for i, j := range c.judged {
		for _, s := range j.stand() {
			origin, effect := c.origin(c.judged[:i], j, s)
			if origin == nil {
				continue
			}
			s.explained = true
			if !effect.Same {
				origin.consequences = append(origin.consequences, consequence{j.rule, s})
			}
		}
	}
	return nil
}

// origin is the edge whose finding an edge's finding follows from, and as which effect. It is nil if there is none.
func (c *check) origin(causes []judged, j judged, s *edgeState) (*edgeState, Effect) {
	r := c.reachOf(j, s)
	for _, cause := range causes {
		for _, effect := range cause.rule.effects(j.rule.Name, false) {
			for _, e := range cause.states {
				if e.found && e.verdict.value >= effect.AtLeast && r.has(effect.Where, e, cause.rule.Form == Share && e.verdict.severity == Critical) {
					return e, effect
				}
			}
		}
	}
	return nil, Effect{}
}

// follow notes at a node's finding what follows from it, at the edges that it harms.
func (c *check) follow(f *finding) {
	for _, j := range c.judged {
		for _, effect := range f.rule.effects(j.rule.Name, true) {
			for _, s := range j.states {
				if !s.explained && (s.found || j.rule.OfPath) && f.isEnoughFor(j.rule, s) && c.harms(f, effect, j, s) {
					s.explained = true
					if s.found {
						f.consequences = append(f.consequences, consequence{j.rule, s})
					}
				}
			}
		}
	}
}

// isEnoughFor says whether packets that are lost explain what was found at an edge: a few do not make most of it fail.
func (f *finding) isEnoughFor(rule *Rule, s *edgeState) bool {
	return rule.Form != Share || rule.OfPath || s.verdict.value < mostOfSymptom || f.verdict.value >= mostOfSymptom
}

// harms says whether an edge is in reach of one that a node's finding is of.
func (c *check) harms(f *finding, effect Effect, j judged, s *edgeState) bool {
	r := c.reachOf(j, s)
	return slices.ContainsFunc(f.edges, func(e *edgeState) bool { return r.has(effect.Where, e, false) })
}

// reach tells which edges may be the cause of a finding at an edge.
type reach struct {
	c    *check
	j    judged
	edge Edge
	// servers are who answers at the edge, and whom they wait for; callers the client, and who called it but stopped.
	servers map[bool]map[Entity]bool
	callers map[Entity]bool
}

func (c *check) reachOf(j judged, s *edgeState) *reach {
	return &reach{c: c, j: j, edge: s.edge, servers: make(map[bool]map[Entity]bool)}
}

// has says whether a cause at an edge is in reach. Of a grave one all wait who call: where half of the connects time out
// the median of a connection in between may be well.
func (r *reach) has(where Reach, at *edgeState, grave bool) bool {
	cause := at.edge
	sameServer := r.c.behind.server(cause.Dst) == r.c.behind.server(r.edge.Dst)
	sameClient := cause.Src == r.edge.Src
	switch where {
	case SameEdge:
		return sameClient && sameServer
	case SameServer:
		return sameServer
	case SameClient:
		return sameClient && cause.Src.Name != ""
	case Waiting:
		return cause.Src.Name != "" && r.waitedFor(grave)[cause.Src]
	default:
		who := r.called()
		return who[cause.Src] || r.c.behind.answersAny(cause, who)
	}
}

// waitedFor are those who answer at the edge, and those that they wait for by what the same rule found; with all, those
// that they call.
func (r *reach) waitedFor(all bool) map[Entity]bool {
	if servers := r.servers[all]; servers != nil {
		return servers
	}
	servers := make(map[Entity]bool)
	r.addServers(servers, r.edge)
	for before := 0; before < len(servers); {
		before = len(servers)
		for _, e := range r.j.states {
			if (e.found || all) && servers[e.edge.Src] {
				r.addServers(servers, e.edge)
			}
		}
	}
	r.servers[all] = servers
	return servers
}

func (r *reach) addServers(to map[Entity]bool, e Edge) {
	for server := range r.c.behind[e.Dst] {
		if server.Name != "" {
			to[server] = true
		}
	}
}

// called are the edge's client, and those who called it, or called who did, by what the same rule found.
func (r *reach) called() map[Entity]bool {
	if r.callers != nil {
		return r.callers
	}
	r.callers = map[Entity]bool{r.edge.Src: true}
	for before := 0; before < len(r.callers); {
		before = len(r.callers)
		for _, e := range r.j.states {
			if e.found && e.edge.Src.Name != "" && r.c.behind.answersAny(e.edge, r.callers) {
				r.callers[e.edge.Src] = true
			}
		}
	}
	return r.callers
}
