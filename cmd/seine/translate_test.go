package main

import (
	"net/netip"
	"os"
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
			status := seine(t, "status")
			t.Logf("%s", status.out+status.errs)
			p.end(os.Interrupt).check(t)
		})
	}
	f("agent", isShown, "agent", "--export", "stdout", "-o", "json")
	f("run", isShown, "run", "-o", "json")
	f("table", func(out string) bool {
		return strings.Contains(out, " → "+serviceOf(c).String()+" ⇒ "+backend.String())
	}, "run")
}
