package main

import (
	"net/netip"
	"os"
	"strings"
	"testing"
	"unicode"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// rawControl returns the first character of a text that a terminal would obey, "" where there is none.
func rawControl(text string) string {
	for _, r := range text {
		if r != '\n' && unicode.IsControl(r) {
			return string(r)
		}
	}
	return ""
}

// TestStatusShowsNoControls expects whatever an agent tells to be shown, and not obeyed.
func TestStatusShowsNoControls(t *testing.T) {
	const evil = "a\x1b[31m\tb\nc\x7f\u009b2J\xff"
	s := agent.Status{
		Node: evil, Version: evil, Interval: evil,
		Features:  []capture.Feature{{Name: "translation", State: evil, Means: evil, Detail: evil}},
		Conntrack: agent.Conntrack{State: evil, Why: evil},
		Evicted:   agent.Evicted{Times: 1, LastTook: evil},
		Losses:    []capture.Loss{{Reason: evil, Detail: evil}},
		Coverage:  []capture.Coverage{{Name: evil, Outside: map[string]flow.Volume{evil: {Bytes: 1}}}},
		Failed:    map[string]string{evil: evil},
	}
	var table strings.Builder
	writeStatus(&table, &s)
	if raw := rawControl(table.String()); raw != "" || strings.Count(table.String(), "a�[31m�b�c��2J�") < 11 {
		t.Errorf("raw character %q in %q", raw, table.String())
	}
	var asJSON strings.Builder
	if err := writeJSON(&asJSON, []agent.Status{s}); err != nil {
		t.Fatal(err)
	}
	if raw := rawControl(asJSON.String()); raw != "" {
		t.Errorf("raw character %q in %q", raw, asJSON.String())
	}
	if diff := cmp.Diff("a\x1b[31m\tb\nc\x7f\u009b2J�", statuses(t, asJSON.String())[0].Node); diff != "" {
		t.Errorf("node read back: %s", diff)
	}
}

// TestStatusOfEvilNode asks a real agent whose node has such a name.
func TestStatusOfEvilNode(t *testing.T) {
	s := newSite(t)
	const evil = "a/b\x1b[31m\n"
	p := start(t, "agent", "--netns", s.node.Path, "--node", evil, "--interval", "100ms")
	p.awaitReady("a_b_[[]31m_")
	for _, output := range []string{"table", "json"} {
		got := seine(t, "status", "-o", output)
		got.check(t)
		if raw := rawControl(got.out); raw != "" || !strings.Contains(got.out, "a/b") {
			t.Errorf("%s: raw character %q in %q", output, raw, got.out)
		}
	}
	p.end(os.Interrupt).check(t)
	s.checkNothingLeft("a_b_[[]31m_")
}

// TestStatusTellsIdleConntrack holds the state of the translation against the namespace's own conntrack.
func TestStatusTellsIdleConntrack(t *testing.T) {
	s := newSite(t)
	p := s.agent("idle", "--interval", "100ms", "--nat-source", "ctnetlink")
	row := func() string {
		for line := range strings.Lines(seine(t, "status").out) {
			if strings.HasPrefix(line, "translation ") {
				return strings.Join(strings.Fields(line), " ")
			}
		}
		return ""
	}
	const means = "ctnetlink listens to conntrack's events"
	const idle = "translation degraded, idle ctnetlink conntrack has no entries in this network namespace, so nothing is translated; "
	s.talk(s.server, 1)
	if got := row(); got != idle+strings.TrimPrefix(means, "ctnetlink ") {
		t.Errorf("without rules: %q", got)
	}
	service := netip.MustParseAddrPort("198.51.100.1:7")
	s.node.Route("198.51.100.0/24", "10.77.0.2")
	s.node.Apply(testkit.NFTables, testkit.Rules{Services: []testkit.Service{{
		Name: "echo", Proto: "udp", VIP: service.Addr(), Port: service.Port(), Backends: []netip.AddrPort{s.server},
	}}})
	s.talk(service, 1)
	if got := row(); got != "translation degraded "+means {
		t.Errorf("with a connection: %q", got)
	}
	p.end(os.Interrupt).check(t)
}

func TestIdleness(t *testing.T) {
	f := func(c agent.Conntrack, state, why string) {
		t.Helper()
		if gotState, gotWhy := idleness(c); gotState != state || !strings.HasPrefix(gotWhy, why) || (why == "") != (gotWhy == "") {
			t.Errorf("%+v: got %q, %q; want %q, %q", c, gotState, gotWhy, state, why)
		}
	}
	f(agent.Conntrack{State: agent.ConntrackIdle}, ", idle", "conntrack has no entries")
	f(agent.Conntrack{State: agent.ConntrackNotLoaded}, ", idle", "conntrack is not loaded")
	f(agent.Conntrack{State: agent.ConntrackTracking, Entries: 2}, "", "")
	f(agent.Conntrack{State: agent.ConntrackUnknown, Why: "no /proc"}, "", "whether conntrack has entries is not known (no /proc)")
	f(agent.Conntrack{}, "", "")
}

// TestCoverageNote expects the explanation of more than 100 % where that is to be seen, and there alone.
func TestCoverageNote(t *testing.T) {
	f := func(counted, inFlows uint64, want bool) {
		t.Helper()
		s := agent.Status{Node: "n", Evicted: agent.Evicted{Times: 1}, Coverage: []capture.Coverage{{
			Name: "br0", Counted: flow.Volume{Bytes: counted}, Flows: flow.Volume{Bytes: inFlows},
		}}}
		var b strings.Builder
		writeStatus(&b, &s)
		if got := strings.Contains(b.String(), strings.Join(overCountedNote, "\n")); got != want {
			t.Errorf("%d counted, %d in flows: note %v, want %v in %q", counted, inFlows, got, want, b.String())
		}
	}
	f(1000, 1000, false)
	f(10000, 10001, false)
	f(1000, 1500, true)
	f(0, 1500, false)
}
