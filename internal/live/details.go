package live

import (
	"fmt"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// detailsLines is the height of the pane, listAbove what must remain of the list above it.
const (
	detailsLines = 17
	listAbove    = 5
)

// listEnd returns the line at which the list ends above the body's end or the pane; 0 if the pane takes its place.
func (m *model) listEnd(bottom int) int {
	switch {
	case m.pane == helpPane:
		return 0
	case m.pane == detailsPane && m.current() != nil:
		if above := bottom - detailsLines; above-titlesLine > listAbove {
			return above
		}
		return 0
	}
	return bottom
}

func (s *screen) details(r *row) {
	s.rule(" " + r.protocol() + s.what(r) + " ")
	s.figure(r)
	s.end()
	s.fact("sent", volumeText(r, r.sent, 0))
	s.fact("received", volumeText(r, r.received, 1))
	s.fact("translation", translationText(r))
	s.fact("orientation", orientationText(r.orientedBy))
	s.fact("observed", observedText(r))
	s.fact("seen", s.timesText(r))
	if r.proto == flow.TCP {
		s.fact("TCP flags", strings.ReplaceAll(r.flags.String(), "|", " "))
	}
}

func (s *screen) what(r *row) string {
	switch {
	case s.single && r.proto.IsICMP():
		return fmt.Sprintf(" query %d", r.client.Port())
	case s.single:
		return " connection"
	case r.conns == 1:
		return ", one connection"
	}
	return ", " + counted(r.conns, "connection")
}

func (s *screen) rule(title string) {
	s.line(s.ruleSegments(title)...)
}

func (s *screen) ruleSegments(title string) []segment {
	return []segment{{"──", s.styles.faint}, {title, s.styles.bold}, {strings.Repeat("─", max(0, s.width-2-width(title))), s.styles.faint}}
}

// fact writes a line with a label.
func (s *screen) fact(label, text string) {
	s.line(segment{" " + pad(label, 13, false), s.styles.faint}, segment{printable(text), s.styles.plain})
}

// bridge is the width of the arrow between the two sides of the figure.
const bridge = 17

// figure draws the way: what the client asked for above, what the backend saw below.
//
//	client      ─ asked for ──▶  dialled
//	 ┆ rewritten                  ┆ rewritten
//	as seen     ─ answered by ▶  backend
func (s *screen) figure(r *row) {
	left := max(1, (s.width-bridge-2)/2)
	right := max(1, s.width-1-left-bridge)
	p := s.styles
	box := func(a, b [3]string, by string, right1 paint) {
		for i := range a {
			middleText := strings.Repeat(" ", bridge)
			if i == 1 {
				middleText = by
			}
			style := [3]paint{p.faint, p.bold, p.plain}[i]
			rightStyle := [3]paint{p.faint, right1, p.plain}[i]
			fit := shorten
			if i == 0 {
				fit = clip
			}
			s.line(segment{" " + pad(fit(a[i], left), left, false), style}, segment{middleText, p.faint},
				segment{fit(b[i], right), rightStyle})
		}
	}
	box(s.box(r, 0), s.box(r, 1), "─ asked for ───▶ ", p.dialled)
	dnat, snat := r.nat&flow.DNAT != 0, r.nat&flow.SNAT != 0
	sign := func(on bool, text string) string {
		if on {
			return " ┆ " + text
		}
		return " │ unchanged"
	}
	s.line(segment{" " + pad(sign(snat, "source rewritten"), left+bridge, false), p.faint}, segment{sign(dnat, "destination rewritten"), p.faint})
	box(s.seenAs(r), s.box(r, 2), "─ answered by ─▶ ", p.backend)
}

// box returns the three lines of an end: what it is, its name, its address.
func (s *screen) box(r *row, at int) [3]string {
	e := ends[at]
	id := e.who(r.who)
	named, bare := e.endpointOf(r, true), e.endpointOf(r, false)
	out := [3]string{e.name, flow.FormatEndpoint(&named), flow.FormatEndpoint(&bare)}
	for _, part := range []string{id.Kind.String(), strings.TrimSpace(id.Workload.Kind + " " + id.Workload.Name), id.Node, id.Zone} {
		if part != "" && part != id.Name {
			out[0] += " · " + part
		}
	}
	if id.Name == "" {
		out[2] = ""
	}
	return printables(out)
}

// seenAs returns the lines of the client as the backend saw it.
func (s *screen) seenAs(r *row) [3]string {
	as := flow.Endpoint{Addr: r.snat.Addr(), Port: r.snat.Port()}
	if r.proto.IsICMP() {
		as.Port = 0
	}
	out := [3]string{"client as the backend saw it", flow.FormatEndpoint(&as), ""}
	if !s.single && r.conns > 1 && !r.proto.IsICMP() {
		out[2] = "the port is the last connection's"
	}
	return printables(out)
}

func printables(lines [3]string) [3]string {
	for i := range lines {
		lines[i] = printable(lines[i])
	}
	return lines
}

func volumeText(r *row, v flow.Volume, way int) string {
	text := fmt.Sprintf("%s in %s, now %s", flow.FormatBytes(v.Bytes), counted(v.Packets, "packet"), formatRate(r.rate[way]))
	if r.estimated() {
		text += fmt.Sprintf("   estimated: one packet in %s was counted", formatCount(uint64(r.sampling)))
	}
	return text
}

func translationText(r *row) string {
	switch {
	case r.nat == 0 && r.natSource == flow.NoSource:
		return "none known: conntrack knew nothing of the connection"
	case r.nat == 0:
		return fmt.Sprintf("none, by %s, conntrack zone %d", r.natSource, r.zone)
	}
	return fmt.Sprintf("%s, learnt by %s, conntrack zone %d", r.nat, r.natSource, r.zone)
}

var orientationDocs = map[flow.Orientation]string{
	flow.ByConntrack:   "conntrack's original direction",
	flow.BySYN:         "a SYN or SYN-ACK was seen",
	flow.ByFirstPacket: "a guess: who sent the first packet is taken for the client",
	flow.ByPort:        "a guess: the lower port is taken for the server's",
}

func orientationText(o flow.Orientation) string {
	if doc := orientationDocs[o]; doc != "" {
		return doc
	}
	return "unknown"
}

func observedText(r *row) string {
	return fmt.Sprintf("on %s of node %s, which has the %s", r.iface, r.node, map[flow.Reporter]string{
		flow.Client: "client", flow.Server: "server", flow.Transit: "neither end",
	}[r.reporter])
}

func (s *screen) timesText(r *row) string {
	since := time.Duration(s.now.UnixNano() - int64(r.first))
	return fmt.Sprintf("first %s ago, last %s", formatAge(since), ago(r.idle(s.now)))
}

func ago(d time.Duration) string {
	if d < time.Second {
		return "now"
	}
	return formatAge(d) + " ago"
}
