package main

import (
	"strings"
	"testing"

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
