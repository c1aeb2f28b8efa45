package agent_test

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/miekg/dns"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

const (
	// dnsTimeout is short, so that the test is.
	dnsTimeout = 700 * time.Millisecond
	dnsLate    = 300 * time.Millisecond
)

// resolver answers as the first label of a name says.
type resolver struct{}

func (resolver) ServeDNS(w dns.ResponseWriter, query *dns.Msg) {
	m := new(dns.Msg).SetReply(query)
	q := query.Question[0]
	switch label, _, _ := strings.Cut(q.Name, "."); label {
	case "never":
		return
	case "nxdomain":
		m.Rcode = dns.RcodeNameError
	case "servfail":
		m.Rcode = dns.RcodeServerFailure
	case "truncated":
		m.Truncated = w.LocalAddr().Network() == "udp"
	case "late":
		time.Sleep(dnsLate)
	case "toolate":
		time.Sleep(dnsTimeout + dnsLate)
	}
	if m.Rcode == dns.RcodeSuccess && !m.Truncated {
		m.Answer = append(m.Answer, &dns.A{
			Hdr: dns.RR_Header{Name: q.Name, Rrtype: dns.TypeA, Class: dns.ClassINET, Ttl: 30}, A: net.IPv4(172, 30, 0, 9),
		})
	}
	_ = w.WriteMsg(m)
}

// serveDNS answers on port 53 of a namespace, until the test ends.
func serveDNS(t *testing.T, ns *testkit.NS) {
	t.Helper()
	var packets net.PacketConn
	var listener net.Listener
	if err := ns.Do(func() (err error) {
		if packets, err = net.ListenPacket("udp", ":53"); err != nil {
			return err
		}
		listener, err = net.Listen("tcp", ":53")
		return err
	}); err != nil {
		t.Fatalf("serve DNS: %v", err)
	}
	for _, server := range []*dns.Server{{PacketConn: packets, Handler: resolver{}}, {Listener: listener, Handler: resolver{}}} {
		ended := make(chan struct{})
		go func() { defer close(ended); _ = server.ActivateAndServe() }()
		t.Cleanup(func() {
			packets.Close()
			listener.Close()
			<-ended
		})
	}
}

// lookup asks once from a namespace and waits for the answer as long as asked.
func lookup(t *testing.T, ns *testkit.NS, network, name string, to netip.AddrPort, wait time.Duration) {
	t.Helper()
	conn, err := ns.Dial(network, to, 0)
	if err != nil {
		t.Fatalf("dial %v: %v", to, err)
	}
	defer conn.Close()
	c := &dns.Conn{Conn: conn}
	_ = conn.SetDeadline(time.Now().Add(wait))
	if err := c.WriteMsg(new(dns.Msg).SetQuestion(name, dns.TypeA)); err != nil {
		t.Fatalf("ask %v: %v", to, err)
	}
	if _, err := c.ReadMsg(); err != nil && !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("%s of %v: %v", name, to, err)
	}
}

// queries gathers the records of queries and of connections.
type queries struct {
	mu    sync.Mutex
	rows  []flow.Record
	flows []flow.Record
	stop  func() agent.Status
}

// watchDNS starts an agent on a namespace.
func watchDNS(t *testing.T, node *testkit.NS) *queries {
	t.Helper()
	cfg := agent.Config{Node: "node", Interval: interval, DNSTimeout: dnsTimeout}
	cfg.NetNS, cfg.DNSPorts = node.Path, []uint16{53}
	a, err := agent.New(cfg, slog.New(slog.NewTextHandler(t.Output(), nil)))
	if err != nil {
		t.Fatalf("start agent: %v", err)
	}
	q := &queries{}
	gather := func(to *[]flow.Record) func([]flow.Record) error {
		return func(batch []flow.Record) error {
			q.mu.Lock()
			defer q.mu.Unlock()
			*to = append(*to, batch...)
			return nil
		}
	}
	a.OnQueries(gather(&q.rows))
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, gather(&q.flows)) }()
	q.stop = sync.OnceValue(func() agent.Status {
		s := a.Status()
		cancel()
		if err := <-done; err != nil {
			t.Errorf("agent ended with %v", err)
		}
		return s
	})
	t.Cleanup(func() { q.stop() })
	return q
}

// row is what a test looks at of a query.
type row struct {
	name, rcode       string
	proto             flow.Proto
	src, dst, backend netip.Addr
	nat               flow.NAT
	retries           uint32
	truncated         bool
	answers           string
}

// String makes rows readable.
func (r row) String() string {
	return fmt.Sprintf("%s %s: %s %v → %v ⇒ %v (%v), %d retries, truncated %t, answers %q",
		r.name, r.rcode, r.proto, r.src, r.dst, r.backend, r.nat, r.retries, r.truncated, r.answers)
}

