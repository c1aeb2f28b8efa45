package main

import (
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
)

// captureFlags are the flags of every command that captures.
type captureFlags struct {
	config        agent.Config
	filterDefault string
	logLevel      string
	duration      time.Duration
}

func (f *captureFlags) add(s *pflag.FlagSet, interval time.Duration) {
	c := &f.config
	s.StringArrayVar(&c.Interfaces, "interface", nil, "interface to watch, a name or a /regular expression/; may be repeated (default all)")
	s.StringArrayVar(&c.Exclude, "exclude", nil, "interface not to watch, likewise; wins over --interface")
	s.Uint32Var(&c.Sampling, "sampling", 1, "count one packet in `N`")
	s.DurationVar(&c.Interval, "interval", interval, "time between reports, at least "+agent.MinInterval.String())
	s.Uint32Var(&c.MaxFlows, "max-flows", 120000, "room in the kernel for `N` flows (a connection on an interface) an interval")
	s.StringArrayVar(&c.Rules, "filter", nil, "filter rule, may be repeated; the first that matches decides: "+capture.RuleSyntax)
	s.StringVar(&f.filterDefault, "filter-default", "accept", "what happens to packets that no rule matches: accept or reject")
	s.StringVar(&c.NATSource, "nat-source", capture.SourceAuto, "where translations come from: "+strings.Join(capture.Sources, ", "))
	s.StringVar(&c.Attach, "attach", "auto", "how programs are attached: auto, tcx or clsact")
	s.StringVar(&c.Position, "position", "head", "where among other programs: head sees packets before others take them, tail what they left")
	s.StringVar(&c.Node, "node", "", "name of this node in records (default the host name)")
	s.StringVar(&c.NetNS, "netns", "", "network namespace to watch, a path such as /proc/PID/ns/net (default the own)")
	s.DurationVar(&f.duration, "duration", 0, "end by itself after this time (default never)")
	s.StringVar(&f.logLevel, "log-level", "warn", "debug, info, warn or error")
}

// finish checks what the flags hold beyond their types, and returns a logger.
func (f *captureFlags) finish(logTo io.Writer) (*slog.Logger, error) {
	switch f.filterDefault {
	case "accept", "reject":
		f.config.Reject = f.filterDefault == "reject"
	default:
		return nil, fmt.Errorf("--filter-default %q: want accept or reject", f.filterDefault)
	}
	if f.config.Sampling == 0 {
		return nil, fmt.Errorf("--sampling 0: want 1 or more")
	}
	if f.config.MaxFlows == 0 {
		return nil, fmt.Errorf("--max-flows 0: want 1 or more")
	}
	if f.duration < 0 {
		return nil, fmt.Errorf("--duration %v: want a positive time", f.duration)
	}
	return newLogger(logTo, f.logLevel)
}
