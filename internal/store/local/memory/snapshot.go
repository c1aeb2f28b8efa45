package memory

import (
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store/local/scan"
)

// Snapshot is the rows that a table had at one time. It may be used by several goroutines at once, while the table
// grows.
type Snapshot struct {
	dataset *columns.Dataset
	texts   [][]string
	blocks  []*block
}

// Snapshot returns what the table holds now.
func (t *Table) Snapshot() *Snapshot {
	s := &Snapshot{dataset: t.dataset, texts: make([][]string, len(t.texts))}
	for i, d := range t.texts {
		if d != nil {
			s.texts[i] = d.list
		}
	}
	for _, b := range t.blocks {
		now := *b // The slices keep their present length.
		now.codes = append([][]int32(nil), b.codes...)
		now.numbers = append([][]int64(nil), b.numbers...)
		now.null = append([][]bool(nil), b.null...)
		s.blocks = append(s.blocks, &now)
	}
	return s
}

// Sources returns the rows for a query.
func (s *Snapshot) Sources() []scan.Source {
	sources := make([]scan.Source, len(s.blocks))
	for i, b := range s.blocks {
		sources[i] = &source{s, b}
	}
	return sources
}

// Rows returns the number of rows.
func (s *Snapshot) Rows() int {
	rows := 0
	for _, b := range s.blocks {
		rows += b.rows
	}
	return rows
}

// Lacks says that no row has a value of the field.
func (s *Snapshot) Lacks(f *flow.Field) bool {
	column, _ := s.dataset.Column(f)
	return !slices.ContainsFunc(s.blocks, func(b *block) bool { return b.codes[column] != nil || b.numbers[column] != nil })
}

// Texts returns a column of all rows, as package part wants it.
func (s *Snapshot) Texts(f *flow.Field) (dictionary []string, codes []int32, err error) {
	column, _ := s.dataset.Column(f)
	codes = make([]int32, 0, s.Rows())
	for _, b := range s.blocks {
		codes = append(codes, b.codesOf(column)...)
	}
	return s.texts[column], codes, nil
}

// Numbers returns a column of all rows, as package part wants it.
func (s *Snapshot) Numbers(f *flow.Field) (values []int64, null []bool, err error) {
	column, _ := s.dataset.Column(f)
	values = make([]int64, 0, s.Rows())
	for _, b := range s.blocks {
		numbers, absent := b.numbersOf(column)
		if absent != nil && null == nil {
			null = make([]bool, len(values), s.Rows())
		}
		values = append(values, numbers...)
		if null != nil {
			null = append(null, absent...)
			null = append(null, make([]bool, len(values)-len(null))...)
		}
	}
	return values, null, nil
}

// source is a block for a query; it is its own chunk, since nothing has to be read.
type source struct {
	snapshot *Snapshot
	block    *block
}

func (s *source) Rows() int                      { return s.block.rows }
func (s *source) Ends() (first, last flow.Time)  { return s.block.first, s.block.last }
func (s *source) Excludes(*scan.Comparison) bool { return false }
func (s *source) Open() (scan.Chunk, error)      { return s, nil }
func (s *source) Release()                       {}
func (s *source) column(f *flow.Field) (i int)   { i, _ = s.snapshot.dataset.Column(f); return i }

func (s *source) Dictionary(f *flow.Field) ([]string, error) {
	return s.snapshot.texts[s.column(f)], nil
}
func (s *source) Codes(f *flow.Field) ([]int32, error) { return s.block.codesOf(s.column(f)), nil }

func (s *source) Numbers(f *flow.Field) ([]int64, []bool, error) {
	values, null := s.block.numbersOf(s.column(f))
	return values, null, nil
}
