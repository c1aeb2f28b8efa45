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
		var err error
		switch {
		case j.rule.OfPath:
			err = c.pathNodes(ctx, j)
		default:
			err = c.missing(ctx, j)
		}
		if err != nil {
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
			for _, e := range r.causes(effect.Where, c.found(cause), cause.rule.Form == Share) {
				if e.verdict.value >= effect.AtLeast {
					return e, effect
				}
			}
		}
	}
	return nil, Effect{}
}

// follow notes at a node's finding what follows from it, at the edges that it harms.
func (c *check) follow(f *finding) {
	harmed := c.behind.index(f.edges)
	for _, j := range c.judged {
		for _, effect := range f.rule.effects(j.rule.Name, true) {
			for _, s := range j.states {
				may := !s.explained && (s.found || j.rule.OfPath) && f.isEnoughFor(j.rule, s)
				if !may || len(c.reachOf(j, s).causes(effect.Where, harmed, false)) == 0 {
					continue
				}
				s.explained = true
				if s.found {
					f.consequences = append(f.consequences, consequence{j.rule, s})
				}
			}
		}
	}
}

// isEnoughFor says whether packets that are lost explain what was found at an edge: a few do not make most of it fail.
func (f *finding) isEnoughFor(rule *Rule, s *edgeState) bool {
	return rule.Form != Share || rule.OfPath || s.verdict.value < mostOfSymptom || f.verdict.value >= mostOfSymptom
}
