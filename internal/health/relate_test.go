package health

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// lookUp is a DNS query of a pod to one of the resolver's.
func lookUp(src, resolver flow.Endpoint, rcode string) flow.Record {
	r := connect(src, resolver)
	r.Proto, r.TCP = flow.UDP, flow.TCPHealth{}
	r.DNS = &flow.DNS{Name: "checkout.shop.svc.cluster.local", Type: "A", RCode: rcode, Latency: 700}
	return r
}

// TestOneFinding has faults with symptoms that other rules find, and expects the fault alone, with its symptoms counted.
func TestOneFinding(t *testing.T) {
	f := func(name string, healthy, ill func(i int) flow.Record, want ...string) {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.fill(75, 14, 60, healthy)
			s.fill(14, 0, 60, ill)
			s.check().expect(t, want...)
		})
	}
	resolving := func(i int) flow.Record {
		r := lookUp(pod("frontend", 1+i/6%2), pod("dns", 1+i/12%2), "NOERROR")
		switch i % 6 {
		case 4:
			r.DNS = nil
			return r
		case 5:
			return r
		}
		return calls(i)
	}
	f("a node that drops packets, of which segments are sent again and names are not found", resolving, func(i int) flow.Record {
		r := resolving(i)
		switch {
		case r.Backend.Node != "worker-2" || r.Src.Node == "worker-2":
		case r.DNS != nil:
			r.DNS.RCode, r.DNS.Latency = flow.DNSTimeout, 0
		default: // The other node tells what it dropped.
			r.Node, r.Primary, r.Reporter = "worker-2", false, flow.Server
			r.FwdFaults = flow.Faults{DropPackets: 2, Retransmits: 2}
			r.Drop.Reason = "NETFILTER_DROP"
		}
		return r
	}, "warning drops: node worker-2: 5.1 % of packets are dropped (476 of 9,260) by a rule of nftables or iptables (NETFILTER_DROP), on 4 edges, "+
		"since 14:06 (0 % in the hour before); also: retransmits on 3 edges and DNS timeouts on 1 edge")
	f("a link that loses packets, which no kernel drops", resolving, func(i int) flow.Record {
		r := resolving(i)
		switch {
		case r.Backend.Node != "worker-2" || r.Src.Node == "worker-2":
		case r.DNS != nil && i%2 == 1:
			r.DNS.RCode, r.DNS.Latency = flow.DNSTimeout, 0
		case r.Proto == flow.TCP:
			r.FwdFaults.Retransmits = 1
		}
		return r
	}, "warning retransmits: the way to node worker-2: 4.7 % of segments are sent again (210 of 4,500), on 3 edges, since 14:06 (0 % in the hour before); "+
		"also: DNS timeouts on 1 edge")
	f("a pod that gets no packets, by its Service and by itself", calls, func(i int) flow.Record {
		r := calls(i)
		if i%12 == 3 || i%12 == 9 { // Probes go to the pod itself.
			r = connect(pod("monitor", 1), pod("payments", 1+i/6%2))
			r.Dst, r.NAT = r.Backend, 0
		}
		if to(&r, "payments") && r.Backend.Node == "worker-1" {
			r = unanswered(r, flow.ConnectTimeout)
			r.FwdFaults = flow.Faults{Retransmits: 2, DropPackets: 3}
			r.Drop.Reason = "NETFILTER_DROP"
		}
		if to(&r, "checkout") {
			r.TCP.Lifetime = 2_000_000
		}
		return r
	}, "critical connect-timeout: shop/payments: 48 % of connects time out (210 of 440), for both clients, at pod payments-1 on node worker-1 alone, "+
		"since 14:06 (0 % in the hour before); packets are dropped on nodes worker-1 and worker-2 by a rule of nftables or iptables (NETFILTER_DROP); "+
		"also: retransmits on 2 edges and slow connections on 1 edge")
	f("a firewall that rejects", calls, func(i int) flow.Record {
		r := calls(i)
		if to(&r, "inventory") {
			r = unanswered(r, flow.ConnectUnreachable)
			r.Fwd = flow.Volume{Bytes: 74, Packets: 1}
			r.FwdFaults.DropPackets, r.Drop.Reason = 1, "NETFILTER_DROP"
		}
		return r
	}, "critical connect-unreachable: shop/payments → inventory: 93 % of connects are rejected as unreachable or prohibited (280 of 300) "+
		"since 14:06 (0 % in the hour before); packets are dropped on nodes worker-1 and worker-2 by a rule of nftables or iptables (NETFILTER_DROP)")
}

