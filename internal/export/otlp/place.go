package otlp

import "github.com/seine-net/seine/internal/query"

// place is that of a column; -1 is none.
type place int

// places are those of columns by name.
type places map[string]place

func placesOf(all []query.Column) places {
	at := make(places, len(all))
	for i := range all {
		at[all[i].Name] = place(i)
	}
	return at
}

// of returns a column's place.
func (p places) of(name string) place {
	if i, ok := p[name]; ok {
		return i
	}
	return -1
}

// text returns a text, "" where the row has none.
func (p place) text(b *query.Block, row int) string {
	if p < 0 {
		return ""
	}
	return b.Columns[p].Texts[row]
}

// number returns a number, 0 where the row has none.
func (p place) number(b *query.Block, row int) int64 {
	if p < 0 || b.Columns[p].Null != nil && b.Columns[p].Null[row] {
		return 0
	}
	return b.Columns[p].Ints[row]
}
