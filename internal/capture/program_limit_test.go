package capture

import (
	"encoding/binary"
	"errors"
	"math"
	"testing"
	"time"

	"github.com/cilium/ebpf"
	"github.com/google/go-cmp/cmp"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf"
)

// eventBytes is an event's share of the ring: its size and the kernel's header, in whole words.
var eventBytes = (binary.Size(bpf.FlowEvent{}) + 8 + 7) / 8 * 8

// TestFlowOverflow fills the map of two flows, then the ring, and expects every packet somewhere.
func TestFlowOverflow(t *testing.T) {
	m := newMachine(t, Config{MaxFlows: 2, RingBytes: 4096})
	flow := func(port uint16) []byte { return eth4(v4(a4, b4, 6, tcp(port, 80, 7, syn))) }
	m.in(t, flow(1), flow(2), flow(3))
	spilled := m.take(t)
	if len(spilled.flows) != 2 || len(spilled.events) != 1 {
		t.Fatalf("%d flows and %d events: want 2 and 1", len(spilled.flows), len(spilled.events))
	}
	m.in(t, flow(3))
	o := m.take(t)
	kept, event := o.only(t), spilled.events[0]
	event.value.FirstNs, event.value.LastNs = kept.value.FirstNs, kept.value.LastNs
	if event != kept {
		t.Errorf("event %+v: want what the map would hold, %+v", event, kept)
	}
	if n := spilled.errors["map_full"]; n != 1 || len(spilled.errors) != 1 {
		t.Errorf("errors %v: want map_full once", spilled.errors)
	}

	const packets = 40
	room := 4096 / eventBytes
	for port := range uint16(packets) {
		m.in(t, flow(port+1))
	}
	// The flows that have an entry still count there.
	m.in(t, flow(1), flow(2))
	o = m.take(t)
	lost := uint64(packets - 2 - len(o.events))
	if len(o.flows) != 2 || len(o.events) > room || len(o.events) < room-1 {
		t.Errorf("%d flows and %d events: want 2 and %d or one less", len(o.flows), len(o.events), room)
	}
	if diff := cmp.Diff(map[string]uint64{"map_full": packets - 2, "ring_full": lost}, o.errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
	if got := o.outside[bpf.InterfaceKey{Ifindex: 1}]["lost"]; got != (bpf.Volume{Bytes: lost * 54, Packets: lost}) {
		t.Errorf("lost %v: want %d packets of 54 bytes", got, lost)
	}
	if got := o.bytes(); got != (packets+2)*54 {
		t.Errorf("%d bytes accounted for: want %d", got, (packets+2)*54)
	}
}

// TestFlowOverflowReuse has a new use of a tuple find the map full: its event belongs to another generation.
func TestFlowOverflowReuse(t *testing.T) {
	m := newMachine(t, Config{MaxFlows: 1})
	for _, seq := range []uint32{1, 500} {
		m.in(t, eth4(v4(a4, b4, 6, tcp(1000, 80, seq, syn))))
	}
	o := m.take(t)
	if len(o.events) != 1 || o.events[0].key.Gen != 1 || o.events[0].value.Isn[o.events[0].value.FirstDir] != 500 {
		t.Errorf("events %+v: want one of generation 1 with sequence number 500", o.events)
	}
}

// TestFlowActiveMap writes to the map in use alone.
func TestFlowActiveMap(t *testing.T) {
	m := newMachine(t, Config{})
	frame := eth4(v4(a4, b4, 17, udp(1, 2)))
	m.in(t, frame)
	drained, err := m.swap()
	if err != nil {
		t.Fatal(err)
	}
	m.in(t, frame, frame)
	f := func(which string, held *ebpf.Map, want uint64) {
		t.Helper()
		var key bpf.FlowKey
		var value bpf.FlowValue
		if !held.Iterate().Next(&key, &value) || value.Count[value.FirstDir][ingress].Packets != want {
			t.Errorf("%s map: %+v; want %d packets", which, value.Count, want)
		}
	}
	f("drained", drained, 1)
	f("active", m.SeineFlows1, 2)
	var held [2]uint64
	if err := m.FlowCount.Get(&held); err != nil || held != [2]uint64{1, 1} {
		t.Errorf("flow_count %v, %v: want 1 in each", held, err)
	}
}

// TestFlowSampling counts one packet in ten. The bound is 6.5 standard deviations of the binomial distribution: a
// right program passes it but once in 10^10 runs.
func TestFlowSampling(t *testing.T) {
	const n, every = 20000, 10
	m := newMachine(t, Config{Sampling: every})
	frame := eth4(v4(a4, b4, 17, udp(1, 2)))
	arp := eth(0x0806, make([]byte, 28))
	for range n {
		m.in(t, frame, arp)
	}
	o := m.take(t)
	v := o.only(t).value
	bound := 6.5 * math.Sqrt(n*(1.0/every)*(1-1.0/every))
	for name, got := range map[string]uint64{
		"udp": v.Count[v.FirstDir][ingress].Packets, "arp": o.outside[bpf.InterfaceKey{Ifindex: 1}]["not_ip"].Packets,
	} {
		if off := math.Abs(float64(got) - n/every); off > bound {
			t.Errorf("%s: %d of %d packets counted: want %d within %.0f", name, got, n, n/every, bound)
		}
	}
	if v.Sampling != every {
		t.Errorf("sampling %d in the value: want %d", v.Sampling, every)
	}
}

// TestFlowCountersFull has no room for an interface's counters left: an error says so.
func TestFlowCountersFull(t *testing.T) {
	m := newMachine(t, Config{})
	none := make([]bpf.InterfaceValue, ebpf.MustPossibleCPU())
	for i := range m.SeineUncounted.MaxEntries() {
		err := m.SeineUncounted.Put(&bpf.InterfaceKey{Ifindex: 1000 + i}, none)
		// The kernel refills the map's stock of free elements in the background.
		for try := 0; errors.Is(err, unix.ENOMEM) && try < 1000; try++ {
			time.Sleep(time.Millisecond)
			err = m.SeineUncounted.Put(&bpf.InterfaceKey{Ifindex: 1000 + i}, none)
		}
		if err != nil {
			t.Fatalf("fill the interface counters: %v", err)
		}
	}
	m.in(t, eth(0x0806, make([]byte, 28)), eth(0x0806, make([]byte, 28)))
	o := m.take(t)
	if diff := cmp.Diff(map[string]uint64{"counters_full": 2}, o.errors); diff != "" {
		t.Errorf("errors (-want +got):\n%s", diff)
	}
}
