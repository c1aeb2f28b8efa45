package health

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// now is the end of the periods of these tests.
var now = time.Date(2026, 3, 1, 14, 20, 0, 0, time.UTC)

// stage is a store that is filled with the traffic of a small cluster, minute by minute.
type stage struct {
	t       testing.TB
	store   *local.Store
	records []flow.Record
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s, err := local.Open(local.Config{Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &stage{t: t, store: s}
}

// pod is a pod of a workload on a node; a Service has the name of its workload.
func pod(workload string, node int) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 244, byte(node), byte(len(workload))}), Port: 8080,
		Identity: flow.Identity{
			Kind: flow.Pod, Namespace: "shop", Name: fmt.Sprintf("%s-%d", workload, node),
			Workload: flow.Workload{Kind: "Deployment", Name: workload}, Node: fmt.Sprintf("worker-%d", node), Service: workload,
		},
	}
}

func service(name string) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 96, 0, byte(len(name))}), Port: 80,
		Identity: flow.Identity{Kind: flow.Service, Namespace: "shop", Name: name, Service: name},
	}
}

// connect returns a connection from a pod through a Service to a pod.
func connect(src, backend flow.Endpoint) flow.Record {
	return flow.Record{
		Proto: flow.TCP, Src: src, Dst: service(backend.Workload.Name), Backend: backend, NAT: flow.DNAT,
		Fwd: flow.Volume{Bytes: 1000, Packets: 10}, Rev: flow.Volume{Bytes: 5000, Packets: 10},
		Node: src.Node, Reporter: flow.Client, Primary: true, Sampling: 1,
		TCP: flow.TCPHealth{Connect: flow.ConnectOK, RTT: 400, Handshake: 300, Lifetime: 5000},
	}
}

// unanswered returns a connect that ended otherwise.
func unanswered(r flow.Record, how flow.Connect) flow.Record {
	r.TCP = flow.TCPHealth{Connect: how}
	r.Rev = flow.Volume{}
	return r
}

// hangs returns a connect that goes on while its SYN is sent again.
func hangs(r flow.Record) flow.Record {
	r = unanswered(r, 0)
	r.TCP.State, r.FwdFaults.Retransmits = flow.TCPSynSent, 1
	return r
}

// fill adds records for each of the minutes before now, from the one that is so long ago up to another. Each minute has
// count of what record returns for its number.
func (s *stage) fill(from, until, count int, record func(i int) flow.Record) {
	for minute := from; minute > until; minute-- {
		for i := range count {
			r := record(i)
			end := now.Add(-time.Duration(minute)*time.Minute + time.Duration(i)*time.Minute/time.Duration(count))
			r.Start, r.End = flow.Time(end.UnixNano()), flow.Time(end.UnixNano())
			s.records = append(s.records, r)
		}
	}
}

// flush stores what was filled in.
func (s *stage) flush() {
	s.t.Helper()
	for _, dataset := range []string{"flows", "dns"} {
		isDNS := dataset == "dns"
		s.keep(dataset, slices.DeleteFunc(slices.Clone(s.records), func(r flow.Record) bool { return (r.DNS != nil) != isDNS }))
	}
	s.records = nil
}

func (s *stage) keep(dataset string, records []flow.Record) {
	s.t.Helper()
	d, ok := columns.ByName(dataset)
	if !ok {
		s.t.Fatalf("no dataset %s", dataset)
	}
	builder := columns.NewBuilder(d, columns.MaxRows)
	for rest := records; len(rest) > 0; {
		rest = rest[builder.Append(rest):]
		batch := builder.NewBatch()
		if err := s.store.Append(s.t.Context(), store.Batch{Dataset: dataset, Rows: batch}); err != nil {
			s.t.Fatal(err)
		}
		batch.Release()
	}
}

