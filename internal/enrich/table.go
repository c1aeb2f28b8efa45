package enrich

import (
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// table has the identities of one endpoint in a batch: each once, and its number for each row.
type table struct {
	side *side
	// texts has, for each field of the side, the text of each identity.
	texts   [][]string
	numbers map[flow.Identity]int32
	rows    []int32
	// came are the columns that the batch came with, kept the identities among them that stay, by their codes.
	came []columns.Texts
	kept map[string]int32
	// by is the column of the evidence that came.
	by *columns.Texts
}

func newTable(batch arrow.RecordBatch, s *side) *table {
	t := &table{
		side: s, texts: make([][]string, len(s.fields)), numbers: make(map[flow.Identity]int32),
		rows: make([]int32, batch.NumRows()), came: make([]columns.Texts, len(s.fields)), kept: make(map[string]int32),
	}
	for i, f := range s.fields {
		t.came[i] = columns.TextsOf(batch, f)
		if f.Name == s.name+".resolved_by" {
			t.by = &t.came[i]
		}
	}
	return t
}

// add returns the number of an identity.
func (t *table) add(id *flow.Identity) int32 {
	if n, ok := t.numbers[*id]; ok {
		return n
	}
	n := int32(len(t.texts[0]))
	t.numbers[*id] = n
	var r flow.Record
	t.side.of(&r).Identity = *id
	for i, f := range t.side.fields {
		t.texts[i] = append(t.texts[i], strings.ToValidUTF8(string(f.AppendText(nil, &r)), "\uFFFD"))
	}
	return n
}

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
	n := int32(len(t.texts[0]))
	t.kept[string(key)] = n
	for i := range t.came {
		t.texts[i] = append(t.texts[i], t.came[i].Value(row))
	}
	return n
}

// columns returns the columns of all fields.
func (t *table) columns() []columns.Replacement {
	all := make([]columns.Replacement, len(t.side.fields))
	for i, f := range t.side.fields {
		all[i] = columns.Replacement{Field: f, Column: t.column(t.texts[i])}
	}
	return all
}

// column spreads the texts of identities over the rows.
func (t *table) column(texts []string) arrow.Array {
	codes := make(map[string]int32)
	var distinct []string
	ofIdentity := make([]int32, len(texts))
	for i, text := range texts {
		code, ok := codes[text]
		if !ok {
			code = int32(len(distinct))
			codes[text] = code
			distinct = append(distinct, text)
		}
		ofIdentity[i] = code
	}
	indices := make([]int32, len(t.rows))
	for row, n := range t.rows {
		indices[row] = ofIdentity[n]
	}
	return columns.NewTexts(indices, distinct)
}
