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
