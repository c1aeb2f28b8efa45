package live

import "strings"

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
