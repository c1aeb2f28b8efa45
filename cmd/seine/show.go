package main

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/demo"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/live"
)

const outputLive = "live"

// show is how records are shown: sink takes them, run returns when there is nothing more to show.
type show struct {
	sink func([]flow.Record) error
	run  func(ctx context.Context, agents []*agent.Agent) error
	// lines tells that records are written as lines, beside which log lines can appear at once.
	lines bool
	// log is where log lines go while it shows; done is called at the end.
	log  io.Writer
	done func()
}

func outputNames() string {
	var names []string
	for _, o := range outputs {
		names = append(names, o.name)
	}
	return strings.Join(names, ", ")
}

// newShow returns the way of showing with the name. The live view needs a terminal; "" is the live view on one, else
// the table.
func newShow(name, title string, toggles func() []live.Toggle) (show, error) {
	terminal := live.IsTerminal(os.Stdout) && live.IsTerminal(os.Stdin)
	switch {
	case name == outputLive && !terminal:
		return show{}, fmt.Errorf("output live: want a terminal; use -o table or -o json here")
	case name == outputLive || name == "" && terminal:
		return newLiveShow(title, toggles), nil
	case name == "":
		name = "table"
	}
	enc, err := newEncoder(name)
	if err != nil {
		return show{}, fmt.Errorf("output %q: want one of %s, %s", name, outputLive, outputNames())
	}
	sink := newWriter(os.Stdout, enc).write
	if name == "table" {
		sink = primaryOnly(sink)
	}
	return show{
		sink: sink,
		run: func(ctx context.Context, _ []*agent.Agent) error {
			<-ctx.Done()
			return nil
		},
		lines: true, log: os.Stderr, done: func() {},
	}, nil
}

// primaryOnly leaves out the second node's view of each connection, which a person would take for another connection.
func primaryOnly(sink func([]flow.Record) error) func([]flow.Record) error {
	var kept []flow.Record
	return func(batch []flow.Record) error {
		kept = kept[:0]
		for i := range batch {
			if batch[i].Primary {
				kept = append(kept, batch[i])
			}
		}
		return sink(kept)
	}
}

// newLiveShow shows records in the live view. What is logged meanwhile is printed when it ends.
func newLiveShow(title string, toggles func() []live.Toggle) show {
	var view *live.View
	ready := make(chan struct{})
	later := &tailWriter{limit: 64 << 10}
	return show{
		sink: primaryOnly(func(batch []flow.Record) error {
			<-ready
			view.Add(batch)
			return nil
		}),
		run: func(ctx context.Context, agents []*agent.Agent) error {
			o := live.Options{Title: title, Summary: func() live.Summary { return summarize(agents) }}
			if toggles != nil {
				o.Toggles = toggles()
			}
			view = live.New(o)
			close(ready)
			return view.Run(ctx)
		},
		log:  later,
		done: func() { _, _ = later.WriteTo(os.Stderr) },
	}
}

// toggleKeys are the keys of the faults, in their order; none of them does anything else.
const toggleKeys = "1234567890abcdfhilmouvwxyz"

// demoToggles makes the faults of a cluster switchable by keys.
func demoToggles(c *demo.Cluster) []live.Toggle {
	var out []live.Toggle
	for i, f := range demo.Faults() {
		out = append(out, live.Toggle{
			Key: toggleKeys[i : i+1], Name: f.Name, Doc: f.Doc,
			Set: func(on bool) error { return c.SetFault(f.Name, on) },
		})
	}
	return out
}

// summarize adds up what the agents tell.
func summarize(agents []*agent.Agent) live.Summary {
	s := live.Summary{Coverage: -1}
	var accounted, counted float64
	losses := make(map[string]*live.Loss)
	for _, a := range agents {
		st := a.Status()
		s.MapUse = max(s.MapUse, st.Map.Used)
		for i := range st.Coverage {
			c := &st.Coverage[i]
			accounted += min(c.Ratio(), 1) * float64(c.Counted.Bytes)
			counted += float64(c.Counted.Bytes)
		}
		for _, f := range st.Features {
			if f.State != capture.Live {
				s.Degraded = append(s.Degraded, fmt.Sprintf("%s by %s", f.Name, f.Means))
			}
		}
		for _, l := range st.Losses {
			if !l.Lost() {
				continue
			}
			if losses[l.Reason] == nil {
				losses[l.Reason] = &live.Loss{Reason: l.Reason}
			}
			losses[l.Reason].Count += l.Count
		}
	}
	for _, l := range losses {
		s.Losses = append(s.Losses, *l)
	}
	if counted > 0 {
		s.Coverage = accounted / counted
	}
	return s
}

// tailWriter keeps the end of what is written.
type tailWriter struct {
	mu     sync.Mutex
	buffer bytes.Buffer
	limit  int
}

func (w *tailWriter) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if over := w.buffer.Len() + len(p) - w.limit; over > 0 {
		w.buffer.Next(over)
	}
	return w.buffer.Write(p)
}

// WriteTo writes what was kept, and forgets it.
func (w *tailWriter) WriteTo(to io.Writer) (int64, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.buffer.WriteTo(to)
}