// TestNoAlarm has what happens in health, in numbers that mean nothing.
func TestNoAlarm(t *testing.T) {
	f := func(name string, count int, change func(i int, r *flow.Record)) {
		t.Run(name, func(t *testing.T) {
			s := newStage(t)
			s.fill(75, 0, 60, calls)
			s.fill(4, 3, count, func(i int) flow.Record {
				r := connect(pod("cron", 1), pod("backup", 2))
				change(i, &r)
				return r
			})
			s.check().expect(t)
		})
	}
	fails := func(how flow.Connect) func(int, *flow.Record) {
		return func(i int, r *flow.Record) {
			if i%2 == 0 {
				*r = unanswered(*r, how)
			}
		}
	}
	f("one connect of two", 2, fails(flow.ConnectTimeout))
	f("two connects of four", 4, fails(flow.ConnectRefused))
	f("one of one", 1, fails(flow.ConnectUnreachable))
	f("a SYN that is sent again", 4, func(_ int, r *flow.Record) { *r = hangs(*r) })
	f("a few dropped packets", 3, func(_ int, r *flow.Record) { r.FwdFaults.DropPackets, r.Drop.Reason = 2, "NETFILTER_DROP" })
	f("a few retransmits", 4, func(_ int, r *flow.Record) { r.FwdFaults.Retransmits = 1 })
	f("one query of two", 2, func(i int, r *flow.Record) {
		*r = lookUp(pod("cron", 1), pod("dns", 1), []string{flow.DNSTimeout, "NOERROR"}[i])
	})
	f("packets that come after a program has closed", 60, func(_ int, r *flow.Record) {
		r.FwdFaults.DropPackets, r.Drop.Reason = 2, "TCP_ABORT_ON_DATA"
	})
}

// TestByChance expects a share that grew to be told only where that is not likely by chance.
func TestByChance(t *testing.T) {
	r := &rules[ruleAt("resets-by-server")]
	f := func(bad, of, badBefore, ofBefore float64, want bool) {
		t.Helper()
		now, before := Facts{Bad: bad, Of: of}, Facts{Bad: badBefore, Of: ofBefore}
		if v, found := r.judge(now, before, sentencePeriods); found != want {
			t.Errorf("%g of %g after %g of %g: found %v, %+v", bad, of, badBefore, ofBefore, found, v)
		}
	}
	f(36, 122, 6, 32, false)
	f(72, 122, 6, 32, true)
	f(5, 20, 0, 4, false)
	f(30, 100, 0, 400, true)
	f(1220, 4000, 800, 4000, true)
	f(60, 60, 60, 60, false)
}

// TestSlowForLong expects what is slow to be told still, though a third of the baseline is.
func TestSlowForLong(t *testing.T) {
	s := newStage(t)
	s.fill(75, 35, 60, queries)
	s.fill(35, 0, 60, func(i int) flow.Record {
		r := queries(i)
		r.DNS.Latency += 300_000
		return r
	})
	s.check().expect(t, "critical dns-slow: shop/dns: DNS answers take 300.7 ms (p90), for all 3 clients, since 13:45 (700 µs in the hour before)")
}

// TestSilentNode expects what stopped with a node's agent to be told with it, as it alone reported that.
func TestSilentNode(t *testing.T) {
	s := newStage(t)
	visits := func(i int) flow.Record {
		r := calls(i)
		if i%6 == 0 {
			r = connect(pod("visitor", 3), pod("frontend", 1))
		}
		return r
	}
	s.fill(75, 15, 60, visits)
	s.fill(15, 0, 60, calls)
	s.check().expect(t, "critical node-silent: node worker-3: its agent fell silent since 14:05; also: stopped traffic on 1 edge")
}
