package query_test

import (
	"syscall"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkMatch gives the processor time per row for conditions of several kinds.
func BenchmarkMatch(b *testing.B) {
	const rows = 8192
	batch := batchOf(querytest.RandomRecords(1, rows)...)
	for name, text := range map[string]string{
		"text":   `src.namespace == "ns-1"`,
		"number": `fwd.bytes > 1000`,
		"sum":    `total.bytes > 1000`,
		"prefix": `cidr("10.0.0.0/16").containsIP(src.addr)`,
		"regexp": `src.name.matches("^pod-1.$")`,
		"many":   `primary && (src.namespace == "ns-1" || dst.namespace == "ns-1") && dst.port in [80, 443] && total.bytes > 1000`,
	} {
		b.Run(name, func(b *testing.B) {
			filter, err := query.CompileFilter(columns.Flows(), text)
			if err != nil {
				b.Fatal(err)
			}
			matcher := query.NewMatcher(filter)
			var matched []int32
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				matched = matcher.Match(matched[:0], batch)
			}
			b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(b.N*rows), "cpu-ns/row")
			b.ReportMetric(float64(len(matched))/rows, "matched")
		})
	}
}

// BenchmarkCompileFilter gives the time that a request waits for its filter.
func BenchmarkCompileFilter(b *testing.B) {
	const text = `src.namespace == "shop" && (dst.port in [80, 443] || cidr("10.0.0.0/8").containsIP(dst.addr)) && total.bytes > 1024 * 1024`
	start := cpuTime()
	for b.Loop() {
		if _, err := query.CompileFilter(columns.Flows(), text); err != nil {
			b.Fatal(err)
		}
	}
	b.ReportMetric(float64((cpuTime()-start).Microseconds())/float64(b.N), "cpu-us/filter")
}