// check returns the report on the last 15 minutes against the hour before.
func (s *stage) check() *Report {
	s.t.Helper()
	s.flush()
	r, err := New(s.store, nil).Check(context.Background(), Request{To: now})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// expect compares sentences, without their zone, with those wanted.
func (r *Report) expect(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, f := range r.Findings {
		got = append(got, string(f.Severity)+" "+f.Rule+": "+strings.ReplaceAll(f.Sentence, " UTC", ""))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// calls is healthy traffic of the shop: frontend calls checkout, checkout payments, payments inventory.
func calls(i int) flow.Record {
	chain := []string{"frontend", "checkout", "payments", "inventory"}
	k := i % 3
	return connect(pod(chain[k], 1+i/3%2), pod(chain[k+1], 1+i/6%2))
}

// from returns traffic that is as calls but for what change does to some records, from so many minutes ago on.
func (s *stage) broken(since int, change func(i int, r *flow.Record)) {
	s.fill(75, since, 60, calls)
	s.fill(since, 0, 60, func(i int) flow.Record {
		r := calls(i)
		change(i, &r)
		return r
	})
}

func to(r *flow.Record, workload string) bool { return r.Backend.Workload.Name == workload }

func TestHealthy(t *testing.T) {
	s := newStage(t)
	s.fill(75, 0, 60, calls)
	r := s.check()
	r.expect(t)
	if r.Checked.Edges != 3 || r.Checked.Nodes != 2 || r.Checked.Rules != len(rules) || len(r.Notes) > 0 {
		t.Errorf("got %+v, notes %q", r.Checked, r.Notes)
	}
}

// TestNoBaseline expects what compares to be left out, and said to be.
func TestNoBaseline(t *testing.T) {
	s := newStage(t)
	s.fill(16, 0, 60, func(i int) flow.Record {
		r := calls(i)
		r.TCP.RTT = 900_000
		return r
	})
	r := s.check()
	r.expect(t)
	if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "too few records") {
		t.Errorf("notes %q", r.Notes)
	}
}

// TestFindings has a fault each, and expects what names it, and nothing beside.
func TestFindings(t *testing.T) {
	f := func(name string, since int, change func(i int, r *flow.Record), want ...string) {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.broken(since, change)
			s.check().expect(t, want...)
		})
	}
	f("timeouts", 10, func(i int, r *flow.Record) {
		if to(r, "payments") && i%2 == 1 {
			*r = unanswered(*r, flow.ConnectTimeout)
			r.FwdFaults.Retransmits = 2
		}
	}, "critical connect-timeout: shop/checkout → payments: 33 % of connects time out (100 of 300) since 14:10 (0 % in the hour before); also: retransmits on 1 edge")
	f("timeouts at one pod", 10, func(_ int, r *flow.Record) {
		if to(r, "payments") && r.Backend.Node == "worker-1" {
			*r = unanswered(*r, flow.ConnectTimeout)
		}
	}, "critical connect-timeout: shop/checkout → payments: 33 % of connects time out (100 of 300), at pod payments-1 on node worker-1 alone, since 14:10 (0 % in the hour before)")
	f("connects that nobody gives up", 10, func(i int, r *flow.Record) {
		if to(r, "payments") && i%2 == 1 {
			*r = hangs(*r)
		}
	}, "warning connect-unanswered: shop/checkout → payments: 33 % of attempts to connect wait without an answer (100 of 300) since 14:10 (0 % in the hour before); "+
		"also: retransmits on 1 edge")
	f("connects that are given up after long", 10, func(i int, r *flow.Record) {
		if to(r, "payments") && i%2 == 1 {
			if *r = hangs(*r); i%4 == 1 {
				*r = unanswered(*r, flow.ConnectTimeout)
			}
		}
	}, "critical connect-timeout: shop/checkout → payments: 20 % of connects time out (50 of 250), at pod payments-1 on node worker-1 alone, since 14:10 "+
		"(0 % in the hour before); also: retransmits on 1 edge")
	f("one failure", 10, func(i int, r *flow.Record) {
		if to(r, "payments") && i == 0 && r.End == 0 {
			*r = unanswered(*r, flow.ConnectTimeout)
		}
	})
	f("no endpoints", 5, func(_ int, r *flow.Record) {
		if to(r, "payments") {
			*r = unanswered(*r, flow.ConnectUnreachable)
			r.NAT, r.Backend = 0, r.Dst
		}
	}, "critical service-without-endpoints: shop/checkout → payments: 33 % of connects fail, as the Service has no ready endpoints (100 of 300) since 14:15 (0 % in the hour before)")
	f("refused by a Service for all clients", 15, func(i int, r *flow.Record) {
		if i%6 < 3 {
			*r = connect(pod([]string{"frontend", "visitor", "batch"}[i%3], 1), pod("payments", 1+i/6%2))
			if i/12%2 == 0 {
				*r = unanswered(*r, flow.ConnectRefused)
			}
		}
	}, "critical connect-refused: shop/payments: 45 % of connects are refused (270 of 600), for 3 of 4 clients, since 14:05 (0 % in the hour before)")
	f("segments lost on the way to a node", 15, func(_ int, r *flow.Record) {
		if r.Backend.Node == "worker-2" && r.Src.Node == "worker-1" {
			r.FwdFaults.Retransmits = 1
		}
	}, "warning retransmits: the way to node worker-2: 2.5 % of segments are sent again (225 of 9,000), on 3 edges, since 14:05 (0 % in the hour before)")
	f("drops at a node", 15, func(_ int, r *flow.Record) {
		if r.Src.Node == "worker-1" {
			r.FwdFaults.DropPackets, r.Drop.Reason = 1, "NETFILTER_DROP"
		}
	}, "warning drops: node worker-1: 5 % of packets are dropped (450 of 9,000) by a rule of nftables or iptables (NETFILTER_DROP), on 3 edges, since 14:05 (0 % in the hour before)")
	f("refused, with drops at the closed port, and connects that no packet was counted of", 10, func(i int, r *flow.Record) {
		if to(r, "payments") {
			*r = unanswered(*r, flow.ConnectRefused)
			r.FwdFaults.DropPackets, r.Drop.Reason, r.TCP.ResetBy = 1, "NO_SOCKET", flow.ResetByServer
			if i%2 == 0 {
				r.NAT, r.Backend = 0, r.Dst
			}
		}
	}, "critical connect-refused: shop/checkout → payments: 67 % of connects are refused (200 of 300) since 14:10 (0 % in the hour before)")
	f("slow backend", 8, func(_ int, r *flow.Record) {
		if to(r, "payments") || to(r, "checkout") {
			r.TCP.Lifetime += 400_000
		}
	}, "warning slow-connections: shop/checkout → payments: the median connection lasts 404.5 ms since 14:12 (5.0 ms in the hour before); also: slow connections on 1 more edge")
	f("slow path", 15, func(_ int, r *flow.Record) {
		if to(r, "payments") {
			r.TCP.RTT, r.TCP.Handshake = 30_400, 30_300
		}
	},
		"critical slow-network: shop/checkout → payments: the round-trip time (p90) is 30.4 ms since 14:05 (400 µs in the hour before); "+
			"also: slow handshakes on 1 edge")
	f("resets", 10, func(i int, r *flow.Record) {
		if to(r, "payments") && i%2 == 0 {
			r.TCP.Resets, r.TCP.ResetBy = 1, flow.ResetByServer
		}
	}, "warning resets-by-server: shop/checkout → payments: the server resets 33 % of connections (100 of 300) since 14:10 (0 % in the hour before)")
	f("a server that does not read", 10, func(_ int, r *flow.Record) {
		if to(r, "payments") {
			r.RevFaults.ZeroWindows = 2
		}
	}, "warning server-stalls: shop/checkout → payments: the server takes no data in 13 % of its segments (400 of 3,000) since 14:10 (0 % in the hour before)")
	f("a full queue", 10, func(_ int, r *flow.Record) {
		if to(r, "payments") {
			r.TCP.ListenDrops = 1
		}
	}, "critical accept-queue-full: shop/checkout → payments: the server's accept queue is full for 67 % of connects (200 of 300) since 14:10 (0 % in the hour before)")
	f("a node that falls silent", 15, func(_ int, r *flow.Record) {
		if r.Node == "worker-2" {
			r.Node = "worker-1"
		}
	}, "critical node-silent: node worker-2: its agent fell silent since 14:05")
}

