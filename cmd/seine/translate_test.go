package main

import (
	"net/netip"
	"os"
	"regexp"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/testkit"
)

// dialService makes a connection of a pod through a Service.
func dialService(t *testing.T, c *testkit.Cluster) {
	t.Helper()
	conn, err := c.Client.Dial("tcp", serviceOf(c), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := testkit.Exchange(conn, 500, 2); err != nil {
		t.Fatal(err)
	}
	if err := testkit.Finish(conn); err != nil {
		t.Fatal(err)
	}
}

func serviceOf(c *testkit.Cluster) netip.AddrPort {
	return netip.AddrPortFrom(c.VIP(false, testkit.NearService), 80)
}

// bestMeans are the best means of a feature, by the first Linux version that has them, newest first.
var bestMeans = map[string][]struct{ since, means string }{
	"capture":     {{"6.6", "tcx"}, {"5.10", "clsact"}},
	"translation": {{"6.2", "kfunc"}, {"5.11", "fentry"}, {"5.10", "kprobe"}},
	"tcp":         {{"5.10", "tracepoints and iterator"}},
	"process":     {{"5.10", "tracepoints"}},
	"dns":         {{"5.10", "ring"}},
}

// checkMeans expects seine status to name the best means that this kernel has.
func checkMeans(t *testing.T) {
	t.Helper()
	status := seine(t, "status")
	for feature, best := range bestMeans {
		for _, b := range best {
			if !testkit.IsKernel(t, b.since) {
				continue
			}
			row := regexp.MustCompile(`(?m)^` + feature + ` +(live|degraded)(, idle)? +` + b.means + ` `)
			if !row.MatchString(status.out) {
				t.Errorf("seine status does not say that %s is by %s:\n%s", feature, b.means, status.out+status.errs)
			}
			break
		}
	}
}

// TestBackendShown has the program, left to choose how it works on this kernel, show what a pod dialled and who
// answered: the agent as NDJSON, run as lines for people.
func TestBackendShown(t *testing.T) {
	c := testkit.NewCluster(t)
	c.Node.Apply(testkit.IPTables, c.Rules())
	backend := netip.AddrPortFrom(c.Server1.V4, testkit.TCPPort)
	isShown := func(out string) bool {
		for _, r := range records(t, out) {
			if r.Dst.Addr == serviceOf(c).Addr().String() && r.Dst.Port == 80 && r.NAT == "dnat" &&
				r.Backend.Addr == backend.Addr().String() && r.Backend.Port == backend.Port() {
				return true
			}
		}
		return false
	}
	f := func(name string, isShown func(string) bool, args ...string) {
		t.Run(name, func(t *testing.T) {
			p := start(t, append(args, "--netns", c.Node.Path, "--node", name, "--interval", "1s")...)
			p.awaitReady(name)
			dialService(t, c)
			p.await("the connection with its backend", func() bool {
				out, _ := p.output()
				return isShown(out)
			})
			checkMeans(t)
			p.end(os.Interrupt).check(t)
		})
	}
	f("agent", isShown, "agent", "--export", "stdout", "-o", "json")
	f("run", isShown, "run", "-o", "json")
	f("table", func(out string) bool {
		return strings.Contains(out, " → "+serviceOf(c).String()+" ⇒ "+backend.String())
	}, "run")
}
