package live

import (
	"fmt"
	"strings"
	"time"
)

// segment is a piece of a line with its style.
type segment struct {
	text  string
	style paint
}

// screen collects the lines of a frame, each not wider than the terminal.
type screen struct {
	*model
	out   []byte
	lines int
}

// end closes a line.
func (s *screen) end() {
	s.out = append(s.out, '\n')
	s.lines++
}

// line writes segments in a line and drops what does not fit.
func (s *screen) line(segments ...segment) {
	left := s.width
	for _, g := range segments {
		text := clip(g.text, left)
		left -= width(text)
		s.out = g.style.append(s.out, text)
		if left <= 0 {
			break
		}
	}
	s.end()
}

// fill writes empty lines up to a number of lines.
func (s *screen) fill(lines int) {
	for s.lines < lines {
		s.end()
	}
}

// leastWidth and leastHeight are the smallest terminal on which there is something to see.
const (
	leastWidth  = 24
	leastHeight = 7
)

// draw makes the frame.
func (m *model) draw() {
	if m.width <= 0 || m.height <= 0 {
		return
	}
	s := &screen{model: m, out: make([]byte, 0, len(m.frame)+4096)}
	if m.width < leastWidth || m.height < leastHeight {
		s.line(segment{fmt.Sprintf("at least %d × %d, please", leastWidth, leastHeight), m.styles.bold})
		s.fill(m.height)
		m.frame = cut(string(s.out), m.height)
		return
	}
	bottom := s.footer()
	s.header()
	body := m.height - len(bottom)
	switch {
	case m.pane == helpPane:
		s.help(body)
	case m.pane == detailsPane && m.current() != nil:
		s.listWithDetails(body)
	default:
		s.list(body)
	}
	s.fill(body)
	for _, segments := range bottom {
		s.line(segments...)
	}
	m.frame = cut(string(s.out), m.height)
}

// cut keeps as many lines as the terminal has.
func cut(frame string, lines int) string {
	at := 0
	for range lines {
		next := strings.IndexByte(frame[at:], '\n')
		if next < 0 {
			return frame
		}
		at += next + 1
	}
	return frame[:at-1]
}

// header writes the two lines on top: what passes, and how well it is seen.
func (s *screen) header() {
	p, t := s.styles, &s.totals
	active := " active connections"
	if s.width < 100 {
		active = " active"
	}
	if t.full {
		active = "+" + active
	}
	s.line(
		segment{" " + printable(s.options.Title) + " ", p.title},
		segment{"  " + formatCount(uint64(t.active)), p.bold}, segment{active, p.faint},
		segment{"   ↑ ", p.faint}, segment{formatRate(t.rate[0]), p.bold},
		segment{"  ↓ ", p.faint}, segment{formatRate(t.rate[1]), p.bold},
		segment{"   " + t.translatedShare(), p.bold}, segment{" translated", p.faint},
	)
	s.line(append(s.health(), s.state()...)...)
}

func (t *totals) translatedShare() string {
	if t.active == 0 {
		return "–"
	}
	share := formatShare(float64(t.translated) / float64(t.active))
	percent, _, _ := strings.Cut(strings.TrimSuffix(share, " %"), ".")
	return percent + " %"
}

// health says how well traffic is seen: what is lost first, as it must not be overlooked.
func (s *screen) health() []segment {
	if !s.hasSummary {
		return []segment{{" ", s.styles.plain}}
	}
	p := s.styles
	out := []segment{{" ", p.plain}}
	out = append(out, s.losses()...)
	if s.summary.Coverage >= 0 {
		out = append(out, segment{"   coverage ", p.faint}, segment{formatShare(s.summary.Coverage), p.coverage(s.summary.Coverage)})
	}
	out = append(out, segment{"   map ", p.faint}, segment{formatShare(s.summary.MapUse), p.use(s.summary.MapUse)})
	if s.totals.left > 0 {
		out = append(out, segment{"   " + formatCount(s.totals.left) + " rows left, table full", p.warn})
	}
	for _, text := range s.summary.Degraded {
		out = append(out, segment{"   ! " + printable(text), p.warn})
	}
	return out
}

// losses names the heaviest loss beside their sum.
func (s *screen) losses() []segment {
	var sum uint64
	var worst Loss
	for _, l := range s.summary.Losses {
		sum += l.Count
		if l.Count > worst.Count {
			worst = l
		}
	}
	if sum == 0 {
		return []segment{{"losses ", s.styles.faint}, {"0", s.styles.good}}
	}
	return []segment{{"LOSSES " + formatCount(sum) + " (" + printable(worst.Reason) + ")", s.styles.alarm}}
}

func (p *styles) coverage(share float64) paint {
	if share < 0.999 {
		return p.warn
	}
	return p.good
}

func (p *styles) use(share float64) paint {
	if share > 0.8 {
		return p.warn
	}
	return p.plain
}

// state says what is not as at the start.
func (s *screen) state() []segment {
	var out []segment
	tell := func(when bool, text string) {
		if when {
			out = append(out, segment{"   ", s.styles.plain}, segment{text, s.styles.bold})
		}
	}
	by := orders[s.order].name
	if s.reverse {
		by += ", reversed"
	}
	tell(s.order != 0 || s.reverse, "by "+by)
	tell(s.translated, "translated only")
	tell(s.single, "single connections")
	tell(s.addresses, "addresses")
	tell(s.text != "" && !s.typing, "filter: "+s.text)
	if s.paused {
		out = append([]segment{{"   ", s.styles.plain}, {" PAUSED ", s.styles.selected}}, out...)
	}
	return out
}

