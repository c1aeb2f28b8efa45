package format

import (
	"fmt"
	"io"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/pqarrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// groupRows is the number of rows of a row group, all that is held in memory of an export.
const groupRows = 64 << 10

// Parquet writes a Parquet file with a column for each field: texts as strings, times as timestamps in nanoseconds and
// UTC, truth as booleans, all else as 64-bit integers.
type Parquet struct {
	file    *pqarrow.FileWriter
	builder *array.RecordBuilder
	rows    int
}

// NewParquet returns a writer of blocks whose columns are the fields.
func NewParquet(to io.Writer, fields []*flow.Field) (*Parquet, error) {
	schema := make([]arrow.Field, len(fields))
	for i, f := range fields {
		schema[i] = arrow.Field{Name: f.Name, Type: typeOf(f), Nullable: !columns.IsText(f)}
	}
	arrowSchema := arrow.NewSchema(schema, nil)
	properties := parquet.NewWriterProperties(parquet.WithCompression(compress.Codecs.Zstd))
	file, err := pqarrow.NewFileWriter(arrowSchema, writerOnly{to}, properties, pqarrow.DefaultWriterProps())
	if err != nil {
		return nil, fmt.Errorf("begin Parquet file: %w", err)
	}
	return &Parquet{file: file, builder: array.NewRecordBuilder(memory.DefaultAllocator, arrowSchema)}, nil
}

// writerOnly hides the other methods of a writer: the library would close it.
type writerOnly struct{ io.Writer }

func typeOf(f *flow.Field) arrow.DataType {
	switch {
	case columns.IsText(f):
		return arrow.BinaryTypes.String
	case f.Kind == flow.TimeField:
		return arrow.FixedWidthTypes.Timestamp_ns
	case f.Kind == flow.BoolField:
		return arrow.FixedWidthTypes.Boolean
	}
	return arrow.PrimitiveTypes.Int64
}

// Write adds the rows of a block.
func (p *Parquet) Write(b *query.Block) error {
	for first := 0; first < b.Rows; {
		n := min(b.Rows-first, groupRows-p.rows)
		for i := range b.Columns {
			appendColumn(p.builder.Field(i), &b.Columns[i], first, first+n)
		}
		p.rows += n
		first += n
		if p.rows == groupRows {
			if err := p.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close writes what is gathered, and the footer.
func (p *Parquet) Close() error {
	defer p.builder.Release()
	if err := p.flush(); err != nil {
		return err
	}
	if err := p.file.Close(); err != nil {
		return fmt.Errorf("end Parquet file: %w", err)
	}
	return nil
}

func (p *Parquet) flush() error {
	if p.rows == 0 {
		return nil
	}
	batch := p.builder.NewRecordBatch()
	defer batch.Release()
	p.rows = 0
	if err := p.file.Write(batch); err != nil {
		return fmt.Errorf("write row group: %w", err)
	}
	return nil
}

func appendColumn(to array.Builder, c *query.Column, first, end int) {
	for row := first; row < end; row++ {
		if c.Null != nil && c.Null[row] {
			to.AppendNull()
			continue
		}
		switch to := to.(type) {
		case *array.StringBuilder:
			to.Append(c.Texts[row])
		case *array.TimestampBuilder:
			to.Append(arrow.Timestamp(c.Ints[row]))
		case *array.BooleanBuilder:
			to.Append(c.Ints[row] != 0)
		case *array.Int64Builder:
			to.Append(c.Ints[row])
		}
	}
}
