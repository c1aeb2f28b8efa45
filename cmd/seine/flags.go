package main

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"os"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/dns"
	"github.com/seine-net/seine/internal/metrics"
	"github.com/seine-net/seine/internal/query"
)

// maxMaxFlows keeps the flow maps' size, for which the kernel takes memory when they are made, within a gigabyte.
const maxMaxFlows = 1 << 24

// captureFlags are the flags of every command that captures.
type captureFlags struct {
	config        agent.Config
	filterDefault string
	logLevel      string
	duration      time.Duration
	dnsPorts      []uint
}

func (f *captureFlags) add(s *pflag.FlagSet, interval time.Duration) {
	c := &f.config
	s.StringArrayVar(&c.Interfaces, "interface", nil, "interface to watch, the `NAME` or a /regular expression/; may be repeated (default all)")
	s.StringArrayVar(&c.Exclude, "exclude", nil, "interface not to watch, a `NAME` likewise; wins over --interface")
	s.Uint32Var(&c.Sampling, "sampling", 1, "count one packet in `N`, 1 or more")
	s.DurationVar(&c.Interval, "interval", interval, "time between reports, at least "+agent.MinInterval.String())
	s.Uint32Var(&c.MaxFlows, "max-flows", 120000, "room in the kernel for `N` flows (a connection on an interface) an interval")
	s.StringArrayVar(&c.Rules, "filter", nil, "filter `RULE`, may be repeated; the first that matches decides: "+capture.RuleSyntax)
	s.StringVar(&f.filterDefault, "filter-default", "accept", "`WHAT` happens to packets that no rule matches: accept or reject")
	s.StringVar(&c.NATSource, "nat-source", capture.SourceAuto, "where translations come from, a `SOURCE`: "+strings.Join(capture.Sources, ", "))
	s.StringVar(&c.Attach, "attach", "auto", "`HOW` programs are attached: auto, tcx or clsact")
	s.StringVar(&c.Position, "position", "head", "`WHERE` among other programs: head sees packets before others take them, tail what they left")
	s.StringSliceVar(&c.Features, "features", capture.Features, "what is told beside volumes and translations, a `LIST`: "+strings.Join(capture.Features, ", ")+"; or none")
	s.UintSliceVar(&f.dnsPorts, "dns-port", []uint{53}, fmt.Sprintf("`PORT` of resolvers, may be repeated, at most %d", capture.MaxDNSPorts))
	s.DurationVar(&c.DNSTimeout, "dns-timeout", dns.DefaultTimeout, "how long an answer to a DNS query is waited for")
	s.StringVar(&c.Node, "node", "", "`NAME` of this node in records (default the host name)")
	s.StringVar(&c.NetNS, "netns", "", "network namespace to watch, a `PATH` such as /proc/PID/ns/net (default the own)")
	s.DurationVar(&f.duration, "duration", 0, "end by itself after this time; 0 means to go on until stopped")
	s.StringVar(&f.logLevel, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn or error")
}

// finish checks what the flags hold beyond their types, and returns a logger.
func (f *captureFlags) finish(logTo io.Writer) (*slog.Logger, error) {
	switch f.filterDefault {
	case "accept", "reject":
		f.config.Reject = f.filterDefault == "reject"
	default:
		return nil, fmt.Errorf("--filter-default %q: want accept or reject", f.filterDefault)
	}
	for _, refused := range []struct {
		flag  string
		value any
		holds bool
	}{
		{"sampling", f.config.Sampling, f.config.Sampling == 0},
		{"max-flows", f.config.MaxFlows, f.config.MaxFlows == 0 || f.config.MaxFlows > maxMaxFlows},
		{"interval", f.config.Interval, f.config.Interval < agent.MinInterval},
		{"duration", f.duration, f.duration < 0},
		{"dns-timeout", f.config.DNSTimeout, f.config.DNSTimeout < minDNSTimeout},
	} {
		if refused.holds {
			return nil, fmt.Errorf("--%s %v: want %s", refused.flag, refused.value, accepted[refused.flag])
		}
	}
	if err := f.takeDNSPorts(); err != nil {
		return nil, err
	}
	if err := f.config.Check(); err != nil {
		return nil, err
	}
	if err := checkNetNS(f.config.NetNS); err != nil {
		return nil, err
	}
	return newLogger(logTo, f.logLevel)
}

// minDNSTimeout is the shortest time that an answer is waited for.
const minDNSTimeout = 100 * time.Millisecond

// takeDNSPorts passes the ports on.
func (f *captureFlags) takeDNSPorts() error {
	f.config.DNSPorts = nil
	for _, port := range f.dnsPorts {
		if port == 0 || port > math.MaxUint16 {
			return fmt.Errorf("--dns-port %d: want a port from 1 to %d; DNS is left out by --features", port, math.MaxUint16)
		}
		f.config.DNSPorts = append(f.config.DNSPorts, uint16(port))
	}
	return nil
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

var wholeLines = fmt.Sprintf("a whole number from 1 to %d", query.MaxLimit)

// accepted says what flags take that have a range.
var accepted = map[string]string{
	"sampling":          fmt.Sprintf("a whole number from 1 to %d", uint32(math.MaxUint32)),
	"max-flows":         fmt.Sprintf("a whole number from 1 to %d", maxMaxFlows),
	"interval":          fmt.Sprintf("a time with its unit, such as 500ms, 5s or 1m, of at least %v", agent.MinInterval),
	"dns-timeout":       fmt.Sprintf("a time with its unit, such as 5s or 500ms, of at least %v", minDNSTimeout),
	"last":              wholeLines,
	"limit":             wholeLines,
	"metrics-max-edges": fmt.Sprintf("a whole number from 0 to %d", metrics.MaxMaxKeys),

	"duration": "a time with its unit, such as 500ms, 5s or 1m, or 0 to go on until stopped",
}

// flagError puts what a flag takes in place of what its parser said.
func flagError(c *cobra.Command, err error) error {
	if invalid, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		flag := invalid.GetFlag()
		if want := accepted[flag.Name]; want != "" {
			return fmt.Errorf("--%s %q: want %s", flag.Name, invalid.GetValue(), want)
		}
	}
	return fmt.Errorf("%w: %s --help lists the flags", err, c.CommandPath())
}