// headerLines is the number of lines above the rows, with the titles.
const headerLines = 3

// page is the number of rows that fit on the screen.
func (m *model) page() int { return max(1, m.height-headerLines-len((&screen{model: m}).footer())) }

// list writes titles and rows down to a line, and the top moves so that the selection is among them.
func (s *screen) list(bottom int) {
	if len(s.model.list) == 0 {
		s.empty(bottom)
		return
	}
	room := max(1, bottom-s.lines-1)
	s.top = max(min(s.top, s.at, len(s.model.list)-room), s.at-room+1, 0)
	rows := s.model.list[s.top:min(s.top+room, len(s.model.list))]
	paths := make([]path, len(rows))
	for i, r := range rows {
		paths[i] = pathOf(r, !s.addresses)
		s.need.see(paths[i])
	}
	shown, total := s.fit()
	share := s.need.share(total)
	s.titles(shown, share, total)
	for i, r := range rows {
		s.row(r, s.top+i, shown, paths[i], share, total)
	}
}

func (s *screen) titles(shown []*column, share [3]int, total int) {
	titles := path{ends: [3]string{"CLIENT", "DIALLED", "BACKEND"}}
	line := " " + pad("PROTO", protoWidth, false) + strings.Repeat(" ", gap) +
		string(appendPath(nil, titles, share, total, &styles{}))
	for _, c := range shown {
		title := c.title
		if c.order == orders[s.order].name {
			title += s.direction()
		}
		line += strings.Repeat(" ", gap) + pad(title, c.width, c.right)
	}
	s.line(segment{line, s.styles.faint})
}

func (s *screen) direction() string {
	if s.reverse {
		return "▴"
	}
	return "▾"
}

// row writes one row; a selected one has its own style and a mark, an idle one no style but the faint.
func (s *screen) row(r *row, at int, shown []*column, p path, share [3]int, total int) {
	style, mark, whole := s.styles, " ", paint{}
	switch {
	case s.selected != nil && at == s.at:
		style, mark, whole = &styles{}, "▌", s.styles.selected
	case r.idle(s.now) > fadeAfter:
		style, whole = &styles{}, s.styles.faint
	}
	s.out = append(s.out, whole.open...)
	s.out = append(s.out, mark...)
	s.out = append(s.out, pad(r.proto.String(), protoWidth, false)...)
	s.out = appendPath(spaces(s.out, gap), p, share, total, style)
	for _, c := range shown {
		s.out = c.append(spaces(s.out, gap), c, r, s.now, style)
	}
	s.out = append(s.out, whole.close...)
	s.end()
}

// patience is how long nothing at all is waited for before it is explained.
const patience = 10 * time.Second

// empty says why there are no rows.
func (s *screen) empty(bottom int) {
	s.fill(s.lines + max(0, (bottom-s.lines)/3))
	faint, bold := s.styles.faint, s.styles.bold
	say := func(style paint, text string) {
		s.line(segment{strings.Repeat(" ", max(0, (s.width-width(text))/2)), paint{}}, segment{text, style})
	}
	switch {
	case s.text != "":
		say(bold, "No connection has “"+s.text+"” in a name, address, port, protocol or interface.")
		say(faint, "esc clears the filter.")
	case s.translated && s.totals.rows > 0:
		say(bold, "No connection was translated.")
		say(faint, "t shows the others.")
	case s.totals.batches == 0:
		say(bold, "Waiting for the first interval …")
	default:
		say(bold, "No connection at present.")
	}
	if s.totals.rows == 0 && s.now.Sub(s.began) >= patience {
		s.end()
		say(faint, "If nothing comes: make some traffic, such as a ping to the gateway,")
		say(faint, "see with “seine status” whether its interface is watched,")
		say(faint, "and check the filter rules.")
	}
}

// footer returns the last lines: the toggles, and the keys, or the filter being typed, or a notice.
func (s *screen) footer() [][]segment {
	return append(s.toggleLines(), s.lastLine())
}

func (s *screen) lastLine() []segment {
	p := s.styles
	switch {
	case s.typing:
		return []segment{{" filter: ", p.faint}, {s.text, p.bold}, {" ", p.selected}, {"   enter keeps it, esc clears it", p.faint}}
	case s.notice != "":
		return []segment{{" " + s.notice, p.alarm}}
	}
	out, left := []segment{{" ", p.plain}}, s.width-1
	for _, b := range bindings {
		left -= width(b.shown) + 1 + width(b.short)
		if b.short == "" || left < 0 {
			break
		}
		out = append(out, segment{b.shown, p.bold}, segment{" " + b.short + "  ", p.faint})
		left -= 2
	}
	return out
}

// toggleLines shows the switches, in as many lines as they need.
func (s *screen) toggleLines() [][]segment {
	var lines [][]segment
	left := 0
	for _, t := range s.toggles {
		state, style := "○ ", s.styles.plain
		if t.on {
			state, style = "● ", s.styles.alarm
		}
		if t.busy {
			state = "… "
		}
		text := state + printable(t.Name)
		need := 1 + width(t.Key) + 1 + width(text) + 2
		if need > left || lines == nil {
			lines, left = append(lines, nil), s.width
		}
		left -= need
		last := &lines[len(lines)-1]
		*last = append(*last, segment{" " + t.Key + " ", s.styles.bold}, segment{text + "  ", style})
	}
	return lines
}
