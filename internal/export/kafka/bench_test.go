package kafka

import (
	"testing"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/query/querytest"
)

// BenchmarkEncode is the cost of making a block's messages, beside the floor: writing its rows as NDJSON.
func BenchmarkEncode(b *testing.B) {
	plan := newPlan(b, "flows")
	block := newBlock(b, plan, querytest.RandomRecords(1, 4096))
	b.Run("floor", func(b *testing.B) {
		objects := format.NewNDJSON(nil, plan.Columns())
		var buffer []byte
		for b.Loop() {
			buffer = buffer[:0]
			for row := range block.Rows {
				buffer = objects.AppendRow(buffer, block, row)
			}
		}
		perRow(b, block.Rows)
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
			perRow(b, block.Rows)
		})
	}
}

func perRow(b *testing.B, rows int) {
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(rows), "ns/row")
}

// BenchmarkSend is the way of a block to a broker on loopback and its acknowledgement.
func BenchmarkSend(b *testing.B) {
	for compression := range codecs {
		b.Run(compression, func(b *testing.B) {
			cluster := newCluster(b)
			plan := newPlan(b, "flows")
			block := newBlock(b, plan, querytest.RandomRecords(1, 4096))
			target := open(b, &Config{Brokers: cluster.ListenAddrs(), Topic: "flows", Compression: compression}, plan)
			for b.Loop() {
				send(b, target, block)
			}
			perRow(b, block.Rows)
		})
	}
}
