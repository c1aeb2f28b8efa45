package health

import (
	"fmt"
	"math"
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
			return "to node " + s.Dst.Name
		}
		return "from node " + s.Src.Name
	}
	return s.Src.String()
}

// sentence says what was found.
func (f *finding) sentence(p Periods) string {
	v := &f.verdict
	says := strings.ReplaceAll(f.rule.Says, "{value}", amount(v.value, f.rule.Unit))
	says = strings.ReplaceAll(says, "{why}", f.reason())
	subject := f.subject.String()
	if f.subject.Kind == nodeSubject && (f.rule.By == ByNode || f.rule.AtReporter) {
		subject = "node " + f.subject.Src.Name
	}
	at := f.width()
	if f.pod != "" {
		at += ", at pod " + f.pod + " alone,"
	} else if at != "" {
		at += ","
	}
	return fmt.Sprintf("%s: %s%s%s%s%s", subject, says, at, f.when(p), f.compared(p), f.wake())
}

// width says for how many clients of a server it is so, or to how many servers of a client.
func (f *finding) width() string {
	format := map[string]string{
		serviceSubject: ", for %s clients", resolverSubject: ", for %s clients", workloadSubject: ", to %s that it calls",
	}[f.subject.Kind]
	if format == "" || f.judged == 0 {
		return ""
	}
	n := fmt.Sprintf("%d of %d", len(f.edges), f.judged)
	if len(f.edges) == f.judged {
		n = fmt.Sprintf("all %d", f.judged)
	}
	return fmt.Sprintf(format, n)
}

// wake says how many edges wait for this, or are slow or silent since it is so.
func (f *finding) wake() string {
	waiting, following := 0, 0
	for _, e := range f.edges {
		waiting, following = waiting+len(e.waiting), following+len(e.following)
	}
	return plural(waiting, "; 1 more edge waits for it", "; %d more edges wait for it") +
		plural(following, "; 1 more edge is slow or silent by it", "; %d more edges are slow or silent by it")
}

func plural(n int, one, many string) string {
	switch n {
	case 0:
		return ""
	case 1:
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

// compared says how it was before.
func (f *finding) compared(p Periods) string {
	if math.IsNaN(f.verdict.baseline) || p.scale() == 0 || !strings.Contains(f.rule.Says, "{value}") {
		return ""
	}
	return fmt.Sprintf(" (%s in the %s before)", amount(f.verdict.baseline, f.rule.Unit), span(p.BaselineTo.Sub(p.BaselineFrom)))
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
