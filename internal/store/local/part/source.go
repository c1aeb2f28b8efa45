package part

import (
	"sync"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store/local/scan"
)

// Open returns the row group's columns for a query. They are read when they are asked for.
func (g *Group) Open() (scan.Chunk, error) {
	return &chunk{group: g, texts: make(map[flow.FieldID]*textColumn), numbers: make(map[flow.FieldID]numberColumn)}, nil
}

// Excludes says that no row can fulfil the condition, by the statistics of the file. Bloom filters are for other
// readers: they bear no checksum, and a damaged one would hide rows. The dictionaries, which do, tell as much.
func (g *Group) Excludes(c *scan.Comparison) (excludes bool) {
	defer func() {
		if recover() != nil { // Damage is for those to find who read the rows.
			excludes = false
		}
	}()
	if c.Text {
		return false
	}
	if _, ok := g.file.places[c.Field.ID]; !ok {
		return len(c.Field.SumOf) == 0 // All null, which fulfils nothing.
	}
	least, most, _, ok := g.file.numberStatistics(g.group, c.Field)
	return ok && c.ExcludesNumbers(least, most)
}

// chunk is a row group in use.
type chunk struct {
	group   *Group
	texts   map[flow.FieldID]*textColumn
	numbers map[flow.FieldID]numberColumn
}

type textColumn struct {
	*TextColumn
	codes []int32
}

type numberColumn struct {
	values []int64
	null   []bool
}

// Columns of values are used again, since a query needs many and each only for a moment.
var (
	codePool   = sync.Pool{New: func() any { return new([]int32) }}
	numberPool = sync.Pool{New: func() any { return new([]int64) }}
	levelPool  = sync.Pool{New: func() any { return new([]int16) }}
)

func borrow[T any](pool *sync.Pool, n int) []T {
	s := *pool.Get().(*[]T)
	if cap(s) < n {
		return make([]T, n)
	}
	return s[:n]
}

func giveBack[T any](pool *sync.Pool, s []T) {
	if s != nil {
		pool.Put(&s)
	}
}

func (c *chunk) Rows() int { return c.group.rows }

func (c *chunk) Dictionary(f *flow.Field) ([]string, error) {
	column, err := c.text(f)
	if err != nil {
		return nil, err
	}
	return column.Dictionary, nil
}

func (c *chunk) text(f *flow.Field) (*textColumn, error) {
	if column, ok := c.texts[f.ID]; ok {
		return column, nil
	}
	opened, err := c.group.OpenTexts(f)
	if err != nil {
		return nil, err
	}
	column := &textColumn{TextColumn: opened}
	c.texts[f.ID] = column
	return column, nil
}

func (c *chunk) Codes(f *flow.Field) ([]int32, error) {
	column, err := c.text(f)
	if err != nil {
		return nil, err
	}
	if column.codes != nil {
		return column.codes, nil
	}
	codes := borrow[int32](&codePool, c.group.rows)
	if err := column.TextColumn.Codes(codes); err != nil {
		return nil, err
	}
	column.codes = codes
	return codes, nil
}

func (c *chunk) Numbers(f *flow.Field) ([]int64, []bool, error) {
	if column, ok := c.numbers[f.ID]; ok {
		return column.values, column.null, nil
	}
	values := borrow[int64](&numberPool, c.group.rows)
	null, err := c.group.ReadNumbers(f, values)
	if err != nil {
		return nil, nil, err
	}
	c.numbers[f.ID] = numberColumn{values, null}
	return values, null, nil
}

func (c *chunk) Release() {
	for _, column := range c.texts {
		if column.codes == nil {
			_ = column.Close() // Nothing is lost with what is left unread.
		}
		giveBack(&codePool, column.codes)
	}
	for _, column := range c.numbers {
		giveBack(&numberPool, column.values)
	}
	clear(c.texts)
	clear(c.numbers)
}
