package capture

import (
	"maps"
	"slices"
	"strings"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// Coverage holds what is in records beside what an interface counted itself, since programs were attached to it.
type Coverage struct {
	Index uint32 `json:"index"`
	Name  string `json:"name"`
	// Sampling is N where one packet in N was looked at: Flows and Outside then hold that share.
	Sampling uint32 `json:"sampling"`
	// Counted is what the interface counted, Flows what is in flows, both hooks together.
	Counted flow.Volume `json:"counted"`
	Flows   flow.Volume `json:"flows"`
	// Outside is in no flow, by reason: not IP, malformed, filtered, lost.
	Outside map[string]flow.Volume `json:"outside,omitempty"`
}

// Ratio is the share of the interface's bytes that the records account for: in flows or outside them by rule. It is 1
// where the interface counted nothing, can pass 1 by what was under way between two readings, and is an estimate under
// sampling.
func (c *Coverage) Ratio() float64 {
	accounted := c.Flows.Bytes
	for reason, v := range c.Outside {
		if reason != reasonLost {
			accounted += v.Bytes
		}
	}
	if c.Counted.Bytes == 0 {
		return 1
	}
	return float64(accounted) * float64(max(c.Sampling, 1)) / float64(c.Counted.Bytes)
}

const reasonLost = "lost"

// coverage sums flows by interface.
type coverage struct {
	flows map[uint32]*flow.Volume
	last  []Coverage
}

func newCoverage() *coverage { return &coverage{flows: make(map[uint32]*flow.Volume)} }

func (c *coverage) add(batch []nat.Observation) {
	for i := range batch {
		o := &batch[i]
		sum := c.flows[o.Interface]
		if sum == nil {
			sum = &flow.Volume{}
			c.flows[o.Interface] = sum
		}
		for d := range o.Counts {
			for h := range o.Counts[d] {
				sum.Bytes += o.Counts[d][h].Bytes
				sum.Packets += o.Counts[d][h].Packets
			}
		}
	}
}

// read compares with the interfaces' own counters, and forgets interfaces that are gone.
func (c *coverage) read(cap *Capture) {
	s := cap.interfaces
	links, err := s.handle.LinkList()
	if err != nil {
		cap.log.Debug("interface counters not read", "error", err)
		return
	}
	outside := cap.objects.outside()
	s.mu.Lock()
	defer s.mu.Unlock()
	gone := func(index uint32) bool { return s.attached[index] == nil }
	lost, _ := cap.overflow.losses(gone)
	for index, v := range lost {
		addOutside(outside, index, reasonLost, v)
	}
	c.last = c.last[:0:0]
	for _, l := range links {
		index := uint32(l.Attrs().Index)
		i := s.attached[index]
		if i == nil {
			continue
		}
		now := countersOf(l)
		one := Coverage{Index: index, Name: i.name, Sampling: cap.config.Sampling, Outside: outside[index], Counted: flow.Volume{
			Bytes:   now.In.Bytes + now.Out.Bytes - i.base.In.Bytes - i.base.Out.Bytes,
			Packets: now.In.Packets + now.Out.Packets - i.base.In.Packets - i.base.Out.Packets,
		}}
		if f := c.flows[index]; f != nil {
			one.Flows = *f
		}
		c.last = append(c.last, one)
	}
	slices.SortFunc(c.last, func(a, b Coverage) int { return strings.Compare(a.Name, b.Name) })
	maps.DeleteFunc(c.flows, func(index uint32, _ *flow.Volume) bool { return gone(index) })
	cap.objects.forget(outside, gone)
}

// outside reads the volume that is in no flow, by interface and reason.
func (o *objects) outside() map[uint32]map[string]flow.Volume {
	out := make(map[uint32]map[string]flow.Volume)
	var key bpf.InterfaceKey
	var perCPU []bpf.InterfaceValue
	for it := o.SeineUncounted.Iterate(); it.Next(&key, &perCPU); {
		for i := range perCPU {
			for reason, v := range perCPU[i].Count {
				addOutside(out, key.Ifindex, o.uncountedNames[reason], flow.Volume{Bytes: v.Bytes, Packets: v.Packets})
			}
		}
	}
	return out
}

func addOutside(to map[uint32]map[string]flow.Volume, index uint32, reason string, v flow.Volume) {
	if to[index] == nil {
		to[index] = make(map[string]flow.Volume)
	}
	if v.Packets == 0 {
		return
	}
	sum := to[index][reason]
	sum.Bytes += v.Bytes
	sum.Packets += v.Packets
	to[index][reason] = sum
}

// forget deletes the counters of interfaces that are gone.
func (o *objects) forget(known map[uint32]map[string]flow.Volume, gone func(uint32) bool) {
	for index := range known {
		if !gone(index) {
			continue
		}
		for hook := range uint32(bpf.CaptureHookHOOK_MAX) {
			_ = o.SeineUncounted.Delete(&bpf.InterfaceKey{Ifindex: index, Hook: hook})
		}
	}
}
