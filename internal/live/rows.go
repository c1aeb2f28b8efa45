package live

import (
	"strings"
	"time"
)

// headerLines is the number of lines above the rows, with the titles.
const headerLines = 3

// titlesLine is where the titles are.
const titlesLine = headerLines - 1

// page is the number of rows that fit on the screen.
func (m *model) page() int { return max(1, m.height-headerLines-len((&screen{model: m}).footer())) }

// scroll moves the top so that the selection is among the rows above a line.
func (m *model) scroll(bottom int) {
	room := max(1, bottom-headerLines)
	m.top = max(min(m.top, m.at, len(m.list)-room), m.at-room+1, 0)
}

// list writes titles and the rows from the top on down to a line.
func (s *screen) list(bottom int) {
	if len(s.model.list) == 0 {
		s.empty(bottom)
		return
	}
	room := max(1, bottom-s.lines-1)
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
	titles := endTitles.path(share, total)
	var line strings.Builder
	line.WriteString(" " + pad("PROTO", protoWidth, false) + strings.Repeat(" ", gap) +
		string(appendPath(nil, titles, share, total, &styles{})))
	for _, c := range shown {
		title := c.title
		if c.order == orders[s.order].name {
			title += s.direction()
		}
		line.WriteString(strings.Repeat(" ", gap) + pad(title, c.width, c.right))
	}
	s.line(segment{line.String(), s.styles.faint})
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
	s.out = append(s.out, pad(r.protocol(), protoWidth, false)...)
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
