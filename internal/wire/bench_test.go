package wire

import (
	"fmt"
	"net/netip"
	"syscall"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

// typical makes records of 1000 pairs of IPv4 endpoints with names.
func typical(count int) []flow.Record {
	all := wiretest.Records(0, count)
	for i := range all {
		r, pair := &all[i], i*7919%1000
		r.Src = endpoint(pair%100, 40000+i%20000)
		r.Dst, r.Backend = endpoint(1000+pair%30, 80), endpoint(2000+pair, 8080)
		r.NAT = flow.DNAT
	}
	return all
}

// endpoint makes a pod.
func endpoint(number, port int) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 244, byte(number >> 8), byte(number)}), Port: uint16(port),
		Identity: flow.Identity{
			Kind: flow.Pod, Namespace: fmt.Sprint("namespace-", number%20), Name: fmt.Sprint("workload-5c6d8f7b9-", number),
			Workload: flow.Workload{Kind: "Deployment", Name: fmt.Sprint("workload-", number%200)}, Node: fmt.Sprint("worker-", number%10),
		},
	}
}

// processorTime is what this process used so far.
func processorTime(b *testing.B) time.Duration {
	var use syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &use); err != nil {
		b.Fatal(err)
	}
	return time.Duration(use.Utime.Nano() + use.Stime.Nano())
}

// perRecord reports the processor time of the whole process since a moment, for each record: unlike the time on the
// clock it does not depend on what else the machine does.
func perRecord(b *testing.B, since time.Duration, size int) {
	spent := processorTime(b) - since
	b.ReportMetric(float64(spent.Nanoseconds())/float64(b.N*size), "cpu-ns/record")
}

// BenchmarkSink is what an agent pays for handing records over: building the batch, encoding and queueing it.
func BenchmarkSink(b *testing.B) {
	f := func(name string, all []flow.Record) {
		b.Run(name, func(b *testing.B) {
			k := newKeeper()
			k.refuse = func() error { return errTest }
			s, err := OpenLocal(SenderConfig{Node: "n", Drain: time.Millisecond, QueueBytes: 4 << 20}, k, discard)
			if err != nil {
				b.Fatal(err)
			}
			b.ReportAllocs()
			before := processorTime(b)
			for b.Loop() {
				sink(b, s, all)
			}
			perRecord(b, before, len(all))
			_ = s.Close()
		})
	}
	f("typical=10", typical(10))
	f("typical=1000", typical(1000))
	f("typical=8192", typical(rowsPerBatch))
	f("scattered=8192", wiretest.Records(0, rowsPerBatch))
}

// BenchmarkDeliver is the whole way, both ends, to a handler that reads every value and keeps nothing.
func BenchmarkDeliver(b *testing.B) {
	for _, way := range ways {
		b.Run(way.name, func(b *testing.B) {
			s := way.open(b, &readAll{}, SenderConfig{})
			all := typical(rowsPerBatch)
			b.ReportAllocs()
			before, want := processorTime(b), uint64(0)
			for b.Loop() {
				sink(b, s, all)
				want += rowsPerBatch
				for s.Stats().Acknowledged < want {
					time.Sleep(50 * time.Microsecond)
				}
			}
			perRecord(b, before, rowsPerBatch)
		})
	}
}
