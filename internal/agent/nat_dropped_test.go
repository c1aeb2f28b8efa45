package agent_test

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"regexp"
	"slices"
	"strconv"
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// droppedCase is a Service of which some backends get nothing: what is forwarded to them is dropped.
type droppedCase struct {
	name     string
	service  int
	backends func(*testkit.Cluster) []*testkit.Host
	silenced func(*testkit.Cluster) []*testkit.Host
}

var droppedCases = []droppedCase{
	{"the only one", testkit.FarService, hosts(3), hosts(3)},
	{"one of two", testkit.WebService, hosts(1, 2), hosts(2)},
	{"both", testkit.WebService, hosts(1, 2), hosts(1, 2)},
}

// hosts names servers of a cluster by number.
func hosts(numbers ...int) func(*testkit.Cluster) []*testkit.Host {
	return func(c *testkit.Cluster) (all []*testkit.Host) {
		for _, n := range numbers {
			all = append(all, []*testkit.Host{c.Server1, c.Server2, c.Server3}[n-1])
		}
		return all
	}
}

// silence drops what is forwarded to hosts, behind DNAT: the SYN's conntrack entry is never confirmed, so that the drop alone knows it.
func silence(t *testing.T, node *testkit.NS, kind testkit.RuleKind, hosts []*testkit.Host) {
	t.Helper()
	for _, h := range hosts {
		for _, v6 := range []bool{false, true} {
			tool, args, text := "iptables", []string{"-A", "FORWARD", "-d", h.Addr(v6).String(), "-j", "DROP"}, ""
			family := "ip"
			if v6 {
				tool, family = "ip6tables", "ip6"
			}
			if kind == testkit.NFTables {
				tool, args = "nft", []string{"-f", "-"}
				text = fmt.Sprintf("table inet silence {\n chain c {\n type filter hook forward priority 10;\n %s daddr %s counter drop\n }\n}\n", family, h.Addr(v6))
			}
			if _, err := node.Run(text, tool, args...); err != nil {
				t.Fatal(err)
			}
		}
	}
}

// silenced returns how many packets the rules of silence dropped.
func silenced(t *testing.T, node *testkit.NS, kind testkit.RuleKind, v6 bool) (n uint64) {
	t.Helper()
	tool, args, pattern := "iptables", []string{"-nvxL", "FORWARD"}, `(?m)^\s*(\d+)\s+\d+ DROP`
	if v6 {
		tool = "ip6tables"
	}
	if kind == testkit.NFTables {
		tool, args, pattern = "nft", []string{"list", "table", "inet", "silence"}, `\sip daddr .* packets (\d+)`
		if v6 {
			pattern = `\sip6 daddr .* packets (\d+)`
		}
	}
	out, err := node.Run("", tool, args...)
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(pattern).FindAllStringSubmatch("\n"+out, -1) {
		packets, _ := strconv.ParseUint(m[1], 10, 64)
		n += packets
	}
	return n
}

// TestDropsTranslated dials Services some of whose backends get nothing. Each attempt is one record an interval, with its
// Service, a backend, its drops, and whether it timed out.
func TestDropsTranslated(t *testing.T) {
	for _, kind := range fewKinds(t) {
		for _, tt := range droppedCases {
			t.Run(string(kind)+"/"+tt.name, func(t *testing.T) {
				c := testkit.NewCluster(t)
				c.Node.Apply(kind, c.Rules())
				c.Client.Sysctl("net.ipv4.tcp_syn_retries", "1")
				silence(t, c.Node.NS, kind, tt.silenced(c))
				for _, v6 := range []bool{false, true} {
					t.Run(map[bool]string{false: "IPv4", true: "IPv6"}[v6], func(t *testing.T) { runDropped(t, c, kind, &tt, v6) })
				}
			})
		}
	}
}

// attempts is the number of connections that are tried at once, from the ports behind attemptPort: other tests on this
// kernel have the same addresses.
const (
	attempts    = 8
	attemptPort = 51000
)

