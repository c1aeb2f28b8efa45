package server

import (
	"maps"
	"math"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/wire"
)

// Status is what a running server tells of itself.
type Status struct {
	Started time.Time `json:"started"`
	// Agents are those that are connected, and those that were within a day.
	Agents []AgentStatus `json:"agents"`
	Store  store.Stats   `json:"store"`
	// Stored are rows kept since the start, Repeated those that came once more than needed and were not kept again.
	Stored   uint64 `json:"stored"`
	Repeated uint64 `json:"repeated"`
	// Waiting is how many batches wait for the store to have room again.
	Waiting int64 `json:"waiting"`
	// Subscribers is how many follow live, SubscribersLost the rows that they were too slow for.
	Subscribers     int    `json:"subscribers"`
	SubscribersLost uint64 `json:"subscribers_lost"`
	Losses          []Loss `json:"losses"`
	// Features are how the sources of names are.
	Features []wire.Feature `json:"features,omitempty"`
}

// AgentStatus is what the server knows of one run of an agent.
type AgentStatus struct {
	Node    string `json:"node"`
	Origin  string `json:"origin"`
	Version string `json:"version"`
	// Address is where the agent connects from, empty in the server's own process.
	Address  string `json:"address,omitempty"`
	Protocol uint32 `json:"protocol"`
	// OtherFields says that the agent is of a release with another field table.
	OtherFields bool `json:"other_fields,omitempty"`
	Connected   bool `json:"connected"`
	// Since is when it was first seen, LastSeen when it last said anything.
	Since    time.Time `json:"since"`
	LastSeen time.Time `json:"last_seen"`
	// Batches and Rows are what was delivered, repeats included; Sequence is the newest batch's number.
	Batches  uint64 `json:"batches"`
	Rows     uint64 `json:"rows"`
	Sequence uint64 `json:"sequence"`
	// Dropped is how many rows the agent lost on the way to the server.
	Dropped uint64 `json:"dropped"`
	// Coverage is the share of the bytes counted by the node's interfaces that its records account for; there is none until
	// something was counted.
	Coverage *float64       `json:"coverage,omitempty"`
	Losses   []wire.Loss    `json:"losses"`
	Features []wire.Feature `json:"features"`
}

// Loss counts what answers lack, by reason.
type Loss = wire.Loss

// losses adds losses up by reason.
type losses map[string]Loss

// maxReasons bounds the reasons told apart; the rest is added up under otherReasons.
const (
	maxReasons   = 64
	otherReasons = "other"
)

// add stops at the largest number.
func (l losses) add(more Loss) {
	if _, known := l[more.Reason]; !known && len(l) >= maxReasons {
		more.Reason, more.Detail = otherReasons, "losses for reasons beyond those that are told apart"
	}
	before := l[more.Reason].Count
	more.Count = before + min(more.Count, math.MaxUint64-before)
	l[more.Reason] = more
}

func (l losses) addReport(r wire.Report) {
	for _, loss := range r.Losses {
		l.add(loss)
	}
	l.add(Loss{Reason: Dropped, Count: r.Dropped, Detail: "rows that agents dropped because the server did not take them in time"})
}

// sorted returns what was lost at all, by reason.
func (l losses) sorted() []Loss {
	all := make([]Loss, 0, len(l))
	for _, reason := range slices.Sorted(maps.Keys(l)) {
		if l[reason].Count > 0 {
			all = append(all, l[reason])
		}
	}
	return all
}

// Losses returns what is missing in the answers, by reason: what the agents know of, and the store.
func (s *Server) Losses() []Loss {
	_, sum := s.agents.list()
	sum.addStore(s.config.Engine.Stats())
	return sum.sorted()
}

func (l losses) addStore(stats store.Stats) {
	for reason, count := range stats.Losses {
		l.add(Loss{Reason: reason, Count: count, Detail: "rows that the store did not keep"})
	}
}

// Status tells the present state.
func (s *Server) Status() Status {
	agents, sum := s.agents.list()
	stats := s.config.Engine.Stats()
	sum.addStore(stats)
	subscribers, lost := s.tail.use()
	var features []wire.Feature
	if s.config.Features != nil {
		features = s.config.Features()
	}
	return Status{
		Features: features, Started: s.started, Agents: agents, Store: stats,
		Stored: s.counts.stored.Load(), Repeated: s.counts.repeated.Load(), Waiting: s.counts.waiting.Load(),
		Subscribers: subscribers, SubscribersLost: lost, Losses: sum.sorted(),
	}
}
