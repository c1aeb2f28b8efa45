package part

import (
	"errors"
	"fmt"
	"os"
	"syscall"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// File is an open part. Its row groups may be read by several goroutines at once.
type File struct {
	dataset *columns.Dataset
	file    *os.File
	reader  *file.Reader
	// places holds the column of each field.
	places map[flow.FieldID]int
}

// Open opens a part and reads its footer.
func Open(path string, d *columns.Dataset) (f *File, err error) {
	// What is no file of ours must not hold up the start, as a pipe would, nor lead elsewhere, as a link.
	handle, err := os.OpenFile(path, os.O_RDONLY|syscall.O_NONBLOCK|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, fmt.Errorf("open part: %w", err)
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, handle.Close())
		}
	}()
	reader, err := newReader(handle)
	if err != nil {
		return nil, fmt.Errorf("open part %s: %w", path, err)
	}
	f = &File{dataset: d, file: handle, reader: reader, places: make(map[flow.FieldID]int)}
	return f, f.findColumns()
}

func newReader(handle *os.File) (reader *file.Reader, err error) {
	defer recovered(&err)
	return file.NewParquetReader(handle)
}

// findColumns finds the columns of the fields, and refuses those of another type.
func (f *File) findColumns() error {
	schema := f.reader.MetaData().Schema
	for place := range schema.NumColumns() {
		column := schema.Column(place)
		field, ok := f.dataset.StoredByID(flow.FieldID(column.SchemaNode().FieldID()))
		if !ok {
			continue
		}
		want := layouts[field.Kind].physical
		nullable := column.MaxDefinitionLevel() > 0
		if column.PhysicalType() != want || column.MaxRepetitionLevel() > 0 || columns.IsText(field) && nullable {
			return fmt.Errorf("open part: column %s is %s, want %s", column.Name(), column.PhysicalType(), want)
		}
		f.places[field.ID] = place
	}
	return nil
}

// Close releases the file.
func (f *File) Close() error { return f.file.Close() }

// Note returns a text of the metadata that was given to Write.
func (f *File) Note(key string) string {
	value := f.reader.MetaData().KeyValueMetadata().FindValue(key)
	if value == nil {
		return ""
	}
	return *value
}

// Groups returns the number of row groups.
func (f *File) Groups() int { return f.reader.NumRowGroups() }

// Bounds are what is known of the rows of a row group.
type Bounds struct {
	Rows int
	// First and Last are the smallest and largest "end".
	First, Last flow.Time
}

// Bounds returns the bounds of a row group.
func (f *File) Bounds(group int) (b Bounds, err error) {
	defer recovered(&err)
	b.Rows = int(f.reader.MetaData().RowGroup(group).NumRows())
	least, most, _, ok := f.numberStatistics(group, f.dataset.End)
	if !ok {
		return b, errors.New("read part: no statistics of the field end")
	}
	b.First, b.Last = flow.Time(least), flow.Time(most)
	return b, nil
}

// numberStatistics returns the smallest and largest value of a row group and the number of nulls.
func (f *File) numberStatistics(group int, field *flow.Field) (least, most, nulls int64, ok bool) {
	statistics := f.statistics(group, field)
	if statistics == nil || !statistics.HasMinMax() {
		return 0, 0, 0, false
	}
	nulls = statistics.NullCount()
	switch s := statistics.(type) {
	case *metadata.Int64Statistics:
		return s.Min(), s.Max(), nulls, true
	case *metadata.Int32Statistics:
		return int64(uint32(s.Min())), int64(uint32(s.Max())), nulls, true
	case *metadata.BooleanStatistics:
		return truthNumber(s.Min()), truthNumber(s.Max()), nulls, true
	}
	return 0, 0, 0, false
}

func (f *File) statistics(group int, field *flow.Field) metadata.TypedStatistics {
	place, ok := f.places[field.ID]
	if !ok {
		return nil
	}
	chunk, err := f.reader.MetaData().RowGroup(group).ColumnChunk(place)
	if err != nil {
		return nil
	}
	if set, err := chunk.StatsSet(); err != nil || !set {
		return nil
	}
	statistics, err := chunk.Statistics()
	if err != nil {
		return nil
	}
	return statistics
}

func truthNumber(b bool) int64 {
	if b {
		return 1
	}
	return 0
}

// Group is a row group of an open part.
type Group struct {
	file  *File
	group int
	rows  int
}

// Group returns a row group.
func (f *File) Group(group int) *Group {
	return &Group{f, group, int(f.reader.MetaData().RowGroup(group).NumRows())}
}

