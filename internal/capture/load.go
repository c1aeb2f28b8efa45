package capture

import (
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
)

// kernelMeans are the ways of finding a packet's conntrack entry inside the capture programs.
type kernelMeans struct{ skb, lookup bool }

// objects are the loaded programs and maps.
type objects struct {
	bpf.CaptureObjects
	errorNames     []string
	uncountedNames []string
	grace          *ebpf.Map
}

// Close unloads.
func (o *objects) Close() error { return errors.Join(o.grace.Close(), o.CaptureObjects.Close()) }

const (
	fentryProgram = "seine_nat_fentry"
	kprobeProgram = "seine_nat_kprobe"
)

// explain adds to an error of the kernel what the user can do about it.
func explain(err error) error {
	switch {
	case err == nil:
		return nil
	case errors.Is(err, os.ErrPermission):
		return fmt.Errorf("%w: run as root, or grant CAP_BPF, CAP_PERFMON and CAP_NET_ADMIN (CAP_SYS_ADMIN before Linux 5.8)", err)
	case errors.Is(err, btf.ErrNotFound), errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w: want a Linux 5.10 or later kernel built with CONFIG_DEBUG_INFO_BTF", err)
	}
	return err
}

// load loads the programs with the means wanted, and a probe program where one is wanted.
func load(c *Config, rules []bpf.FilterRule, means kernelMeans, probe string, netns uint32) (*objects, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift the memory lock limit: %w", err)
	}
	spec, err := bpf.LoadCapture()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	for _, name := range []string{fentryProgram, kprobeProgram} {
		if name != probe {
			disable(spec, name)
		}
	}
	if err := configure(spec, c, len(rules), means, netns); err != nil {
		return nil, err
	}
	grace, err := ebpf.NewMap(&ebpf.MapSpec{Type: ebpf.Array, KeySize: 4, ValueSize: 4, MaxEntries: 1})
	if err != nil {
		return nil, fmt.Errorf("make a BPF map: %w", err)
	}
	o := &objects{
		errorNames: enumNames(spec, "error", "ERROR_"), uncountedNames: enumNames(spec, "uncounted", "UNCOUNTED_"),
		grace: grace,
	}
	if err := spec.LoadAndAssign(&o.CaptureObjects, nil); err != nil {
		grace.Close()
		return nil, fmt.Errorf("load the BPF programs: %w", err)
	}
	if err := putRules(o.SeineRules, rules); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// disable replaces a program that is not wanted by one that every kernel loads and nobody attaches: the generated
// object type has a place for each program.
func disable(spec *ebpf.CollectionSpec, name string) {
	spec.Programs[name] = emptyProgram()
}

func configure(spec *ebpf.CollectionSpec, c *Config, rules int, means kernelMeans, netns uint32) error {
	for name, value := range map[string]any{
		"config_sampling":       c.Sampling,
		"config_rules":          uint32(rules),
		"config_default_accept": !c.Reject,
		"config_nat_skb":        means.skb,
		"config_nat_lookup":     means.lookup,
		"config_netns":          netns,
	} {
		if err := spec.Variables[name].Set(value); err != nil {
			return fmt.Errorf("set %s: %w", name, err)
		}
	}
	spec.Maps["seine_flows0"].MaxEntries = c.MaxFlows
	spec.Maps["seine_flows1"].MaxEntries = c.MaxFlows
	spec.Maps["seine_overflow"].MaxEntries = c.RingBytes
	return nil
}

func putRules(m *ebpf.Map, rules []bpf.FilterRule) error {
	for i := range rules {
		if err := m.Put(uint32(i), &rules[i]); err != nil {
			return fmt.Errorf("write filter rule %d: %w", i+1, err)
		}
	}
	return nil
}

// enumNames reads an enumeration's names from the object: prefix cut, lower case, in order of value from 0.
func enumNames(spec *ebpf.CollectionSpec, name, prefix string) []string {
	var e *btf.Enum
	if err := spec.Types.TypeByName(name, &e); err != nil {
		panic("BUG: the BPF object has no enum " + name)
	}
	names := make([]string, 0, len(e.Values))
	for _, v := range e.Values {
		if short := strings.TrimPrefix(v.Name, prefix); short != "MAX" {
			names = append(names, strings.ToLower(short))
		}
	}
	return names
}

// choice is the outcome of choosing where translations come from.
type choice struct {
	means   kernelMeans
	probe   string
	source  flow.NATSource
	netlink bool
	why     string
}

// attempt is one way of getting translations, best first.
type attempt struct {
	name   string
	choice choice
	// needs returns why the kernel cannot do it, or nil.
	needs func(*kernel) error
}

var attempts = []attempt{
	{SourceKFunc, choice{means: kernelMeans{skb: true, lookup: true}, source: flow.KFunc}, needSKBAndLookup},
	{SourceKFunc, choice{means: kernelMeans{skb: true}, source: flow.KFunc}, needSKB},
	{SourceFEntry, choice{probe: fentryProgram, source: flow.FEntry}, needProbe},
	{SourceKProbe, choice{probe: kprobeProgram, source: flow.KProbe}, needProbe},
	{SourceKFunc, choice{means: kernelMeans{lookup: true}, source: flow.KFunc}, needLookup},
	{SourceCTNetlink, choice{netlink: true, source: flow.CTNetlink}, func(*kernel) error { return nil }},
	{SourceNone, choice{}, func(*kernel) error { return nil }},
}

// loadBest loads with the best source of translations that is wanted and works, and tells why.
func loadBest(c *Config, rules []bpf.FilterRule, ns *namespace, log *slog.Logger) (*objects, choice, error) {
	k := readKernel()
	var refused []string
	var last error
	for _, a := range attempts {
		if c.NATSource != SourceAuto && c.NATSource != a.name {
			continue
		}
		if last = a.needs(k); last == nil {
			var o *objects
			if o, last = load(c, rules, a.choice.means, a.choice.probe, ns.inode); last == nil {
				a.choice.why = strings.Join(append(refused, a.choice.describe()), "; ")
				return o, a.choice, nil
			}
			log.Debug("source of translations does not load", "source", a.name, "error", fmt.Sprintf("%+v", last))
		}
		refused = append(refused, fmt.Sprintf("%s: %v", a.choice.label(a.name), last))
		if errors.Is(last, os.ErrPermission) && a.choice.probe == "" {
			return nil, choice{}, explain(last)
		}
	}
	if c.NATSource == SourceAuto || c.NATSource == SourceNone {
		return nil, choice{}, explain(last)
	}
	return nil, choice{}, fmt.Errorf("NAT source %s: %w", c.NATSource, explain(last))
}

func (c choice) label(name string) string {
	switch {
	case c.means.skb && c.means.lookup:
		return name + " (packet's entry and look-up)"
	case c.means.skb:
		return name + " (packet's entry)"
	case c.means.lookup:
		return name + " (look-up)"
	}
	return name
}

func (c choice) describe() string {
	switch {
	case c.means.skb && c.means.lookup:
		return "reads each packet's own conntrack entry, and looks up those that bear none"
	case c.means.skb:
		return "reads each packet's own conntrack entry"
	case c.means.lookup:
		return "looks packets up in conntrack; TCP and UDP in the default zone only"
	case c.probe != "":
		return "reads the conntrack entry of each packet that NAT rewrites"
	case c.netlink:
		return "listens to conntrack's events"
	}
	return "translations are not looked for"
}
