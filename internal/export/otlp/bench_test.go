package otlp

import (
	"testing"

	"google.golang.org/protobuf/proto"

	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/query/querytest"
)

// BenchmarkEncode is the cost of making a block's requests, beside two floors: writing its rows as NDJSON, and making
// only the attributes with the generated types.
func BenchmarkEncode(b *testing.B) {
	plan := exporttest.Plan(b, "flows")
	block := exporttest.Block(b, plan, querytest.RandomRecords(1, 4096))
	b.Run("floor", func(b *testing.B) {
		objects := format.NewNDJSON(nil, plan.Columns())
		var buffer []byte
		for b.Loop() {
			buffer = buffer[:0]
			for row := range block.Rows {
				buffer = objects.AppendRow(buffer, block, row)
			}
		}
		exporttest.PerRow(b, block.Rows)
	})
	b.Run("generated", func(b *testing.B) {
		var buffer []byte
		for b.Loop() {
			buffer = buffer[:0]
			for row := range block.Rows {
				record := &logspb.LogRecord{}
				for i := range block.Columns {
					c := &block.Columns[i]
					value := &commonpb.AnyValue{}
					if c.Texts != nil {
						value.Value = &commonpb.AnyValue_StringValue{StringValue: c.Texts[row]}
					} else {
						value.Value = &commonpb.AnyValue_IntValue{IntValue: c.Ints[row]}
					}
					if c.Texts == nil && (c.Null == nil || !c.Null[row]) || c.Texts != nil && c.Texts[row] != "" {
						record.Attributes = append(record.Attributes, &commonpb.KeyValue{Key: c.Name, Value: value})
					}
				}
				var err error
				if buffer, err = (proto.MarshalOptions{}).MarshalAppend(buffer, record); err != nil {
					b.Fatal(err)
				}
			}
		}
		exporttest.PerRow(b, block.Rows)
	})
	b.Run("otlp", func(b *testing.B) {
		e := newEncoder(plan, "v1.2.3")
		var buffer []byte
		for b.Loop() {
			for next := 0; next < block.Rows; {
				buffer, next = e.encode(buffer[:0], block, next, defaultMessageBytes, 1)
			}
		}
		exporttest.PerRow(b, block.Rows)
	})
}

// BenchmarkSend is the way of a block to a collector on loopback and its answer.
func BenchmarkSend(b *testing.B) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		for _, compression := range []string{gzipped, "none"} {
			b.Run(protocol+"/"+compression, func(b *testing.B) {
				c, config := start(b, protocol)
				config.Compression = compression
				plan := exporttest.Plan(b, "flows")
				block := exporttest.Block(b, plan, querytest.RandomRecords(1, 4096))
				target := open(b, config, plan)
				for b.Loop() {
					exporttest.Send(b, target, block)
					c.requests = c.requests[:0]
				}
				exporttest.PerRow(b, block.Rows)
			})
		}
	}
}
