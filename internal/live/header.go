package live

import (
	"fmt"
	"strings"
)

// header writes the two lines on top: what passes, and how well it is seen; above is the number of rows that are
// scrolled out of sight.
func (s *screen) header(above int) {
	s.line(fitItems(s.width, s.traffic())...)
	s.line(fitItems(s.width, append(s.health(), s.state(above)...))...)
}

// traffic says what passes.
func (s *screen) traffic() []item {
	p, t := s.styles, &s.totals
	count, connections := formatCount(uint64(t.active)), " active connections"
	if t.active == 1 {
		connections = " active connection"
	}
	if t.full {
		count += "+"
	}
	number, share := segment{"  " + count, p.bold}, segment{"   " + t.translatedShare(), p.bold}
	return []item{
		{rank: 1, long: []segment{{" " + printable(s.options.Title) + " ", p.title}}},
		{rank: 0, long: []segment{number, {connections, p.faint}}, short: []segment{number, {" active", p.faint}}},
		{rank: 2, long: []segment{
			{"   ↑ ", p.faint}, {formatRate(t.rate[0]), p.bold}, {"  ↓ ", p.faint}, {formatRate(t.rate[1]), p.bold},
		}},
		{rank: 3, long: []segment{share, {" translated", p.faint}}},
	}
}

func (t *totals) translatedShare() string {
	if t.active == 0 {
		return "–"
	}
	share := formatShare(float64(t.translated) / float64(t.active))
	percent, _, _ := strings.Cut(strings.TrimSuffix(share, " %"), ".")
	return percent + " %"
}

// The ranks of the second line's items: what must not be overlooked stays longest.
const (
	rankLosses = iota
	rankPaused
	rankAbove
	rankDegraded
	rankState
	rankCoverage
	rankMap
)

// health says how well traffic is seen: what is lost first, as it must not be overlooked.
func (s *screen) health() []item {
	p := s.styles
	out := []item{{rank: rankLosses, long: []segment{{" ", p.plain}}}}
	if !s.hasSummary {
		return out
	}
	out = append(out, s.losses())
	if s.summary.Coverage >= 0 {
		out = append(out, item{rank: rankCoverage, long: []segment{
			{"   coverage ", p.faint}, {formatShare(s.summary.Coverage), p.coverage(s.summary.Coverage)},
		}})
	}
	out = append(out, item{rank: rankMap, long: []segment{{"   map ", p.faint}, {formatShare(s.summary.MapUse), p.use(s.summary.MapUse)}}})
	if s.totals.left > 0 {
		rows := "   " + counted(s.totals.left, "row") + " left"
		out = append(out, item{rank: rankDegraded, long: []segment{{rows + ", table full", p.warn}}, short: []segment{{rows, p.warn}}})
	}
	return append(out, s.degraded()...)
}

// degraded names the features that are off or lesser, or tells at least how many they are.
func (s *screen) degraded() []item {
	n := len(s.summary.Degraded)
	if n == 0 {
		return nil
	}
	var long []segment
	for _, text := range s.summary.Degraded {
		long = append(long, segment{"   ! " + printable(text), s.styles.warn})
	}
	short := []segment{{fmt.Sprintf("   ! %d degraded", n), s.styles.warn}}
	if segmentsWidth(long) <= segmentsWidth(short) {
		short = long
	}
	return []item{{rank: rankDegraded, long: long, short: short}}
}

// losses names the heaviest loss beside their sum.
func (s *screen) losses() item {
	var sum uint64
	var worst Loss
	for _, l := range s.summary.Losses {
		sum += l.Count
		if l.Count > worst.Count {
			worst = l
		}
	}
	if sum == 0 {
		return item{rank: rankLosses, long: []segment{{"losses ", s.styles.faint}, {"0", s.styles.good}}}
	}
	text := "LOSSES " + formatCount(sum)
	return item{
		rank: rankLosses, long: []segment{{text + " (" + printable(worst.Reason) + ")", s.styles.alarm}},
		short: []segment{{text, s.styles.alarm}},
	}
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
func (s *screen) state(above int) []item {
	var out []item
	tell := func(when bool, rank int, text string, style paint) {
		if when {
			out = append(out, item{rank: rank, long: []segment{{"   ", s.styles.plain}, {text, style}}})
		}
	}
	by := orders[s.order].name
	if s.reverse {
		by += ", reversed"
	}
	bold := s.styles.bold
	tell(above > 0, rankAbove, "▲ "+counted(uint64(above), "row")+" above", s.styles.warn)
	tell(s.paused, rankPaused, " PAUSED ", s.styles.selected)
	tell(s.order != 0 || s.reverse, rankState, "by "+by, bold)
	tell(s.translated, rankState, "translated only", bold)
	tell(s.single, rankState, "single connections", bold)
	tell(s.addresses, rankState, "addresses", bold)
	if s.text != "" && !s.typing {
		out = append(out, item{
			rank: rankDegraded, long: []segment{{"   filter: " + s.text, bold}}, short: []segment{{"   filtered", bold}},
		})
	}
	return out
}
