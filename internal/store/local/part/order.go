package part

import (
	"math/bits"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// Interval is the span of time whose rows lie together in a part, sorted by who talks to whom.
const Interval = 30 * time.Minute

// intervals bounds the intervals that are told apart, some 227 days; the rest counts as one.
const (
	intervalBits = 16
	intervals    = 1 << intervalBits
)

// sortKey is the values of a row that it is sorted by, packed.
type sortKey struct {
	words [4]uint64
	row   Row
}

// Order returns the rows whose "end" is from first to last, sorted by interval and within it by the dataset's SortBy:
// texts by their place in the dictionary, since all that is wanted is that equal ones lie together. Rows that are equal in
// all are sorted by time.
func Order(d *columns.Dataset, inputs []Input, first, last flow.Time) ([]Row, error) {
	keys, err := timeKeys(d, inputs, first, last)
	if err != nil {
		return nil, err
	}
	if err := addKeys(d, inputs, keys); err != nil {
		return nil, err
	}
	slices.SortFunc(keys, compareKeys)
	rows := make([]Row, len(keys))
	for i := range keys {
		rows[i] = keys[i].row
	}
	return rows, nil
}

func compareKeys(a, b sortKey) int {
	for i := range a.words {
		if a.words[i] != b.words[i] {
			if a.words[i] < b.words[i] {
				return -1
			}
			return 1
		}
	}
	return 0
}

// timeKeys returns a key for each row that is wanted: the interval in the first word, the time in the last.
func timeKeys(d *columns.Dataset, inputs []Input, first, last flow.Time) ([]sortKey, error) {
	ends, err := mergeNumbers(inputs, d.End)
	if err != nil {
		return nil, err
	}
	wanted := 0
	for _, values := range ends.values {
		for _, end := range values {
			if end >= int64(first) && end <= int64(last) {
				wanted++
			}
		}
	}
	keys := make([]sortKey, 0, wanted)
	for input, values := range ends.values {
		for row, end := range values {
			if end < int64(first) || end > int64(last) {
				continue
			}
			key := sortKey{row: Row{uint32(input), uint32(row)}}
			key.words[0] = min(uint64(end-int64(first))/uint64(Interval), intervals-1)
			key.words[3] = uint64(end - int64(first))
			keys = append(keys, key)
		}
	}
	return keys, nil
}

// addKeys packs the fields of the order behind the interval, as far as there are bits.
func addKeys(d *columns.Dataset, inputs []Input, keys []sortKey) error {
	word, free := 0, 64-intervalBits
	for _, f := range d.SortBy {
		codes, size, err := codesOf(inputs, f)
		if err != nil {
			return err
		}
		width := bits.Len(uint(size))
		if free < width {
			word, free = word+1, 64
		}
		if word == 3 {
			return nil
		}
		free -= width
		for i := range keys {
			k := &keys[i]
			k.words[word] = k.words[word]<<width | uint64(codes[k.row.Input][k.row.Row])
		}
	}
	return nil
}

// codesOf returns small numbers for the values of a field, and a bound of them.
func codesOf(inputs []Input, f *flow.Field) ([][]int32, int, error) {
	if columns.IsText(f) {
		m, err := mergeTexts(inputs, f)
		return m.codes, len(m.dictionary), err
	}
	m, err := mergeNumbers(inputs, f)
	if err != nil {
		return nil, 0, err
	}
	codes, size := make([][]int32, len(inputs)), int64(0)
	for i, values := range m.values {
		codes[i] = make([]int32, len(values))
		for row, value := range values {
			// Ports and truth values fit; what does not is sorted as one.
			codes[i][row] = int32(min(value, 1<<16))
			size = max(size, int64(codes[i][row]))
		}
	}
	return codes, int(size), nil
}
