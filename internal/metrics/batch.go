package metrics

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// batch is a stored batch on its way into the sums.
type batch struct {
	rows arrow.RecordBatch
	size int
	// primary marks the rows that count once for a connection, sampling has what counters are multiplied by.
	primary, sampling columns.Numbers
}

func newBatch(d *columns.Dataset, rows arrow.RecordBatch) *batch {
	return &batch{
		rows: rows, size: int(rows.NumRows()),
		primary: columns.NumbersOf(rows, d.Primary), sampling: columns.NumbersOf(rows, d.Sampling),
	}
}

// part is what a family adds from a batch: an amount for each row, 0 for none, and under which of the label's values: the
// one, or another in each row.
type part struct {
	amounts []int64
	value   int32
	values  []int32
}

// valueOf is the place of a row's value among the label's.
func (p *part) valueOf(row int) int32 {
	if p.values == nil {
		return p.value
	}
	return p.values[row]
}

// sum reads the amounts of a field in the rows that count.
func (b *batch) sum(f *flow.Field, allReports bool, amounts []int64) {
	read := columns.NumbersOf(b.rows, f)
	scaled := query.IsScaled(f)
	for i := range amounts {
		amounts[i] = 0
		if read.IsNull(i) || !allReports && !b.isPrimary(i) {
			continue
		}
		amounts[i] = read.Values[i]
		if n := b.sampling.Values[i]; scaled && n > 1 {
			amounts[i] = columns.MultiplySaturating(amounts[i], n)
		}
	}
}

func (b *batch) isPrimary(row int) bool { return b.primary.Values[row] != 0 }

// count gives each row that counts the amount 1.
func (b *batch) count(allReports bool, amounts []int64) {
	for i := range amounts {
		amounts[i] = 0
		if allReports || b.isPrimary(i) {
			amounts[i] = 1
		}
	}
}

// choose tells for each row which of the label's values its text in a field is. What is none of them is the last, and what
// is empty is as the number given: below 0 it does not count.
func (b *batch) choose(f *flow.Field, known map[string]int32, empty int32, p *part) {
	texts := columns.TextsOf(b.rows, f)
	if texts.Dictionary == nil {
		for i := range p.values {
			p.set(i, empty)
		}
		return
	}
	codes := make([]int32, texts.Dictionary.Len())
	for code := range codes {
		codes[code] = valueOf(texts.Dictionary.Value(code), known, empty)
	}
	for i, code := range texts.Indices {
		p.set(i, codes[code])
	}
}

func valueOf(text string, known map[string]int32, empty int32) int32 {
	if text == "" {
		return empty
	}
	if value, ok := known[text]; ok {
		return value
	}
	return known[otherValue]
}

// set gives a row a value; none takes its amount away.
func (p *part) set(row int, value int32) {
	if value < 0 {
		p.amounts[row], value = 0, 0
	}
	p.values[row] = value
}

// tuple is the codes that a row has in the columns that keys are made from.
type tuple [maxFields]int32

// textsOf are columns of texts, any of which a batch may lack.
func (b *batch) textsOf(fields []*flow.Field) []columns.Texts {
	all := make([]columns.Texts, len(fields))
	for i, f := range fields {
		all[i] = columns.TextsOf(b.rows, f)
	}
	return all
}

func codesOf(texts []columns.Texts, row int) (t tuple) {
	for i := range texts {
		if texts[i].Indices != nil {
			t[i] = texts[i].Indices[row]
		}
	}
	return t
}
