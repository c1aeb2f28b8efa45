package capture

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// TestExplain gives a process with every privilege one sentence that says what is missing and what to do.
func TestExplain(t *testing.T) {
	testkit.RequireRoot(t)
	const tooLow = "load program: %w (MEMLOCK may be too low, consider rlimit.RemoveMemlock)"
	f := func(err error, want string) {
		t.Helper()
		got := explain(err)
		if got == nil || got.Error() != want {
			t.Errorf("%v: got %v, want %s", err, got, want)
		}
	}
	f(fmt.Errorf("field SeineNatFentry: program "+fentryProgram+": "+tooLow, unix.EPERM),
		"this kernel refuses fentry programs (operation not permitted), though no privilege is missing: lift what forbids "+
			"them (kernel lockdown, a security module, a container's seccomp profile), or use --nat-source auto, which "+
			"takes the best source that works here")
	f(fmt.Errorf("program seine_in: "+tooLow, unix.EPERM),
		"program seine_in: load program: operation not permitted, though no privilege is missing: look for kernel "+
			"lockdown, a security module or a container's seccomp profile")
	f(errNoKProbes, "the kernel has no kprobes (CONFIG_KPROBE_EVENTS): use --nat-source auto, which takes the best source "+
		"that works here")
	f(fmt.Errorf("attach to %s: creating probe entry on tracefs: %s", natFunction, noTraceFS),
		"a kprobe needs tracefs, which is not mounted here: mount -t tracefs tracefs /sys/kernel/tracing, or use "+
			"--nat-source auto, which takes the best source that works here")
	f(errNoBTF, "the kernel has no BTF, there is no /sys/kernel/btf/vmlinux: want Linux 5.10 or later, built with "+
		"CONFIG_DEBUG_INFO_BTF=y")
	f(unix.ENOMEM, "cannot allocate memory")
	if err := explain(nil); err != nil {
		t.Errorf("nothing: got %v", err)
	}
	if err := explain(fmt.Errorf(tooLow, unix.EPERM)); !errors.Is(err, unix.EPERM) {
		t.Errorf("%v: does not lead to the kernel's error", err)
	}
}

// TestCheck refuses what cannot be meant, in words that name it.
func TestCheck(t *testing.T) {
	f := func(c Config, want ...string) {
		t.Helper()
		err := c.Check()
		if len(want) == 0 && err == nil {
			return
		}
		if len(want) == 0 || err == nil {
			t.Errorf("%+v: error %v, want %q", c, err, want)
			return
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%+v: error %q, want it to contain %q", c, err, part)
			}
		}
	}
	f(Config{})
	f(Config{Interfaces: []string{"eth0", "/^veth/", "/^$/"}, Exclude: []string{"lo"}, Rules: []string{"reject port 1"}})
	f(Config{Interfaces: []string{"eth0", "//"}}, `interface "//"`, "empty", "/^eth/")
	f(Config{Exclude: []string{"//"}}, `excluded interface "//"`, "empty")
	f(Config{Interfaces: []string{"/"}}, `interface "/"`, "name", "/regular expression/")
	f(Config{NATSource: "magic"}, `NAT source "magic"`, "auto, kfunc")
	f(Config{Attach: "xdp"}, `attach mode "xdp"`, "auto, tcx, clsact")
	f(Config{Position: "middle"}, `position "middle"`, "head, tail")
	f(Config{Rules: []string{"accept", "drop"}}, `filter rule 2 "drop"`)
	f(Config{RingBytes: 5000}, "ring size 5000", "power of two")
}
