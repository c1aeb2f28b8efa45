package main

import (
	"strings"
	"syscall"
	"testing"

	"golang.org/x/sys/unix"
)

// nobody is a user without privileges but those named.
func nobody(privileges ...uintptr) *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}, AmbientCaps: privileges}
}

// checkRefusal expects exit code 1 and an error that is one line, after the demo's announcement, with all the parts.
func checkRefusal(t *testing.T, got outcome, want ...string) {
	t.Helper()
	text := strings.TrimPrefix(got.errs, "seine: building the demo cluster\n")
	if got.code != 1 || got.out != "" || strings.Count(text, "\n") != 1 {
		t.Errorf("exit code %d, output %q, errors %q; want 1, none and one line", got.code, got.out, got.errs)
	}
	for _, part := range want {
		if !strings.Contains(text, part) {
			t.Errorf("got %q, want it to contain %q", text, part)
		}
	}
}

func TestWithoutPrivilege(t *testing.T) {
	f := func(attr *syscall.SysProcAttr, args string, want ...string) {
		t.Helper()
		checkRefusal(t, runAs(t, attr, program, strings.Fields(args)...), want...)
	}
	f(nobody(), "agent", "run as root", "CAP_BPF", "CAP_PERFMON", "CAP_NET_ADMIN", "operation not permitted")
	f(nobody(), "agent --attach clsact --nat-source ctnetlink", "run as root", "CAP_BPF")
	f(nobody(), "run", "run as root", "CAP_BPF")
	f(nobody(), "demo -o json", "run it as root", "CAP_SYS_ADMIN", "CAP_NET_ADMIN")
	makeControlDir(t)
	f(nobody(), "status", "look for agents", "permission denied", "run as root")
	f(nobody(unix.CAP_NET_ADMIN), "agent", "run as root", "CAP_BPF")
}

// TestPrivilegesAskedForSuffice holds the refusal to its word. That such a user cannot be asked for the status is logged
// as a warning, which is not what is tested.
func TestPrivilegesAskedForSuffice(t *testing.T) {
	for _, mode := range []string{"auto", "clsact"} {
		got := runAs(t, nobody(unix.CAP_BPF, unix.CAP_PERFMON, unix.CAP_NET_ADMIN), program,
			"agent", "--attach", mode, "--duration", "200ms", "--interval", "100ms", "--log-level", "error")
		if got.code != 0 || got.errs != "" {
			t.Errorf("attach %s: exit code %d, errors %q", mode, got.code, got.errs)
		}
	}
}

func TestKernelWithoutBTF(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		got := covered(t, "/sys/kernel/btf", strings.Fields(args)...)
		want = append(want, "the kernel has no BTF", "CONFIG_DEBUG_INFO_BTF=y", "Linux 5.10")
		checkRefusal(t, got, want...)
		if len(got.errs) > 250 {
			t.Errorf("%s: got %q, want a short sentence", args, got.errs)
		}
	}
	f("agent --duration 1s")
	f("agent --duration 1s --nat-source ctnetlink", "NAT source ctnetlink")
	f("agent --duration 1s --nat-source kfunc", "NAT source kfunc")
	f("agent --duration 1s --nat-source fentry", "NAT source fentry")
	f("run --duration 1s")
	f("status", "no agent runs on this host")
}

func TestWithoutBPFFileSystem(t *testing.T) {
	covered(t, "/sys/fs/bpf", "agent", "--interval", "100ms", "--duration", "200ms").check(t)
}

// TestSourceRefused expects a source of translations that was asked for to work, or one sentence that says what is
// missing and what to do.
func TestSourceRefused(t *testing.T) {
	for _, source := range []string{"fentry", "kprobe"} {
		got := seine(t, "agent", "--nat-source", source, "--interval", "100ms", "--duration", "200ms")
		if got.code == 0 {
			got.check(t)
			continue
		}
		checkRefusal(t, got, "NAT source "+source+": ")
		if strings.Contains(got.errs, "MEMLOCK") || len(got.errs) > 300 ||
			!strings.Contains(got.errs, "--nat-source auto") && !strings.Contains(got.errs, "when nf_nat is loaded") {
			t.Errorf("%s: got %q, want what is missing and what to do", source, got.errs)
		}
	}
}
