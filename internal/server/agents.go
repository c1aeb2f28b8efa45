package server

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/wire"
)

// forgetAfter is how long an agent that went away stays in the status.
const forgetAfter = 24 * time.Hour

// Dropped is the reason of the rows that agents lost on the way to the server.
const Dropped = "agent_dropped"

// agents remembers the agents that called, by origin.
type agents struct {
	limit int

	mu       sync.Mutex
	byOrigin map[string]*agent
	// streams is how many are open.
	streams int
	// byAddress leads from the addresses that agents say are their nodes' to the nodes; "" where two say so. It is nil until
	// somebody asks, and when a report has changed.
	byAddress map[netip.Addr]string
	// gone are the losses of the agents that are forgotten, so that totals do not shrink.
	gone losses
}

// agent is what is known of one run of an agent.
type agent struct {
	wire.Agent
	// streams may be 2 for a moment, while the end of a broken connection is not yet noticed.
	streams         int
	since, lastSeen time.Time
	batches, rows   uint64
	sequence        uint64
	report          wire.Report
}

// session is one stream of an agent.
type session struct {
	server *Server
	agent  *agent
}

// Accept begins a stream of an agent; see wire.Handler.
func (s *Server) Accept(who wire.Agent) (wire.Session, error) {
	a := &s.agents
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.streams >= a.limit {
		return nil, fmt.Errorf("%d agents are connected, which is the limit", a.limit)
	}
	known := a.byOrigin[who.Origin]
	if known == nil {
		a.forget(who.Node, time.Now())
		known = &agent{since: time.Now()}
		a.byOrigin[who.Origin] = known
	}
	known.Agent = who
	known.lastSeen = time.Now()
	known.streams++
	a.streams++
	return &session{server: s, agent: known}, nil
}

// forget removes agents that went away: earlier runs on the node of a new one, those that are away for long, and the
// longest silent ones where there are too many.
func (a *agents) forget(node string, now time.Time) {
	var away []*agent
	for _, known := range a.byOrigin {
		switch {
		case known.streams > 0:
		case known.Node == node || now.Sub(known.lastSeen) > forgetAfter:
			a.remove(known)
		default:
			away = append(away, known)
		}
	}
	slices.SortFunc(away, func(x, y *agent) int { return x.lastSeen.Compare(y.lastSeen) })
	for len(away) > 0 && len(a.byOrigin) >= a.limit {
		a.remove(away[0])
		away = away[1:]
	}
}

func (a *agents) remove(known *agent) {
	a.gone.addReport(known.report)
	delete(a.byOrigin, known.Origin)
	a.byAddress = nil
}

// Ingest keeps a batch; see wire.Session.
func (s *session) Ingest(ctx context.Context, d wire.Delivery) error {
	s.update(func(a *agent) { a.report.Dropped = max(a.report.Dropped, d.Dropped) })
	if err := s.server.ingestWithRoom(ctx, d.Dataset, d.Rows, s.agent.Origin, d.Sequence); err != nil {
		return err
	}
	s.update(func(a *agent) {
		a.batches++
		a.rows += uint64(d.Rows.NumRows())
		a.sequence = max(a.sequence, d.Sequence)
	})
	return nil
}

// Report keeps what the agent knows of itself; see wire.Session.
func (s *session) Report(r wire.Report) {
	s.update(func(a *agent) {
		r.Dropped = max(r.Dropped, a.report.Dropped)
		if !slices.Equal(r.Addresses, a.report.Addresses) {
			s.server.agents.byAddress = nil
		}
		a.report = r
	})
}

// Close ends the stream; see wire.Session.
func (s *session) Close() {
	s.update(func(a *agent) {
		a.streams--
		s.server.agents.streams--
	})
}

func (s *session) update(change func(*agent)) {
	s.server.agents.mu.Lock()
	defer s.server.agents.mu.Unlock()
	change(s.agent)
	s.agent.lastSeen = time.Now()
}

// list returns the agents by node, and their losses added up.
func (a *agents) list() ([]AgentStatus, losses) {
	a.mu.Lock()
	defer a.mu.Unlock()
	all, sum := make([]AgentStatus, 0, len(a.byOrigin)), maps.Clone(a.gone)
	for _, known := range a.byOrigin {
		all = append(all, known.status())
		sum.addReport(known.report)
	}
	slices.SortFunc(all, func(x, y AgentStatus) int {
		return cmp.Or(cmp.Compare(x.Node, y.Node), cmp.Compare(x.Origin, y.Origin))
	})
	return all, sum
}

func (a *agent) status() AgentStatus {
	return AgentStatus{
		Node: a.Node, Origin: a.Origin, Version: a.Version, Address: a.Address, Protocol: a.Protocol, OtherFields: a.OtherFields,
		Connected: a.streams > 0, Since: a.since, LastSeen: a.lastSeen,
		Batches: a.batches, Rows: a.rows, Sequence: a.sequence, Dropped: a.report.Dropped,
		Losses: a.report.Losses, Features: a.report.Features, Coverage: a.coverage(),
	}
}

// coverage is the share of the counted bytes that records account for.
func (a *agent) coverage() *float64 {
	if a.report.CountedBytes == 0 {
		return nil
	}
	return new(float64(a.report.AccountedBytes) / float64(a.report.CountedBytes))
}
