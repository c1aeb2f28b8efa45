package agent_test

import (
	"math"
	"net/netip"
	"testing"

	"golang.org/x/sync/errgroup"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

const (
	sampling = 10
	// falseAlarm is the chance that all bounds of a test together are broken by luck.
	falseAlarm = 1e-9
)

// moments describe a set of packets by their sizes.
type moments struct{ sum, squares, largest float64 }

func (m *moments) add(n int, size float64) {
	m.sum += float64(n) * size
	m.squares += float64(n) * size * size
	m.largest = max(m.largest, size)
}

// bound is how far the estimate N*(sum of the sampled sizes) may lie from the sum of all sizes b, where each packet is
// sampled by itself with chance 1/N. The estimate is a sum of independent terms of variance (N-1)*b², none of which
// lies further than (N-1)*b from its mean, so by Bernstein's inequality
//
//	P(|error| >= t) <= 2*exp(-t²/2 / (V + M*t/3)),  V = (N-1)*sum of b², M = (N-1)*largest b,
//
// which is at most p for t = L*M/3 + sqrt((L*M/3)² + 2*L*V) with L = ln(2/p): for large flows z = sqrt(2*L) standard
// deviations. Here p is falseAlarm shared among all checks.
func (m moments) bound(checks int) float64 {
	l := math.Log(2 * float64(checks) / falseAlarm)
	v, largest := (sampling-1)*m.squares, (sampling-1)*m.largest
	return l*largest/3 + math.Sqrt(l*largest/3*l*largest/3+2*l*v)
}

// sampledSide are the moments of one direction, in bytes and in packets.
type sampledSide struct{ bytes, packets moments }

func (s *sampledSide) add(n, size int) {
	s.bytes.add(n, float64(size))
	s.packets.add(n, 1)
}

// TestSampledVolume floods flows of very different sizes and compares what one packet in ten tells of each flow, and of
// all together, with what was sent.
func TestSampledVolume(t *testing.T) {
	for _, tt := range []struct {
		name  string
		stage func(*testing.T) *exactStage
	}{{"veth", vethStage}, {"loopback", loopbackStage}, {"bridge", learningStage}} {
		t.Run(tt.name, func(t *testing.T) {
			s := tt.stage(t)
			f := &flood{flows: s.floodFlows(4000), senders: 1, rounds: 3, repeat: func(i int) int { return 1 + 8000/(i+1) }}
			cfg := agent.Config{Node: "node", Interval: interval}
			cfg.NetNS, cfg.Sampling = s.watched.Path, sampling
			e := newExactAgent(t, cfg, exactWatch{inspect: func(r *flow.Record) {
				if r.Sampling != sampling {
					t.Errorf("record with sampling %d, want %d", r.Sampling, sampling)
				}
			}})
			f.run(t, s)
			e.stop()
			e.checkEstimates(f)
		})
	}
}

func (e *exactAgent) checkEstimates(f *flood) {
	e.t.Helper()
	checks := 4 * (len(f.flows) + 1)
	wrong := 0
	check := func(what any, got uint64, want moments) {
		e.t.Helper()
		if off := float64(got)*sampling - want.sum; math.Abs(off) > want.bound(checks) {
			if wrong++; wrong <= 5 {
				e.t.Errorf("%v: estimate %d, truth %.0f, bound %.0f", what, got*sampling, want.sum, want.bound(checks))
			}
		}
	}
	var all [2]sampledSide
	for i := range f.flows {
		key := flowKey(&f.flows[i])
		got := e.flows[key]
		if got == nil {
			got = &exactVolume{}
		}
		for side, v := range []flow.Volume{got.fwd, got.rev} {
			want := f.moments(i, side == 1, &all[side])
			check(key, v.Bytes, want.bytes)
			check(key, v.Packets, want.packets)
		}
	}
	for side, v := range []flow.Volume{e.sum.fwd, e.sum.rev} {
		check("all flows", v.Bytes, all[side].bytes)
		check("all flows", v.Packets, all[side].packets)
		packets := all[side].packets
		e.t.Logf("packets: estimate %d, truth %.0f, bound %.0f", v.Packets*sampling, packets.sum, packets.bound(checks))
	}
	if wrong > 0 {
		e.t.Errorf("%d of %d estimates out of bounds", wrong, checks)
	}
}

// moments describes what one side of a flow sends, and adds it to the sum.
func (f *flood) moments(i int, fromServer bool, sum *sampledSide) (m sampledSide) {
	for step, n := range map[testkit.FloodStep]int{
		testkit.FloodOpen: 1, testkit.FloodData: f.rounds * f.repeats(i), testkit.FloodEnd: 1,
	} {
		size := f.flows[i].Frame(fromServer, step, 0).Size
		m.add(n*f.senders, size)
		sum.add(n*f.senders, size)
	}
	return m
}

// TestSampledBackends makes thousands of short connections through DNAT: every one of which a single packet was
// sampled has its backend, and is not split.
func TestSampledBackends(t *testing.T) {
	c := testkit.NewCluster(t)
	c.Node.Apply(testkit.NFTables, c.Rules())
	got := make(map[exactKey]netip.AddrPort)
	wrong, split := 0, 0
	cfg := agent.Config{Node: "node", Interval: interval}
	cfg.NetNS, cfg.Sampling = c.Node.Path, sampling
	e := newExactAgent(t, cfg, exactWatch{inspect: func(r *flow.Record) {
		if isNoise(r) {
			return
		}
		key := exactKey{r.Proto, r.Src.AddrPort(), r.Dst.AddrPort()}
		if known, ok := got[key]; ok && known != r.Backend.AddrPort() {
			split++
		}
		got[key] = r.Backend.AddrPort()
	}})
	const connections = 1000
	dialMany(t, c, connections)
	e.stop()
	truth := backends(t, c)
	if len(truth) != 4*connections {
		t.Errorf("conntrack knows %d connections, want %d", len(truth), 4*connections)
	}
	for key, backend := range got {
		if want, ok := truth[key]; !ok || backend != want {
			if wrong++; wrong <= 5 {
				t.Errorf("record of %v has backend %v, want %v (connection known: %v)", key, backend, want, ok)
			}
		}
	}
	if wrong > 0 || split > 0 {
		t.Errorf("%d of %d reported connections without their backend, %d with two", wrong, len(got), split)
	}
	// A connection here has four packets or more at the client's interface, and is unseen with a chance of less than
	// 0.9⁴. By Chernoff's bound fewer than a quarter are seen with a chance of less than 1e-30.
	if len(got) < len(truth)/4 {
		t.Errorf("%d of %d connections reported", len(got), len(truth))
	}
	t.Logf("%d of %d connections reported", len(got), len(truth))
}

// firstPort is the first client port, below the ephemeral ones.
const firstPort = 10000

// dialMany makes n connections of TCP and of UDP in each family to Services, several at once.
func dialMany(t *testing.T, c *testkit.Cluster, n int) {
	t.Helper()
	var group errgroup.Group
	for family, v6 := range map[string]bool{"4": false, "6": true} {
		for network, to := range map[string]netip.AddrPort{
			"tcp" + family: netip.AddrPortFrom(c.VIP(v6, testkit.WebService), 80),
			"udp" + family: netip.AddrPortFrom(c.VIP(v6, testkit.NameService), 53),
		} {
			group.Go(func() error {
				return c.Client.Do(func() error {
					for i := range n {
						if err := exchangeOnce(network, to, firstPort+i); err != nil {
							return err
						}
					}
					return nil
				})
			})
		}
	}
	if err := group.Wait(); err != nil {
		t.Fatal(err)
	}
}

// backends asks conntrack who answered each of the client's connections.
func backends(t *testing.T, c *testkit.Cluster) map[exactKey]netip.AddrPort {
	t.Helper()
	all := make(map[exactKey]netip.AddrPort)
	for _, v6 := range []bool{false, true} {
		entries, err := c.Node.Conntrack(v6)
		if err != nil {
			t.Fatal(err)
		}
		for _, e := range entries {
			if e.Orig.Src.Addr() == c.Client.Addr(v6) {
				all[exactKey{flow.Proto(e.Proto), e.Orig.Src, e.Orig.Dst}] = e.Reply.Src
			}
		}
	}
	return all
}
