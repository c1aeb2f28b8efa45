package agent_test

import (
	"context"
	"errors"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// bestSources are what auto takes where NAT is loaded, by the first Linux version for which that holds, newest first.
var bestSources = []struct {
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
	reported.awaitSource(bestSource(t))
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

// TestConntrackLoadedLater starts an agent where conntrack cannot be loaded: its functions, its types and its events are all
// missing. Connections are reported all the same, and the status says what is missing. Once NAT is there, the agent uses
// the best source.
func TestConntrackLoadedLater(t *testing.T) {
	testkit.RequireGuest(t)
	testkit.UnloadNetfilter(t)
	t.Cleanup(func() { testkit.UnloadNetfilter(t) })
	node, web := testkit.NewNS(t, "node"), netip.MustParseAddrPort("10.79.1.2:8080")
	pods := map[string]*testkit.NS{"10.79.0": testkit.NewNS(t, "client"), "10.79.1": testkit.NewNS(t, "server")}
	for network, pod := range pods {
		testkit.Veth(pod, "eth0", node, pod.Name)
		pod.AddAddr("eth0", network+".2/24")
		node.AddAddr(pod.Name, network+".1/24")
		pod.Route("0.0.0.0/0", network+".1")
	}
	node.Forward()
	pods["10.79.1"].ServeTCP(web)
	for _, module := range []string{"sch_ingress", "cls_bpf"} { // To attach by, before Linux 6.6.
		testkit.LoadModule(t, module)
	}
	allow := forbidModules(t)
	reported := observeAuto(t, node)
	missing := []string{"none: ", "nf_conntrack", "ctnetlink: "}
	if testkit.IsKernel(t, "6.2") { // The packet's own entry is read without conntrack's functions, once there is any.
		missing = []string{"kfunc: ", "nf_conntrack"}
	}
	for _, want := range missing {
		if got := translation(reported.agent); !strings.Contains(got, want) {
			t.Errorf("without conntrack the status says %q, want %q in it", got, want)
		}
	}
	plain := exchange(t, pods["10.79.0"], web)
	allow()
	service := netip.MustParseAddrPort("10.79.9.1:80")
	node.Apply(testkit.IPTables, testkit.Rules{Pods: []netip.Prefix{netip.MustParsePrefix("10.79.0.0/16")}, Services: []testkit.Service{
		{Name: "web", Proto: "tcp", VIP: service.Addr(), Port: service.Port(), Backends: []netip.AddrPort{web}},
	}})
	reported.awaitSource(bestSource(t))
	translated := exchange(t, pods["10.79.0"], service)
	reported.stop()
	for _, want := range []identity{
		{Proto: flow.TCP, Src: plain, Dst: web, Backend: web, SNAT: plain},
		{Proto: flow.TCP, Src: translated, Dst: service, Backend: web, SNAT: translated, NAT: flow.DNAT},
	} {
		if reported.sums[want] == nil {
			t.Errorf("no record %+v in %+v", want, reported.sums)
		}
	}
}

// forbidModules has the kernel load no module by itself until the test ends or allow is called.
func forbidModules(t *testing.T) (allow func()) {
	t.Helper()
	const loader = "/proc/sys/kernel/modprobe"
	was, err := os.ReadFile(loader)
	if err != nil {
		t.Fatal(err)
	}
	set := func(to []byte) {
		if err := os.WriteFile(loader, to, 0o644); err != nil {
			t.Error(err)
		}
	}
	t.Cleanup(func() { set(was) })
	set([]byte("/none"))
	return func() { set(was) }
}

// exchange makes a connection that ends in order and returns the client's end.
func exchange(t *testing.T, from *testkit.NS, to netip.AddrPort) netip.AddrPort {
	t.Helper()
	conn, err := from.Dial("tcp", to, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	mustExchange(t, conn, messageSize, messages)
	finish(t, conn)
	return localOf(conn)
}

func isNATLoaded(t *testing.T) bool {
	t.Helper()
	symbols, err := os.ReadFile("/proc/kallsyms")
	if err != nil {
		t.Fatal(err)
	}
	return strings.Contains(string(symbols), " nf_nat_manip_pkt")
}

// bestSource returns the name of the one of this kernel.
func bestSource(t *testing.T) string {
	t.Helper()
	for _, b := range bestSources {
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

// awaitSource waits until translations are by a source.
func (c *autoObserver) awaitSource(want string) {
	c.t.Helper()
	for deadline := time.Now().Add(30 * time.Second); !strings.HasPrefix(translation(c.agent), want); {
		if time.Now().After(deadline) {
			c.t.Errorf("translations are still by %q after 30 s, want %s", translation(c.agent), want)
			break
		}
		time.Sleep(interval)
	}
	c.t.Logf("now: %s", translation(c.agent))
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
