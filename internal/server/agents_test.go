package server

import (
	"fmt"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seine-net/seine/internal/wire"
)

func accept(t *testing.T, s *Server, node, origin string) wire.Session {
	t.Helper()
	session, err := s.Accept(wire.Agent{Node: node, Origin: origin, Version: "v1", Address: "192.0.2.1:1", Protocol: 1})
	if err != nil {
		t.Fatal(err)
	}
	return session
}

func TestAgentsInStatus(t *testing.T) {
	m := newMemoryEngine()
	m.losses = map[string]uint64{"disk_full": 7, "none": 0}
	s := newServer(t, Config{Engine: m})
	b := accept(t, s, "b", "b/1")
	a := accept(t, s, "a", "a/1")
	features := []wire.Feature{{Name: "capture", State: "live", Means: "tcx", Detail: "programs"}}
	a.Report(wire.Report{Losses: []wire.Loss{{Reason: "map_full", Count: 3, Detail: "packets"}}, Features: features, Dropped: 5})
	b.Report(wire.Report{Losses: []wire.Loss{{Reason: "map_full", Count: 4, Detail: "packets"}}})
	for sequence, dropped := range map[uint64]uint64{1: 0, 2: 9} {
		d := wire.Delivery{Sequence: sequence, Dataset: "flows", Rows: rowsOf(t, int(sequence)*100, 10), Dropped: dropped}
		if err := a.Ingest(t.Context(), d); err != nil {
			t.Fatal(err)
		}
	}
	b.Close()
	want := []AgentStatus{
		{
			Node: "a", Origin: "a/1", Version: "v1", Address: "192.0.2.1:1", Protocol: 1, Connected: true,
			Batches: 2, Rows: 20, Sequence: 2, Dropped: 9,
			Losses: []wire.Loss{{Reason: "map_full", Count: 3, Detail: "packets"}}, Features: features,
		},
		{
			Node: "b", Origin: "b/1", Version: "v1", Address: "192.0.2.1:1", Protocol: 1,
			Losses: []wire.Loss{{Reason: "map_full", Count: 4, Detail: "packets"}},
		},
	}
	if diff := cmp.Diff(want, s.Status().Agents, cmpopts.IgnoreTypes(time.Time{})); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
	wantCounts(t, s, map[string]uint64{"agent_dropped": 9, "map_full": 7, "disk_full": 7})
}

func wantCounts(t *testing.T, s *Server, want map[string]uint64) {
	t.Helper()
	got := make(map[string]uint64)
	for _, l := range s.Losses() {
		got[l.Reason] = l.Count
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("losses (-want +got):\n%s", diff)
	}
}

// An agent that starts again takes the place of its former run, whose losses still count.
func TestAgentStartsAgain(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine()})
	for run := range 3 {
		session := accept(t, s, "a", fmt.Sprint("a/", run))
		session.Report(wire.Report{Dropped: 10})
		session.Close()
	}
	if got := s.Status().Agents; len(got) != 1 || got[0].Origin != "a/2" {
		t.Errorf("agents are %+v, want the last run alone", got)
	}
	wantCounts(t, s, map[string]uint64{"agent_dropped": 30})
}

// A broken connection's end may be noticed after the next one began.
func TestStreamsOfOneAgentOverlap(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine()})
	first := accept(t, s, "a", "a/1")
	second := accept(t, s, "a", "a/1")
	first.Close()
	if got := s.Status().Agents; len(got) != 1 || !got[0].Connected {
		t.Errorf("agents are %+v, want one that is connected", got)
	}
	second.Close()
	if s.Status().Agents[0].Connected {
		t.Error("the agent is connected after its last stream ended")
	}
}

func TestAgentsAreBounded(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine(), MaxAgents: 3})
	for i := range 10 {
		session := accept(t, s, fmt.Sprint("gone-", i), fmt.Sprint("gone-", i, "/1"))
		session.Report(wire.Report{Dropped: 1})
		session.Close()
	}
	for i := range 3 {
		accept(t, s, fmt.Sprint("here-", i), fmt.Sprint("here-", i, "/1"))
	}
	if _, err := s.Accept(wire.Agent{Node: "more", Origin: "more/1"}); err == nil {
		t.Error("a fourth agent is accepted")
	}
	if got := len(s.Status().Agents); got != 3 {
		t.Errorf("%d agents are remembered, want 3", got)
	}
	wantCounts(t, s, map[string]uint64{"agent_dropped": 10})
}

func TestAgentsThatStayAwayAreForgotten(t *testing.T) {
	s := newServer(t, Config{Engine: newMemoryEngine()})
	accept(t, s, "a", "a/1").Close()
	accept(t, s, "b", "b/1")
	s.agents.byOrigin["a/1"].lastSeen = time.Now().Add(-forgetAfter - time.Minute)
	s.agents.byOrigin["b/1"].lastSeen = time.Now().Add(-forgetAfter - time.Minute)
	accept(t, s, "c", "c/1")
	var nodes []string
	for _, a := range s.Status().Agents {
		nodes = append(nodes, a.Node)
	}
	if diff := cmp.Diff([]string{"b", "c"}, nodes); diff != "" {
		t.Errorf("agents (-want +got):\n%s", diff)
	}
}
