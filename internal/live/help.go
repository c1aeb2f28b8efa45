package live

import (
	"fmt"
	"strings"

	"github.com/charmbracelet/x/ansi"
)

// legend explains what is not self-evident.
var legend = [][2]string{
	{"client → dialled", "who connected, and what it asked for"},
	{"⇒ backend", "who answered, where the dialled address was translated (DNAT)"},
	{"TCP6, UDP6", "TCP and UDP over IPv6"},
	{"RATE", "bytes per second both ways over the last interval; ~ marks an estimate from sampling"},
	{"ACTIVITY", "the last ten intervals, each row to its own scale"},
	{"SENT, RECEIVED", "link-layer bytes from and to the client since the row appeared"},
	{"CONNS", "connections from any port of the client to the same backend, put in one row"},
	{"NAT", "what was rewritten: dnat the dialled address, snat the client's, or both"},
	{"SEEN", "time since the last packet; rows fade after 30 s and go after 60 s without one"},
	{"active", "connections with packets in the last interval"},
	{"coverage", "share of the interfaces' own byte counts that is in the records"},
}

// helpLabel is the width of what is explained, with the gap behind it.
const helpLabel = 19

// helpLines returns the keys, the toggles and the legend, with long texts in several lines.
func (s *screen) helpLines() (lines [][]segment) {
	explain := func(label, text string) {
		room := max(1, s.width-helpLabel)
		for part := range strings.SplitSeq(ansi.Wordwrap(printable(text), room, ""), "\n") {
			lines = append(lines, []segment{{pad(" "+label, helpLabel, false), s.styles.bold}, {part, s.styles.plain}})
			label = ""
		}
	}
	lines = append(lines, s.ruleSegments(" keys "))
	for _, b := range bindings {
		explain(b.shown, b.doc)
	}
	for _, t := range s.toggles {
		explain(t.Key, t.Name+": "+t.Doc)
	}
	lines = append(lines, s.ruleSegments(" what is shown "))
	for _, l := range legend {
		explain(l[0], l[1])
	}
	return lines
}

// helpSight returns the help's lines, and which of them are in sight; it keeps the top where there are lines.
func (s *screen) helpSight() (lines [][]segment, from, to int) {
	lines = s.helpLines()
	room := max(0, s.height-titlesLine-len(s.toggleLines())-1)
	s.helpTop = max(0, min(s.helpTop, len(lines)-room))
	return lines, s.helpTop, min(s.helpTop+room, len(lines))
}

// help writes as much of the help as there is room for, from where it was scrolled to.
func (s *screen) help() {
	lines, from, to := s.helpSight()
	for _, line := range lines[from:to] {
		s.line(line...)
	}
}

// helpKeys are the keys while the help is open, and how much of it is in sight of all that there is.
func (s *screen) helpKeys() []segment {
	p := s.styles
	items := []item{{long: []segment{{" ?", p.bold}, {" close", p.faint}}}}
	if lines, from, to := s.helpSight(); to-from < len(lines) {
		scroll := segment{" scroll", p.faint}
		sight := fmt.Sprintf("   lines %d–%d of %d", from+1, to, len(lines))
		items = append(items,
			item{rank: 1, long: []segment{{"  ↑ ↓ PgUp PgDn Home End", p.bold}, scroll}, short: []segment{{"  ↑ ↓", p.bold}, scroll}},
			item{rank: 2, long: []segment{{sight, p.plain}}})
	}
	return fitItems(s.width, items)
}
