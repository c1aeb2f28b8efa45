package live

import (
	"net/netip"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/flow"
)

// end is one of the places on a connection's way.
type end struct {
	name string
	key  func(*key) netip.AddrPort
	who  func(*who) *flow.Identity
}

var ends = [...]end{
	{"client", func(k *key) netip.AddrPort { return k.client }, func(w *who) *flow.Identity { return &w.client }},
	{"dialled", func(k *key) netip.AddrPort { return k.dialled }, func(w *who) *flow.Identity { return &w.dialled }},
	{"backend", func(k *key) netip.AddrPort { return k.backend }, func(w *who) *flow.Identity { return &w.backend }},
}

// path is a row's way in words: client, dialled, and the backend where it is another.
type path struct {
	ends  [3]string
	short bool
}

func pathOf(r *row, names bool) path {
	p := path{short: r.nat&flow.DNAT == 0}
	for i, e := range ends {
		if p.short && i == 2 {
			break
		}
		endpoint := e.endpointOf(r, names)
		p.ends[i] = printable(flow.FormatEndpoint(&endpoint))
	}
	return p
}

// arrow is the width of the signs between the ends.
const arrow = 3

// endTitles are the titles above the ends.
var endTitles = titles{"CLIENT", "DIALLED", "BACKEND"}

type titles [3]string

// path returns the titles that there is room for.
func (t titles) path(share [3]int, total int) path {
	share[2] = total - share[0] - share[1] - 2*arrow
	p := path{short: share[2] < width(t[2])}
	if p.short {
		share[1], t[2] = total-share[0]-arrow, ""
	}
	for i := range t {
		if width(t[i]) <= share[i] {
			p.ends[i] = t[i]
		}
	}
	return p
}

// widths are those of the ends, and as the last of a destination that is the backend itself: it spans both columns.
type widths [4]int

func (n *widths) see(p path, of func(string) int) {
	if p.short {
		n[3] = max(n[3], of(p.ends[1]))
	} else {
		n[1], n[2] = max(n[1], of(p.ends[1])), max(n[2], of(p.ends[2]))
	}
	n[0] = max(n[0], of(p.ends[0]))
}

// columns returns what the ends' columns need, at least room for the titles.
func (n widths) columns() [3]int {
	out := [3]int{max(n[0], width(endTitles[0])), max(n[1], width(endTitles[1])), 0}
	if n[2] == 0 { // Without a translated row there is nothing to align with.
		out[1] = max(out[1], n[3])
		return out
	}
	out[2] = max(n[2], width(endTitles[2]), n[3]-out[1]-arrow)
	return out
}

// pathNeed remembers how wide the ends are that were shown: the parts of a path stand below each other, and do not
// jump as rows come and go.
type pathNeed struct {
	// whole is for the texts as they are, brief for those without their namespaces.
	whole, brief widths
}

func (n *pathNeed) see(p path) {
	n.whole.see(p, width)
	n.brief.see(p, briefWidth)
}

// least returns the width that the path must have at the cost of columns: that names are whole comes before columns,
// and columns before namespaces, as long as neither takes nearly all.
func (n *pathNeed) least(total int) int {
	brief := min(sum(n.brief.columns())+2*arrow, int(briefShare*float64(total)))
	whole := min(sum(n.whole.columns())+2*arrow, int(wholeShare*float64(total)))
	return max(leastPath, brief, whole)
}

func sum(parts [3]int) int { return parts[0] + parts[1] + parts[2] }

// share divides a width: first for the names, then what is left for the namespaces.
func (n *pathNeed) share(width int) [3]int {
	left := max(0, width-2*arrow)
	brief, whole := n.brief.columns(), n.whole.columns()
	out := fair(brief, left)
	for i := range whole {
		whole[i] = max(0, whole[i]-out[i])
	}
	for i, more := range fair(whole, left-sum(out)) {
		out[i] += more
	}
	return out
}

// fair divides a width: each part gets what it needs, or an equal share of what the smaller ones leave.
func fair(need [3]int, left int) (out [3]int) {
	smallFirst := []int{0, 1, 2}
	slices.SortStableFunc(smallFirst, func(a, b int) int { return need[a] - need[b] })
	for i, at := range smallFirst {
		out[at] = min(need[at], left/(3-i))
		left -= out[at]
	}
	return out
}

// appendPath appends a path of exactly the width.
func appendPath(dst []byte, p path, share [3]int, total int, s *styles) []byte {
	dst = appendEnd(dst, p.ends[0], share[0], s.client, s)
	dst = s.faint.append(dst, " → ")
	used := share[0] + arrow
	if p.short {
		return appendEnd(dst, p.ends[1], total-used, s.dialled, s)
	}
	dst = appendEnd(dst, p.ends[1], share[1], s.dialled, s)
	dst = s.faint.append(dst, " ⇒ ")
	used += share[1] + arrow
	return appendEnd(dst, p.ends[2], total-used, s.backend, s)
}

// appendEnd appends an endpoint with its namespace less marked than its name.
func appendEnd(dst []byte, text string, w int, style paint, s *styles) []byte {
	text = shorten(text, w)
	padding := w - width(text)
	for i := range len(text) {
		if text[i] == '/' {
			dst = s.faint.append(dst, text[:i+1])
			text = text[i+1:]
			break
		}
	}
	return spaces(style.append(dst, text), padding)
}

// leastNamespace is how much is left of a namespace that is shortened; to keep less would tell nothing.
const leastNamespace = 4

// noNamespace stands for a namespace that is left out.
const noNamespace = "…/"

// shorten shortens an endpoint: first its namespace, since that is the same in many rows, which then goes altogether,
// and only then the name's middle.
func shorten(text string, w int) string {
	namespace, name, ok := strings.Cut(text, "/")
	if !ok || width(text) <= w {
		return middle(text, w)
	}
	switch room := w - 1 - width(name); {
	case room >= leastNamespace:
		return clip(namespace, room) + "/" + name
	case room >= 1:
		return noNamespace + name
	}
	return middle(name, w)
}

// briefWidth is the width of an endpoint without its namespace.
func briefWidth(text string) int {
	if _, name, ok := strings.Cut(text, "/"); ok {
		return min(width(text), width(noNamespace)+width(name))
	}
	return width(text)
}
