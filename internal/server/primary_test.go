package server

import (
	"net/netip"
	"testing"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/wire"
)

// Which of the records of a connection counts, with agents on the nodes a and b, and c reporting to another server.
func TestCountOnce(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine(), HasAgent: func(node string) bool { return node == "c" }})
	accept(t, s, "a", "a/1")
	accept(t, s, "b", "b/1")
	f := func(what, node, client, backend string, reporter flow.Reporter, nat flow.NAT, want bool) {
		t.Helper()
		r := []flow.Record{{Proto: flow.TCP, Start: 1, End: 2, Sampling: 1}}
		r[0].Node, r[0].Src.Node, r[0].Backend.Node = node, client, backend
		r[0].Reporter, r[0].NAT, r[0].Primary = reporter, nat, true
		if got := isPrimary(t, s, r); got != want {
			t.Errorf("%s: counts %v, want %v", what, got, want)
		}
	}
	f("client here", "a", "a", "b", flow.Client, 0, true)
	f("server here, client watched", "b", "a", "b", flow.Server, 0, false)
	f("server here, client watched by another server's agent", "b", "c", "b", flow.Server, 0, false)
	f("server here, client on a node without agent", "b", "d", "b", flow.Server, 0, true)
	f("server here, client unknown", "b", "", "b", flow.Server, 0, true)
	f("between, server watched", "a", "", "b", flow.Transit, flow.DNAT, false)
	f("between, server watched, masquerades", "a", "", "b", flow.Transit, flow.DNAT|flow.SNAT, true)
	f("between, client watched, masquerades", "b", "a", "d", flow.Transit, flow.SNAT, false)
	f("between, neither watched", "a", "", "d", flow.Transit, 0, true)
}

// Machines that nobody names are known by what their own agents say, unless two say the same.
func TestCountOnceByAddress(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine()})
	addr := netip.MustParseAddr
	bridge := addr("172.17.0.1")
	accept(t, s, "a", "a/1").Report(wire.Report{Addresses: []netip.Addr{addr("192.0.2.1"), addr("2001:db8::1"), bridge}})
	accept(t, s, "b", "b/1").Report(wire.Report{Addresses: []netip.Addr{addr("192.0.2.2"), bridge}})
	f := func(what, node, client, backend string, reporter flow.Reporter, want bool) {
		t.Helper()
		r := []flow.Record{{Proto: flow.TCP, Start: 1, End: 2, Sampling: 1, Node: node, Reporter: reporter, Primary: true}}
		r[0].Src.Addr, r[0].Backend.Addr = addr(client), addr(backend)
		if got := isPrimary(t, s, r); got != want {
			t.Errorf("%s: counts %v, want %v", what, got, want)
		}
	}
	f("client here", "a", "192.0.2.1", "192.0.2.2", flow.Client, true)
	f("server here, client's machine has an agent", "b", "192.0.2.1", "192.0.2.2", flow.Server, false)
	f("the same, IPv6", "b", "2001:db8::1", "2001:db8::2", flow.Server, false)
	f("server here, client's machine has none", "b", "192.0.2.9", "192.0.2.2", flow.Server, true)
	f("an address that every machine has", "b", "172.17.0.1", "192.0.2.2", flow.Server, true)
	f("between, server's machine has an agent", "a", "192.0.2.9", "192.0.2.2", flow.Transit, false)
	f("between, neither has", "a", "192.0.2.9", "192.0.2.8", flow.Transit, true)
	accept(t, s, "c", "c/1").Report(wire.Report{Addresses: []netip.Addr{addr("192.0.2.9")}})
	f("an agent came to the client's machine", "b", "192.0.2.9", "192.0.2.2", flow.Server, false)
}

// isPrimary tells whether the server marks the one record as the one that counts.
func isPrimary(t *testing.T, s *Server, r []flow.Record) bool {
	t.Helper()
	b := columns.NewBuilder(columns.Flows(), len(r))
	b.Append(r)
	batch := b.NewBatch()
	defer batch.Release()
	out, err := s.countOnce("flows", batch)
	if err != nil {
		t.Fatal(err)
	}
	defer out.Release()
	return columns.NumbersOf(out, primaryField).Values[0] == 1
}
