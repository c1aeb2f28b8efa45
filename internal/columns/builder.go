package columns

import (
	"math"
	"net/netip"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"

	"github.com/seine-net/seine/internal/flow"
)

// MaxRows is the largest number of rows of a batch.
const MaxRows = 1 << 16

// Builder turns records into batches. It is not safe for use by several goroutines at once.
type Builder struct {
	dataset *Dataset
	columns []columnBuilder
	rows    int
	maxRows int
}

// columnBuilder collects the values of one column.
type columnBuilder interface {
	append(records []flow.Record)
	// take returns the values since the last call, and begins anew.
	take() arrow.Array
}

// NewBuilder returns a builder of batches of at most maxRows rows, itself at most MaxRows.
func NewBuilder(d *Dataset, maxRows int) *Builder {
	b := &Builder{dataset: d, maxRows: min(maxRows, MaxRows)}
	for _, f := range d.Fields {
		b.columns = append(b.columns, newColumnBuilder(f))
	}
	return b
}

// newColumnBuilder chooses by the column's type and, for texts, by where they come from.
func newColumnBuilder(f *flow.Field) columnBuilder {
	switch {
	case f.Kind == flow.BoolField:
		return &boolBuilder{field: f}
	case !IsText(f):
		return newNumberBuilder(f)
	case f.Addr != nil:
		return newTextBuilder(presentOnly(f, f.Addr), netip.Addr.Unmap, addrText)
	case f.Uint != nil:
		return newTextBuilder(codeOf(f), unchanged[uint64], codeText(f))
	}
	return newTextBuilder(presentOnly(f, f.Text), validText, unchanged[string])
}

func unchanged[T any](value T) T { return value }

// validText replaces what is not UTF-8, which Arrow does not allow: names of interfaces may hold any byte.
func validText(text string) string { return strings.ToValidUTF8(text, "\uFFFD") }

// addrText returns an address as its column has it, "" for none.
func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.String()
}

// absent stands for the code of a record that does not have the field. No enumeration comes near it.
const absent = math.MaxUint64

func codeOf(f *flow.Field) func(*flow.Record) uint64 {
	if f.Presence == flow.Always {
		return f.Uint
	}
	return func(r *flow.Record) uint64 {
		if !f.Present(r) {
			return absent
		}
		return f.Uint(r)
	}
}

// codeText returns the function that names the codes of a protocol or enumeration.
func codeText(f *flow.Field) func(uint64) string {
	return func(code uint64) string {
		switch {
		case code == absent:
			return ""
		case f.Kind == flow.ProtoField:
			return flow.Proto(code).String()
		}
		return f.Enum.Name(code)
	}
}

// presentOnly makes an accessor return the zero value for records that do not have the field.
func presentOnly[T any](f *flow.Field, get func(*flow.Record) T) func(*flow.Record) T {
	if f.Presence == flow.Always || f.Presence == flow.IfKnown {
		return get
	}
	return func(r *flow.Record) (value T) {
		if f.Present(r) {
			value = get(r)
		}
		return value
	}
}

// chunk is how many records are read column by column at a time. So many stay in the processor's cache.
const chunk = 32

// Append adds records, in their order, until the batch is full, and returns how many it took. It keeps their texts
// until the batch is taken.
func (b *Builder) Append(records []flow.Record) int {
	taken := min(len(records), b.maxRows-b.rows)
	for rest := records[:taken]; len(rest) > 0; {
		part := rest[:min(chunk, len(rest))]
		for _, c := range b.columns {
			c.append(part)
		}
		rest = rest[len(part):]
	}
	b.rows += taken
	return taken
}

// Len returns the number of rows collected.
func (b *Builder) Len() int { return b.rows }

// NewBatch returns what was collected as a batch, which is the caller's, and begins anew.
func (b *Builder) NewBatch() arrow.RecordBatch {
	arrays := make([]arrow.Array, len(b.columns))
	for i, c := range b.columns {
		arrays[i] = c.take()
		defer arrays[i].Release()
	}
	rows := b.rows
	b.rows = 0
	return array.NewRecordBatch(b.dataset.Schema, arrays, int64(rows))
}
