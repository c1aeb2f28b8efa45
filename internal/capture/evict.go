package capture

import (
	"errors"
	"fmt"
	"math"

	"github.com/cilium/ebpf"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// batchSize is the number of entries drained by one system call. The kernel needs room for a whole hash bucket.
const batchSize = 4096

// drainer holds the buffers of an eviction, used again by the next.
type drainer struct {
	keys         []bpf.FlowKey
	values       []bpf.FlowValue
	observations []nat.Observation
	entries      []nat.Entry
}

func newDrainer() *drainer {
	return &drainer{
		keys: make([]bpf.FlowKey, batchSize), values: make([]bpf.FlowValue, batchSize),
		observations: make([]nat.Observation, batchSize), entries: make([]nat.Entry, batchSize),
	}
}

// clock converts the kernel's monotonic nanoseconds.
type clock struct{ offset int64 }

// clockTries is how often the clocks are read: the readings closest together say best how they differ.
const clockTries = 5

func readClock() clock {
	var best clock
	apart := int64(math.MaxInt64)
	for range clockTries {
		before, real, after := readNanoseconds(unix.CLOCK_MONOTONIC), readNanoseconds(unix.CLOCK_REALTIME), readNanoseconds(unix.CLOCK_MONOTONIC)
		if after-before < apart {
			apart = after - before
			best = clock{offset: real - before - apart/2}
		}
	}
	return best
}

func readNanoseconds(id int32) int64 {
	var t unix.Timespec
	_ = unix.ClockGettime(id, &t)
	return t.Nano()
}

func (c clock) now() flow.Time {
	return c.time(uint64(readNanoseconds(unix.CLOCK_MONOTONIC)))
}

func (c clock) time(ns uint64) flow.Time { return flow.Time(int64(ns) + c.offset) }

// swap makes the programs write to the other half and returns the one that nobody writes to any more.
func (o *objects) swap() (*ebpf.Map, error) {
	var active uint32
	if err := o.ActiveMap.Get(&active); err != nil {
		return nil, fmt.Errorf("read the active map: %w", err)
	}
	next := 1 - active&1
	counts := [2]uint64{}
	if err := o.FlowCount.Get(&counts); err != nil {
		return nil, fmt.Errorf("read the flow counts: %w", err)
	}
	counts[next] = 0
	if err := o.FlowCount.Set(&counts); err != nil {
		return nil, fmt.Errorf("reset the flow count: %w", err)
	}
	if err := o.ActiveMap.Set(next); err != nil {
		return nil, fmt.Errorf("swap the flow maps: %w", err)
	}
	if err := o.wait(); err != nil {
		return nil, err
	}
	return []*ebpf.Map{o.SeineFlows0, o.SeineFlows1}[active&1], nil
}

// wait returns when every program run that began before has ended: see seine_grace in bpf/maps.h.
func (o *objects) wait() error {
	if err := o.SeineGrace.Put(uint32(0), o.grace); err != nil {
		return fmt.Errorf("wait for running programs: %w", err)
	}
	return nil
}

// drain empties a map that nobody writes to and returns the number of entries.
func (d *drainer) drain(m *ebpf.Map, c clock, add func([]nat.Observation)) (int, error) {
	var cursor ebpf.MapBatchCursor
	total := 0
	for {
		n, err := m.BatchLookupAndDelete(&cursor, d.keys, d.values, nil)
		if err != nil && !errors.Is(err, ebpf.ErrKeyNotExist) {
			return total, fmt.Errorf("drain the flow map: %w", err)
		}
		for i := range n {
			observe(&d.observations[i], &d.entries[i], &d.keys[i], &d.values[i], c)
		}
		add(d.observations[:n])
		total += n
		if err != nil {
			return total, nil
		}
	}
}

// observe copies what the kernel counted, to e its conntrack entry, if it has one. It is the one place that knows both
// sides' names.
func observe(o *nat.Observation, e *nat.Entry, k *bpf.FlowKey, v *bpf.FlowValue, c clock) {
	o.Low = nat.Point{Addr: k.Low.Bytes, Port: k.LowPort}
	o.High = nat.Point{Addr: k.High.Bytes, Port: k.HighPort}
	o.Interface = k.Ifindex
	o.Proto = flow.Proto(k.Proto)
	o.ICMPType, o.ICMPCode = k.IcmpType, k.IcmpCode
	o.FirstDir = nat.Dir(v.FirstDir)
	o.First, o.Last = c.time(v.FirstNs), c.time(v.LastNs)
	o.ISN = v.Isn
	for d := range v.Count {
		o.Opened[d] = v.Opened[d] != 0
		o.TCPFlags[d] = flow.TCPFlags(v.TcpFlags[d])
		for h := range v.Count[d] {
			o.Marks[d][h] = nat.Marks{Resets: v.Marks[d][h].Resets, ZeroWindows: v.Marks[d][h].ZeroWindows}
			o.Counts[d][h] = flow.Volume{Bytes: v.Count[d][h].Bytes, Packets: v.Count[d][h].Packets}
		}
	}
	if o.Acked = 0; v.AckedNs != 0 {
		o.Acked = c.time(v.AckedNs)
	}
	o.Sampling = v.Sampling
	o.QuotedProto, o.QuotedDst = flow.Proto(v.QuotedProto), v.QuotedDst.Bytes
	o.Entry = nil
	if v.NatMeans != uint8(bpf.CaptureNatMeansNAT_UNRESOLVED) {
		*e = entry(&v.Nat, flow.KFunc)
		o.Entry = e
	}
}

func entry(n *bpf.NATInfo, source flow.NATSource) nat.Entry {
	return nat.Entry{
		Source: source, Proto: flow.Proto(n.Proto), Zone: n.Zone,
		OrigSrc:  nat.Point{Addr: n.Orig.Src.Bytes, Port: n.Orig.Sport},
		OrigDst:  nat.Point{Addr: n.Orig.Dst.Bytes, Port: n.Orig.Dport},
		ReplySrc: nat.Point{Addr: n.Reply.Src.Bytes, Port: n.Reply.Sport},
		ReplyDst: nat.Point{Addr: n.Reply.Dst.Bytes, Port: n.Reply.Dport},
	}
}
