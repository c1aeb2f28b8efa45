package live

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
	if s.pane == helpPane {
		return s.helpKeys()
	}
	var out []item
	before := " "
	for i, b := range bindings {
		if b.short != "" {
			out = append(out, item{rank: i, long: []segment{{before + b.shown, p.bold}, {" " + b.short, p.faint}}})
			before = "  "
		}
	}
	return fitItems(s.width, out)
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
		both := []segment{{"   " + t.Key + " ", s.styles.bold}, {text, style}}
		if segmentsWidth(both) > left || lines == nil {
			lines, left = append(lines, nil), s.width
			both[0].text = " " + t.Key + " "
		}
		left -= segmentsWidth(both)
		last := &lines[len(lines)-1]
		*last = append(*last, both...)
	}
	return lines
}