// queries is healthy DNS: each workload asks for what it calls, and often, by a search domain, for what is not.
func queries(i int) flow.Record {
	r := calls(i)
	r.Proto, r.Dst, r.Backend = flow.UDP, service("dns"), pod("dns", 1+i%2)
	r.TCP = flow.TCPHealth{}
	r.DNS = &flow.DNS{Name: "checkout", Type: "A", RCode: "NOERROR", Latency: 700}
	if i%5 == 0 {
		r.DNS.RCode = "NXDOMAIN"
	}
	return r
}

func TestDNS(t *testing.T) {
	f := func(name string, change func(i int, d *flow.DNS), want ...string) {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.fill(75, 10, 60, queries)
			s.fill(10, 0, 60, func(i int) flow.Record {
				r := queries(i)
				change(i, r.DNS)
				return r
			})
			s.check().expect(t, want...)
		})
	}
	f("healthy", func(int, *flow.DNS) {})
	f("silent", func(i int, d *flow.DNS) {
		if i%2 == 0 {
			d.RCode, d.Latency = flow.DNSTimeout, 0
		}
	}, "critical dns-timeout: shop/dns: 33 % of DNS queries time out (300 of 900), for all 3 clients, at pod dns-1 on node worker-1 alone, since 14:10 (0 % in the hour before)")
	f("failing", func(i int, d *flow.DNS) {
		if i%4 < 2 {
			d.RCode = "SERVFAIL"
		}
	}, "critical dns-failure: shop/dns: 33 % of DNS queries fail (300 of 900), for all 3 clients, most of them for checkout, since 14:10 (0 % in the hour before)")
	f("denying", func(i int, d *flow.DNS) {
		if i%3 == 0 {
			d.RCode = "NXDOMAIN"
		}
	}, "warning dns-nxdomain: shop/frontend → dns: 73 % of DNS queries are for names that do not exist (220 of 300), most of them for checkout, since 14:10 (20 % in the hour before)")
	f("slow", func(_ int, d *flow.DNS) { d.Latency += 300_000 },
		"critical dns-slow: shop/dns: DNS answers take 299.6 ms (p90), for all 3 clients, since 14:10 (700 µs in the hour before)")
}

