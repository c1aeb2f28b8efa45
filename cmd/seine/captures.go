package main

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/wire"
)

// captures are the agents of this process, as the server's part asks them. They are not asked any more once they ended.
type captures struct {
	interval time.Duration
	// begun is closed when it is known which agents there are.
	begun chan struct{}

	mu      sync.Mutex
	agents  []*agent.Agent
	senders []*wire.Sender
	ended   bool
	last    map[*agent.Agent]wire.Report
}

func newCaptures(f *captureFlags) *captures {
	return &captures{interval: f.config.Interval, begun: make(chan struct{}), last: make(map[*agent.Agent]wire.Report)}
}

// begin says which agents there are: none, where attaching did not work. It is called once.
func (c *captures) begin(agents ...*agent.Agent) {
	defer close(c.begun)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.agents = agents
}

// end says that the agents are closing.
func (c *captures) end() {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.ended = true
}

// reasons tells what of the capture does not work.
func (c *captures) reasons() []string {
	c.mu.Lock()
	defer c.mu.Unlock()
	switch {
	case c.ended:
		return []string{"capture has ended"}
	case len(c.agents) == 0:
		return []string{"capture has not begun"}
	}
	var reasons []string
	for _, a := range c.agents {
		s := a.Status()
		last := s.Evicted.Last
		if last.Before(s.Started) {
			last = s.Started
		}
		if silent := time.Since(last); silent > 3*c.interval+10*time.Second {
			reasons = append(reasons, fmt.Sprintf("capture of %s has reported nothing for %v", s.Node, silent.Round(time.Second)))
		}
	}
	for _, s := range c.senders {
		if st := s.Stats(); !st.Connected && st.LastError != "" {
			reasons = append(reasons, "the store takes no records: "+st.LastError)
		}
	}
	return reasons
}

// report is what an agent tells the server of itself.
func (c *captures) report(a *agent.Agent) wire.Report {
	c.mu.Lock()
	defer c.mu.Unlock()
	if !c.ended {
		c.last[a] = reportOf(a.Status())
	}
	return c.last[a]
}

// reportOfOnly is the report of the one agent, for which it waits.
func (c *captures) reportOfOnly() wire.Report {
	<-c.begun
	if len(c.agents) == 0 {
		return wire.Report{}
	}
	return c.report(c.agents[0])
}

func reportOf(s agent.Status) wire.Report {
	r := wire.Report{Addresses: s.Addresses[:min(len(s.Addresses), wire.MaxAddresses)]}
	for _, l := range s.Losses {
		if l.Lost() {
			r.Losses = append(r.Losses, wire.Loss{Reason: l.Reason, Count: l.Count, Detail: l.Detail})
		}
	}
	for i := range s.Coverage {
		c := &s.Coverage[i]
		r.CountedBytes += c.Counted.Bytes
		r.AccountedBytes += uint64(c.Ratio() * float64(c.Counted.Bytes))
	}
	for _, f := range s.Features {
		r.Features = append(r.Features, wire.Feature{Name: f.Name, State: string(f.State), Means: f.Means, Detail: f.Detail})
	}
	return r
}

// sender carries an agent's records to a server in this process.
func (c *captures) sender(to wire.Handler, a *agent.Agent, log *slog.Logger) (*wire.Sender, error) {
	sender, err := wire.OpenLocal(wire.SenderConfig{
		Node: a.Status().Node, Version: versionText(), Report: func() wire.Report { return c.report(a) },
	}, to, slog.New(warnings{log.Handler()}))
	if err != nil {
		return nil, err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.senders = append(c.senders, sender)
	return sender, nil
}

// warnings passes on what is at least a warning: that a process reached itself is no news.
type warnings struct{ slog.Handler }

// Enabled leaves out what is less.
func (w warnings) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelWarn && w.Handler.Enabled(ctx, level)
}
