package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"strconv"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// dropRules count what they drop: of UDP to one port as it is forwarded, to another as it goes out, to a third as it comes
// in from loopback.
const dropRules = `
table inet seinedrops {
	chain forward { type filter hook forward priority 10; udp dport 7001 counter name forwarded drop; }
	chain output { type filter hook output priority 10; udp dport 7002 counter name sent drop; }
	chain input { type filter hook input priority 10; iif lo udp dport 7003 counter name looped drop; }
	counter forwarded {}
	counter sent {}
	counter looped {}
}`

// counterOf reads a counter of dropRules.
func counterOf(t *testing.T, ns *testkit.NS, name string) (packets, bytes uint64) {
	t.Helper()
	out, err := ns.Run("", "nft", "list", "counter", "inet", "seinedrops", name)
	if err != nil {
		t.Fatal(err)
	}
	m := regexp.MustCompile(`packets (\d+) bytes (\d+)`).FindStringSubmatch(out)
	if m == nil {
		t.Fatalf("no counter in %q", out)
	}
	packets, _ = strconv.ParseUint(m[1], 10, 64)
	bytes, _ = strconv.ParseUint(m[2], 10, 64)
	return packets, bytes
}

// send sends datagrams of 100 bytes.
func sendDatagrams(t *testing.T, ns *testkit.NS, to netip.AddrPort, n int) {
	t.Helper()
	conn, err := ns.Dial("udp", to, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	for range n {
		_, _ = conn.Write(make([]byte, 100)) // What is dropped on the way out is an error of some.
	}
}

// Packets that rules drop are on their connection, as many as the rules counted; what was not dropped has none.
func TestDrops(t *testing.T) {
	c := testkit.NewCluster(t)
	if _, err := c.Node.Run(dropRules, "nft", "-f", "-"); err != nil {
		t.Fatal(err)
	}
	cfg := agent.Config{Node: "node", Interval: interval, PodSpaces: spaceNumbers(t, c.Pods())}
	cfg.NetNS = c.Node.Path
	a, err := agent.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	q := &queries{}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() {
		done <- a.Run(ctx, func(batch []flow.Record) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			q.flows = append(q.flows, batch...)
			return nil
		})
	}()
	sendDatagrams(t, c.Client.NS, netip.AddrPortFrom(c.Server2.V4, 7001), 7)
	sendDatagrams(t, c.Node.NS, netip.AddrPortFrom(c.Server2.V4, 7002), 5)
	sendDatagrams(t, c.Node.NS, netip.MustParseAddrPort("127.0.0.1:7003"), 3)
	healthy(t, c)
	time.Sleep(2 * interval)
	cancel()
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	type count struct {
		packets, bytes uint64
		reasons        map[flow.Drop]bool
	}
	got := make(map[uint16]*count)
	for i := range q.flows {
		r := &q.flows[i]
		if r.TotalFaults().DropPackets == 0 {
			if r.Drop != (flow.Drop{}) {
				t.Errorf("%s has drops for %v, and none", flow.FormatPath(r), r.Drop)
			}
			continue
		}
		k := got[r.Dst.Port]
		if k == nil {
			k = &count{reasons: make(map[flow.Drop]bool)}
			got[r.Dst.Port] = k
		}
		k.packets += r.FwdFaults.DropPackets
		k.bytes += r.FwdFaults.DropBytes
		k.reasons[r.Drop] = true
		if r.RevFaults.DropPackets != 0 || !r.Primary {
			t.Errorf("%s: %d drops from the server, primary %t", flow.FormatPath(r), r.RevFaults.DropPackets, r.Primary)
		}
	}
	for name, port := range map[string]uint16{"forwarded": 7001, "sent": 7002, "looped": 7003} {
		packets, bytes := counterOf(t, c.Node.NS, name)
		k := got[port]
		delete(got, port)
		if k == nil || k.packets != packets || k.bytes != bytes || packets == 0 {
			t.Errorf("%s: got %+v, the rule counted %d packets of %d bytes", name, k, packets, bytes)
			continue
		}
		for d := range k.reasons {
			if testkit.IsKernel(t, "5.17") && d.Reason != "NETFILTER_DROP" || d.Function == "" {
				t.Errorf("%s: dropped for %+v, want NETFILTER_DROP in some function", name, d)
			}
		}
	}
	for port, k := range got {
		t.Errorf("drops that nothing made, to port %d: %s", port, fmt.Sprint(*k))
	}
}

// healthy makes traffic of which nothing is dropped.
func healthy(t *testing.T, c *testkit.Cluster) {
	t.Helper()
	for _, network := range []string{"tcp", "udp"} {
		port := map[string]uint16{"tcp": testkit.TCPPort, "udp": testkit.UDPPort}[network]
		conn, err := c.Client.NS.Dial(network, netip.AddrPortFrom(c.Server2.V4, port), 0)
		if err != nil {
			t.Fatal(err)
		}
		if err := testkit.Exchange(conn, 1000, 20); err != nil {
			t.Error(err)
		}
		if network == "tcp" {
			if err := testkit.Finish(conn); err != nil {
				t.Error(err)
			}
		}
		conn.Close()
	}
}
