package health

import (
	"context"
	"slices"
)

// reported is the part of an edge's records that a node reports.
type reported struct {
	edge Edge
	node string
}

// missing notes at nodes that fell silent what seems to have stopped, as they alone reported it.
func (c *check) missing(ctx context.Context, j judged) error {
	var silent []*finding
	for _, f := range c.findings {
		if f.rule.Name == silentRule && slices.ContainsFunc(f.rule.effects(j.rule.Name, true), func(e Effect) bool { return e.Where == Reported }) {
			silent = append(silent, f)
		}
	}
	stopped := j.stand()
	if len(silent) == 0 || len(stopped) == 0 {
		return nil
	}
	q := &question{
		dataset: j.rule.Dataset, rules: []*Rule{j.rule}, keys: append(slices.Clone(edgeKeys), "node"), limit: maxEdges,
		filter: c.with(""), from: c.periods.BaselineFrom, to: c.periods.BaselineTo,
	}
	before, err := factsBy(ctx, c, q, func(r answerRow) reported { return reported{edgeOf(r), r.text("node")} })
	for _, s := range stopped {
		for _, f := range silent {
			was := before[reported{s.edge, f.subject.Src.Name}]
			if was != nil && was[0].volume() >= mostTrouble*s.verdict.before.volume() {
				s.explained = true
				f.consequences = append(f.consequences, consequence{j.rule, s})
				break
			}
		}
	}
	return err
}