// TestWithin leaves out what has no end in the namespaces.
func TestWithin(t *testing.T) {
	s := newStage(t)
	s.broken(10, func(_ int, r *flow.Record) {
		if to(r, "payments") {
			*r = unanswered(*r, flow.ConnectRefused)
		}
	})
	s.flush()
	for namespace, want := range map[string]int{"shop": 1, "other": 0} {
		r, err := New(s.store, nil).Check(t.Context(), Request{To: now, Namespaces: []string{namespace}})
		if err != nil || len(r.Findings) != want || r.Checked.Nodes != 0 {
			t.Errorf("within %s: %v, %+v; want %d findings", namespace, err, r, want)
		}
	}
	if r, err := New(s.store, nil).Check(t.Context(), Request{To: now, Namespaces: []string{}}); err != nil || r.Checked.Edges != 0 {
		t.Errorf("within nothing: %v, %+v", err, r)
	}
}

// TestOver expects what is well again to be told as such.
func TestOver(t *testing.T) {
	s := newStage(t)
	s.fill(75, 12, 60, calls)
	s.fill(12, 8, 60, func(i int) flow.Record {
		if r := calls(i); to(&r, "payments") {
			return unanswered(r, flow.ConnectRefused)
		}
		return calls(i)
	})
	s.fill(8, 0, 60, calls)
	s.check().expect(t,
		"info connect-refused: shop/checkout → payments: 27 % of connects are refused (80 of 300) from 14:08 to 14:12 (0 % in the hour before)")
}

func TestStopped(t *testing.T) {
	s := newStage(t)
	s.fill(75, 8, 60, calls)
	s.fill(8, 0, 60, func(i int) flow.Record { return calls(i - i%3) })
	s.check().expect(t) // Half of the period is not long enough to be sure.
	r := newStage(t)
	r.fill(75, 16, 60, calls)
	r.fill(16, 0, 60, func(i int) flow.Record { return calls(i - i%3) })
	r.check().expect(t,
		"warning traffic-stopped: shop/checkout → payments: traffic fell to 0 B/s since 14:04 (1.9 KiB/s in the hour before); "+
			"also: stopped traffic on 1 more edge")
}

// TestStoppedByRefusals expects one finding where the server that refuses calls no one any more.
func TestStoppedByRefusals(t *testing.T) {
	s := newStage(t)
	s.fill(75, 15, 60, calls)
	s.fill(15, 0, 60, func(i int) flow.Record { return unanswered(calls(i-i%3), flow.ConnectRefused) })
	s.check().expect(t, "critical connect-refused: shop/frontend → checkout: 100 % of connects are refused (900 of 900) since 14:05 "+
		"(0 % in the hour before); also: stopped traffic on 2 edges")
}
