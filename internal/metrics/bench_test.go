package metrics

import (
	"fmt"
	"math/rand/v2"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/prometheus/client_golang/prometheus"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// busyCluster are records between 300 workloads, most of them rarely and a few often, of two pods each.
func busyCluster(n int) []flow.Record {
	rng := rand.New(rand.NewPCG(1, 1))
	some := rand.NewZipf(rng, 1.2, 4, 299)
	pod := func() flow.Endpoint {
		app := some.Uint64()
		return flow.Endpoint{Identity: flow.Identity{
			Kind: flow.Pod, Namespace: fmt.Sprintf("team-%d", app%30), Name: fmt.Sprintf("app-%d-%d", app, rng.IntN(2)),
			Workload: flow.Workload{Kind: "Deployment", Name: fmt.Sprintf("app-%d", app)}, Node: fmt.Sprintf("worker-%d", app%50), Service: fmt.Sprintf("app-%d", app),
		}}
	}
	records := make([]flow.Record, n)
	for i := range records {
		client, server := pod(), pod()
		service := flow.Endpoint{Identity: flow.Identity{Kind: flow.Service, Namespace: server.Namespace, Name: server.Service, Service: server.Service}}
		packets := uint64(rng.IntN(100) + 1)
		records[i] = flow.Record{
			Start: 1, End: 2, Proto: flow.TCP, Src: client, Dst: service, Backend: server, NAT: flow.DNAT, Node: client.Node,
			Fwd: flow.Volume{Bytes: packets * 80, Packets: packets}, Rev: flow.Volume{Bytes: packets * 900, Packets: packets},
			TCP:     flow.TCPHealth{RTT: uint32(rng.IntN(9000)), Connect: flow.Connect(rng.IntN(2)), Handshake: uint32(rng.IntN(2) * 700)},
			Primary: i%2 == 0, Sampling: 1, Traffic: flow.CrossZone, Cost: packets,
		}
	}
	return records
}

// cpuTime is what the process has used of processors.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// BenchmarkAdd is what a row costs, beside the floor: to add up the same columns of numbers and do nothing with the sums.
func BenchmarkAdd(b *testing.B) {
	rows := batchOf(b, columns.Flows(), busyCluster(8192))
	s := open(b, DefaultMaxKeys)
	perRow := func(work func()) float64 {
		work() // Scratch memory is there from now on.
		start := cpuTime()
		for range b.N {
			work()
		}
		return float64((cpuTime() - start).Nanoseconds()) / float64(b.N) / float64(rows.NumRows())
	}
	added := perRow(func() { s.add(s.feeds[0], rows, 0) })
	floor := perRow(func() { addUp(rows) })
	b.ReportMetric(added, "cpu-ns/row")
	b.ReportMetric(floor, "floor-cpu-ns/row")
	b.ReportMetric(added/floor, "x-floor")
	b.ReportMetric(1e9/added, "rows/s")
}

var total int64

// addUp adds up the columns of numbers of all families of flows.
func addUp(rows arrow.RecordBatch) {
	for i := range families {
		if families[i].by.dataset != columns.Flows() {
			continue
		}
		for _, f := range fieldsOf(families[i].fields) {
			for _, n := range columns.NumbersOf(rows, f).Values {
				total += n
			}
		}
	}
}

// BenchmarkScrape is what collecting and writing costs for each series.
func BenchmarkScrape(b *testing.B) {
	s := open(b, DefaultMaxKeys)
	s.take(columns.Flows(), busyCluster(60_000))
	written := 0
	for range b.N {
		families, err := prometheus.Gatherer(s.registry).Gather()
		if err != nil {
			b.Fatal(err)
		}
		written = 0
		for _, f := range families {
			written += len(f.GetMetric())
		}
	}
	b.ReportMetric(float64(written), "series")
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/float64(b.N)/float64(written), "ns/series")
}
