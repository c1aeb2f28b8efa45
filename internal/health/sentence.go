package health

import (
	"cmp"
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// String is how a sentence begins.
func (s Subject) String() string {
	switch s.Kind {
	case edgeSubject:
		return Edge{*s.Src, *s.Dst}.String()
	case serviceSubject, resolverSubject:
		return s.Dst.String()
	case nodeSubject:
		if s.Dst != nil {
			return "the way to node " + s.Dst.Name
		}
		return "the way from node " + s.Src.Name
	}
	return s.Src.String()
}

// sentence says what was found: whom it is about, what and how much, where, since when, how it was before, why, and what
// follows from it.
func (f *finding) sentence(p Periods) string {
	subject := f.subject.String()
	if f.subject.Kind == nodeSubject && (f.rule.By == ByNode || f.rule.AtReporter) {
		subject = "node " + f.subject.Src.Name
	}
	says := strings.ReplaceAll(f.rule.Says, "{value}", amount(f.verdict.value, f.rule.Unit))
	says += f.counts()
	if f.rule.Name == dropsRule {
		says += f.droppedAt() + f.drops.reason()
	}
	at := f.width() + f.place()
	if at != "" {
		at += ","
	}
	return subject + ": " + says + at + f.when(p) + f.compared(p) + f.why() + f.wake()
}

// counts are the numbers behind a share.
func (f *finding) counts() string {
	if f.rule.Form != Share {
		return ""
	}
	return " (" + whole(f.verdict.now.bad()) + " of " + whole(f.verdict.now.volume()) + ")"
}

// width says for how many clients of a server it is so, or to how many servers of a client.
func (f *finding) width() string {
	words := map[string]struct{ many, both string }{
		serviceSubject:  {", for %s clients", ", for both clients"},
		resolverSubject: {", for %s clients", ", for both clients"},
		workloadSubject: {", to %s servers that it calls", ", to both servers that it calls"},
		nodeSubject:     {", on %s edges", ", on both edges"},
	}[f.subject.Kind]
	found := len(f.edges)
	switch {
	case words.many == "" || f.judged == 0:
		return ""
	case f.subject.Kind == nodeSubject:
		return fmt.Sprintf(words.many, strconv.Itoa(found))
	case found == f.judged && found == 2:
		return words.both
	case found == f.judged:
		return fmt.Sprintf(words.many, "all "+strconv.Itoa(found))
	}
	return fmt.Sprintf(words.many, fmt.Sprintf("%d of %d", found, f.judged))
}

// place names the pod that is to blame.
func (f *finding) place() string {
	switch {
	case f.pod == "" && f.name != "":
		return ", most of them for " + f.name
	case f.pod == "":
		return ""
	case f.podNode == "":
		return ", at pod " + f.pod + " alone"
	}
	return ", at pod " + f.pod + " on node " + f.podNode + " alone"
}

// droppedAt names the nodes that drop packets, where the finding is not of a node.
func (f *finding) droppedAt() string {
	if f.at != "" {
		return ""
	}
	return several(listed(f.drops.where()), " on node ", " on nodes ")
}

// why says which kernels dropped the packets of what fails, and by what.
func (f *finding) why() string {
	if f.rule.Name == dropsRule || f.drops.packets == 0 {
		return ""
	}
	return "; packets are dropped" + f.droppedAt() + f.drops.reason()
}

// explained counts the edges of what follows, by rule, in the order of the rules.
func (f *finding) explained() []Explained {
	edges, rules := make(map[*Rule]map[Edge]bool), []*Rule{}
	var visit func([]consequence)
	visit = func(all []consequence) {
		for _, one := range all {
			if edges[one.rule] == nil {
				edges[one.rule] = make(map[Edge]bool)
				rules = append(rules, one.rule)
			}
			edges[one.rule][one.state.edge] = true
			visit(one.state.consequences)
		}
	}
	visit(f.consequences)
	for _, e := range f.edges {
		visit(e.consequences)
	}
	slices.SortFunc(rules, func(a, b *Rule) int {
		return cmp.Or(-cmp.Compare(len(edges[a]), len(edges[b])), cmp.Compare(a.Name, b.Name))
	})
	var all []Explained
	for _, r := range rules {
		all = append(all, Explained{Rule: r.Name, Edges: len(edges[r]), noun: r.Noun})
	}
	return all
}

// wake says what follows from it.
func (f *finding) wake() string {
	var parts []string
	for _, e := range f.explained() {
		if e.Rule == dropsRule && f.drops.packets > 0 {
			continue // They are told as the reason.
		}
		where := plural(e.Edges, "1 edge", "%d edges")
		if e.Rule == f.rule.Name {
			where = plural(e.Edges, "1 more edge", "%d more edges")
		}
		parts = append(parts, e.noun+" on "+where)
	}
	if more := len(parts) - maxNamed; more > 0 {
		parts = append(parts[:maxNamed], plural(more, "1 rule more", "%d rules more"))
	}
	return several(parts, "; also: ", "; also: ")
}

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return fmt.Sprintf(many, n)
}

