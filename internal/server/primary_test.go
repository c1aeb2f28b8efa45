package server

import (
	"testing"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
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
		b := columns.NewBuilder(columns.Flows(), 1)
		b.Append(r)
		batch := b.NewBatch()
		defer batch.Release()
		out, err := s.countOnce("flows", batch)
		if err != nil {
			t.Fatal(err)
		}
		defer out.Release()
		if got := columns.NumbersOf(out, primaryField).Values[0] == 1; got != want {
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
