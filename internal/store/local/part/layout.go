package part

import (
	"fmt"

	"github.com/apache/arrow-go/v18/parquet"
	"github.com/apache/arrow-go/v18/parquet/compress"
	"github.com/apache/arrow-go/v18/parquet/schema"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// layout is how a kind of field is stored.
type layout struct {
	physical parquet.Type
	logical  schema.LogicalType
	// encoding is that of the values, unless dictionary says that indices of a dictionary are stored.
	encoding   parquet.Encoding
	dictionary bool
	// bloom adds a Bloom filter of the values.
	bloom bool
}

var (
	text      = layout{parquet.Types.ByteArray, schema.StringLogicalType{}, parquet.Encodings.Plain, true, false}
	textBloom = layout{parquet.Types.ByteArray, schema.StringLogicalType{}, parquet.Encodings.Plain, true, true}
	timestamp = schema.NewTimestampLogicalType(true, schema.TimeUnitNanos)
)

// layouts has every kind. Truth values are plain, since not every reader knows them as runs.
var layouts = map[flow.FieldKind]layout{
	flow.TimeField:     {parquet.Types.Int64, timestamp, parquet.Encodings.DeltaBinaryPacked, false, false},
	flow.BytesField:    {parquet.Types.Int64, schema.NewIntLogicalType(64, true), parquet.Encodings.Plain, false, false},
	flow.CountField:    {parquet.Types.Int64, schema.NewIntLogicalType(64, true), parquet.Encodings.Plain, true, false},
	flow.MoneyField:    {parquet.Types.Int64, schema.NewIntLogicalType(64, true), parquet.Encodings.Plain, false, false},
	flow.DurationField: {parquet.Types.Int64, schema.NewIntLogicalType(64, true), parquet.Encodings.DeltaBinaryPacked, false, false},
	flow.PortField:     {parquet.Types.Int32, schema.NewIntLogicalType(16, false), parquet.Encodings.DeltaBinaryPacked, false, false},
	flow.IDField:       {parquet.Types.Int32, schema.NewIntLogicalType(32, false), parquet.Encodings.Plain, true, false},
	flow.FlagsField:    {parquet.Types.Int32, schema.NewIntLogicalType(8, false), parquet.Encodings.Plain, true, false},
	flow.BoolField:     {parquet.Types.Boolean, schema.NoLogicalType{}, parquet.Encodings.Plain, false, false},
	flow.ProtoField:    text,
	flow.EnumField:     text,
	flow.TextField:     text,
	flow.AddrField:     textBloom,
	flow.NameField:     text,
}

// The largest dictionary of a row group. It holds any number of names that so many rows can have.
const dictionaryLimit = 64 << 20

// bloomBytes bounds a Bloom filter. So many bits serve the 60,000 or so addresses that a row group can have.
const bloomBytes = 64 << 10

// newSchema has a column for each field. Only numbers may be null.
func newSchema(dataset string, fields []*flow.Field) (*schema.GroupNode, error) {
	var nodes schema.FieldList
	for _, f := range fields {
		repetition := parquet.Repetitions.Optional
		if columns.IsText(f) {
			repetition = parquet.Repetitions.Required
		}
		l := layouts[f.Kind]
		node, err := schema.NewPrimitiveNodeLogical(f.Name, repetition, l.logical, l.physical, -1, int32(f.ID))
		if err != nil {
			return nil, fmt.Errorf("describe column %s: %w", f.Name, err)
		}
		nodes = append(nodes, node)
	}
	root, err := schema.NewGroupNode(dataset, parquet.Repetitions.Required, nodes, -1)
	if err != nil {
		return nil, fmt.Errorf("describe dataset %s: %w", dataset, err)
	}
	return root, nil
}

func newProperties(fields []*flow.Field) *parquet.WriterProperties {
	options := []parquet.WriterProperty{
		parquet.WithVersion(parquet.V2_LATEST),
		parquet.WithCreatedBy("seine"),
		parquet.WithCompression(compress.Codecs.Zstd),
		parquet.WithCompressionLevel(1),
		parquet.WithDictionaryPageSizeLimit(dictionaryLimit),
		parquet.WithBatchSize(1 << 16),
		parquet.WithMaxBloomFilterBytes(bloomBytes),
		parquet.WithMaxRowGroupLength(1 << 30), // Row groups are cut here, not by the library.
	}
	for _, f := range fields {
		l := layouts[f.Kind]
		options = append(options, parquet.WithDictionaryFor(f.Name, l.dictionary))
		if columns.IsText(f) {
			// The library would look at each row for them; the dictionary and the Bloom filter serve as well.
			options = append(options, parquet.WithStatsFor(f.Name, false))
		}
		if l.bloom && f.Cardinality == flow.HighCardinality {
			options = append(options, parquet.WithBloomFilterEnabledFor(f.Name, true), parquet.WithAdaptiveBloomFilterEnabledFor(f.Name, true))
		}
		if !l.dictionary {
			options = append(options, parquet.WithEncodingFor(f.Name, l.encoding))
		}
	}
	return parquet.NewWriterProperties(options...)
}
