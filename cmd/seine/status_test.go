package main

import (
	"encoding/json"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/testkit"
)

const noAgent = "seine: no agent runs on this host: start one with seine run or seine agent\n"

// makeControlDir makes the folder of control sockets as an agent does.
func makeControlDir(t *testing.T) {
	t.Helper()
	if err := os.MkdirAll(agent.ControlDir, 0o700); err != nil {
		t.Fatal(err)
	}
}

// mountControlDir mounts something on the folder of control sockets for the rest of the test.
func mountControlDir(t *testing.T, source, kind string, flags uintptr) {
	t.Helper()
	makeControlDir(t)
	if err := unix.Mount(source, agent.ControlDir, kind, flags, ""); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := unix.Unmount(agent.ControlDir, 0); err != nil {
			t.Error(err)
		}
	})
}

// statuses reads the answer of seine status -o json.
func statuses(t testing.TB, out string) []agent.Status {
	t.Helper()
	var all []agent.Status
	if err := json.Unmarshal([]byte(out), &all); err != nil {
		t.Fatalf("output %q: %v", out, err)
	}
	return all
}

func TestStatusWithoutAgent(t *testing.T) {
	got := seine(t, "status")
	if got.code != 1 || got.errs != noAgent {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
	for _, part := range []string{"What an agent could use here", "capture", "translation", "live"} {
		if !strings.Contains(got.out, part) {
			t.Errorf("got %q, want it to contain %q", got.out, part)
		}
	}
	got = seine(t, "status", "-o", "json")
	if got.code != 1 || got.errs != noAgent {
		t.Errorf("json: exit code %d, errors %q", got.code, got.errs)
	}
	all := statuses(t, got.out)
	if len(all) != 1 || all[0].Node != "" || len(all[0].Features) < 2 {
		t.Errorf("json: got %+v", all)
	}
}

// TestStatusOfAgents asks two agents, one of which is killed then and leaves its socket.
func TestStatusOfAgents(t *testing.T) {
	s := newSite(t)
	long := strings.Repeat("long-name.", 20)
	s.agent("status-one", "--interval", "100ms", "--sampling", "4", "--nat-source", "none")
	killed := s.agent(long[:64], "--node", long, "--interval", "1h")
	s.talk(s.server, 20)

	got := seine(t, "status")
	got.check(t)
	for _, part := range []string{
		"Node status-one", "every 100ms, sampling 1:4", "Node " + long, "every 1h0m0s, sampling 1:1", "off", "eth0", "map_full",
	} {
		if !strings.Contains(got.out, part) {
			t.Errorf("got %q, want it to contain %q", got.out, part)
		}
	}
	got = seine(t, "status", "-o", "json")
	got.check(t)
	byNode := make(map[string]agent.Status)
	for _, st := range statuses(t, got.out) {
		byNode[st.Node] = st
	}
	one, two := byNode["status-one"], byNode[long]
	if len(byNode) != 2 || one.Sampling != 4 || two.Sampling != 1 || one.Evicted.Times == 0 || two.Evicted.Times != 0 {
		t.Errorf("got %+v", byNode)
	}
	if version := strings.TrimSpace(strings.TrimPrefix(seine(t, "--version").out, "seine version ")); one.Version != version {
		t.Errorf("status tells version %q, --version %q", one.Version, version)
	}

	killed.end(os.Kill)
	if len(sockets(t, long[:64])) != 1 {
		t.Error("a killed agent leaves no socket: nothing is tested")
	}
	got = seine(t, "status", "-o", "json")
	got.check(t)
	if all := statuses(t, got.out); len(all) != 1 || all[0].Node != "status-one" {
		t.Errorf("after one was killed: got %+v", all)
	}
	if left := sockets(t, long[:64]); len(left) != 0 {
		t.Errorf("stale sockets are left: %v", left)
	}
}

// TestStatusWhereStaleSocketStays expects a dead agent's socket that cannot be removed to do no harm.
func TestStatusWhereStaleSocketStays(t *testing.T) {
	s := newSite(t)
	s.agent("stale").end(os.Kill)
	mountControlDir(t, agent.ControlDir, "", unix.MS_BIND)
	if err := unix.Mount("", agent.ControlDir, "", unix.MS_BIND|unix.MS_REMOUNT|unix.MS_RDONLY, ""); err != nil {
		t.Fatal(err)
	}
	if got := seine(t, "status"); got.code != 1 || got.errs != noAgent {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
	if len(sockets(t, "stale")) != 1 {
		t.Error("the socket is gone: nothing is tested")
	}
}

// TestReadOnlyRun expects an agent to work, and to tell that it cannot be asked.
func TestReadOnlyRun(t *testing.T) {
	mountControlDir(t, "none", "tmpfs", unix.MS_RDONLY)
	ns := testkit.NewNS(t, "node")
	got := seine(t, "agent", "--netns", ns.Path, "--node", "unasked", "--interval", "100ms", "--duration", "500ms")
	if got.code != 0 || strings.Count(withoutWatching(got.errs), "\n") != 1 || !strings.Contains(got.errs, "seine status cannot ask this agent") ||
		!strings.Contains(got.errs, "read-only file system") {
		t.Errorf("exit code %d, errors %q", got.code, got.errs)
	}
	if got := seine(t, "status"); got.code != 1 || got.errs != noAgent {
		t.Errorf("status: exit code %d, errors %q", got.code, got.errs)
	}
}
