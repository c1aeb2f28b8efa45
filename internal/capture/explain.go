package capture

import (
	"errors"
	"fmt"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/btf"
	"golang.org/x/sys/unix"
)

// explain adds to an error of the kernel what the user can do about it.
func explain(err error) error {
	const want = "want Linux 5.10 or later, built with CONFIG_DEBUG_INFO_BTF=y"
	switch {
	case err == nil:
		return nil
	case isRefused(err), errors.Is(err, unix.EACCES) && len(missingPrivileges()) > 0:
		return explainRefused(err)
	case errors.Is(err, errNoBTF), errors.Is(err, ebpf.ErrNotSupported) && readKernel().err != nil:
		return fmt.Errorf("%w, there is no /sys/kernel/btf/vmlinux: %s", errNoBTF, want)
	case errors.Is(err, btf.ErrNotFound), errors.Is(err, ebpf.ErrNotSupported):
		return fmt.Errorf("%w: %s", err, want)
	case errors.Is(err, errNoKProbes):
		return fmt.Errorf("%w: %s", err, useAuto)
	case strings.Contains(err.Error(), noTraceFS):
		return &explained{"a kprobe needs tracefs, which is not mounted here: " +
			"mount -t tracefs tracefs /sys/kernel/tracing, or " + useAuto, err}
	}
	return err
}

// useAuto is what helps where a named source of translations does not work.
const useAuto = "use --nat-source auto, which takes the best source that works here"

// noTraceFS is what the eBPF library says where a kprobe cannot be made without tracefs; it has no value to compare with.
const noTraceFS = "neither debugfs nor tracefs are mounted"

// isRefused tells whether the kernel refused for want of privilege. The verifier refuses with EACCES, which
// os.ErrPermission includes. The netlink library formats the kernel's error without wrapping it.
func isRefused(err error) bool {
	return errors.Is(err, unix.EPERM) || strings.Contains(err.Error(), unix.EPERM.Error())
}

// explained is an error in words of ours. What the kernel and the libraries said is behind it, for the log.
type explained struct {
	text  string
	cause error
}

func (e *explained) Error() string { return e.text }

func (e *explained) Unwrap() error { return e.cause }

// explainRefused tells which privilege is missing or, where none is, who else may have said no.
func explainRefused(err error) error {
	if missing := missingPrivileges(); len(missing) > 0 {
		return &explained{fmt.Sprintf("run as root, or grant what is missing, %s: %s",
			strings.Join(missing, " and "), withoutHint(err)), err}
	}
	for _, p := range probePrograms {
		if strings.Contains(err.Error(), p.program) {
			return &explained{fmt.Sprintf("this kernel refuses %s programs (operation not permitted), though no privilege "+
				"is missing: lift what forbids them (kernel lockdown, a security module, a container's seccomp profile), or %s",
				p.kind, useAuto), err}
		}
	}
	return &explained{withoutHint(err) + ", though no privilege is missing: look for kernel lockdown, a security module " +
		"or a container's seccomp profile", err}
}

// probePrograms are the programs that watch NAT at work.
var probePrograms = []struct{ program, kind string }{{fentryProgram, "fentry"}, {kprobeProgram, "kprobe"}}

// withoutHint leaves out a guess of the eBPF library's about the memory lock limit, which was lifted before.
func withoutHint(err error) string {
	return strings.ReplaceAll(err.Error(), " (MEMLOCK may be too low, consider rlimit.RemoveMemlock)", "")
}

// privileges are what capturing needs in the process's own network namespace. Entering another takes CAP_SYS_ADMIN as
// well, which includes CAP_BPF and CAP_PERFMON (capabilities(7)).
var privileges = []struct {
	name string
	bit  uint
	in   uint
}{
	{"CAP_BPF", unix.CAP_BPF, unix.CAP_SYS_ADMIN},
	{"CAP_PERFMON", unix.CAP_PERFMON, unix.CAP_SYS_ADMIN},
	{"CAP_NET_ADMIN", unix.CAP_NET_ADMIN, unix.CAP_NET_ADMIN},
}

// missingPrivileges returns those of the privileges that are not in effect.
func missingPrivileges() []string {
	var have [2]unix.CapUserData
	if unix.Capget(&unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}, &have[0]) != nil {
		return nil
	}
	has := func(bit uint) bool { return have[bit/32].Effective&(1<<(bit%32)) != 0 }
	var missing []string
	for _, p := range privileges {
		if !has(p.bit) && !has(p.in) {
			missing = append(missing, p.name)
		}
	}
	return missing
}
