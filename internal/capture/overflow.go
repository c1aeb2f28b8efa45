package capture

import (
	"errors"
	"fmt"
	"maps"
	"sync"
	"unsafe"

	"github.com/cilium/ebpf/ringbuf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// overflow aggregates the packets that found the flow map full.
type overflow struct {
	reader  *ringbuf.Reader
	limit   int
	flushed chan struct{}
	done    chan struct{}

	mu    sync.Mutex
	flows map[overflowKey]*bpf.FlowValue
	// lost is what found no room here either, by interface; lostPackets that of interfaces that are gone, too.
	lost        map[uint32]flow.Volume
	lostPackets uint64
}

// overflowKey is a flow and, for a packet that opens one, its sequence number, as each is a connection of its own.
type overflowKey struct {
	bpf.FlowKey
	isn    uint32
	opened bool
}

func newOverflow(o *objects, limit int) (*overflow, error) {
	r, err := ringbuf.NewReader(o.SeineOverflow)
	if err != nil {
		return nil, fmt.Errorf("open the overflow ring: %w", err)
	}
	w := &overflow{
		reader: r, limit: limit, flushed: make(chan struct{}), done: make(chan struct{}),
		flows: make(map[overflowKey]*bpf.FlowValue), lost: make(map[uint32]flow.Volume),
	}
	go w.run()
	return w, nil
}

// run reads until the reader is closed.
func (w *overflow) run() {
	defer close(w.done)
	var rec ringbuf.Record
	for {
		err := w.reader.ReadInto(&rec)
		switch {
		case errors.Is(err, ringbuf.ErrFlushed):
			w.flushed <- struct{}{}
		case err != nil:
			return
		case len(rec.RawSample) >= int(unsafe.Sizeof(bpf.FlowEvent{})):
			w.take((*bpf.FlowEvent)(unsafe.Pointer(unsafe.SliceData(rec.RawSample))))
		}
	}
}

// take adds a one-packet record. Beyond the limit its volume is lost, and counted.
func (w *overflow) take(e *bpf.FlowEvent) {
	w.mu.Lock()
	defer w.mu.Unlock()
	key := overflowKey{FlowKey: e.Key}
	if d := e.Value.FirstDir & 1; e.Value.Opened[d] != 0 {
		key.isn, key.opened = e.Value.Isn[d], true
	}
	known := w.flows[key]
	switch {
	case known != nil:
		join(known, &e.Value)
	case len(w.flows) >= w.limit:
		w.lose(e)
	default:
		v := e.Value
		w.flows[key] = &v
	}
}

// lose counts a one-packet record as lost.
func (w *overflow) lose(e *bpf.FlowEvent) {
	sum := w.lost[e.Key.Ifindex]
	for d := range e.Value.Count {
		for _, v := range e.Value.Count[d] {
			sum.Bytes += v.Bytes
			sum.Packets += v.Packets
			w.lostPackets += v.Packets
		}
	}
	w.lost[e.Key.Ifindex] = sum
}

// join adds one value to another of the same flow.
func join(to, from *bpf.FlowValue) {
	to.FirstNs, to.LastNs = min(to.FirstNs, from.FirstNs), max(to.LastNs, from.LastNs)
	for d := range from.Count {
		to.TcpFlags[d] |= from.TcpFlags[d]
		for h := range from.Count[d] {
			to.Marks[d][h].Resets += from.Marks[d][h].Resets
			to.Marks[d][h].ZeroWindows += from.Marks[d][h].ZeroWindows
			to.Count[d][h].Bytes += from.Count[d][h].Bytes
			to.Count[d][h].Packets += from.Count[d][h].Packets
		}
	}
	if to.NatMeans == uint8(bpf.CaptureNatMeansNAT_UNRESOLVED) {
		to.NatMeans, to.Nat = from.NatMeans, from.Nat
	}
}

// evict hands on what was gathered, after reading all that the ring holds.
func (w *overflow) evict(c clock, add func([]nat.Observation)) (int, error) {
	if err := w.reader.Flush(); err != nil {
		return 0, fmt.Errorf("flush the overflow ring: %w", err)
	}
	select {
	case <-w.flushed:
	case <-w.done:
		return 0, errors.New("the overflow ring's reader ended")
	}
	w.mu.Lock()
	defer w.mu.Unlock()
	var o [1]nat.Observation
	var e nat.Entry
	n := len(w.flows)
	for k, v := range w.flows {
		observe(&o[0], &e, &k.FlowKey, v, c)
		add(o[:])
	}
	clear(w.flows)
	return n, nil
}

// losses returns what was lost of each interface, but for those that are gone, which it forgets; and all lost packets.
func (w *overflow) losses(gone func(index uint32) bool) (byInterface map[uint32]flow.Volume, packets uint64) {
	w.mu.Lock()
	defer w.mu.Unlock()
	maps.DeleteFunc(w.lost, func(index uint32, _ flow.Volume) bool { return gone(index) })
	return maps.Clone(w.lost), w.lostPackets
}

func (w *overflow) Close() error {
	err := w.reader.Close()
	<-w.done
	return err
}
