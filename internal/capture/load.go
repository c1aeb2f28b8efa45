package capture

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"math"
	"math/rand/v2"
	"os"
	"runtime"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

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
	// probe holds the NAT probe where one is attached.
	probe closers
}

// Close detaches the probe and unloads.
func (o *objects) Close() error {
	return errors.Join(o.probe.Close(), o.grace.Close(), o.CaptureObjects.Close())
}

const (
	fentryProgram = "seine_nat_fentry"
	kprobeProgram = "seine_nat_kprobe"
)

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
	if err := undisturbed(func() error { return spec.LoadAndAssign(&o.CaptureObjects, nil) }); err != nil {
		grace.Close()
		return nil, fmt.Errorf("load the BPF programs: %w", err)
	}
	if err := putRules(o.SeineRules, rules); err != nil {
		o.Close()
		return nil, err
	}
	return o, nil
}

// undisturbed calls f on a thread that Go does not interrupt: the verifier gives up with EAGAIN at a signal, and on a
// busy machine the signal of Go's scheduler would come at every try.
func undisturbed(f func() error) error {
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	var preempt, before unix.Sigset_t
	preempt.Val[0] = 1 << (unix.SIGURG - 1)
	if err := unix.PthreadSigmask(unix.SIG_BLOCK, &preempt, &before); err != nil {
		return fmt.Errorf("block signals: %w", err)
	}
	err := f()
	return errors.Join(err, unix.PthreadSigmask(unix.SIG_SETMASK, &before, nil))
}

// disable replaces a program that is not wanted by one that every kernel loads and nobody attaches: the generated
// object type has a place for each program.
func disable(spec *ebpf.CollectionSpec, name string) {
	spec.Programs[name] = emptyProgram()
}

func configure(spec *ebpf.CollectionSpec, c *Config, rules int, means kernelMeans, netns uint32) error {
	for name, value := range map[string]any{
		"config_sampling":       c.Sampling,
		"config_sampling_tag":   samplingTag(),
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

// samplingTag returns an even number that another agent's is not likely to be: agents that both sample would else take
// each other's verdicts.
func samplingTag() uint16 { return uint16(1+rand.N(math.MaxUint16/2-1)) << 1 }

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
	{SourceFEntry, choice{probe: fentryProgram, source: flow.FEntry}, needFEntry},
	{SourceKProbe, choice{probe: kprobeProgram, source: flow.KProbe}, needKProbe},
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
		o, err := a.open(k, c, rules, ns)
		if err == nil {
			a.choice.why = a.choice.explain(refused)
			return o, a.choice, nil
		}
		log.Debug("source of translations not used", "source", a.choice.label(a.name), "error", fmt.Sprintf("%+v", err))
		if last == nil || err.Error() != last.Error() {
			refused = append(refused, fmt.Sprintf("%s: %v", a.choice.label(a.name), explain(err)))
		}
		last = err
	}
	if c.NATSource == SourceAuto || c.NATSource == SourceNone {
		return nil, choice{}, explain(last)
	}
	return nil, choice{}, fmt.Errorf("NAT source %s: %w", c.NATSource, explain(last))
}

// open loads, and attaches the probe where the attempt has one. It leaves nothing behind when it fails.
func (a *attempt) open(k *kernel, c *Config, rules []bpf.FilterRule, ns *namespace) (*objects, error) {
	if err := a.needs(k); err != nil {
		return nil, err
	}
	o, err := load(c, rules, a.choice.means, a.choice.probe, ns.inode)
	if err != nil {
		return nil, err
	}
	if err := o.attachProbe(a.choice.probe); err != nil {
		return nil, errors.Join(err, o.Close())
	}
	return o, nil
}

// natFunction is the function that the probe watches.
const natFunction = "nf_nat_manip_pkt"

// attachProbe attaches the program that watches NAT at work, where one is named.
func (o *objects) attachProbe(program string) error {
	var l io.Closer
	var err error
	switch program {
	case fentryProgram:
		l, err = link.AttachTracing(link.TracingOptions{Program: o.SeineNatFentry})
	case kprobeProgram:
		l, err = link.Kprobe(natFunction, o.SeineNatKprobe, nil)
	default:
		return nil
	}
	if errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("the kernel has no %s (since Linux 4.18, when nf_nat is loaded)", natFunction)
	}
	if err != nil {
		return fmt.Errorf("attach to %s: %w", natFunction, err)
	}
	o.probe = closers{l}
	return nil
}

// explain tells what the choice does, and why no better one was made.
func (c choice) explain(refused []string) string {
	if len(refused) == 0 {
		return c.describe()
	}
	return c.describe() + "; better ones that do not work here: " + strings.Join(refused, "; ")
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
