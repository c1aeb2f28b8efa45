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

// pathNeed remembers how wide the ends are that were shown: the parts of a path stand below each other, and do not
// jump as rows come and go.
type pathNeed [3]int

func (n *pathNeed) see(p path) {
	n[0] = max(n[0], width(p.ends[0]))
	if !p.short {
		n[1] = max(n[1], width(p.ends[1]))
		n[2] = max(n[2], width(p.ends[2]))
		return
	}
	if n[2] == 0 { // Without a translated row there is nothing to align with.
		n[1] = max(n[1], width(p.ends[1]))
	}
	n[2] = max(n[2], width(p.ends[1])-n[1]-arrow)
}

// share divides a width: each end gets what it needs, or an equal share of what the smaller ones leave.
func (n pathNeed) share(width int) (out [3]int) {
	left := max(0, width-2*arrow)
	smallFirst := []int{0, 1, 2}
	slices.SortStableFunc(smallFirst, func(a, b int) int { return n[a] - n[b] })
	for i, at := range smallFirst {
		out[at] = min(n[at], left/(3-i))
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

// leastNamespace is how much is left of a namespace before the name is shortened, too.
const leastNamespace = 3

// shorten shortens an endpoint: first its namespace, since that is the same in many rows, then the name's middle.
func shorten(text string, w int) string {
	over := width(text) - w
	at := strings.IndexByte(text, '/')
	if over <= 0 || at < 0 || w < 4*leastNamespace {
		return middle(text, w)
	}
	namespace := clip(text[:at], max(leastNamespace, width(text[:at])-over))
	return namespace + "/" + middle(text[at+1:], w-width(namespace)-1)
}
