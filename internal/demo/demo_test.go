package demo

import (
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The clusters of the tests: each way of translating, with and without bridged packets in netfilter.
var variants = []struct {
	name string
	Options
}{
	{"nftables", Options{Rules: "nftables"}},
	{"iptables", Options{Rules: "iptables"}},
	{"nftables routed", Options{Rules: "nftables", routed: true}},
	{"iptables routed", Options{Rules: "iptables", routed: true}},
}

func TestServices(t *testing.T) {
	for _, v := range variants {
		t.Run(v.name, func(t *testing.T) {
			c := up(t, v.Options)
			if c.Rules() != v.Rules {
				t.Errorf("rules are %s, want %s", c.Rules(), v.Rules)
			}
			if v.routed {
				hideBridgedPackets(t, c)
			}
			checkPodSpaces(t, c)
			for _, f := range families {
				t.Run(map[family]string{4: "v4", 6: "v6"}[f], func(t *testing.T) { testServices(t, c, f) })
			}
		})
	}
}

// checkPodSpaces expects each node to tell the network namespaces of its own pods.
func checkPodSpaces(t *testing.T, c *Cluster) {
	t.Helper()
	for _, n := range c.Nodes() {
		var want []string
		for _, p := range podPlans() {
			if p.node.name == n.Name {
				want = append(want, namespacesOf(t, []int{c.procs[p.process()].pid()})...)
			}
		}
		var got []string
		for _, number := range n.PodSpaces {
			got = append(got, fmt.Sprintf("net:[%d]", number))
		}
		diff(t, got, want)
	}
}

// hideBridgedPackets makes the nodes as they are without br_netfilter.
func hideBridgedPackets(t *testing.T, c *Cluster) {
	t.Helper()
	for _, n := range c.Nodes() {
		for _, s := range bridgeSysctls {
			s.value = "0"
			if err := inside(n.NetNS, s.write); err != nil && !errors.Is(err, fs.ErrNotExist) {
				t.Fatal(err)
			}
		}
	}
}

// testServices calls each kind of Service by one IP version.
func testServices(t *testing.T, c *Cluster, f family) {
	visitor := pod(t, "visitor", 0)
	gateway := func(n int) netip.Addr { return f.of(podAddrs(n, 1)) }
	own := func(p podPlan) netip.Addr { return f.of(p.addrs) }

	t.Run("cluster IP reaches every backend unmasqueraded", func(t *testing.T) {
		got := callers(t, c, visitor.process(), call{Kind: httpCall, Target: httpURL("payments", "shop", pingPath), Family: f})
		want := map[string]netip.Addr{pod(t, "payments", 0).process(): own(visitor), pod(t, "payments", 1).process(): own(visitor)}
		diff(t, got, want)
	})
	t.Run("chain", func(t *testing.T) {
		o := ask(t, c, visitor.process(), call{Kind: httpCall, Target: httpURL("frontend", "shop", "/"), Family: f})
		wantStatus(t, o, 200)
	})
	t.Run("headless Service is reached at the pods' addresses", func(t *testing.T) {
		o := ask(t, c, visitor.process(), call{Kind: dnsCall, Target: domainName("inventory", "shop"), Family: f})
		slices.SortFunc(o.Addrs, netip.Addr.Compare)
		want := []netip.Addr{own(pod(t, "inventory", 0)), own(pod(t, "inventory", 1))}
		slices.SortFunc(want, netip.Addr.Compare)
		if o.RCode != "NOERROR" || !slices.Equal(o.Addrs, want) {
			t.Errorf("got %+v, want %v", o, want)
		}
	})
	t.Run("DNS over TCP", func(t *testing.T) {
		o := ask(t, c, visitor.process(), call{Kind: dnsCall, Target: domainName("checkout", "shop"), Family: f, TCP: true})
		if o.RCode != "NOERROR" || len(o.Addrs) != 1 {
			t.Errorf("got %+v, want one address", o)
		}
	})
	t.Run("UDP", func(t *testing.T) {
		got := callers(t, c, visitor.process(), call{Kind: udpCall, Target: domainName("echo", "tools") + ":7", Family: f})
		diff(t, got, map[string]netip.Addr{pod(t, "echo", 0).process(): own(visitor)})
	})
	t.Run("hairpin is masqueraded", func(t *testing.T) {
		echo := pod(t, "echo", 0)
		got := callers(t, c, echo.process(), call{Kind: udpCall, Target: domainName("echo", "tools") + ":7", Family: f})
		diff(t, got, map[string]netip.Addr{echo.process(): gateway(echo.node.number)})
	})
	t.Run("TCP hairpin is masqueraded, the way to the other backend is not", func(t *testing.T) {
		one, two := pod(t, "frontend", 0), pod(t, "frontend", 1)
		got := callers(t, c, one.process(), call{Kind: httpCall, Target: httpURL("frontend", "shop", pingPath), Family: f})
		diff(t, got, map[string]netip.Addr{one.process(): gateway(1), two.process(): own(one)})
	})
	t.Run("node port from outside is masqueraded", func(t *testing.T) {
		got := callers(t, c, internetName, call{Kind: httpCall, Target: nodePortURL(0, f) + "ping", Family: f})
		want := map[string]netip.Addr{
			pod(t, "frontend", 0).process(): gateway(1),
			pod(t, "frontend", 1).process(): f.of(nodePlans[0].addrs()),
		}
		diff(t, got, want)
	})
	t.Run("host-network client", func(t *testing.T) {
		target := "http://" + netip.AddrPortFrom(f.of(serviceAddrs(21)), 80).String() + pingPath
		got := callers(t, c, "worker-1", call{Kind: httpCall, Target: target, Family: f})
		want := map[string]netip.Addr{
			pod(t, "checkout", 0).process(): f.of(nodePlans[0].addrs()),
			pod(t, "checkout", 1).process(): gateway(1),
		}
		diff(t, got, want)
	})
	t.Run("pods leave the cluster masqueraded", func(t *testing.T) {
		got := callers(t, c, visitor.process(), call{Kind: httpCall, Target: "http://" + partnerName + "/", Family: f})
		diff(t, got, map[string]netip.Addr{internetName: f.of(nodePlans[0].addrs())})
	})
	t.Run("missing name", func(t *testing.T) {
		o := ask(t, c, visitor.process(), call{Kind: httpCall, Target: httpURL("cart", "shop", "/"), Family: f})
		wantError(t, o, "NXDOMAIN")
	})
	// On veth links the reject may arrive while connect(2) still holds the socket; the kernel drops it then
	// (LockDroppedIcmps) and the SYN sent again after 1 s meets the next one. So a second is no fault of the rules.
	t.Run("Service without endpoints is refused", func(t *testing.T) {
		o := ask(t, c, visitor.process(), call{Kind: httpCall, Target: httpURL("legacy", "shop", "/"), Family: f})
		wantError(t, o, "connection refused")
	})
	t.Run("broken Service", func(t *testing.T) { testBroken(t, c, visitor.process(), f) })
}

// testBroken calls the failing Service through one turn of its four answers.
func testBroken(t *testing.T, c *Cluster, from string, f family) {
	got := map[string]int{}
	for range 4 {
		o := ask(t, c, from, call{Kind: httpCall, Target: httpURL("broken", "shop", "/"), Family: f})
		switch {
		case o.Status == 200 && o.Error == "":
			got["ok"]++
		case o.Status == 500:
			got["500"]++
		case strings.Contains(o.Error, "connection reset"):
			got["reset"]++
		default:
			t.Errorf("got %+v", o)
		}
	}
	diff(t, got, map[string]int{"ok": 1, "500": 2, "reset": 1})
}

// callers makes the call often enough to meet each of two backends (else one time in a billion), and returns which
// process answered and whom it saw as the client.
func callers(t *testing.T, c *Cluster, from string, request call) map[string]netip.Addr {
	t.Helper()
	seen := map[string]netip.Addr{}
	for range 30 {
		o := ask(t, c, from, request)
		if o.Error != "" || o.Status != 0 && o.Status != 200 {
			t.Fatalf("%s calls %s: %+v", from, request.Target, o)
		}
		seen[o.Answered] = o.Client.Addr()
		if len(seen) == 2 {
			break
		}
	}
	return seen
}

func diff[T any](t *testing.T, got, want T) {
	t.Helper()
	if d := cmp.Diff(want, got, cmp.Comparer(func(a, b netip.Addr) bool { return a == b })); d != "" {
		t.Errorf("unexpected (-want +got):\n%s", d)
	}
}

func wantStatus(t *testing.T, o outcome, status int) {
	t.Helper()
	if o.Error != "" || o.Status != status {
		t.Errorf("got %+v, want status %d", o, status)
	}
}

func wantError(t *testing.T, o outcome, part string) {
	t.Helper()
	if !strings.Contains(o.Error, part) {
		t.Errorf("got %+v, want an error with %q", o, part)
	}
}
