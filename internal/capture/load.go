package capture

import (
	"errors"
	"fmt"
	"math"
	"math/rand/v2"
	"runtime"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"github.com/cilium/ebpf/rlimit"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/bpf"
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

// load loads the capture programs with the means wanted.
func load(c *Config, rules []bpf.FilterRule, means kernelMeans) (*objects, error) {
	if err := rlimit.RemoveMemlock(); err != nil {
		return nil, fmt.Errorf("lift the memory lock limit: %w", err)
	}
	spec, err := bpf.LoadCapture()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	for name := range probes {
		disable(spec, name)
	}
	if err := configure(spec, c, len(rules), means); err != nil {
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

func configure(spec *ebpf.CollectionSpec, c *Config, rules int, means kernelMeans) error {
	v := spec.Variables
	err := errors.Join(
		v["config_sampling"].Set(c.Sampling),
		v["config_sampling_tag"].Set(samplingTag()),
		v["config_rules"].Set(uint32(rules)),
		v["config_default_accept"].Set(!c.Reject),
		v["config_nat_skb"].Set(means.skb),
		v["config_nat_lookup"].Set(means.lookup),
	)
	if err != nil {
		return fmt.Errorf("set the programs' switches: %w", err)
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
