package ipfix

import (
	"encoding/binary"
	"slices"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/query"
)

// BenchmarkEncode reports the time per record and its ratio to the floor: the same values, copied one after the other
// without any form, measured in the same run.
func BenchmarkEncode(b *testing.B) {
	p := plan(b)
	block := blockOf(b, p, slices.Repeat(samples(), 500)...)
	target := &Target{config: Config{Transport: tcp, EnterpriseID: new(uint32)}}
	*target.config.EnterpriseID = defaultEnterprise
	if err := target.bind(p.Fields); err != nil {
		b.Fatal(err)
	}
	written := 0
	target.encoder.write = func(message []byte) error {
		written += len(message)
		return nil
	}
	target.encoder.restart()
	var encoding, floor time.Duration
	dst := make([]byte, 0, 8<<20)
	b.ReportAllocs()
	for b.Loop() {
		start := time.Now()
		dst = copyValues(dst[:0], block)
		floor += time.Since(start)
		start = time.Now()
		if _, err := target.send(block); err != nil {
			b.Fatal(err)
		}
		encoding += time.Since(start)
	}
	records := float64(b.N * block.Rows)
	b.ReportMetric(float64(encoding.Nanoseconds())/records, "ns/record")
	b.ReportMetric(float64(floor.Nanoseconds())/records, "floor-ns/record")
	b.ReportMetric(float64(encoding)/float64(floor), "x-floor")
	b.ReportMetric(float64(written)/records, "B/record")
}

// copyValues is the floor.
func copyValues(dst []byte, block *query.Block) []byte {
	for row := range block.Rows {
		for i := range block.Columns {
			if c := &block.Columns[i]; c.Texts != nil {
				dst = append(dst, c.Texts[row]...)
			} else {
				dst = binary.BigEndian.AppendUint64(dst, uint64(c.Ints[row]))
			}
		}
	}
	return dst
}
