package scan

import (
	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// amounts is what all measures of numbers have: the field, and which groups have values of sampled packets.
type amounts struct {
	field *flow.Field
	// scaled says that counters of sampled packets are multiplied by the sampling.
	scaled  bool
	sampled []bool
}

func (a *amounts) grow(n int) { a.sampled = growTo(a.sampled, n) }

// batch is the values of a chunk; sampling is nil if nothing was sampled or it does not matter.
type batch struct {
	values   []int64
	null     []bool
	sampling []int64
}

func (a *amounts) read(w *worker, chunk Chunk) (b batch, err error) {
	if b.values, b.null, err = w.numbersOf(chunk, a.field); err != nil || !query.IsScaled(a.field) {
		return b, err
	}
	b.sampling, err = w.samplingOf(chunk)
	return b, err
}

// each calls add for each row that has a value.
func (a *amounts) each(b batch, rows []int32, groups []uint32, add func(group uint32, value int64)) {
	for i, row := range rows {
		if b.null != nil && b.null[row] {
			continue
		}
		value := b.values[row]
		if b.sampling != nil && b.sampling[row] > 1 {
			a.sampled[groups[i]] = true
			if a.scaled {
				value = columns.MultiplySaturating(value, b.sampling[row])
			}
		}
		add(groups[i], value)
	}
}

func (a *amounts) mergeSampled(other *amounts, groups []uint32) {
	for g, sampled := range other.sampled {
		if sampled && groups[g] != refused {
			a.sampled[groups[g]] = true
		}
	}
}

// mark marks the column if one of the groups has values of sampled packets.
func (a *amounts) mark(column *query.Column, groups []uint32) {
	for _, g := range groups {
		column.Estimated = column.Estimated || a.sampled[g]
	}
}
