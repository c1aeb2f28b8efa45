package health

import (
	"context"
	"fmt"
	"math"
	"slices"
	"strings"
	"time"
)

// bucket is what a rule saw of a finding in one step of time.
type bucket struct {
	begin time.Time
	facts Facts
}

// trace finds out when the gravest findings began: by a query for each dataset that looks at their edges alone, step by
// step. What comes and goes anyway is left out, where a rule asks for traffic that fell silent.
func (c *check) trace(ctx context.Context) error {
	for _, dataset := range c.settings.datasets() {
		for _, by := range []Grouping{ByEdge, ByNode} {
			var traced []*finding
			for _, f := range c.findings[:min(len(c.findings), maxTraced)] {
				if f.rule.Dataset == dataset && f.rule.By == by {
					traced = append(traced, f)
				}
			}
			if err := c.traceAll(ctx, dataset, by, traced); err != nil {
				return err
			}
		}
	}
	c.findings = slices.DeleteFunc(c.findings, func(f *finding) bool { return f.rule.Form == Fall && !f.steady })
	return nil
}

func (c *check) traceAll(ctx context.Context, dataset string, by Grouping, traced []*finding) error {
	if len(traced) == 0 {
		return nil
	}
	from := c.periods.BaselineFrom
	if c.periods.scale() == 0 {
		from = c.periods.From
	}
	q := &question{
		dataset: dataset, keys: edgeKeys, from: from, to: c.periods.To, step: stepOf(c.periods.To.Sub(c.periods.From)),
		limit: maxEdges, filter: c.with(anyOf(traced)),
	}
	if by == ByNode {
		q.keys = []string{"node"}
	}
	q.add(traced)
	q.tellNodes(traced)
	series := make([]map[int64]Facts, len(traced))
	_, err := c.ask(ctx, q, func(row answerRow) {
		for i, f := range traced {
			if f.has(row) {
				if series[i] == nil {
					series[i] = make(map[int64]Facts)
				}
				t := row.begin().UnixNano()
				series[i][t] = series[i][t].plus(row.facts(f.rule))
			}
		}
	})
	if err != nil {
		return err
	}
	for i, f := range traced {
		f.begin(buckets(series[i], from, c.periods.To, q.step), c.periods)
	}
	return nil
}

// anyOf is the condition on the rows of any of the findings.
func anyOf(findings []*finding) string {
	var all []string
	for _, f := range findings {
		if condition := "(" + f.filter + ")"; !slices.Contains(all, condition) {
			all = append(all, condition)
		}
	}
	return strings.Join(all, " || ")
}

// has says whether a row of the series is of the finding.
func (f *finding) has(row answerRow) bool {
	if f.rule.By == ByNode {
		return row.text("node") == f.subject.Src.Name
	}
	if f.at != "" && row.text("node") != f.at {
		return false
	}
	edge := edgeOf(row)
	return slices.ContainsFunc(f.edges, func(s *edgeState) bool { return s.edge == edge })
}

// tellNodes groups by the reporting node, too, where a finding is of what happened at one.
func (q *question) tellNodes(findings []*finding) {
	if !slices.Contains(q.keys, "node") && slices.ContainsFunc(findings, func(f *finding) bool { return f.at != "" }) {
		q.keys = append(slices.Clone(q.keys), "node")
	}
}

// buckets are all of the time, also those without rows.
func buckets(series map[int64]Facts, from, to time.Time, step time.Duration) []bucket {
	var all []bucket
	for t := from.UnixNano() - from.UnixNano()%int64(step); t < to.UnixNano(); t += int64(step) {
		f, ok := series[t]
		if !ok {
			f = noFacts()
		}
		all = append(all, bucket{time.Unix(0, t), f})
	}
	return all
}

// begin finds the run of steps over which the excess over what divides well from ill adds up to the most: a step without
// trouble amid others does not hide the begin, one with some long before does not pass for it. What is well after that
// run is over.
func (f *finding) begin(series []bucket, p Periods) {
	f.steady = isSteady(series, p)
	first, last := f.worst(series)
	if first < 0 {
		return
	}
	f.since, f.always = series[first].begin, first <= 1 && p.scale() > 0
	if last+2 < len(series) && f.isOver(series[last+1:]) {
		f.until = series[last+1].begin
		f.verdict.severity = Info
	}
}

// worst is the run of steps with the largest sum of excess, -1 if there is none.
func (f *finding) worst(series []bucket) (first, last int) {
	first, last = -1, -1
	start, sum, best := 0, 0.0, 0.0
	for i, b := range series {
		if sum <= 0 {
			start, sum = i, 0
		}
		if sum += f.excess(b.facts, series); sum > best {
			first, last, best = start, i, sum
		}
	}
	return first, last
}

// isOver says whether the steps after the trouble are enough to tell that it is over, and not by chance without it.
func (f *finding) isOver(after []bucket) bool {
	sum := noFacts()
	for _, b := range after {
		sum = sum.plus(b.facts)
	}
	switch f.rule.Form {
	case Share:
		return f.verdict.value*sum.volume() >= 5 && sum.share() < f.rule.least()
	case Growth:
		return sum.volume() >= f.rule.MinVolume/2
	}
	return false
}

// excess is how much worse than the middle between now and before a step is.
func (f *finding) excess(step Facts, series []bucket) float64 {
	v := &f.verdict
	baseline := v.baseline
	if math.IsNaN(baseline) {
		baseline = 0
	}
	middle := (v.value + baseline) / 2
	switch f.rule.Form {
	case Share:
		if f.rule.MinIncrease == 0 {
			middle = min(middle, (v.value+f.rule.least())/2)
		}
		return step.bad() - middle*step.volume()
	case Growth:
		if math.IsNaN(step.Value) {
			return 0
		}
		return step.volume() * math.Copysign(1, step.Value-middle)
	}
	width := series[len(series)-1].begin.Sub(series[0].begin).Seconds() / float64(max(1, len(series)-1))
	return math.Copysign(1, v.value-baseline) * (step.volume() - middle*width)
}

// isSteady says whether traffic came in nearly every step of the baseline, so that it means something that none comes.
func isSteady(series []bucket, p Periods) bool {
	there, all := 0, 0
	for _, b := range series {
		if b.begin.Before(p.BaselineFrom) || !b.begin.Before(p.BaselineTo) {
			continue
		}
		all++
		if b.facts.volume() > 0 {
			there++
		}
	}
	return all >= 3 && float64(there) >= 0.9*float64(all)
}

func (c *check) note(format string, args ...any) {
	if text := fmt.Sprintf(format, args...); !slices.Contains(c.notes, text) {
		c.notes = append(c.notes, text)
	}
}
