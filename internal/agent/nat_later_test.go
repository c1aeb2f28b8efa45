package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// bestSource is what auto takes where NAT is loaded, by the first Linux version for which that holds, newest first.
var bestSource = []struct {
	since  string
	source flow.NATSource
}{{"6.2", flow.KFunc}, {"5.11", flow.FEntry}, {"5.10", flow.KProbe}}

// TestNATLoadedLater starts an agent where nf_nat is not loaded, as on a host that gets its first rule later. The
// connections have their backends all the same, and the agent turns to the best source once NAT is there.
func TestNATLoadedLater(t *testing.T) {
	if isNATLoaded(t) {
		testkit.Lacks(t, "nf_nat as a module, not loaded yet,", errors.New("the kernel has nf_nat_manip_pkt"))
	}
	c := testkit.NewCluster(t)
	reported := observeAuto(t, c.Node.NS)
	if isNATLoaded(t) {
		t.Fatal("the stage or the agent loaded nf_nat")
	}
	t.Logf("before: %s", translation(reported.agent))
	c.Node.Apply(testkit.IPTables, c.Rules())
	s := &stage{Cluster: c}
	d := dial{client, "tcp", service(testkit.WebService, 80), flow.DNAT, false}
	client, to := d.traffic(t, s)
	want := wantBest(t)
	for deadline := time.Now().Add(30 * time.Second); !strings.HasPrefix(translation(reported.agent), want); {
		if time.Now().After(deadline) {
			t.Errorf("translations are still by %q 30 s after NAT was loaded, want %s", translation(reported.agent), want)
			break
		}
		time.Sleep(interval)
	}
	t.Logf("after: %s", translation(reported.agent))
	reported.stop()
	backends := 0
	for id := range reported.sums {
		if id.Src == client && id.Dst == to && id.NAT == flow.DNAT && (id.Backend == s.at(c.Server1, testkit.TCPPort) || id.Backend == s.at(c.Server2, testkit.TCPPort)) {
			backends++
		}
	}
	if backends != 1 {
		t.Errorf("%d records with a backend, want 1: %+v", backends, reported.sums)
	}
}

func isNATLoaded(t *testing.T) bool {
	t.Helper()
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(symbols), " nf_nat_manip_pkt")
}

// wantBest returns the name of the source that auto takes on this kernel with NAT loaded.
func wantBest(t *testing.T) string {
	t.Helper()
	for _, b := range bestSource {
		if testkit.IsKernel(t, b.since) {
			return b.source.String()
		}
	}
	t.Fatal("the kernel is older than any that is supported")
	return ""
}

// autoObserver is an observer of an agent that chooses its source.
type autoObserver struct {
	*observer
	agent *agent.Agent
}

func observeAuto(t *testing.T, node *testkit.NS) *autoObserver {
	t.Helper()
	cfg := agent.Config{Node: "node", Interval: interval}
	cfg.NetNS = node.Path
	a, err := agent.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatalf("start agent: %v", err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	c := &observer{t: t, began: time.Now(), cancel: cancel, done: make(chan error, 1), sums: make(map[identity]*sum)}
	go func() {
		c.done <- a.Run(ctx, func(records []flow.Record) error {
			c.mu.Lock()
			defer c.mu.Unlock()
			for i := range records {
				c.sums[identityOf(&records[i])] = &sum{}
			}
			return nil
		})
	}()
	t.Cleanup(c.stop)
	return &autoObserver{c, a}
}

// translation returns how an agent says that it learns translations: the means, then the detail.
func translation(a *agent.Agent) string {
	for _, f := range a.Status().Features {
		if f.Name == "translation" {
			return f.Means + ": " + f.Detail
		}
	}
	return "not told"
}
