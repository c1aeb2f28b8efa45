package kafka

import (
	"testing"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/query/querytest"
)

// BenchmarkEncode is the cost of making a block's messages, beside the floor: writing its rows as NDJSON.
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
	for _, name := range formats {
		b.Run(name, func(b *testing.B) {
			e, err := newEncoder(&Config{Format: name}, plan)
			if err != nil {
				b.Fatal(err)
			}
			for b.Loop() {
				e.encode(block, 8<<20)
			}
			exporttest.PerRow(b, block.Rows)
		})
	}
}

// BenchmarkSend is the way of a block to a broker on loopback and its acknowledgement.
func BenchmarkSend(b *testing.B) {
	for compression := range codecs {
		b.Run(compression, func(b *testing.B) {
			cluster := newCluster(b)
			plan := exporttest.Plan(b, "flows")
			block := exporttest.Block(b, plan, querytest.RandomRecords(1, 4096))
			target := open(b, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows", Compression: compression}, plan)
			for b.Loop() {
				exporttest.Send(b, target, block)
			}
			exporttest.PerRow(b, block.Rows)
		})
	}
}
