package part

import (
	"context"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/apache/arrow-go/v18/parquet/metadata"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// GroupRows is the largest number of rows of a row group, the unit of reading.
const GroupRows = 512 << 10

// Write writes rows of the inputs as a part, in their order, and returns the bounds of its row groups. The notes are
// kept in the file's footer.
func Write(ctx context.Context, w io.Writer, d *columns.Dataset, inputs []Input, rows []Row, notes map[string]string,
) (bounds []Bounds, err error) {
	defer recovered(&err)
	fields := fieldsOf(d, inputs)
	fw, err := newWriter(w, d, fields, notes)
	if err != nil {
		return nil, fmt.Errorf("write part: %w", err)
	}
	for len(rows) > 0 {
		if err := ctx.Err(); err != nil {
			return nil, fmt.Errorf("write part: %w", err)
		}
		group := rows[:min(GroupRows, len(rows))]
		rows = rows[len(group):]
		own := used(inputs, group)
		if err := writeGroup(fw, fields, own, group); err != nil {
			return nil, fmt.Errorf("write part: %w", err)
		}
		b, err := boundsOf(d, own, group)
		if err != nil {
			return nil, fmt.Errorf("write part: %w", err)
		}
		bounds = append(bounds, b)
	}
	if err := fw.Close(); err != nil {
		return nil, fmt.Errorf("write part: %w", err)
	}
	return bounds, nil
}

func boundsOf(d *columns.Dataset, inputs []Input, rows []Row) (Bounds, error) {
	b := Bounds{Rows: len(rows)}
	ends, err := mergeNumbers(inputs, d.End)
	if err != nil {
		return b, err
	}
	for i, row := range rows {
		end := flow.Time(ends.values[row.Input][row.Row])
		if i == 0 {
			b.First, b.Last = end, end
		}
		b.First, b.Last = min(b.First, end), max(b.Last, end)
	}
	return b, nil
}

// fieldsOf returns the fields that get a column: those that some row has. Of over 100 a dataset uses some 80.
func fieldsOf(d *columns.Dataset, inputs []Input) (fields []*flow.Field) {
	for _, f := range d.Fields {
		if f == d.End || slices.ContainsFunc(inputs, func(i Input) bool { return !i.Lacks(f) }) {
			fields = append(fields, f)
		}
	}
	return fields
}

func newWriter(w io.Writer, d *columns.Dataset, fields []*flow.Field, notes map[string]string) (*file.Writer, error) {
	root, err := newSchema(d.Name, fields)
	if err != nil {
		return nil, err
	}
	kv := metadata.NewKeyValueMetadata()
	for key, value := range notes {
		if err := kv.Append(key, value); err != nil {
			return nil, err
		}
	}
	// The library would close what it writes to.
	return file.NewParquetWriterWithError(struct{ io.Writer }{w}, root, file.WithWriterProps(newProperties(fields)), file.WithWriteMetadata(kv))
}

func writeGroup(fw *file.Writer, fields []*flow.Field, inputs []Input, rows []Row) error {
	group, err := fw.AppendRowGroupChecked()
	if err != nil {
		return err
	}
	for _, f := range fields {
		column, err := group.NextColumn()
		if err != nil {
			return err
		}
		if columns.IsText(f) {
			err = writeTexts(column, inputs, rows, f)
		} else {
			err = writeNumbers(column, inputs, rows, f)
		}
		if err != nil {
			return fmt.Errorf("column %s: %w", f.Name, err)
		}
	}
	return group.Close()
}

// writeTexts writes a column with a dictionary of the texts that the rows have, in the order of their appearance.
func writeTexts(column file.ColumnChunkWriter, inputs []Input, rows []Row, f *flow.Field) error {
	merged, err := mergeTexts(inputs, f)
	if err != nil {
		return err
	}
	own := make([]int32, len(merged.dictionary)) // The code in this row group plus one.
	texts := array.NewStringBuilder(memory.DefaultAllocator)
	defer texts.Release()
	codes := make([]int32, len(rows))
	for i, row := range rows {
		code := merged.codes[row.Input][row.Row]
		if own[code] == 0 {
			texts.Append(merged.dictionary[code])
			own[code] = int32(texts.Len())
		}
		codes[i] = own[code] - 1
	}
	return writeDictionary(column, texts.NewArray(), codes)
}

func writeDictionary(column file.ColumnChunkWriter, texts arrow.Array, codes []int32) error {
	defer texts.Release()
	data := array.NewData(arrow.PrimitiveTypes.Int32, len(codes),
		[]*memory.Buffer{nil, memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(codes))}, nil, 0, 0)
	defer data.Release()
	indices := array.NewInt32Data(data)
	defer indices.Release()
	values := array.NewDictionaryArray(columns.TextType, indices, texts)
	defer values.Release()
	properties := pqarrow.DefaultWriterProps()
	ctx := pqarrow.NewArrowWriteContext(context.Background(), &properties)
	return pqarrow.WriteArrowToColumn(ctx, column, values, nil, nil, false)
}

// writeNumbers writes the values that are there, and levels that say where they are.
func writeNumbers(column file.ColumnChunkWriter, inputs []Input, rows []Row, f *flow.Field) error {
	merged, err := mergeNumbers(inputs, f)
	if err != nil {
		return err
	}
	levels := make([]int16, len(rows))
	values := make([]int64, 0, len(rows))
	for i, row := range rows {
		if null := merged.null[row.Input]; null != nil && null[row.Row] {
			continue
		}
		levels[i] = 1
		values = append(values, merged.values[row.Input][row.Row])
	}
	switch column := column.(type) {
	case *file.Int64ColumnChunkWriter:
		_, err = column.WriteBatch(values, levels, nil)
	case *file.Int32ColumnChunkWriter:
		_, err = column.WriteBatch(narrowed(values), levels, nil)
	case *file.BooleanColumnChunkWriter:
		_, err = column.WriteBatch(truths(values), levels, nil)
	}
	return err
}

func narrowed(values []int64) []int32 {
	narrow := make([]int32, len(values))
	for i, value := range values {
		narrow[i] = int32(value)
	}
	return narrow
}

func truths(values []int64) []bool {
	truths := make([]bool, len(values))
	for i, value := range values {
		truths[i] = value != 0
	}
	return truths
}

// recovered turns a panic of the library, which it raises for damaged or impossible data, into an error.
func recovered(err *error) {
	if r := recover(); r != nil {
		*err = fmt.Errorf("parquet library: %v", r)
	}
}
