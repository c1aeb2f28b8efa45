package main

import (
	"context"
	"os"
	"strings"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/demo"
	"github.com/seine-net/seine/internal/flow"
)

// toggle is something that can be switched while watching.
type toggle struct {
	name, doc string
	set       func(on bool) error
}

// show is how records are shown: sink takes them, run returns when there is nothing more to show.
type show struct {
	sink func([]flow.Record) error
	run  func(ctx context.Context, agents []*agent.Agent, toggles []toggle) error
}

func outputNames() string {
	var names []string
	for _, o := range outputs {
		names = append(names, o.name)
	}
	return strings.Join(names, ", ")
}

// newShow returns the way of showing with the name.
func newShow(name string) (show, error) {
	enc, err := newEncoder(name)
	if err != nil {
		return show{}, err
	}
	return show{
		sink: newWriter(os.Stdout, enc).write,
		run: func(ctx context.Context, _ []*agent.Agent, _ []toggle) error {
			<-ctx.Done()
			return nil
		},
	}, nil
}

// demoToggles makes the faults of a cluster switchable.
func demoToggles(c *demo.Cluster) []toggle {
	var out []toggle
	for _, f := range demo.Faults() {
		out = append(out, toggle{f.Name, f.Doc, func(on bool) error { return c.SetFault(f.Name, on) }})
	}
	return out
}
