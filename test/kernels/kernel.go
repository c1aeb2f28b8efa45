package main

import (
	"fmt"
	"slices"
	"strings"
)

// kernel is a kernel to run the tests on.
type kernel struct {
	name string
	// suite is the Debian suite whose newest kernel for virtual machines is meant; "" is the host's own kernel.
	suite string
	// machine is what it runs on.
	machine *machine
}

// machine is an architecture and how QEMU makes one.
type machine struct {
	// arch is the name that Go and Debian have for it, image that of the kernel's file without the version.
	arch, image string
	// qemu is the program and its arguments, console the kernel's name of the serial line.
	qemu    []string
	console string
	// emulated and accelerated are the arguments that choose how processors are made; no accelerated ones where the
	// architecture is not the host's.
	emulated, accelerated []string
}

var (
	amd64 = &machine{
		arch: "amd64", image: "vmlinuz-", console: "ttyS0", qemu: []string{"qemu-system-x86_64"},
		// QEMU 7.2 emulates cmpxchg16b wrongly now and then, which crashes one guest in eight; five-level page tables
		// cost time alone.
		emulated:    []string{"-accel", "tcg,thread=multi", "-cpu", "max,-cx16,-la57"},
		accelerated: []string{"-accel", "kvm", "-cpu", "host"},
	}
	arm64 = &machine{
		arch: "arm64", image: "vmlinuz-", console: "ttyAMA0", qemu: []string{"qemu-system-aarch64", "-machine", "virt"},
		emulated: []string{"-accel", "tcg,thread=multi", "-cpu", "cortex-a72"},
	}
)

// kernels are those that Seine is tested on. A new one is a line.
var kernels = []*kernel{
	{name: "5.10", suite: "bullseye", machine: amd64},
	{name: "6.1", suite: "bookworm", machine: amd64},
	{name: "6.12", suite: "trixie", machine: amd64},
	{name: "6.12-arm64", suite: "trixie", machine: arm64},
	{name: "host"},
}

func names() []string {
	var all []string
	for _, k := range kernels {
		all = append(all, k.name)
	}
	return all
}

// selectKernels returns the kernel of a name, or all of them where there is none. The host's own may be left out.
func selectKernels(name string, guests bool) ([]*kernel, error) {
	selected := slices.DeleteFunc(slices.Clone(kernels), func(k *kernel) bool {
		return name != "" && k.name != name || guests && k.machine == nil
	})
	if len(selected) == 0 {
		return nil, fmt.Errorf("kernel %q: want one of %s", name, strings.Join(names(), ", "))
	}
	return selected, nil
}
