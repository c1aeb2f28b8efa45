// Package memory holds the rows of the local store that are in no file yet: columns that grow, in blocks, with one
// dictionary for each column of texts.
//
// One goroutine adds; snapshots may be read at the same time, since what is written once never changes.
package memory

import (
	"slices"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// blockRows is how many rows memory is taken for at once.
const blockRows = 16 << 10

// Table is rows of one dataset. Its methods are not for several goroutines at once.
type Table struct {
	dataset *columns.Dataset
	texts   []*dictionary // By the dataset's columns, nil for numbers.
	blocks  []*block
	rows    int
	bytes   int64
	// end is the column of the rows' time.
	end int
}

// What stands for the columns of a block that have no value.
var (
	noCodes   = make([]int32, blockRows)
	noNumbers = make([]int64, blockRows)
	allNull   = slices.Repeat([]bool{true}, blockRows)
)

// codesOf returns a column of texts.
func (b *block) codesOf(i int) []int32 {
	if b.codes[i] == nil {
		return noCodes[:b.rows]
	}
	return b.codes[i]
}

// numbersOf returns a column of numbers, and which are null.
func (b *block) numbersOf(i int) ([]int64, []bool) {
	if b.numbers[i] == nil {
		return noNumbers[:b.rows], allNull[:b.rows]
	}
	return b.numbers[i], b.null[i]
}

// dictionary numbers the texts of a column, "" first.
type dictionary struct {
	codes map[string]int32
	list  []string
}

// block is up to blockRows rows; of each column one of the slices is used. A column without any value has none: its texts
// are "", its numbers null.
type block struct {
	codes       [][]int32
	numbers     [][]int64
	null        [][]bool
	rows        int
	first, last flow.Time
}

// New returns an empty table.
func New(d *columns.Dataset) *Table {
	t := &Table{dataset: d, texts: make([]*dictionary, len(d.Fields))}
	for i, f := range d.Fields {
		if columns.IsText(f) {
			t.texts[i] = &dictionary{codes: map[string]int32{"": 0}, list: []string{""}}
		}
		if f.Name == "end" {
			t.end = i
		}
	}
	return t
}

// Rows returns the number of rows, Bytes about the memory that they take.
func (t *Table) Rows() int { return t.rows }

// Bytes returns about the memory that the rows take.
func (t *Table) Bytes() int64 { return t.bytes }

// Add copies rows of a batch that has the dataset's schema.
func (t *Table) Add(batch arrow.RecordBatch, rows []int32) {
	for len(rows) > 0 {
		b := t.room()
		n := min(len(rows), blockRows-b.rows)
		t.addColumns(b, batch, rows[:n])
		rows = rows[n:]
	}
}

// room returns a block that is not full.
func (t *Table) room() *block {
	if last := len(t.blocks) - 1; last >= 0 && t.blocks[last].rows < blockRows {
		return t.blocks[last]
	}
	width := len(t.dataset.Fields)
	b := &block{codes: make([][]int32, width), numbers: make([][]int64, width), null: make([][]bool, width)}
	t.blocks = append(t.blocks, b)
	return b
}

func (t *Table) addColumns(b *block, batch arrow.RecordBatch, rows []int32) {
	for i, f := range t.dataset.Fields {
		if t.texts[i] != nil {
			t.addTexts(b, i, columns.TextsOf(batch, f), rows)
		} else {
			t.addNumbers(b, i, columns.NumbersOf(batch, f), rows)
		}
	}
	t.addTimes(b, b.numbers[t.end][b.rows:])
	b.rows += len(rows)
	t.rows += len(rows)
}

func (t *Table) addTexts(b *block, i int, texts columns.Texts, rows []int32) {
	codes := b.codes[i]
	if codes == nil {
		if texts.Dictionary.Len() == 1 && texts.Dictionary.Value(0) == "" {
			return
		}
		codes = make([]int32, b.rows, blockRows)
		t.bytes += 4 * blockRows
	}
	const unknown = -1
	own := make([]int32, texts.Dictionary.Len())
	for i := range own {
		own[i] = unknown
	}
	for _, row := range rows {
		index := texts.Indices[row]
		code := own[index]
		if code == unknown {
			code = t.code(t.texts[i], texts.Dictionary.Value(int(index)))
			own[index] = code
		}
		codes = append(codes, code)
	}
	b.codes[i] = codes
}

// textOverhead is about what a text costs beside its bytes.
const textOverhead = 64

func (t *Table) code(d *dictionary, text string) int32 {
	code, ok := d.codes[text]
	if !ok {
		text = strings.Clone(text) // It lies in the batch's memory.
		code = int32(len(d.list))
		d.codes[text] = code
		d.list = append(d.list, text)
		t.bytes += int64(len(text)) + textOverhead
	}
	return code
}

func (t *Table) addNumbers(b *block, i int, numbers columns.Numbers, rows []int32) {
	if b.numbers[i] == nil {
		if numbers.Null != nil && !slices.Contains(numbers.Null, false) {
			return
		}
		b.numbers[i] = make([]int64, b.rows, blockRows)
		t.bytes += 8 * blockRows
		if b.rows > 0 {
			b.null[i] = append(make([]bool, 0, blockRows), allNull[:b.rows]...)
		}
	}
	values := b.numbers[i]
	for _, row := range rows {
		values = append(values, numbers.Values[row])
	}
	if numbers.Null != nil && b.null[i] == nil {
		b.null[i] = make([]bool, b.rows, blockRows)
	}
	if b.null[i] != nil {
		null := b.null[i]
		for n, row := range rows {
			absent := numbers.IsNull(int(row))
			null = append(null, absent)
			if absent {
				values[b.rows+n] = 0
			}
		}
		b.null[i] = null
	}
	b.numbers[i] = values
}

func (t *Table) addTimes(b *block, ends []int64) {
	for i, end := range ends {
		time := flow.Time(end)
		if b.rows == 0 && i == 0 {
			b.first, b.last = time, time
		}
		b.first, b.last = min(b.first, time), max(b.last, time)
	}
}

// First returns the smallest time of a row; false if there is none.
func (t *Table) First() (first flow.Time, ok bool) {
	for _, b := range t.blocks {
		if !ok || b.first < first {
			first, ok = b.first, true
		}
	}
	return first, ok
}