func runDropped(t *testing.T, c *testkit.Cluster, kind testkit.RuleKind, tt *droppedCase, v6 bool) {
	d := &dropWatch{attempts: make(map[netip.AddrPort]*attempt)}
	stop := d.watch(t, c)
	to := netip.AddrPortFrom(c.VIP(v6, tt.service), 80)
	var dialing sync.WaitGroup
	var mu sync.Mutex
	timeouts := 0
	for i := range attempts {
		dialing.Go(func() {
			conn, err := c.Client.Dial("tcp", to, uint16(attemptPort+i))
			if err == nil {
				conn.Close()
				return
			}
			mu.Lock()
			timeouts++
			mu.Unlock()
		})
	}
	dialing.Wait()
	time.Sleep(3 * interval)
	stop()
	var backends []netip.AddrPort
	for _, h := range tt.backends(c) {
		backends = append(backends, netip.AddrPortFrom(h.Addr(v6), testkit.TCPPort))
	}
	d.check(t, to, backends, timeouts, silenced(t, c.Node.NS, kind, v6))
	if all := len(tt.silenced(c)) == len(backends); all && timeouts != attempts {
		t.Errorf("%d of %d connections timed out", timeouts, attempts)
	}
}

// attempt is what is told of one connection.
type attempt struct {
	records []flow.Record
	// most is the largest number of records in one interval with one backend: each SYN may be led to another.
	most    int
	drops   uint64
	timeout bool
}

// dropWatch collects what an agent tells of TCP, by client.
type dropWatch struct {
	mu       sync.Mutex
	attempts map[netip.AddrPort]*attempt
}

// watch starts an agent, which stop ends.
func (d *dropWatch) watch(t *testing.T, c *testkit.Cluster) (stop func()) {
	t.Helper()
	cfg := agent.Config{Node: "node", Interval: interval, PodSpaces: spaceNumbers(t, c.Pods())}
	cfg.NetNS = c.Node.Path
	a, err := agent.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, d.take) }()
	return func() {
		cancel()
		if err := <-done; err != nil {
			t.Error(err)
		}
	}
}

func (d *dropWatch) take(batch []flow.Record) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	now := make(map[[2]netip.AddrPort]int)
	for i := range batch {
		r := &batch[i]
		client := r.Src.AddrPort()
		if r.Proto != flow.TCP || client.Port() < attemptPort || client.Port() >= attemptPort+attempts {
			continue
		}
		k := d.attempts[client]
		if k == nil {
			k = &attempt{}
			d.attempts[client] = k
		}
		way := [2]netip.AddrPort{client, r.Backend.AddrPort()}
		now[way]++
		k.most = max(k.most, now[way])
		k.records = append(k.records, *r)
		k.drops += r.FwdFaults.DropPackets
		k.timeout = k.timeout || r.TCP.Connect == flow.ConnectTimeout
	}
	return nil
}

func (d *dropWatch) check(t *testing.T, to netip.AddrPort, backends []netip.AddrPort, timeouts int, dropped uint64) {
	t.Helper()
	var drops uint64
	for client, k := range d.attempts {
		drops += k.drops
		if k.timeout {
			timeouts--
		}
		if k.most != 1 {
			t.Errorf("%v: %d records in one interval, of %+v", client, k.most, k.records)
		}
		for i := range k.records {
			r := &k.records[i]
			if r.Dst.AddrPort() != to || !slices.Contains(backends, r.Backend.AddrPort()) || r.NAT != flow.DNAT || r.SNAT != client || !r.Primary {
				t.Errorf("%s (%v, %d packets, %d drops), want %v, a backend of %v, primary", flow.FormatPath(r), r.NAT, r.Fwd.Packets, r.FwdFaults.DropPackets, to, backends)
			}
		}
	}
	if len(d.attempts) != attempts || timeouts != 0 || drops != dropped {
		t.Errorf("%d connections, want %d; %d timeouts untold; %d drops, the rules dropped %d", len(d.attempts), attempts, timeouts, drops, dropped)
		for client, k := range d.attempts {
			for i := range k.records {
				r := &k.records[i]
				t.Logf("%v %v..%v %s %v %d packets %d drops %v %+v", client, r.Start, r.End, flow.FormatPath(r), r.NAT, r.Fwd.Packets, r.FwdFaults.DropPackets, r.TCP.Connect, r.OrientedBy)
			}
		}
	}
}