// Rows returns the number of rows.
func (g *Group) Rows() int { return g.rows }

// Lacks says that the part has no column of the field, or nothing but nulls in it.
func (g *Group) Lacks(field *flow.Field) bool {
	if _, ok := g.file.places[field.ID]; !ok {
		return true
	}
	statistics := g.file.statistics(g.group, field)
	return !columns.IsText(field) && statistics != nil && statistics.HasNullCount() && statistics.NullCount() == int64(g.rows)
}

// Texts returns a column of texts.
func (g *Group) Texts(field *flow.Field) (dictionary []string, codes []int32, err error) {
	column, err := g.OpenTexts(field)
	if err != nil {
		return nil, nil, err
	}
	codes = make([]int32, g.rows)
	return column.Dictionary, codes, column.Codes(codes)
}

// Numbers returns a column of numbers.
func (g *Group) Numbers(field *flow.Field) ([]int64, []bool, error) {
	values := make([]int64, g.rows)
	null, err := g.ReadNumbers(field, values)
	return values, null, err
}

// ReadNumbers fills in the values of a column, as many as there are rows, and returns which are null, nil if none is.
func (g *Group) ReadNumbers(field *flow.Field, values []int64) (null []bool, err error) {
	defer recovered(&err)
	place, ok := g.file.places[field.ID]
	if !ok {
		return g.absent(values), nil
	}
	if least, most, nulls, ok := g.file.numberStatistics(g.group, field); ok && least == most && nulls == 0 {
		for i := range values {
			values[i] = least
		}
		return nil, nil
	}
	reader, err := g.file.reader.RowGroup(g.group).Column(place)
	if err != nil {
		return nil, err
	}
	defer reader.Close()
	switch reader := reader.(type) {
	case *file.Int64ColumnChunkReader:
		return readValues(values, values, reader.ReadBatch)
	case *file.Int32ColumnChunkReader:
		raw := borrow[int32](&codePool, len(values))
		defer giveBack(&codePool, raw)
		return readValues(values, raw, reader.ReadBatch)
	case *file.BooleanColumnChunkReader:
		return g.readTruths(values, reader)
	}
	return nil, fmt.Errorf("column of type %s holds no numbers", reader.Type())
}

func (g *Group) absent(values []int64) []bool {
	clear(values)
	null := make([]bool, len(values))
	for i := range null {
		null[i] = true
	}
	return null
}

func (g *Group) readTruths(values []int64, reader *file.BooleanColumnChunkReader) ([]bool, error) {
	truths := make([]bool, len(values))
	levels := make([]int16, len(values))
	present, err := readAll(truths, levels, reader.ReadBatch)
	if err != nil {
		return nil, err
	}
	for i, set := range truths[:present] {
		values[i] = truthNumber(set)
	}
	return spread(values, levels, present), nil
}

type batchReader[T any] = func(batch int64, values []T, definition, repetition []int16) (total int64, valuesRead int, err error)

// readValues reads a column into raw, which may be values itself, and widens it.
func readValues[T int32 | int64](values []int64, raw []T, read batchReader[T]) ([]bool, error) {
	levels := borrow[int16](&levelPool, len(values))
	defer giveBack(&levelPool, levels)
	present, err := readAll(raw, levels, read)
	if err != nil {
		return nil, err
	}
	if narrow, ok := any(raw).([]int32); ok {
		for i, value := range narrow[:present] {
			values[i] = int64(uint32(value))
		}
	}
	return spread(values, levels, present), nil
}

// readAll reads a whole column: the values that are there, and a level for each row that says whether it has one.
func readAll[T any](values []T, levels []int16, read batchReader[T]) (present int, err error) {
	rows := 0
	for rows < len(levels) {
		total, n, err := read(int64(len(levels)-rows), values[present:], levels[rows:], nil)
		if err != nil {
			return 0, err
		}
		if total == 0 {
			return 0, fmt.Errorf("column has %d rows, want %d", rows, len(levels))
		}
		rows += int(total)
		present += n
	}
	return present, nil
}

// spread moves values to their rows, from the last, and returns which rows have none.
func spread(values []int64, levels []int16, present int) []bool {
	if present == len(levels) {
		return nil
	}
	null := make([]bool, len(levels))
	for row := len(levels) - 1; row >= 0; row-- {
		if levels[row] == 0 {
			null[row], values[row] = true, 0
			continue
		}
		present--
		values[row] = values[present]
	}
	return null
}