func (q *queries) all() (rows []row) {
	q.mu.Lock()
	defer q.mu.Unlock()
	for i := range q.rows {
		r := &q.rows[i]
		rows = append(rows, row{
			r.DNS.Name, r.DNS.RCode, r.Proto, r.Src.Addr, r.Dst.Addr, r.Backend.Addr, r.NAT, r.DNS.Retries, r.DNS.Truncated, r.DNS.Answers,
		})
	}
	return rows
}

// await waits until as many rows are there, and a little for any too many.
func (q *queries) await(t *testing.T, n int) {
	t.Helper()
	for deadline := time.Now().Add(15 * time.Second); len(q.all()) < n && time.Now().Before(deadline); {
		time.Sleep(50 * time.Millisecond)
	}
	time.Sleep(3 * interval)
}

// Each query of a client is one row, whatever it passes on its way to whichever backend, with what came of it.
func TestDNS(t *testing.T) {
	c := testkit.NewCluster(t)
	for _, ns := range []*testkit.NS{c.Server1.NS, c.Server2.NS, c.Server3.NS, c.Outside.NS, c.Node.NS} {
		serveDNS(t, ns)
	}
	rules := testkit.Rules{Pods: []netip.Prefix{testkit.PodsV4, testkit.PodsV6}}
	service := func(name string, v6 bool, n int, to netip.Addr) netip.AddrPort {
		vip := c.VIP(v6, n)
		for _, proto := range []string{"udp", "tcp"} {
			rules.Services = append(rules.Services, testkit.Service{
				Name: name + proto, Proto: proto, VIP: vip, Port: 53, Backends: []netip.AddrPort{netip.AddrPortFrom(to, 53)},
			})
		}
		return netip.AddrPortFrom(vip, 53)
	}
	near := service("near", false, 81, c.Server1.V4)
	near6 := service("near6", true, 81, c.Server1.V6)
	far := service("far", false, 82, c.Server3.V4)
	own := service("own", false, 83, c.Client.V4)
	serveDNS(t, c.Client.NS)
	c.Node.Apply(testkit.NFTables, rules)
	q := watchDNS(t, c.Node.NS)

	var want []row
	ask := func(from *testkit.Host, network, label string, to netip.AddrPort, backend netip.Addr, nat flow.NAT, rcode string) {
		t.Helper()
		name := fmt.Sprintf("%s.q%d.example", label, len(want))
		w := row{
			name: name, rcode: rcode, proto: map[string]flow.Proto{"udp": flow.UDP, "tcp": flow.TCP}[network],
			src: from.Addr(to.Addr().Is6()), dst: to.Addr(), backend: backend, nat: nat, truncated: label == "truncated" && network == "udp",
		}
		if rcode == "NOERROR" && !w.truncated {
			w.answers = "172.30.0.9"
		}
		if to.Addr().IsLoopback() {
			w.src = to.Addr()
		}
		want = append(want, w)
		lookup(t, from.NS, network, name+".", to, 2*dnsTimeout)
	}
	direct := netip.AddrPortFrom(c.Server2.V4, 53)
	for _, network := range []string{"udp", "tcp"} {
		ask(c.Client, network, "ok", near, c.Server1.V4, flow.DNAT, "NOERROR")
		ask(c.Client, network, "ok", near6, c.Server1.V6, flow.DNAT, "NOERROR")
		ask(c.Client, network, "ok", far, c.Server3.V4, flow.DNAT, "NOERROR")
		ask(c.Client, network, "ok", own, c.Client.V4, flow.DNAT|flow.SNAT, "NOERROR")
		ask(c.Client, network, "ok", direct, c.Server2.V4, 0, "NOERROR")
		ask(c.Client, network, "ok", netip.AddrPortFrom(c.Outside.V4, 53), c.Outside.V4, flow.SNAT, "NOERROR")
		ask(c.Node, network, "ok", near, c.Server1.V4, flow.DNAT|flow.SNAT, "NOERROR")
		ask(c.Node, network, "ok", netip.MustParseAddrPort("127.0.0.1:53"), netip.MustParseAddr("127.0.0.1"), 0, "NOERROR")
		ask(c.Client, network, "nxdomain", near, c.Server1.V4, flow.DNAT, "NXDOMAIN")
		ask(c.Client, network, "servfail", direct, c.Server2.V4, 0, "SERVFAIL")
		ask(c.Client, network, "truncated", near, c.Server1.V4, flow.DNAT, "NOERROR")
		ask(c.Client, network, "never", far, c.Server3.V4, flow.DNAT, flow.DNSTimeout)
		ask(c.Client, network, "late", near, c.Server1.V4, flow.DNAT, "NOERROR")
		ask(c.Client, network, "toolate", near, c.Server1.V4, flow.DNAT, flow.DNSTimeout)
	}
	q.await(t, len(want))
	got := q.all()
	for _, w := range want {
		if i := slices.Index(got, w); i < 0 {
			t.Errorf("no row %v", w)
		} else {
			got = slices.Delete(got, i, i+1)
		}
	}
	for _, g := range got {
		t.Errorf("row that is not wanted: %v", g)
	}
	q.checkLatency(t)
	for _, l := range q.stop().Losses {
		if l.Count > 0 && strings.HasPrefix(l.Reason, "dns_") && l.Reason != "dns_unmatched" {
			t.Errorf("lost %d by %s", l.Count, l.Reason)
		}
	}
}

