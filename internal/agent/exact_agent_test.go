package agent_test

import (
	"context"
	"log/slog"
	"net/netip"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// exactKey is a connection as the client dialled it.
type exactKey struct {
	proto    flow.Proto
	src, dst netip.AddrPort
}

// exactVolume is what passed in both directions.
type exactVolume struct{ fwd, rev flow.Volume }

func (v exactVolume) total() flow.Volume { return addVolumes(v.fwd, v.rev) }

func (v *exactVolume) add(o exactVolume) {
	v.fwd, v.rev = addVolumes(v.fwd, o.fwd), addVolumes(v.rev, o.rev)
}

func addVolumes(a, b flow.Volume) flow.Volume {
	return flow.Volume{Bytes: a.Bytes + b.Bytes, Packets: a.Packets + b.Packets}
}

// exactAgent is an agent at work and the sums of what it reported. The fields may be read once it has stopped.
type exactAgent struct {
	t      *testing.T
	agent  *agent.Agent
	cancel context.CancelFunc
	done   chan error

	watch exactWatch
	flows map[exactKey]*exactVolume
	sum   exactVolume
	// status is that of the last eviction.
	status  agent.Status
	batches int
	empty   int
}

// exactWatch says what to do with records beside summing them.
type exactWatch struct {
	// inspect, where set, sees every record.
	inspect func(*flow.Record)
	// sumOnly keeps no sums of single connections, of which a soak has too many.
	sumOnly bool
}

// newExactAgent starts an agent. Once it returns the agent sees every packet of the interfaces that are there.
func newExactAgent(t *testing.T, cfg agent.Config, watch exactWatch) *exactAgent {
	t.Helper()
	a, err := agent.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatalf("start agent: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	e := &exactAgent{
		t: t, agent: a, cancel: cancel, done: make(chan error, 1), flows: make(map[exactKey]*exactVolume), watch: watch,
	}
	go func() { e.done <- a.Run(ctx, e.take) }()
	t.Cleanup(e.stop)
	return e
}

// stop lets the agent evict for the last time. It may be called again.
func (e *exactAgent) stop() {
	if e.done == nil {
		return
	}
	e.cancel()
	select {
	case err := <-e.done:
		if err != nil {
			e.t.Errorf("agent ended with %v, want nil", err)
		}
	case <-time.After(20 * time.Second):
		e.t.Error("agent did not end within 20 s of its context")
	}
	e.done = nil
}

func (e *exactAgent) take(records []flow.Record) error {
	e.batches++
	for i := range records {
		r := &records[i]
		if e.watch.inspect != nil {
			e.watch.inspect(r)
		}
		v := exactVolume{r.Fwd, r.Rev}
		if v == (exactVolume{}) {
			e.empty++
		}
		e.sum.add(v)
		e.addFlow(exactKey{r.Proto, r.Src.AddrPort(), r.Dst.AddrPort()}, v)
	}
	e.status = e.agent.Status()
	return nil
}

func (e *exactAgent) addFlow(key exactKey, v exactVolume) {
	if e.watch.sumOnly {
		return
	}
	known := e.flows[key]
	if known == nil {
		known = &exactVolume{}
		e.flows[key] = known
	}
	known.add(v)
}

// lost is the number of packets that the agent says are in no record.
func (e *exactAgent) lost() (packets uint64) {
	for _, l := range e.status.Losses {
		if l.Lost() {
			packets += l.Count
		}
	}
	return packets
}

// coverage returns the last reading of an interface.
func (e *exactAgent) coverage(link string) capture.Coverage {
	e.t.Helper()
	for _, c := range e.status.Coverage {
		if c.Name == link {
			return c
		}
	}
	e.t.Fatalf("no coverage of %s in %+v", link, e.status.Coverage)
	return capture.Coverage{}
}

// checkCoverage wants the agent's own account of an interface to be complete to the byte.
func (e *exactAgent) checkCoverage(link string, counted flow.Volume) {
	e.t.Helper()
	c := e.coverage(link)
	all := c.Flows
	for _, v := range c.Outside {
		all = addVolumes(all, v)
	}
	if c.Counted != counted {
		e.t.Errorf("%s: coverage says the interface counted %+v, it did %+v", link, c.Counted, counted)
	}
	if all != c.Counted {
		e.t.Errorf("%s: flows and outside %+v, interface %+v: %+v", link, all, c.Counted, c)
	}
}

// bothWays is an interface's two directions together.
func bothWays(c testkit.Counters) flow.Volume {
	return flow.Volume{Bytes: c.RxBytes + c.TxBytes, Packets: c.RxPackets + c.TxPackets}
}
