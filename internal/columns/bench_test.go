package columns_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"strconv"
	"syscall"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow/ipc"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

const benchBatch = 8192

// busyNode returns records as a node of a large cluster makes them: 30 pods of its own that talk to some of 10,000 by
// way of 1,000 services, most pairs rarely and a few often.
func busyNode(n int) []flow.Record {
	rng := rand.New(rand.NewPCG(1, 1))
	pods := rand.NewZipf(rng, 1.2, 8, 9_999)
	records := make([]flow.Record, n)
	for i := range records {
		client, server := busyPod(rng.Uint64N(30)), busyPod(pods.Uint64())
		client.Port, server.Port = uint16(32768+rng.IntN(28000)), 8080
		service := flow.Endpoint{
			Addr: netip.AddrFrom4([4]byte{10, 96, byte(len(server.Name)), byte(server.Port)}), Port: 80,
			Identity: flow.Identity{
				Kind: flow.Service, Namespace: server.Namespace, Name: server.Service, ResolvedBy: flow.ByServiceIP,
			},
		}
		end := flow.Time(1772366400_000000000 + rng.Int64N(int64(5*time.Second)))
		packets := uint64(rng.IntN(100) + 1)
		records[i] = flow.Record{
			Start: end - flow.Time(rng.Int64N(int64(time.Second))), End: end, Proto: flow.TCP,
			Src: client, Dst: service, Backend: server, SNAT: client.AddrPort(),
			NAT: flow.DNAT, NATSource: flow.KFunc, OrientedBy: flow.ByConntrack,
			Fwd:      flow.Volume{Bytes: packets * 80, Packets: packets},
			Rev:      flow.Volume{Bytes: packets * uint64(rng.IntN(1500)), Packets: packets},
			TCPFlags: flow.SYN | flow.ACK | flow.PSH,
			Node:     "worker-17", Iface: "veth" + strconv.Itoa(int(rng.Uint64N(30))),
			Reporter: flow.Client, Primary: true, Sampling: 1,
		}
	}
	return records
}

func busyPod(i uint64) flow.Endpoint {
	app := i % 1000
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 244, byte(i >> 8), byte(i)}),
		Identity: flow.Identity{
			Kind: flow.Pod, Namespace: fmt.Sprintf("team-%d", app%50), Name: fmt.Sprintf("app-%d-7d9f8c6b5-%05d", app, i),
			Workload: flow.Workload{Kind: "Deployment", Name: fmt.Sprintf("app-%d", app)},
			Node:     fmt.Sprintf("worker-%d", i%500), Zone: fmt.Sprintf("eu-west-1%c", 'a'+rune(i%3)),
			Service: fmt.Sprintf("app-%d", app), App: fmt.Sprintf("app-%d", app), ResolvedBy: flow.ByPodIP,
		},
	}
}

// cpuTime is what the process has used of processors, which other load on the machine changes less than the time of day.
func cpuTime() time.Duration {
	var used syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &used); err != nil {
		panic(err)
	}
	return time.Duration(used.Utime.Nano() + used.Stime.Nano())
}

// report gives the processor time per record since the start.
func report(b *testing.B, start time.Duration, rows int) {
	b.ReportMetric(float64((cpuTime()-start).Nanoseconds())/float64(b.N*rows), "cpu-ns/record")
}

// byHand collects the same columns with the same kind of dictionaries, without the field table: the floor.
type byHand struct {
	names   [29]hand[string]
	addrs   [4]hand[netip.Addr]
	codes   [11]hand[uint8]
	ports   [4][]uint16
	ids     [4][]uint32
	numbers [7][]int64
	flags   []uint8
	primary []bool
	null    [2][]bool
}

type hand[K comparable] struct {
	codes   map[K]int32
	values  []K
	indices []int32
}

func (h *hand[K]) add(value K) {
	code, ok := h.codes[value]
	if !ok {
		code = int32(len(h.values))
		h.codes[value] = code
		h.values = append(h.values, value)
	}
	h.indices = append(h.indices, code)
}

func (h *hand[K]) begin() {
	h.codes, h.values, h.indices = make(map[K]int32), nil, make([]int32, 0, benchBatch)
}

func newByHand() *byHand {
	b := &byHand{}
	for i := range b.names {
		b.names[i].begin()
	}
	for i := range b.addrs {
		b.addrs[i].begin()
	}
	for i := range b.codes {
		b.codes[i].begin()
	}
	return b
}