// checkLatency wants late answers to be late, others not, and every row to be one of the client's node's, with its process.
func (q *queries) checkLatency(t *testing.T) {
	t.Helper()
	for i := range q.rows {
		r := &q.rows[i]
		latency := time.Duration(r.DNS.Latency) * time.Microsecond
		isLate := strings.HasPrefix(r.DNS.Name, "late.")
		switch {
		case r.DNS.RCode == flow.DNSTimeout:
			if latency != 0 || r.End-r.Start < flow.Time(dnsTimeout) {
				t.Errorf("%s: no answer after %v ns, latency %v", r.DNS.Name, r.End-r.Start, latency)
			}
		case latency <= 0 || isLate != (latency >= dnsLate):
			t.Errorf("%s: latency is %v", r.DNS.Name, latency)
		}
		if !r.Primary || r.Reporter != flow.Client || r.Iface == "" || r.Node != "node" {
			t.Errorf("%s: primary %t, reporter %v, iface %q, node %q", r.DNS.Name, r.Primary, r.Reporter, r.Iface, r.Node)
		}
		if r.Proto == flow.UDP && r.Src.Process.PID != uint32(os.Getpid()) {
			t.Errorf("%s: asked by process %d, want this one, %d", r.DNS.Name, r.Src.Process.PID, os.Getpid())
		}
	}
}

// A client that asks again before the timeout makes one row with retries; one after it makes two.
func TestDNSRetries(t *testing.T) {
	c := testkit.NewCluster(t)
	serveDNS(t, c.Server2.NS)
	q := watchDNS(t, c.Node.NS)
	conn, err := c.Client.NS.Dial("udp", netip.AddrPortFrom(c.Server2.V4, 53), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	m := new(dns.Msg).SetQuestion("never.again.example.", dns.TypeA)
	co := &dns.Conn{Conn: conn}
	for _, pause := range []time.Duration{dnsTimeout / 3, dnsTimeout / 3, dnsTimeout + 100*time.Millisecond, 0} {
		if err := co.WriteMsg(m); err != nil {
			t.Fatal(err)
		}
		time.Sleep(pause)
	}
	q.await(t, 2)
	var retries []uint32
	for _, r := range q.all() {
		if r.rcode != flow.DNSTimeout {
			t.Errorf("row %v is no timeout", r)
		}
		retries = append(retries, r.retries)
	}
	if slices.Sort(retries); !slices.Equal(retries, []uint32{0, 2}) {
		t.Errorf("rows have %v retries, want one with 2 and one with 0", retries)
	}
}

// A connection to an address that the client learnt by DNS bears the name.
func TestDNSNames(t *testing.T) {
	c := testkit.NewCluster(t)
	serveDNS(t, c.Server2.NS)
	c.Node.Apply(testkit.NFTables, testkit.Rules{Pods: []netip.Prefix{testkit.PodsV4, testkit.PodsV6}})
	q := watchDNS(t, c.Node.NS)
	lookup(t, c.Client.NS, "udp", "Api.Example.com.", netip.AddrPortFrom(c.Server2.V4, 53), time.Second)
	conn, err := c.Client.NS.Dial("tcp", netip.AddrPortFrom(c.Outside.V4, testkit.TCPPort), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := testkit.Exchange(conn, 100, 3); err != nil {
		t.Fatal(err)
	}
	other, err := c.Server2.NS.Dial("tcp", netip.AddrPortFrom(c.Outside.V4, testkit.TCPPort), 0)
	if err != nil {
		t.Fatal(err)
	}
	defer other.Close()
	q.await(t, 1)
	q.stop()
	named := 0
	for i := range q.flows {
		r := &q.flows[i]
		want := ""
		if r.Src.Addr == c.Client.V4 && r.Dst.Addr == c.Outside.V4 {
			want, named = "api.example.com", named+1
		}
		if r.Dst.DNSName != want || r.Backend.DNSName != want {
			t.Errorf("%s: names are %q and %q, want %q", flow.FormatPath(r), r.Dst.DNSName, r.Backend.DNSName, want)
		}
	}
	if named == 0 {
		t.Error("the connection has no record")
	}
}
