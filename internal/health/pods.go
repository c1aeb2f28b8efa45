package health

import (
	"context"
	"slices"
)

// How much must be bad at one pod for it to be named, which part of all that is bad that must be, and how much worse than
// the others it must be.
const (
	leastOfPod   = 5
	mostOfPod    = 0.9
	worseThanAll = 3
)

// findPods names the one pod that is to blame, where a finding is of a share and others of the same server are well.
func (c *check) findPods(ctx context.Context) error {
	for _, dataset := range c.settings.datasets() {
		var asked []*finding
		for _, f := range c.findings[:min(len(c.findings), maxTraced)] {
			kind := f.subject.Kind
			if f.rule.Dataset == dataset && f.rule.Form == Share && (kind == edgeSubject || kind == serviceSubject || kind == resolverSubject) {
				asked = append(asked, f)
			}
		}
		if err := c.podsOf(ctx, dataset, asked); err != nil {
			return err
		}
	}
	return nil
}

func (c *check) podsOf(ctx context.Context, dataset string, asked []*finding) error {
	if len(asked) == 0 {
		return nil
	}
	q := &question{
		dataset: dataset, keys: append(slices.Clone(edgeKeys), "backend.name", "backend.node"), from: c.periods.From, to: c.periods.To,
		limit: maxEdges, filter: c.with(anyOf(asked)),
	}
	q.add(asked)
	q.tellNodes(asked)
	pods := make([]map[string]Facts, len(asked))
	nodes := make(map[string]string)
	_, err := c.ask(ctx, q, func(row answerRow) {
		for i, f := range asked {
			if !f.has(row) || row.text("backend.kind") != podKind {
				continue
			}
			if pods[i] == nil {
				pods[i] = make(map[string]Facts)
			}
			name := row.text("backend.name")
			nodes[row.text("backend.namespace")+"/"+name] = row.text("backend.node")
			pods[i][name] = pods[i][name].plus(row.facts(f.rule))
		}
	})
	for i, f := range asked {
		if f.pod = culprit(pods[i], f.verdict.now.bad()); f.pod != "" {
			f.podNode = nodes[f.namespace()+"/"+f.pod]
		}
	}
	return err
}

// culprit is the pod that has nearly all that is bad, while others have little; none if there is no such pod.
func culprit(pods map[string]Facts, bad float64) string {
	all, worst := noFacts(), ""
	for name, f := range pods {
		all = all.plus(f)
		if worst == "" || f.bad() > pods[worst].bad() {
			worst = name
		}
	}
	top := pods[worst]
	others := Facts{Bad: all.bad() - top.bad(), Of: all.volume() - top.volume()}
	if others.Of <= 0 || top.bad() < leastOfPod || top.bad() < mostOfPod*max(bad, all.bad()) || top.share() < worseThanAll*others.share() {
		return ""
	}
	return worst
}

// namespace is that of the server.
func (f *finding) namespace() string {
	if f.subject.Dst == nil {
		return ""
	}
	return f.subject.Dst.Namespace
}