func (b *byHand) append(r *flow.Record) {
	for i, e := range [...]*flow.Endpoint{&r.Src, &r.Dst, &r.Backend} {
		for j, name := range [...]string{
			e.Namespace, e.Name, e.Workload.Kind, e.Workload.Name, e.Node, e.Zone, e.Service, e.App, e.Subnet,
		} {
			b.names[9*i+j].add(name)
		}
		b.addrs[i].add(e.Addr.Unmap())
		b.codes[2*i].add(uint8(e.Kind))
		b.codes[2*i+1].add(uint8(e.ResolvedBy))
		b.ports[i] = append(b.ports[i], e.Port)
	}
	b.names[27].add(r.Node)
	b.names[28].add(r.Iface)
	b.addrs[3].add(r.SNAT.Addr().Unmap())
	for i, code := range [...]uint8{uint8(r.Proto), uint8(r.OrientedBy), uint8(r.NAT), uint8(r.NATSource), uint8(r.Reporter)} {
		b.codes[6+i].add(code)
	}
	b.ports[3] = append(b.ports[3], r.SNAT.Port())
	for i, id := range [...]uint32{uint32(r.ICMP.Type), uint32(r.ICMP.Code), uint32(r.ICMP.ID), uint32(r.Zone)} {
		b.ids[i] = append(b.ids[i], id)
	}
	for i, number := range [...]int64{
		int64(r.Start), int64(r.End), int64(r.Fwd.Bytes), int64(r.Fwd.Packets), int64(r.Rev.Bytes), int64(r.Rev.Packets),
		int64(r.Sampling),
	} {
		b.numbers[i] = append(b.numbers[i], number)
	}
	b.flags = append(b.flags, uint8(r.TCPFlags))
	b.primary = append(b.primary, r.Primary)
	b.null[0] = append(b.null[0], r.Proto.IsICMP())
	b.null[1] = append(b.null[1], r.Proto != flow.TCP)
}

// BenchmarkAppend reports the time per record to a finished batch and its ratio to code written by hand, measured in
// the same run. The floor has no Arrow arrays to make.
func BenchmarkAppend(b *testing.B) {
	records := busyNode(benchBatch)
	builder := columns.NewBuilder(columns.Flows(), benchBatch)
	var table, floor time.Duration
	b.ReportAllocs()
	for b.Loop() {
		start := cpuTime()
		hand := newByHand()
		for i := range records {
			hand.append(&records[i])
		}
		floor += cpuTime() - start
		start = cpuTime()
		builder.Append(records)
		builder.NewBatch().Release()
		table += cpuTime() - start
	}
	b.ReportMetric(float64(table.Nanoseconds())/float64(b.N*benchBatch), "cpu-ns/record")
	b.ReportMetric(float64(floor.Nanoseconds())/float64(b.N*benchBatch), "floor-cpu-ns/record")
	b.ReportMetric(float64(table)/float64(floor), "x-floor")
}

// BenchmarkEncode and BenchmarkDecode take batches of several sizes: those of idle and of busy nodes.
func BenchmarkEncode(b *testing.B) {
	for _, rows := range []int{50, 1000, benchBatch} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			batch := build(b, busyNode(rows))
			var dst []byte
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				dst, _ = columns.Encode(dst[:0], batch)
			}
			report(b, start, rows)
			b.ReportMetric(float64(len(dst))/float64(rows), "B/record")
		})
	}
}

func BenchmarkDecode(b *testing.B) {
	for _, rows := range []int{50, 1000, benchBatch} {
		b.Run(strconv.Itoa(rows), func(b *testing.B) {
			encoded := encode(b, build(b, busyNode(rows)))
			b.ReportAllocs()
			start := cpuTime()
			for b.Loop() {
				decode(b, encoded).Release()
			}
			report(b, start, rows)
		})
	}
}

// BenchmarkCompression compares Arrow's own compression of each buffer with that of the whole stream.
func BenchmarkCompression(b *testing.B) {
	batch := build(b, busyNode(benchBatch))
	for name, option := range map[string]ipc.Option{
		"none": ipc.WithMinSpaceSavings(0), "lz4-buffers": ipc.WithLZ4(), "zstd-buffers": ipc.WithZstd(),
	} {
		b.Run(name, func(b *testing.B) {
			size := 0
			start := cpuTime()
			for b.Loop() {
				size = len(stream(b, batch, option))
			}
			report(b, start, benchBatch)
			b.ReportMetric(float64(size)/benchBatch, "B/record")
		})
	}
}
