package local

import (
	"errors"
	"fmt"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// admit returns the batch with the dataset's schema and with times that this store can keep. It is the caller's to
// release.
func (s *Store) admit(d *columns.Dataset, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	rows, err := d.Conform(batch)
	if err != nil {
		return nil, err
	}
	ends := columns.NumbersOf(rows, d.End)
	if ends.Null != nil || slices.ContainsFunc(ends.Values, func(end int64) bool { return end < 0 }) {
		rows.Release()
		return nil, errors.New("a row has no time in its field end, or one before 1970")
	}
	latest := s.config.Now().Add(s.config.MaxAhead).UnixNano()
	ahead := 0
	for _, end := range ends.Values {
		if end > latest {
			ahead++
		}
	}
	if ahead == 0 {
		return rows, nil
	}
	defer rows.Release()
	s.mu.Lock()
	s.moved += uint64(ahead)
	s.mu.Unlock()
	s.note("ahead", fmt.Sprintf(
		"rows came with times more than %s ahead of this machine's clock, and were set back: compare the clocks", s.config.MaxAhead))
	return setBack(d, rows, latest), nil
}

// setBack returns the batch with no time after the latest.
func setBack(d *columns.Dataset, batch arrow.RecordBatch, latest int64) arrow.RecordBatch {
	arrays := slices.Clone(batch.Columns())
	for i, f := range d.Fields {
		if f.Kind != flow.TimeField {
			continue
		}
		arrays[i] = timesUntil(columns.NumbersOf(batch, f), latest)
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(d.Schema, arrays, batch.NumRows())
}

func timesUntil(numbers columns.Numbers, latest int64) arrow.Array {
	builder := array.NewTimestampBuilder(memory.DefaultAllocator, arrow.FixedWidthTypes.Timestamp_ns.(*arrow.TimestampType))
	defer builder.Release()
	for row, time := range numbers.Values {
		if numbers.IsNull(row) {
			builder.AppendNull()
		} else {
			builder.Append(arrow.Timestamp(min(time, latest)))
		}
	}
	return builder.NewArray()
}

// unexpired returns the rows that are not older than MaxAge, and how many are.
func (s *Store) unexpired(d *columns.Dataset, batch arrow.RecordBatch) (rows []int32, expired int) {
	ends := columns.NumbersOf(batch, d.End).Values
	oldest := int64(s.oldest())
	rows = make([]int32, 0, len(ends))
	for i, end := range ends {
		if end >= oldest {
			rows = append(rows, int32(i))
		}
	}
	return rows, len(ends) - len(rows)
}

// oldest is the earliest time of rows that are kept.
func (s *Store) oldest() flow.Time {
	if s.config.MaxAge == 0 {
		return 0
	}
	return flow.Time(max(0, s.config.Now().Add(-s.config.MaxAge).UnixNano()))
}
