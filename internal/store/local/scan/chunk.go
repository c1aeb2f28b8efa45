package scan

import (
	"errors"
	"fmt"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// Chunk is rows in columns, at most some 100,000. It is used by one goroutine.
type Chunk interface {
	Rows() int
	// Dictionary returns the texts of a stored field, in no order, perhaps with some twice, perhaps with some that no
	// row has. A field that the chunk lacks has "" alone.
	Dictionary(f *flow.Field) ([]string, error)
	// Codes returns for each row the index of its text in the dictionary.
	Codes(f *flow.Field) ([]int32, error)
	// Numbers returns the values of a stored field, and which are null; nil means none, in which case null values
	// are 0. What it returns is the chunk's until Release.
	Numbers(f *flow.Field) (values []int64, null []bool, err error)
	// Release ends the use of the chunk and of what it returned but for texts.
	Release()
}

// Source is where a chunk can be had, and what is known of it without reading.
type Source interface {
	Rows() int
	// Ends returns the smallest and the largest field "end" of the rows.
	Ends() (first, last flow.Time)
	// Excludes says that no row can fulfil the condition, a comparison of a stored field.
	Excludes(e *Comparison) bool
	Open() (Chunk, error)
}

// numbersOf returns the values of a field of numbers, adding up those that are sums of stored ones. The values may be
// the chunk's own and must not be changed.
func (w *worker) numbersOf(c Chunk, f *flow.Field) ([]int64, []bool, error) {
	parts := w.dataset.Parts(f)
	switch len(parts) {
	case 0:
		return nil, nil, fmt.Errorf("field %s is not stored", f.Name)
	case 1:
		return c.Numbers(parts[0])
	}
	if known, ok := w.sums[f]; ok {
		return known.values, known.null, nil
	}
	sum := w.sumMemory(c.Rows())
	var null []bool
	for i, part := range parts {
		values, nulls, err := c.Numbers(part)
		if err != nil {
			return nil, nil, err
		}
		for i, v := range values {
			sum[i] = columns.AddSaturating(sum[i], v)
		}
		if i == 0 {
			null = nulls
		} else {
			null = andNull(null, nulls)
		}
	}
	if w.sums == nil {
		w.sums = make(map[*flow.Field]column)
	}
	w.sums[f] = column{sum, null}
	return sum, null, nil
}

// andNull returns where both are null: a sum is there where one of its parts is. Null values are 0.
func andNull(a, b []bool) []bool {
	if a == nil || b == nil {
		return nil
	}
	merged := make([]bool, len(a))
	for i := range a {
		merged[i] = a[i] && b[i]
	}
	return merged
}

func stored(d *columns.Dataset, f *flow.Field) error {
	if len(f.FirstOf) > 0 {
		var errs []error
		for _, part := range f.FirstOf {
			errs = append(errs, stored(d, part))
		}
		return errors.Join(errs...)
	}
	if len(d.Parts(f)) == 0 {
		return fmt.Errorf("field %s is not stored in dataset %s", f.Name, d.Name)
	}
	return nil
}
