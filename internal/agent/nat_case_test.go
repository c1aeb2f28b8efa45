package agent_test

import (
	"net/netip"
	"slices"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// The ways to a server that cases dial.
var (
	client  = func(s *stage) *testkit.Host { return s.Client }
	outside = func(s *stage) *testkit.Host { return s.Outside }
	node    = func(s *stage) *testkit.Host { return s.Node }
)

func service(n int, port uint16) func(*stage) netip.AddrPort {
	return func(s *stage) netip.AddrPort { return s.service(n, port) }
}

func nodePort(port uint16) func(*stage) netip.AddrPort {
	return func(s *stage) netip.AddrPort { return s.at(s.Node, port) }
}

func direct(h func(*stage) *testkit.Host, port uint16) func(*stage) netip.AddrPort {
	return func(s *stage) netip.AddrPort { return s.at(h(s), port) }
}

var (
	server1 = func(s *stage) *testkit.Host { return s.Server1 }
	server2 = func(s *stage) *testkit.Host { return s.Server2 }
	server3 = func(s *stage) *testkit.Host { return s.Server3 }
)

const both = flow.DNAT | flow.SNAT

// natCases are the ways of a connection through a node. Each drives its traffic and returns the truth about it.
var natCases = []struct {
	name  string
	drive func(*testing.T, *stage) []truth
}{
	{"older than the agent", older},
	{"cluster ip", dial{client, "tcp", service(testkit.WebService, 80), flow.DNAT, false}.drive},
	{"cluster ip on one bridge", dial{client, "tcp", service(testkit.NearService, 80), flow.DNAT, false}.drive},
	{"cluster ip on the other node", dial{client, "tcp", service(testkit.FarService, 80), flow.DNAT, false}.drive},
	{"cluster ip, masquerade all", dial{client, "tcp", service(testkit.HiddenService, 80), both, false}.drive},
	{"interface counters", counters},
	{"masquerade", dial{client, "tcp", direct(outside, testkit.TCPPort), flow.SNAT, false}.drive},
	{"udp masquerade", dial{client, "udp", direct(outside, testkit.UDPPort), flow.SNAT, false}.drive},
	{"hairpin", dial{client, "tcp", service(testkit.SelfService, 80), both, false}.drive},
	{"node port", dial{outside, "tcp", nodePort(testkit.WebNodePort), both, false}.drive},
	{"node port, backend on the other node", dial{outside, "tcp", nodePort(testkit.FarNodePort), both, false}.drive},
	{"node port, local policy", dial{outside, "tcp", nodePort(testkit.LocalNodePort), flow.DNAT, false}.drive},
	{"host network client", dial{node, "tcp", service(testkit.WebService, 80), both, false}.drive},
	{"udp", dial{client, "udp", service(testkit.NameService, 53), flow.DNAT, false}.drive},
	{"icmp echo, cluster ip", ping(func(s *stage) netip.Addr { return s.VIP(s.v6, testkit.PingService) }, flow.DNAT)},
	{"icmp echo, masquerade", ping(func(s *stage) netip.Addr { return s.Outside.Addr(s.v6) }, flow.SNAT)},
	{"icmp error", closedPort},
	{"sctp", sctp},
	{"tuple reuse", reuse},
	{"no endpoints", noEndpoints},
	{"first packet flooded", dial{client, "tcp", service(testkit.NearService, 80), flow.DNAT, true}.drive},
	{"first packet flooded, untranslated", dial{client, "tcp", direct(server1, testkit.TCPPort), 0, true}.drive},
	{"plain on one bridge", dial{client, "tcp", direct(server1, testkit.TCPPort), 0, false}.drive},
	{"plain over two bridges", dial{client, "tcp", direct(server2, testkit.TCPPort), 0, false}.drive},
	{"plain over bridge and macvlan", dial{client, "tcp", direct(server3, testkit.TCPPort), 0, false}.drive},
	{"plain udp", dial{client, "udp", direct(server2, testkit.UDPPort), 0, false}.drive},
}

// portless are the cases that a look-up by TCP or UDP tuple cannot see.
var portless = map[string]bool{
	"icmp echo, cluster ip": true, "icmp echo, masquerade": true, "sctp": true,
}

// natSource is a source of translations that tests force.
type natSource struct {
	flow.NATSource
	// since is the Linux version from which it must work on, and wholeSince that from which it sees every protocol and
	// zone: before, tests of those leave it out.
	since, wholeSince string
	// traces needs the kernel's tracing, which a host may be built without or forbid.
	traces bool
}

// natKinds and natSources span the runs of the cases.
var (
	natKinds   = []testkit.RuleKind{testkit.IPTables, testkit.NFTables}
	natSources = []natSource{
		{flow.KFunc, "5.18", "6.2", false},
		{flow.FEntry, "5.11", "5.11", true},
		{flow.KProbe, "5.10", "5.10", true},
		{flow.CTNetlink, "5.10", "5.10", false},
	}
	families = []struct {
		name string
		v6   bool
	}{{"ipv4", false}, {"ipv6", true}}
)

// fewKinds are those of natKinds, or with go test -short the first: for tests whose outcome hardly depends on what kind
// of rules there are.
func fewKinds(t *testing.T) []testkit.RuleKind {
	t.Helper()
	if testing.Short() {
		t.Logf("%s only, as go test -short asks for", natKinds[0])
		return natKinds[:1]
	}
	return natKinds
}

// fewSources are the sources of this kernel, or with go test -short the best of them and conntrack's events: for tests
// whose outcome hardly depends on the source.
func fewSources(t *testing.T) []natSource {
	t.Helper()
	if !testing.Short() {
		return natSources
	}
	has := slices.DeleteFunc(slices.Clone(natSources), func(s natSource) bool { return !testkit.IsKernel(t, s.wholeSince) })
	few := []natSource{has[0], has[len(has)-1]}
	t.Logf("by %s and %s only, as go test -short asks for", few[0], few[1])
	return few
}

// TestNATCases sends each case's traffic through a node with an agent and holds all that it reports against
// conntrack, the interfaces and the senders. Where a VLAN or a bond would do, the way is by a macvlan, which is in more
// kernels. A case waits, once driven, for the agent's end to be checked.
func TestNATCases(t *testing.T) {
	for _, kind := range natKinds {
		t.Run(string(kind), func(t *testing.T) {
			t.Parallel()
			c := testkit.NewCluster(t)
			c.Node.Apply(kind, c.Rules())
			for _, source := range natSources {
				t.Run(source.String(), func(t *testing.T) { runCases(t, c, source) })
			}
		})
	}
}

func runCases(t *testing.T, c *testkit.Cluster, source natSource) {
	testkit.SinceKernel(t, source.since, source.String())
	stages := make([]*stage, len(families))
	for i, f := range families {
		stages[i] = &stage{Cluster: c, v6: f.v6}
		stages[i].older = mustDial(t, c.Client, "tcp", stages[i].service(testkit.WebService, 80), newPort())
		mustExchange(t, stages[i].older, messageSize, 1)
	}
	reported := observe(t, c.Node.NS, c.Pods(), source, 1)
	ran := 0
	for i, f := range families {
		for _, tt := range natCases {
			t.Run(f.name+"/"+tt.name, func(t *testing.T) {
				ran++
				if portless[tt.name] {
					testkit.SinceKernel(t, source.wholeSince, source.String()+" beyond TCP and UDP")
				}
				all := tt.drive(t, stages[i])
				t.Parallel()
				reported.check(t, all)
			})
		}
	}
	t.Cleanup(func() {
		if ran == len(families)*len(natCases) {
			reported.checkUnclaimed()
		}
	})
	reported.stop()
}
