package enrich

import (
	"bytes"
	"unicode/utf8"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// table has the identities of one endpoint in a batch: each once, and its number for each row.
type table struct {
	side *side
	// texts has, for each field of the side, the text of each identity.
	texts   []texts
	numbers map[*flow.Identity]int32
	rows    []int32
	// came are the columns that the batch came with, kept the identities among them that stay, by their codes.
	came []columns.Texts
	kept map[string]int32
	// by is the column of the evidence that came.
	by *columns.Texts
	// record and scratch hold an identity and a text on their way.
	record  flow.Record
	scratch []byte
}

func newTable(batch arrow.RecordBatch, s *side) *table {
	t := &table{
		side: s, texts: make([]texts, len(s.fields)), numbers: make(map[*flow.Identity]int32),
		rows: make([]int32, batch.NumRows()), came: make([]columns.Texts, len(s.fields)), kept: make(map[string]int32),
	}
	for i, f := range s.fields {
		t.texts[i].codes = make(map[string]int32)
		t.came[i] = columns.TextsOf(batch, f)
		if f.Name == s.name+".resolved_by" {
			t.by = &t.came[i]
		}
	}
	return t
}

// texts are those of one field: each once, and which of them each identity has.
type texts struct {
	codes      map[string]int32
	distinct   []string
	ofIdentity []int32
}

// add takes the text of the next identity. It keeps no hold of it.
func (t *texts) add(text []byte) {
	code, ok := t.codes[string(text)]
	if !ok {
		code = int32(len(t.distinct))
		one := string(text)
		t.codes[one] = code
		t.distinct = append(t.distinct, one)
	}
	t.ofIdentity = append(t.ofIdentity, code)
}

// add returns the number of an identity.
func (t *table) add(id *flow.Identity) int32 {
	if n, ok := t.numbers[id]; ok {
		return n
	}
	n := t.next()
	t.numbers[id] = n
	t.side.of(&t.record).Identity = *id
	for i, f := range t.side.fields {
		t.scratch = f.AppendText(t.scratch[:0], &t.record)
		if !utf8.Valid(t.scratch) {
			t.scratch = bytes.ToValidUTF8(t.scratch, []byte("\uFFFD"))
		}
		t.texts[i].add(t.scratch)
	}
	return n
}

// next is the number of the next identity.
func (t *table) next() int32 { return int32(len(t.texts[0].ofIdentity)) }

// known says whether a row came with an identity that somebody resolved.
func (t *table) known(row int) bool {
	by := t.by.Value(row)
	return by != "" && by != flow.Unresolved.String()
}

// keep returns the number of the identity that a row came with.
func (t *table) keep(row int) int32 {
	var key []byte
	for i := range t.came {
		code := codeOf(&t.came[i], row)
		key = append(key, byte(code), byte(code>>8), byte(code>>16), byte(code>>24))
	}
	if n, ok := t.kept[string(key)]; ok {
		return n
	}
	n := t.next()
	t.kept[string(key)] = n
	for i := range t.came {
		t.scratch = append(t.scratch[:0], t.came[i].Value(row)...)
		t.texts[i].add(t.scratch)
	}
	return n
}

// columns returns the columns of all fields.
func (t *table) columns() []columns.Replacement {
	all := make([]columns.Replacement, len(t.side.fields))
	for i, f := range t.side.fields {
		all[i] = columns.Replacement{Field: f, Column: t.column(&t.texts[i])}
	}
	return all
}

// column spreads the texts of identities over the rows.
func (t *table) column(of *texts) arrow.Array {
	indices := make([]int32, len(t.rows))
	for row, n := range t.rows {
		indices[row] = of.ofIdentity[n]
	}
	return columns.NewTexts(indices, of.distinct)
}