// when says since when it is so.
func (f *finding) when(p Periods) string {
	switch {
	case !f.until.IsZero():
		return " from " + clock(f.since, p) + " to " + clock(f.until, p)
	case f.always:
		return " since before " + clock(f.since, p)
	case !f.since.IsZero():
		return " since " + clock(f.since, p)
	}
	return ""
}

// compared says how it was before, or that nothing is known of then.
func (f *finding) compared(p Periods) string {
	before := span(p.BaselineTo.Sub(p.BaselineFrom)) + " before"
	switch {
	case !strings.Contains(f.rule.Says, "{value}"):
		return ""
	case p.scale() == 0:
		return " (nothing is recorded of the time before)"
	case math.IsNaN(f.verdict.baseline):
		return " (not seen in the " + before + ")"
	}
	return fmt.Sprintf(" (%s in the %s)", amount(f.verdict.baseline, f.rule.Unit), before)
}

// clock is a time of day, in this machine's zone: with seconds where steps are shorter than a minute, and with the day
// where it is not that of the check.
func clock(t time.Time, p Periods) string {
	t, now, layout := t.Local(), p.To.Local(), "15:04 MST"
	if stepOf(p.To.Sub(p.From)) < time.Minute {
		layout = "15:04:05 MST"
	}
	if t.YearDay() != now.YearDay() || t.Year() != now.Year() {
		layout = "2 January " + layout
	}
	return t.Format(layout)
}

// span is a length of time in words.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d == time.Hour:
		return "hour"
	case d >= 2*time.Hour && d%time.Hour == 0:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d.Round(time.Minute)/time.Minute)
	}
	return fmt.Sprintf("%d seconds", d/time.Second)
}

// amount is a value in its unit.
func amount(x float64, unit string) string {
	switch {
	case math.IsNaN(x):
		return "unknown"
	case unit == shareUnit:
		return digits(100*x) + " %"
	case unit == timeUnit:
		return flow.FormatMicroseconds(uint64(x))
	case unit == bytesUnit:
		return flow.FormatBytes(uint64(x)) + "/s"
	}
	return digits(x) + " " + unit
}

// whole is a count, with commas between thousands.
func whole(x float64) string {
	text := strconv.FormatFloat(x, 'f', 0, 64)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}

// digits is a number with as many digits as people want to read.
func digits(x float64) string {
	switch {
	case x != 0 && x < 0.095:
		return strconv.FormatFloat(x, 'g', 1, 64)
	case x < 9.95 && x != math.Trunc(x):
		return strconv.FormatFloat(x, 'f', 1, 64)
	}
	return strconv.FormatFloat(x, 'f', 0, 64)
}

// The units of values.
const (
	shareUnit = "share"
	timeUnit  = "microseconds"
	bytesUnit = "bytes/s"
)
