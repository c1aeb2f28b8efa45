package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
)

// maxMaxFlows keeps the flow maps' size, for which the kernel takes memory when they are made, within a gigabyte.
const maxMaxFlows = 1 << 24

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
	if n := f.config.MaxFlows; n == 0 || n > maxMaxFlows {
		return nil, fmt.Errorf("--max-flows %d: want 1 to %d", n, maxMaxFlows)
	}
	if f.config.Interval < agent.MinInterval {
		return nil, fmt.Errorf("--interval %v: want at least %v", f.config.Interval, agent.MinInterval)
	}
	if f.duration < 0 {
		return nil, fmt.Errorf("--duration %v: want a positive time", f.duration)
	}
	if err := checkNetNS(f.config.NetNS); err != nil {
		return nil, err
	}
	return newLogger(logTo, f.logLevel)
}

// checkNetNS refuses a path that does not lead to a network namespace; see ioctl_ns(2).
func checkNetNS(path string) error {
	if path == "" {
		return nil
	}
	const want = "want the path of a network namespace, such as /run/netns/NAME or /proc/PID/ns/net"
	f, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("--netns %q: %s: %w", path, want, err)
	}
	defer f.Close()
	kind, err := unix.IoctlRetInt(int(f.Fd()), unix.NS_GET_NSTYPE)
	if err != nil || kind != unix.CLONE_NEWNET {
		return fmt.Errorf("--netns %q: %s", path, want)
	}
	return nil
}

// accepted says what flags of a type take.
var accepted = map[string]string{
	"uint32":   "a whole number from 0 to 4294967295",
	"duration": "a time with its unit, such as 500ms, 5s or 1m",
}

// flagError puts what a flag takes in place of what its parser said.
func flagError(c *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := invalid.GetFlag()
		if want := accepted[flag.Value.Type()]; want != "" {
			return fmt.Errorf("--%s %q: want %s", flag.Name, invalid.GetValue(), want)
		}
	}
	return fmt.Errorf("%w: %s --help lists the flags", err, c.CommandPath())
}
