package agent_test

import (
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// A flood has, of each of exactFlows flows and from each side, an opening frame, as many data frames as it has rounds,
// and an ending one.
const (
	exactFlows = 20000
	million    = 24
	short      = 2
)

// exactPart is the part of the flows and of the room for them that go test -short is content with: emulated processors
// would take half an hour for all.
func exactPart(t *testing.T) int {
	t.Helper()
	part := 1
	if testing.Short() {
		part = 20
	}
	t.Logf("%d flows, 1/%d of the whole", exactFlows/part, part)
	return part
}

// exactCases are floods that records must account for to the byte.
var exactCases = []struct {
	name     string
	stage    func(*testing.T) *exactStage
	interval time.Duration
	// senders is the number of threads at each side, 0 means one; rounds that of data frames of each flow.
	senders, rounds int
	// maxFlows and ringBytes are the agent's; 0 is the default, with which nothing may be lost.
	maxFlows, ringBytes uint32
}{
	{name: "veth", rounds: million, stage: vethStage},
	{name: "evicted under load", rounds: million, stage: vethStage, interval: agent.MinInterval},
	{name: "many threads in the same flows", rounds: million, stage: vethStage, interval: agent.MinInterval, senders: 4},
	{name: "map too small", rounds: short, stage: vethStage, maxFlows: 12000},
	{name: "map far too small", rounds: million, stage: vethStage, maxFlows: 500, interval: agent.MinInterval},
	{name: "map and ring too small", rounds: short, stage: vethStage, maxFlows: 500, ringBytes: 4096},
	{name: "bridge, first packets flooded", rounds: million, stage: learningStage, interval: agent.MinInterval},
	{name: "bridge, first packets flooded back, too", rounds: short, stage: hairpinStage, interval: agent.MinInterval},
	{name: "bridge, every packet flooded", rounds: short, stage: floodingStage, interval: agent.MinInterval},
	{name: "loopback", rounds: million, stage: loopbackStage, interval: agent.MinInterval},
}

// TestExact floods and compares: each flow's records with what was sent, their sum with the interface's counters, and
// the agent's own account of every interface with its counters.
func TestExact(t *testing.T) {
	for _, tt := range exactCases {
		t.Run(tt.name, func(t *testing.T) {
			part := exactPart(t)
			s := tt.stage(t)
			f := &flood{flows: s.floodFlows(exactFlows / part), senders: max(tt.senders, 1)}
			f.rounds = tt.rounds / f.senders
			cfg := agent.Config{Node: "node", Interval: tt.interval}
			cfg.NetNS, cfg.MaxFlows, cfg.RingBytes = s.watched.Path, tt.maxFlows/uint32(part), tt.ringBytes
			e := newExactAgent(t, cfg, exactWatch{})
			before := s.readings()
			began := time.Now()
			f.run(t, s)
			took := time.Since(began)
			after := s.readings()
			e.stop()
			counted := s.counted(before, after, f)
			t.Logf("%d packets in %v, %d evictions, %d lost", counted.total().Packets, took, e.batches, e.lost())
			if got := counted.total().Packets; tt.rounds == million && got <= 1e6/uint64(part) {
				t.Errorf("%d packets sent, want more than a million's 1/%d", got, part)
			}
			for _, link := range s.links {
				e.checkCoverage(link, s.withHeader(bothWays(after[link].Sub(before[link]))))
			}
			if tt.maxFlows == 0 {
				e.checkExact(f.plan(), counted)
			} else {
				e.checkLosses(f.plan(), counted, s.links[0])
			}
		})
	}
}

// checkExact wants every flow's very volume and no other record, and the sum that the interface counted.
func (e *exactAgent) checkExact(plan map[exactKey]exactVolume, counted exactVolume) {
	e.t.Helper()
	if lost := e.lost(); lost != 0 {
		e.t.Errorf("%d packets lost, want none: %+v", lost, e.status.Losses)
	}
	if sum := e.sum; sum != counted && (counted.rev.Packets != 0 || sum.total() != counted.total()) {
		e.t.Errorf("sum of records %+v, interface %+v", e.sum, counted)
	}
	wrong := 0
	for key, want := range plan {
		got := e.flows[key]
		if got == nil || *got != want {
			if wrong++; wrong <= 3 {
				e.t.Errorf("%v: records %+v, sent %+v", key, got, want)
			}
		}
	}
	if wrong > 0 {
		e.t.Errorf("%d of %d flows differ", wrong, len(plan))
	}
	if len(e.flows) != len(plan) {
		e.t.Errorf("%d connections in records, want %d", len(e.flows), len(plan))
	}
	if e.empty > 0 {
		e.t.Errorf("%d records without a packet", e.empty)
	}
}

// checkLosses wants what is in no record to be counted as lost, and nothing to be there twice.
func (e *exactAgent) checkLosses(plan map[exactKey]exactVolume, counted exactVolume, link string) {
	e.t.Helper()
	lost := e.coverage(link).Outside["lost"]
	if got := addVolumes(e.sum.total(), lost); got != counted.total() {
		e.t.Errorf("records %+v and lost %+v are %+v, interface %+v", e.sum.total(), lost, got, counted.total())
	}
	if e.lost() != lost.Packets {
		e.t.Errorf("%d packets lost by reasons, %d by interface: %+v", e.lost(), lost.Packets, e.status.Losses)
	}
	for key, got := range e.flows {
		want := plan[key]
		if got.fwd.Packets > want.fwd.Packets || got.fwd.Bytes > want.fwd.Bytes ||
			got.rev.Packets > want.rev.Packets || got.rev.Bytes > want.rev.Bytes {
			e.t.Errorf("%v: records %+v, more than was sent, %+v", key, got, want)
			return
		}
	}
}

// readings are the counters of the links under comparison, and the client's under "".
func (s *exactStage) readings() map[string]testkit.Counters {
	all := map[string]testkit.Counters{"": s.client.counters()}
	for _, link := range s.links {
		all[link] = s.watched.Counters(link)
	}
	return all
}

// counted is what the client's interface counted of the flood: what it sent, and what it received. Loopback counts both
// directions together, once as sent and once as received.
func (s *exactStage) counted(before, after map[string]testkit.Counters, f *flood) exactVolume {
	c := after[""].Sub(before[""])
	sent := flow.Volume{Bytes: c.TxBytes, Packets: c.TxPackets}
	received := flow.Volume{Bytes: c.RxBytes, Packets: c.RxPackets}
	if s.loopback {
		return exactVolume{fwd: s.withHeader(sent)}
	}
	if s.reflects {
		for i := range f.flows {
			received.Packets--
			received.Bytes -= uint64(f.flows[i].Frame(false, testkit.FloodOpen, 0).Size)
		}
	}
	return exactVolume{fwd: sent, rev: received}
}

// withHeader adds what the loopback interface does not count (drivers/net/loopback.c: after eth_type_trans).
func (s *exactStage) withHeader(v flow.Volume) flow.Volume {
	if s.loopback {
		v.Bytes += 14 * v.Packets
	}
	return v
}
