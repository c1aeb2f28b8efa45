package main

import (
	"os"
	"strings"
	"testing"
)

// TestRunKeeps does what a new user does: starts seine run, asks it, stops it with Ctrl-C, starts it again and finds the
// history there.
func TestRunKeeps(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	run := func(node string) *running {
		p := start(t, "run", "--netns", s.node.Path, "--node", node, "--interval", "100ms", "--data-dir", dir, "--listen", "127.0.0.1:8099", "-o", "json")
		p.await("readiness", func() bool {
			status, _ := get(t, "http://127.0.0.1:8099/readyz")
			return status == 200
		})
		return p
	}
	flows := func(args ...string) []record {
		got := seine(t, append([]string{"flows", "--api", "http://127.0.0.1:8099", "--to", "10.77.0.2", "-o", "json", "--last", "1000"}, args...)...)
		if got.code != 0 {
			t.Fatalf("exit code %d, errors %q", got.code, got.errs)
		}
		return records(t, got.out)
	}
	first := run("first")
	s.talk(s.server, 3)
	first.await("the connection", func() bool { return len(flows()) > 0 })
	before := flows()
	if r := before[0]; r.Dst.Addr != "10.77.0.2" || r.Dst.Port != 7 || r.Node != "first" || r.Fwd.Bytes != 3*sizeOnWire {
		t.Errorf("got %+v, want three datagrams to 10.77.0.2:7", r)
	}
	ended := first.end(os.Interrupt)
	ended.check(t)
	if !strings.Contains(ended.errs, "api=http://127.0.0.1:8099") || !strings.Contains(ended.errs, dir) {
		t.Errorf("errors %q, want where it is served and kept", ended.errs)
	}
	second := run("second")
	after := flows(`node == "first"`)
	if len(after) < len(before) {
		t.Errorf("%d connections after the restart, %d before", len(after), len(before))
	}
	s.talk(s.server, 1)
	second.await("a new connection", func() bool { return len(flows(`node == "second"`)) > 0 })
	second.end(os.Interrupt).check(t)
	s.checkNothingLeft("first")
	s.checkNothingLeft("second")
}

// TestRunRefusesTakenPort expects an error that says what to do, and nothing left attached.
func TestRunRefusesTakenPort(t *testing.T) {
	s := newSite(t)
	serve(t, "--data-dir", t.TempDir(), "--agents-listen", "127.0.0.1:8097")
	got := seine(t, "run", "--netns", s.node.Path, "--node", "taken", "--listen", "127.0.0.1:8097", "-o", "json", "--log-level", "error")
	checkRefusal(t, got, "address already in use", "--listen takes another")
	s.checkNothingLeft("taken")
}

// TestDemoAnswers asks a demo, and expects its records to go with it.
func TestDemoAnswers(t *testing.T) {
	dir := t.TempDir()
	t.Setenv("TMPDIR", dir)
	p := start(t, "demo", "-o", "json", "--interval", "200ms", "--listen", "127.0.0.1:8098")
	p.await("readiness", func() bool {
		status, _ := get(t, "http://127.0.0.1:8098/readyz")
		return status == 200
	})
	p.await("a translated connection by its names", func() bool {
		got := seine(t, "flows", "--api", "http://127.0.0.1:8098", "--to-service", "shop/checkout")
		return strings.Contains(got.out, "→ shop/checkout:80 ⇒ shop/checkout-")
	})
	if got := seine(t, "map", "--api", "http://127.0.0.1:8098"); !strings.Contains(got.out, "shop/checkout") {
		t.Errorf("map: %q, errors %q", got.out, got.errs)
	}
	if got := p.end(os.Interrupt); got.code != 0 {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
	if left, err := os.ReadDir(dir); err != nil || len(left) > 0 {
		t.Errorf("the demo leaves %v: %v", left, err)
	}
}
