package main

import (
	"os"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// shopQueries are three queries of frontend, of which the last got no answer.
func shopQueries() []flow.Record {
	var all []flow.Record
	for i, name := range []string{"cart.shop", "orders.shop", "stock.shop"} {
		r := shopRecords()[2]
		r.Start += flow.Time(i * 1000)
		r.End = r.Start
		r.DNS = &flow.DNS{Name: name, Type: "A", RCode: "NOERROR", Latency: 900}
		if name == "stock.shop" {
			r.DNS.RCode, r.DNS.Latency = flow.DNSTimeout, 0
		}
		all = append(all, r)
	}
	return all
}

func TestRows(t *testing.T) {
	s := serve(t)
	records := shopRecords()
	records[1].FwdFaults.DropPackets, records[1].Drop = 3, flow.Drop{Reason: "NETFILTER_DROP", Function: "nf_hook_slow"}
	s.feed(records)
	s.feedQueries(shopQueries())
	f := func(args string, code int, want ...string) {
		t.Helper()
		got := s.ask(strings.Fields(args)...)
		if got.code != code {
			t.Errorf("%s: exit code %d, want %d; errors %q", args, got.code, code, got.errs)
		}
		for _, part := range want {
			if unwanted, ok := strings.CutPrefix(part, "!"); ok == strings.Contains(got.out+got.errs, unwanted) {
				t.Errorf("%s: got %q, want %q in it", args, got.out+got.errs, part)
			}
		}
	}
	f("dns --rows 20", 0, "OUTCOME", "cart.shop", "timeout", "900 µs", "shop/frontend-1 → kube-system/dns-1")
	f("dns --rows 1", 0, "stock.shop", "!orders.shop")
	f("dns --rows 20 -o wide", 0, "DNS.RETRIES")
	f("dns --rows 20 -o json", 0, `"name":"orders.shop"`)
	f("dns --rows 20 dns.rcode!=\"NOERROR\"", 0, "stock.shop", "!orders.shop")
	f("drops --rows 20", 0, "DROPPED", "NETFILTER_DROP", "node-1", "shop/cart-1", "!kube-system")
	f("drops --rows 20 -o wide", 0, "nf_hook_slow")
	f("dns --rows 0", 2, "--rows 0", "want 1 to")
	f("dns --rows 5 --by type", 2, "--by is of groups")
	f("drops -f --compare 1h", 2, "--compare is of groups")
}

// TestFollowQueries expects the earlier queries, once, and then what comes.
func TestFollowQueries(t *testing.T) {
	s := serve(t)
	all := shopQueries()
	s.feedQueries(all[:2])
	p := start(t, "dns", "-f", "--rows", "10", "-o", "json", "--api", s.api)
	count := func(part string) int {
		out, _ := p.output()
		return strings.Count(out, part)
	}
	p.await("the history", func() bool { return count("\n") == 2 })
	s.feedQueries(all[2:])
	p.await("what is new", func() bool { return count("\n") == 3 })
	if got := p.end(os.Interrupt); got.code != 0 || got.errs != "" || count("stock.shop") != 1 {
		t.Errorf("exit code %d, output %q, errors %q", got.code, got.out, got.errs)
	}
}

// TestNeighbours expects tables without the records of neighbour discovery, with their number, and all elsewhere.
func TestNeighbours(t *testing.T) {
	s := serve(t)
	records := shopRecords()
	for i := range 3 {
		r := records[2]
		r.Proto, r.ICMP.Type = flow.ICMPv6, uint8(133+i)
		r.Src.Port, r.Dst.Port, r.Backend.Port = 0, 0, 0
		records = append(records, r)
	}
	echo := records[4]
	echo.ICMP.Type = 128
	s.feed(append(records, echo))
	f := func(args string, lines int, told bool) {
		t.Helper()
		got := s.ask(strings.Fields(args)...)
		if n := strings.Count(got.out, "ICMPv6"); got.code != 0 || n != lines {
			t.Errorf("%s: exit code %d, %d lines of ICMPv6, want %d: %q", args, got.code, n, lines, got.out+got.errs)
		}
		if strings.Contains(got.errs, "3 records of IPv6's discovery of neighbours are left out") != told {
			t.Errorf("%s: says %q", args, got.errs)
		}
	}
	f("flows", 1, true)
	f("flows --neighbours", 4, false)
	f("flows --protocol ICMPv6", 4, false)
	f("flows -o csv --fields proto", 4, false)
	f("top proto icmp.type", 4, false)
	f("top proto", 1, true)
	f("flows --namespace other", 0, false)
}
