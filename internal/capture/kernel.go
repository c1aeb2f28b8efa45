package capture

import (
	"errors"
	"fmt"
	"os"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/asm"
	"github.com/cilium/ebpf/btf"
)

// kernel is what the running kernel's BTF tells.
type kernel struct {
	types *btf.Spec
	err   error
	// netfilter is the BTF of the modules that conntrack and NAT may be in.
	netfilter []*btf.Spec
}

var netfilterModules = []string{"nf_conntrack", "nf_nat"}

func readKernel() *kernel {
	k := &kernel{}
	if k.types, k.err = btf.LoadKernelSpec(); k.err != nil {
		return k
	}
	for _, m := range netfilterModules {
		if s, err := btf.LoadKernelModuleSpec(m); err == nil {
			k.netfilter = append(k.netfilter, s)
		}
	}
	return k
}

// hasFunc tells whether the kernel or one of netfilter's modules has a function, as far as BTF says.
func (k *kernel) hasFunc(name string) bool {
	for _, s := range append([]*btf.Spec{k.types}, k.netfilter...) {
		var f *btf.Func
		if s != nil && s.TypeByName(name, &f) == nil {
			return true
		}
	}
	return false
}

var errNoBTF = errors.New("the kernel has no BTF")

// need tells that a function is missing, as far as BTF says. Modules have none before Linux 5.11.
func (k *kernel) need(function, since string) error {
	if k.err != nil {
		return errNoBTF
	}
	if !k.hasFunc(function) {
		return fmt.Errorf("no %s in the kernel's BTF (since %s)", function, since)
	}
	return nil
}

// lookupFunction is in nf_conntrack.
const lookupFunction = "bpf_skb_ct_lookup"

func needSKB(k *kernel) error { return k.need("bpf_cast_to_kern_ctx", "Linux 6.2") }

func needLookup(k *kernel) error {
	return k.need(lookupFunction, "Linux 5.18, when nf_conntrack is loaded")
}

func needFEntry(k *kernel) error {
	return k.need(natFunction, "Linux 5.11, when nf_nat is loaded")
}

// errNoKProbes is for kernels built without CONFIG_KPROBES or CONFIG_PERF_EVENTS.
var errNoKProbes = errors.New("the kernel has no kprobes (CONFIG_KPROBE_EVENTS)")

// kprobeDevice is there since Linux 4.17 where the kernel has kprobes (kernel/events/core.c).
const kprobeDevice = "/sys/bus/event_source/devices/kprobe"

// needKProbe leaves it to attaching to find the function, which needs no BTF of the module.
func needKProbe(k *kernel) error {
	if k.err != nil {
		return errNoBTF
	}
	if _, err := os.Stat(kprobeDevice); errors.Is(err, os.ErrNotExist) {
		return errNoKProbes
	}
	return nil
}

func emptyProgram() *ebpf.ProgramSpec {
	return &ebpf.ProgramSpec{
		Type:         ebpf.SocketFilter,
		Instructions: asm.Instructions{asm.Mov.Imm(asm.R0, 0), asm.Return()},
		License:      "GPL",
	}
}
