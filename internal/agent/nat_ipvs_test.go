package agent_test

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// ipvsSources tell which sources see what IPVS translates. Where its connections are in conntrack
// (net.ipv4.vs.conntrack=1, as kube-proxy sets it), it writes the backend into the entry (ip_vs_update_conntrack). It
// rewrites packets without nf_nat, so that probes on nf_nat see none.
var ipvsSources = map[flow.NATSource]bool{flow.KFunc: true, flow.CTNetlink: true}

// TestIPVS balances a Service by IPVS in masquerading mode, as kube-proxy's ipvs mode does.
func TestIPVS(t *testing.T) {
	testkit.LoadModule(t, "ip_vs_rr")
	c := testkit.NewCluster(t)
	c.Node.Apply(testkit.IPTables, testkit.Rules{Pods: []netip.Prefix{testkit.PodsV4, testkit.PodsV6}})
	s := &stage{Cluster: c}
	to, backend := s.service(testkit.WebService, 80), s.at(c.Server2, testkit.TCPPort)
	c.Node.AddAddr("lo", netip.PrefixFrom(to.Addr(), 32).String())
	for _, args := range [][]string{
		{"-A", "-t", to.String(), "-s", "rr"}, {"-a", "-t", to.String(), "-r", backend.String(), "-m"},
	} {
		if _, err := c.Node.Run("", "ipvsadm", args...); err != nil {
			testkit.Lacks(t, "IPVS", err)
		}
	}
	c.Node.Sysctl("net.ipv4.vs.conntrack", "1")
	for _, source := range natSources {
		t.Run(source.String(), func(t *testing.T) {
			testkit.SinceKernel(t, source.since, source.String())
			runIPVS(t, s, observe(t, s.Node.NS, s.Pods(), source, 1), to, backend, ipvsSources[source.NATSource])
		})
	}
	t.Run("auto", func(t *testing.T) {
		runIPVS(t, s, observeAuto(t, s.Node.NS).observer, to, backend, true)
	})
	t.Run("without conntrack", func(t *testing.T) {
		s.Node.Sysctl("net.ipv4.vs.conntrack", "0")
		if got := translation(observeAuto(t, s.Node.NS).agent); !strings.Contains(got, "net.ipv4.vs.conntrack") {
			t.Errorf("the status says %q, want what hides the backends", got)
		}
	})
}

func runIPVS(t *testing.T, s *stage, reported *observer, to, backend netip.AddrPort, want bool) {
	client, _ := dial{from: client, network: "tcp", to: func(*stage) netip.AddrPort { return to }}.traffic(t, s)
	reported.stop()
	reported.mu.Lock()
	defer reported.mu.Unlock()
	found := false
	for id, sum := range reported.sums {
		t.Logf("record %+v fwd %+v rev %+v", id, sum.fwd, sum.rev)
		found = found || id.Src == client && id.Dst == to && id.Backend == backend && id.NAT == flow.DNAT
	}
	if found != want {
		t.Errorf("the record has the backend: %v, want %v", found, want)
	}
	entries, err := s.Node.Conntrack(false)
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range entries {
		if e.Orig.Src == client {
			t.Logf("conntrack %+v", e)
		}
	}
}
