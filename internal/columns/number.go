package columns

import (
	"math"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/bitutil"

	"github.com/seine-net/seine/internal/flow"
)

// number is a Go type of the values of a number column.
type number interface {
	int64 | uint32 | uint16 | uint8
}

// numberBuilder collects a column of numbers.
type numberBuilder[T number] struct {
	field    *flow.Field
	limit    uint64
	cast     func([]T) []byte
	values   []T
	validity bitmap
}

// newNumberBuilder chooses by the column's type. A value beyond the type's range becomes the largest that it holds.
func newNumberBuilder(f *flow.Field) columnBuilder {
	switch types[f.Kind] {
	case arrow.PrimitiveTypes.Uint8:
		return &numberBuilder[uint8]{field: f, limit: math.MaxUint8, cast: arrow.Uint8Traits.CastToBytes}
	case arrow.PrimitiveTypes.Uint16:
		return &numberBuilder[uint16]{field: f, limit: math.MaxUint16, cast: arrow.Uint16Traits.CastToBytes}
	case arrow.PrimitiveTypes.Uint32:
		return &numberBuilder[uint32]{field: f, limit: math.MaxUint32, cast: arrow.Uint32Traits.CastToBytes}
	}
	return &numberBuilder[int64]{field: f, limit: math.MaxInt64, cast: arrow.Int64Traits.CastToBytes}
}

func (b *numberBuilder[T]) append(records []flow.Record) {
	always := b.field.Presence == flow.Always
	for i := range records {
		r := &records[i]
		present := always || b.field.Present(r)
		var value T
		if present {
			value = T(min(b.field.Uint(r), b.limit))
		}
		b.values = append(b.values, value)
		if !always {
			b.validity.append(present)
		}
	}
}

func (b *numberBuilder[T]) take() arrow.Array {
	rows := len(b.values)
	taken := withNulls(types[b.field.Kind], rows, b.cast(b.values), b.validity.bytes, b.validity.clear)
	b.values = make([]T, 0, rows)
	b.validity = bitmap{}
	return taken
}

// boolBuilder collects a column of truth values.
type boolBuilder struct {
	field            *flow.Field
	values, validity bitmap
}

func (b *boolBuilder) append(records []flow.Record) {
	for i := range records {
		r := &records[i]
		present := b.field.Present(r)
		b.values.append(present && b.field.Uint(r) != 0)
		b.validity.append(present)
	}
}

func (b *boolBuilder) take() arrow.Array {
	taken := withNulls(arrow.FixedWidthTypes.Boolean, b.values.length, b.values.bytes, b.validity.bytes, b.validity.clear)
	b.values, b.validity = bitmap{}, bitmap{}
	return taken
}

// bitmap is a growing sequence of bits, lowest first.
type bitmap struct {
	bytes []byte
	// length counts the bits, clear those that are 0.
	length, clear int
}

func (b *bitmap) append(set bool) {
	if b.length%8 == 0 {
		b.bytes = append(b.bytes, 0)
	}
	if set {
		bitutil.SetBit(b.bytes, b.length)
	} else {
		b.clear++
	}
	b.length++
}
