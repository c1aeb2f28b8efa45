package main

import (
	"net/netip"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/testkit"
	"github.com/seine-net/seine/internal/wire"
)

func TestUndelivered(t *testing.T) {
	f := func(s wire.Stats, want string) {
		t.Helper()
		got := ""
		s.Server = "a:1"
		if err := undelivered(&s); err != nil {
			got = err.Error()
		}
		if got != want {
			t.Errorf("%+v: got %q, want %q", s, got, want)
		}
	}
	f(wire.Stats{Acknowledged: 9, LastError: "gone once"}, "")
	f(wire.Stats{Queued: 2, LastError: "refused"}, "2 records were not delivered to a:1 (refused)")
	f(wire.Stats{Queued: 2}, "2 records were not delivered to a:1 (the server did not answer in time)")
	f(wire.Stats{Queued: 1, Full: 2, Refused: 3, Unsendable: 4, LastError: "gone"},
		"10 records were not delivered to a:1 (gone; the queue was full, see --queue-bytes; the server refused them; they were too large)")
}

// TestServerAway expects an agent that reaches no server to say which records are lost, or that there were none.
func TestServerAway(t *testing.T) {
	f := func(rounds, code int, words string) {
		t.Helper()
		s := newSite(t)
		p := start(t, "agent", "--netns", s.node.Path, "--node", "alone", "--interval", "1h", "--duration", "3s",
			"--filter", "accept proto udp port 7", "--filter-default", "reject", "--server", "127.0.0.1:1", "--server-plain")
		p.awaitReady("alone")
		if rounds > 0 {
			s.talk(s.server, rounds)
		}
		got := p.wait()
		if got.code != code || !strings.Contains(got.errs, words) || !strings.Contains(got.errs, "connection refused") {
			t.Errorf("%d rounds: exit code %d, errors %q; want %d and %q", rounds, got.code, got.errs, code, words)
		}
		s.checkNothingLeft("alone")
	}
	f(1, 1, "1 records were not delivered to 127.0.0.1:1 (connection error")
	f(0, 0, "server was never reached")
}

// TestMachinesCountOnce has agents on both machines of a connection and nobody who names them: one of the two records counts.
func TestMachinesCountOnce(t *testing.T) {
	s := &site{node: testkit.NewNS(t, "node"), peer: testkit.NewNS(t, "peer"), t: t}
	lan := testkit.NewNS(t, "lan") // Between them, so that neither takes the other for a pod of its own.
	testkit.Veth(s.node, "eth0", lan, "port1")
	testkit.Veth(s.peer, "eth0", lan, "port2")
	lan.Bridge("br0", "port1", "port2")
	s.node.AddAddr("eth0", "10.77.0.1/24")
	s.peer.AddAddr("eth0", "10.77.0.2/24")
	s.server = netip.MustParseAddrPort("10.77.0.2:7")
	s.peer.ServeUDP(s.server)
	server := serve(t)
	for name, space := range map[string]string{"machine-a": s.node.Path, "machine-b": s.peer.Path} {
		start(t, "agent", "--netns", space, "--node", name, "--interval", "200ms", "--server", server.agents, "--server-plain").awaitReady(name)
	}
	server.await("both agents' reports", func() bool {
		_, body := get(t, server.api+"/api/v1/status")
		return strings.Count(body, `"name":"capture"`) >= 2
	})
	s.talk(s.server, 3)
	var seen []record
	server.await("the connection from both", func() bool {
		seen = records(t, server.ask("flows", `dst.port == 7 && reporter in ["client", "server", "transit"]`, "-o", "json", "--last", "100").out)
		nodes := make(map[string]bool)
		for _, r := range seen {
			nodes[r.Node] = true
		}
		return len(nodes) == 2
	})
	for _, r := range seen {
		if r.Primary != (r.Node == "machine-a") {
			t.Errorf("%+v: want the record of the client's machine alone to count", r)
		}
	}
}

// TestRefusedBeforeAttaching expects what is wrong with where records go to be told although no interface could be watched.
func TestRefusedBeforeAttaching(t *testing.T) {
	checkRefusal(t, seine(t, "agent", "--interface", "nosuch0", "--server", "foo"), "HOST:PORT")
	server := serve(t)
	at := strings.TrimPrefix(server.api, "http://")
	checkRefusal(t, seine(t, "run", "-o", "json", "--interface", "nosuch0", "--data-dir", t.TempDir(), "--listen", at), "--listen takes another")
	dir := t.TempDir()
	serve(t, "--data-dir", dir)
	checkRefusal(t, seine(t, "run", "-o", "json", "--interface", "nosuch0", "--data-dir", dir, "--listen", "127.0.0.1:0"), "process", dir)
}
