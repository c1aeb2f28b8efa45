package columns

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seine-net/seine/internal/flow"
)

// Texts is a column of texts: an index into the dictionary for each row. A batch that lacks the column has neither,
// and its texts are all "". Both belong to the batch.
type Texts struct {
	Indices    []int32
	Dictionary *array.String
}

// TextsOf returns the column of a field whose kind is text. The batch may have any selection of columns.
func TextsOf(batch arrow.RecordBatch, f *flow.Field) Texts {
	dictionary, ok := columnOf(batch, f).(*array.Dictionary)
	if !ok {
		return Texts{}
	}
	indices, isIndex := dictionary.Indices().(*array.Int32)
	texts, isText := dictionary.Dictionary().(*array.String)
	if !isIndex || !isText {
		return Texts{}
	}
	return Texts{Indices: indices.Int32Values(), Dictionary: texts}
}

// Value returns the text of a row.
func (t Texts) Value(row int) string {
	if t.Dictionary == nil {
		return ""
	}
	return t.Dictionary.Value(int(t.Indices[row]))
}

// Numbers is a column of numbers: times in nanoseconds since the epoch, truth as 0 and 1.
type Numbers struct {
	Values []int64
	// Null marks the values that are not there; nil means that all are.
	Null []bool
}

// IsNull says whether a row's value is not there.
func (n Numbers) IsNull(row int) bool { return n.Null != nil && n.Null[row] }

// NumbersOf returns the values of a field that is no text, and those of a sum that is not stored. Sums stop at the
// largest number. The batch may have any selection of columns; the values of one that it lacks are all null.
// The result does not belong to the batch, but may be shared with it: it must not be changed.
func NumbersOf(batch arrow.RecordBatch, f *flow.Field) Numbers {
	if f.Parts() == nil {
		return numbersIn(columnOf(batch, f), int(batch.NumRows()))
	}
	total := allNull(int(batch.NumRows()))
	for _, part := range f.Parts() {
		total.add(NumbersOf(batch, part))
	}
	return total
}

// add adds a column. A sum is there where one of its parts is: a counter that is not there counted nothing.
func (n *Numbers) add(part Numbers) {
	for i, value := range part.Values {
		if !part.IsNull(i) {
			n.Values[i] = AddSaturating(n.Values[i], value)
		}
	}
	if part.Null == nil {
		n.Null = nil
	}
	for i := range n.Null {
		n.Null[i] = n.Null[i] && part.Null[i]
	}
}

// AddSaturating adds two numbers that are not negative; the sum stops at the largest number.
func AddSaturating(a, b int64) int64 {
	if a > math.MaxInt64-b {
		return math.MaxInt64
	}
	return a + b
}

// MultiplySaturating multiplies two numbers that are not negative; the product stops at the largest number.
func MultiplySaturating(a, b int64) int64 {
	if a != 0 && b > math.MaxInt64/a {
		return math.MaxInt64
	}
	return a * b
}

func columnOf(batch arrow.RecordBatch, f *flow.Field) arrow.Array {
	places := batch.Schema().FieldIndices(f.Name)
	if len(places) != 1 {
		return nil
	}
	return batch.Column(places[0])
}

// numbersIn returns the values of an array of one of the types that hold numbers.
func numbersIn(a arrow.Array, rows int) Numbers {
	switch a := a.(type) {
	case *array.Int64:
		return Numbers{a.Int64Values(), nullsIn(a)}
	case *array.Timestamp:
		return Numbers{arrow.Int64Traits.CastFromBytes(arrow.TimestampTraits.CastToBytes(a.TimestampValues())), nullsIn(a)}
	case *array.Uint32:
		return Numbers{widened(a.Uint32Values()), nullsIn(a)}
	case *array.Uint16:
		return Numbers{widened(a.Uint16Values()), nullsIn(a)}
	case *array.Uint8:
		return Numbers{widened(a.Uint8Values()), nullsIn(a)}
	case *array.Boolean:
		return Numbers{truths(a), nullsIn(a)}
	}
	return allNull(rows)
}

func allNull(rows int) Numbers {
	n := Numbers{Values: make([]int64, rows), Null: make([]bool, rows)}
	for i := range n.Null {
		n.Null[i] = true
	}
	return n
}

func nullsIn(a arrow.Array) []bool {
	if a.NullN() == 0 {
		return nil
	}
	null := make([]bool, a.Len())
	for i := range null {
		null[i] = a.IsNull(i)
	}
	return null
}

func widened[T number](values []T) []int64 {
	wide := make([]int64, len(values))
	for i, value := range values {
		wide[i] = int64(value)
	}
	return wide
}

func truths(a *array.Boolean) []int64 {
	values := make([]int64, a.Len())
	for i := range values {
		if a.Value(i) {
			values[i] = 1
		}
	}
	return values
}
