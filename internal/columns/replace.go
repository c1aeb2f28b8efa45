package columns

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seine-net/seine/internal/flow"
)

// NewTexts makes a column of texts: an index into the texts for each row. It keeps the indices. Texts must be UTF-8.
func NewTexts(indices []int32, texts []string) arrow.Array {
	codes := fixedWidth(arrow.PrimitiveTypes.Int32, len(indices), arrow.Int32Traits.CastToBytes(indices))
	defer codes.Release()
	d := dictionary{offsets: make([]int32, 1, len(texts)+1)}
	for _, text := range texts {
		d.add(text)
	}
	values := d.array()
	defer values.Release()
	return array.NewDictionaryArray(TextType, codes, values)
}

// NewNumbers makes a column of 64-bit numbers, which it keeps; those that are 0 are not there.
func NewNumbers(values []int64) arrow.Array {
	var present bitmap
	for _, n := range values {
		present.append(n != 0)
	}
	return withNulls(arrow.PrimitiveTypes.Int64, len(values), arrow.Int64Traits.CastToBytes(values), present.bytes, present.clear)
}

// NewTruths makes a column of truth values.
func NewTruths(values []bool) arrow.Array {
	var b bitmap
	for _, v := range values {
		b.append(v)
	}
	return withNulls(arrow.FixedWidthTypes.Boolean, len(values), b.bytes, nil, 0)
}

// Replacement is a column that takes the place of a field's.
type Replacement struct {
	Field  *flow.Field
	Column arrow.Array
}

// Replace returns a batch with other columns for some fields, which it releases. A field that the batch has no column of
// is left out. The result is the caller's.
func Replace(batch arrow.RecordBatch, by []Replacement) arrow.RecordBatch {
	all := append([]arrow.Array(nil), batch.Columns()...)
	for _, r := range by {
		defer r.Column.Release()
		if places := batch.Schema().FieldIndices(r.Field.Name); len(places) == 1 {
			all[places[0]] = r.Column
		}
	}
	return array.NewRecordBatch(batch.Schema(), all, batch.NumRows())
}
