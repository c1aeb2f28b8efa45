package live

import "slices"

// item is a piece of a line that is shown whole or not at all, with the spaces before it.
type item struct {
	// rank tells which items go first where there is no room: the highest.
	rank int
	// long is shown where there is room, short elsewhere; nil is the same as long.
	long, short []segment
}

// shortest returns the form that needs the least room.
func (i *item) shortest() []segment {
	if i.short != nil {
		return i.short
	}
	return i.long
}

func segmentsWidth(segments []segment) (sum int) {
	for _, g := range segments {
		sum += width(g.text)
	}
	return sum
}

// fitItems returns the segments of a line not wider than left: as many items as fit by rank, then as many long forms.
func fitItems(left int, items []item) (line []segment) {
	forms := make([][]segment, len(items))
	byRank(items, func(at int) {
		form := items[at].shortest()
		if w := segmentsWidth(form); w <= left {
			forms[at], left = form, left-w
		}
	})
	byRank(items, func(at int) {
		more := segmentsWidth(items[at].long) - segmentsWidth(forms[at])
		if forms[at] != nil && more <= left {
			forms[at], left = items[at].long, left-more
		}
	})
	for _, form := range forms {
		line = append(line, form...)
	}
	return line
}

// byRank calls f with the places of the items, the least rank first and the first item of a rank first.
func byRank(items []item, f func(at int)) {
	places := make([]int, len(items))
	for at := range items {
		places[at] = at
	}
	slices.SortStableFunc(places, func(a, b int) int { return items[a].rank - items[b].rank })
	for _, at := range places {
		f(at)
	}
}
