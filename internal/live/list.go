package live

import (
	"bytes"
	"cmp"
	"slices"
	"strings"
	"unicode"

	"github.com/seine-net/seine/internal/flow"
)

// order is a way to sort rows; ties go to the key, so that rows without traffic stand still.
type order struct {
	name    string
	compare func(a, b *row) int
}

var orders = []order{
	{"rate", func(a, b *row) int { return cmp.Compare(b.total(), a.total()) }},
	{"bytes", func(a, b *row) int { return cmp.Compare(b.bytes(), a.bytes()) }},
	{"connections", func(a, b *row) int { return cmp.Compare(b.conns, a.conns) }},
	{"recent", func(a, b *row) int { return cmp.Compare(b.seen, a.seen) }},
	{"name", compareNames},
}

func compareNames(a, b *row) int {
	for _, end := range ends {
		x, y := end.who(a.who), end.who(b.who)
		if c := cmp.Or(strings.Compare(x.Namespace, y.Namespace), strings.Compare(x.Name, y.Name)); c != 0 {
			return c
		}
	}
	return 0
}

func compareKeys(a, b *key) int {
	return cmp.Or(a.client.Compare(b.client), a.dialled.Compare(b.dialled), a.backend.Compare(b.backend),
		cmp.Compare(a.proto, b.proto))
}

// arrange appends the rows that pass, sorted.
func arrange(dst []*row, rows []row, pass func(*row) bool, by order, reverse bool) []*row {
	for i := range rows {
		if pass(&rows[i]) {
			dst = append(dst, &rows[i])
		}
	}
	sign := 1
	if reverse {
		sign = -1
	}
	slices.SortFunc(dst, func(a, b *row) int {
		if c := by.compare(a, b); c != 0 {
			return sign * c
		}
		return sign * compareKeys(&a.key, &b.key)
	})
	return dst
}

// filter is what a row must contain: all the words, in any letter case.
type filter struct {
	words  [][]byte
	buffer []byte
}

func newFilter(text string) *filter {
	return &filter{words: bytes.Fields([]byte(strings.ToLower(text)))}
}

// match looks for the words in all that the row shows, names and addresses alike.
func (f *filter) match(r *row) bool {
	if len(f.words) == 0 {
		return true
	}
	text := append(append(f.buffer[:0], r.protocol()...), ' ')
	text = append(append(text, r.iface...), ' ')
	text = append(append(text, r.node...), ' ')
	text = append(append(text, r.nat.String()...), ' ')
	for _, end := range ends {
		text = append(end.key(&r.key).AppendTo(text), ' ')
		if id := end.who(r.who); id.Name != "" {
			text = append(append(append(append(text, id.Namespace...), '/'), id.Name...), ' ')
		}
	}
	text = lower(r.snat.AppendTo(text))
	f.buffer = text
	for _, word := range f.words {
		if !bytes.Contains(text, word) {
			return false
		}
	}
	return true
}

// lower changes ASCII in place, which nearly all names are.
func lower(text []byte) []byte {
	for i, c := range text {
		if c >= 0x80 {
			return bytes.ToLower(text)
		}
		if 'A' <= c && c <= 'Z' {
			text[i] = c + 'a' - 'A'
		}
	}
	return text
}

// typed keeps of typed or pasted text what a filter may have.
func typed(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, text)
}

func translated(r *row) bool { return r.nat != 0 }

// endpointOf puts an end of a row together as package flow formats it.
func (e end) endpointOf(r *row, names bool) flow.Endpoint {
	at := e.key(&r.key)
	endpoint := flow.Endpoint{Addr: at.Addr(), Port: at.Port()}
	if r.proto.IsICMP() {
		endpoint.Port = 0
	}
	if names {
		endpoint.Identity = *e.who(r.who)
	}
	return endpoint
}
