package agent_test

import (
	"context"
	"log/slog"
	"net/netip"
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// interval is short so that most connections here reach over several.
const interval = 200 * time.Millisecond

// identity is all that tells connections apart, and what translation did to them.
type identity struct {
	Proto                   flow.Proto
	Src, Dst, Backend, SNAT netip.AddrPort
	Zone                    uint16
	NAT                     flow.NAT
	ICMP                    flow.ICMP
}

func identityOf(r *flow.Record) identity {
	return identity{
		Proto: r.Proto, Src: r.Src.AddrPort(), Dst: r.Dst.AddrPort(), Backend: r.Backend.AddrPort(), SNAT: r.SNAT,
		Zone: r.Zone, NAT: r.NAT, ICMP: r.ICMP,
	}
}

// touches tells whether the record could be another view of the same connection: it bears the client's or its
// translated address and port, on either side. What has no ports is told by protocol and identifier.
func (id identity) touches(o identity) bool {
	if id.Src.Port() == 0 && (id.Proto != o.Proto || id.ICMP.ID != o.ICMP.ID) {
		return false
	}
	for _, mine := range []netip.AddrPort{id.Src, id.SNAT} {
		if mine == o.Src || mine == o.Dst || mine == o.Backend || mine == o.SNAT {
			return true
		}
	}
	return false
}

// sum is what all records of a connection say together.
type sum struct {
	fwd, rev flow.Volume
	// most is the largest number of records in one interval.
	most int
	// sampling is that of the last record.
	sampling uint32
	claimed  bool
}

// observer is an agent at work on a node and what it reported.
type observer struct {
	t      *testing.T
	source flow.NATSource
	began  time.Time
	cancel context.CancelFunc
	done   chan error

	mu   sync.Mutex
	sums map[identity]*sum
}

// observe starts an agent on a namespace, with every feature. Once it returns the agent sees every packet. Pods are those of
// the node: other tests' have the same addresses, and sockets tell of all. A host that forbids tracing skips the test of a
// source that traces.
func observe(t *testing.T, node *testkit.NS, pods []*testkit.Host, source natSource, sampling uint32) *observer {
	t.Helper()
	began := time.Now()
	cfg := agent.Config{Node: "node", Interval: interval}
	cfg.NetNS, cfg.NATSource, cfg.Sampling = node.Path, source.String(), sampling
	cfg.PodSpaces = spaceNumbers(t, pods)
	a, err := agent.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil && source.traces {
		testkit.Lacks(t, source.String(), err)
	}
	if err != nil {
		t.Fatalf("start agent: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &observer{
		t: t, source: source.NATSource, began: began, cancel: cancel, done: make(chan error, 1), sums: make(map[identity]*sum),
	}
	go func() { c.done <- a.Run(ctx, c.take) }()
	t.Cleanup(c.stop)
	return c
}

// stop lets the agent evict for the last time. It may be called again.
func (c *observer) stop() {
	if c.done == nil {
		return
	}
	c.cancel()
	select {
	case err := <-c.done:
		if err != nil {
			c.t.Errorf("agent ended with %v, want nil", err)
		}
	case <-time.After(10 * time.Second):
		c.t.Error("agent did not end within 10 s of its context")
	}
	c.done = nil
}

func (c *observer) take(records []flow.Record) error {
	c.mu.Lock()
	defer c.mu.Unlock()
	now := make(map[identity]int)
	for i := range records {
		r := &records[i]
		if isNoise(r) {
			continue
		}
		c.checkForm(r)
		id := identityOf(r)
		now[id]++
		s := c.sums[id]
		if s == nil {
			s = &sum{}
			c.sums[id] = s
		}
		s.add(r)
		s.most = max(s.most, now[id])
	}
	return nil
}

// checkForm checks what must hold of any record here: no other agent reports these connections, so this one's count.
func (c *observer) checkForm(r *flow.Record) {
	// What a socket or a drop tells of a known connection may come in an interval without packets.
	if r.Node != "node" || r.Iface == "" && r.Total().Packets > 0 || !r.Primary {
		c.t.Errorf("record is of node %q, interface %q, primary %v, want node, one, true: %+v", r.Node, r.Iface, r.Primary, r)
	}
	if first := flow.Time(c.began.UnixNano()); r.Start < first || r.End < r.Start || r.End > flow.Time(time.Now().UnixNano()) {
		c.t.Errorf("record lasts from %d to %d, want it after %d, before now: %+v", r.Start, r.End, first, r)
	}
	// Under sampling conntrack is asked about what the kernel side saw too little of.
	asked := r.Sampling > 1 && r.NATSource == flow.CTNetlink
	if r.NAT != 0 && (r.NATSource != c.source && !asked || r.OrientedBy != flow.ByConntrack) {
		c.t.Errorf("translation by %v, oriented by %v, want %v and conntrack: %s, drop %+v, fwd %+v rev %+v %+v", r.NATSource, r.OrientedBy, c.source, flow.FormatPath(r), r.Drop, r.Fwd, r.Rev, r.FwdFaults)
	}
}

func (s *sum) add(r *flow.Record) {
	s.fwd.Bytes += r.Fwd.Bytes
	s.fwd.Packets += r.Fwd.Packets
	s.rev.Bytes += r.Rev.Bytes
	s.rev.Packets += r.Rev.Packets
	s.sampling = r.Sampling
}

// isNoise tells what hosts and routers say of their own accord: neighbour discovery with its redirects, and multicast
// membership.
func isNoise(r *flow.Record) bool {
	const igmp = 2
	isDiscovery := r.Proto == flow.ICMPv6 && r.ICMP.Type >= 130 && r.ICMP.Type <= 143
	return isDiscovery || r.Proto == igmp
}

// checkUnclaimed reports records that no case expected. The agent must have stopped.
func (c *observer) checkUnclaimed() {
	c.t.Helper()
	c.mu.Lock()
	defer c.mu.Unlock()
	for id, s := range c.sums {
		if !s.claimed {
			c.t.Errorf("record of no connection that was made: %+v fwd %+v rev %+v", id, s.fwd, s.rev)
		}
	}
}
