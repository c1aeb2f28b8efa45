package capture

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/dns"
)

// Config says what to capture and how.
type Config struct {
	// NetNS is the path of the network namespace to watch; "" is the process's own.
	NetNS string
	// Interfaces and Exclude are names or /regular expressions/. No Interfaces means all. Exclude wins.
	Interfaces, Exclude []string
	// Sampling counts one packet in so many; 0 and 1 count all.
	Sampling uint32
	// MaxFlows is the room for flows (a connection on an interface) in one interval. Default 120000.
	MaxFlows uint32
	// RingBytes is the size of the overflow ring, a power of two of at least a page. Default 4 MiB.
	RingBytes uint32
	// Rules are filter rules, see ParseRule; the first that matches decides, and Reject tells about packets that none
	// matches.
	Rules  []string
	Reject bool
	// NATSource is where translations come from: see Sources. Default SourceAuto.
	NATSource string
	// Attach is how programs are attached: "auto", "tcx" or "clsact". Default "auto".
	Attach string
	// Position is where among other programs ours stand: "head" (default) sees packets before others take them,
	// "tail" what others left.
	Position string
	// Features are what is told beside volumes and translations: see Features. Nil is all.
	Features []string
	// DNSPorts are the ports of resolvers, at most MaxDNSPorts, whose packets go to DNS; none, or no DNS, loads nothing.
	DNSPorts []uint16
	DNS      func(*dns.Packet)
}

// The names of Features.
const (
	FeatureTCP     = "tcp"
	FeatureProcess = "process"
	FeatureDNS     = "dns"
	FeatureDrops   = "drops"
	// FeatureNone stands for none of them.
	FeatureNone = "none"
)

// Features lists the values of Config.Features.
var Features = []string{FeatureTCP, FeatureProcess, FeatureDNS, FeatureDrops}

// has tells whether a feature is wanted.
func (c *Config) has(feature string) bool { return slices.Contains(c.Features, feature) }

// isRestricted tells that not every packet of the namespace is to be counted.
func (c *Config) isRestricted() bool {
	return len(c.Rules)+len(c.Interfaces)+len(c.Exclude) > 0 || c.Reject
}

// FollowsDNS tells whether DNS is wanted.
func (c *Config) FollowsDNS() bool {
	return len(c.DNSPorts) > 0 && (c.Features == nil || c.has(FeatureDNS))
}

// The names of NATSource.
const (
	SourceAuto      = "auto"
	SourceKFunc     = "kfunc"
	SourceFEntry    = "fentry"
	SourceKProbe    = "kprobe"
	SourceCTNetlink = "ctnetlink"
	SourceNone      = "none"
)

// Sources lists the values of NATSource.
var Sources = []string{SourceAuto, SourceKFunc, SourceFEntry, SourceKProbe, SourceCTNetlink, SourceNone}

var (
	attachModes = []string{"auto", "tcx", "clsact"}
	positions   = []string{"head", "tail"}
)

// normalize sets defaults and checks every value.
func (c *Config) normalize() error {
	setDefault(&c.Sampling, 1)
	setDefault(&c.MaxFlows, 120000)
	setDefault(&c.RingBytes, 1<<22)
	setDefault(&c.NATSource, SourceAuto)
	setDefault(&c.Attach, attachModes[0])
	setDefault(&c.Position, positions[0])
	if c.Features == nil {
		c.Features = Features
	}
	for _, f := range c.Features {
		if err := oneOf("feature", f, append(slices.Clone(Features), FeatureNone)); err != nil {
			return err
		}
	}
	if r := c.RingBytes; r < 4096 || r&(r-1) != 0 {
		return fmt.Errorf("ring size %d: want a power of two of at least 4096", r)
	}
	if len(c.DNSPorts) > MaxDNSPorts {
		return fmt.Errorf("%d DNS ports: want at most %d", len(c.DNSPorts), MaxDNSPorts)
	}
	for _, e := range []struct {
		name, value string
		accepted    []string
	}{
		{"NAT source", c.NATSource, Sources},
		{"attach mode", c.Attach, attachModes},
		{"position", c.Position, positions},
	} {
		if err := oneOf(e.name, e.value, e.accepted); err != nil {
			return err
		}
	}
	return nil
}

// Check refuses what Open would refuse without a look at the machine.
func (c Config) Check() error {
	if err := c.normalize(); err != nil {
		return err
	}
	if _, err := ParseRules(c.Rules); err != nil {
		return err
	}
	_, err := newSelector(c.Interfaces, c.Exclude)
	return err
}

func setDefault[T comparable](v *T, value T) {
	var zero T
	if *v == zero {
		*v = value
	}
}

func oneOf(name, value string, accepted []string) error {
	if slices.Contains(accepted, value) {
		return nil
	}
	return fmt.Errorf("%s %q: want one of %s", name, value, strings.Join(accepted, ", "))
}

// selector tells which interfaces are meant.
type selector struct {
	include, exclude []pattern
}

type pattern struct {
	name    string
	regular *regexp.Regexp
}

func (p pattern) matches(name string) bool {
	if p.regular != nil {
		return p.regular.MatchString(name)
	}
	return p.name == name
}

func newSelector(include, exclude []string) (selector, error) {
	var s selector
	var err error
	if s.include, err = patterns("interface", include); err != nil {
		return s, err
	}
	s.exclude, err = patterns("excluded interface", exclude)
	return s, err
}

// CheckInterfaces says what is wrong with the names and /regular expressions/ of interfaces.
func CheckInterfaces(names []string) error {
	_, err := patterns("interface", names)
	return err
}

func patterns(what string, names []string) ([]pattern, error) {
	var out []pattern
	for _, n := range names {
		if len(n) < 2 || n[0] != '/' || n[len(n)-1] != '/' {
			if n == "" || len(n) > 15 || strings.ContainsAny(n, "/ ") {
				return nil, fmt.Errorf("%s %q: want a name of at most 15 characters or a /regular expression/", what, n)
			}
			out = append(out, pattern{name: n})
			continue
		}
		if n == "//" {
			return nil, fmt.Errorf("%s %q: the regular expression is empty and would match every name: want one between the slashes, such as /^eth/", what, n)
		}
		re, err := regexp.Compile(n[1 : len(n)-1])
		if err != nil {
			return nil, fmt.Errorf("%s %q: %w", what, n, err)
		}
		out = append(out, pattern{regular: re})
	}
	return out, nil
}

func (s selector) wants(name string) bool {
	for _, p := range s.exclude {
		if p.matches(name) {
			return false
		}
	}
	for _, p := range s.include {
		if p.matches(name) {
			return true
		}
	}
	return len(s.include) == 0
}
