package demo

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/vishvananda/netlink"

	"github.com/seine-net/seine/internal/testkit"
)

func TestDownLeavesNothing(t *testing.T) {
	c := up(t, Options{})
	running, spaces := pids(c), namespacesOf(t, pids(c))
	if len(slices.Compact(slices.Sorted(slices.Values(spaces)))) != len(running) {
		t.Errorf("%d processes share %d namespaces", len(running), len(spaces))
	}
	if err := c.SetFault("packet-loss", true); err != nil {
		t.Error(err)
	}
	for range 2 {
		if err := c.Down(); err != nil {
			t.Error(err)
		}
	}
	diff(t, alive(running), nil)
	diff(t, held(t, spaces), nil)
	if err := c.SetFault("packet-loss", false); err == nil {
		t.Error("SetFault after Down: got no error")
	}
}

func TestUpCancelledLeavesNothing(t *testing.T) {
	for _, after := range []time.Duration{0, 50 * time.Millisecond, 120 * time.Millisecond} {
		ctx, cancel := context.WithTimeout(t.Context(), after)
		defer cancel()
		c, err := Up(ctx, Options{})
		switch {
		case err == nil && after > 0: // A fast machine.
			if err := c.Down(); err != nil {
				t.Error(err)
			}
		case !errors.Is(err, context.DeadlineExceeded) || c != nil:
			t.Errorf("after %v: got cluster %v, error %v", after, c, err)
		}
	}
	diff(t, children(t), nil)
}

// TestMachineIsUntouched looks at the namespace of a program with a cluster, which is its alone, so that nothing else
// changes it.
func TestMachineIsUntouched(t *testing.T) {
	p := startParent(t)
	diff(t, p.report.Now, p.report.Before)
	p.stdin.Close()
	var after parentReport
	if err := p.replies.Decode(&after); err != nil {
		t.Fatal(err)
	}
	if err := p.Wait(); err != nil {
		t.Error(err)
	}
	diff(t, after.Now, p.report.Before)
	diff(t, alive(p.report.PIDs), nil)
}

// TestKilledParent kills a program with a cluster in a way that it cannot notice, and expects its processes to end,
// even those that are stopped and so cannot notice that their input has closed.
func TestKilledParent(t *testing.T) {
	p := startParent(t)
	running := p.report.PIDs
	spaces := namespacesOf(t, running)
	for _, pid := range running[:len(running)/2] {
		if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	p.Wait()
	deadline := time.Now().Add(2 * time.Second)
	for len(alive(running)) > 0 && time.Now().Before(deadline) {
		time.Sleep(10 * time.Millisecond)
	}
	diff(t, alive(running), nil)
	diff(t, held(t, spaces), nil)
}

// parent is a running parentMain in a network namespace of its own.
type parent struct {
	*exec.Cmd
	stdin   io.WriteCloser
	replies *json.Decoder
	report  parentReport
}

// startParent returns when the cluster is up and has seen some traffic.
func startParent(t *testing.T) *parent {
	t.Helper()
	testkit.RequireRoot(t)
	p := &parent{Cmd: exec.Command(os.Args[0], "demo-parent")}
	p.Stderr = os.Stderr
	p.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNET}
	stdout, err := p.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	p.replies = json.NewDecoder(stdout)
	if p.stdin, err = p.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	if err := p.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		p.Process.Kill()
		p.Wait()
	})
	if err := p.replies.Decode(&p.report); err != nil {
		t.Fatal(err)
	}
	if n := len(alive(p.report.PIDs)); n != len(specs()) {
		t.Fatalf("%d processes, want %d", n, len(specs()))
	}
	time.Sleep(300 * time.Millisecond)
	return p
}

func TestUpWithoutPrivileges(t *testing.T) {
	program := filepath.Join(t.TempDir(), "demo.test")
	copyProgram(t, program)
	cmd := exec.Command(program, "demo-parent")
	cmd.Dir = "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	output, err := cmd.CombinedOutput()
	if err == nil || !bytes.Contains(output, []byte("run it as root")) {
		t.Errorf("got error %v, output %q", err, output)
	}
}

// copyProgram puts this test program where any user may run it.
func copyProgram(t *testing.T, to string) {
	t.Helper()
	program, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(to, program, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(to); dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
}

func TestUpErrors(t *testing.T) {
	f := func(name string, tools []ruleTool, o Options, want ...string) {
		t.Helper()
		defer func(real []ruleTool) { ruleTools = real }(ruleTools)
		ruleTools = tools
		c, err := Up(t.Context(), o)
		if c != nil || err == nil {
			t.Fatalf("%s: got cluster %v, error %v", name, c, err)
		}
		for _, part := range want {
			if !strings.Contains(err.Error(), part) {
				t.Errorf("%s: got %q, want it to contain %q", name, err, part)
			}
		}
	}
	absent := []ruleTool{{"nftables", func(nodeRules) []command { return []command{{Args: []string{"no-such-nft"}}} }}}
	f("unknown rules", ruleTools, Options{Rules: "ipvs"}, `"ipvs"`, "nftables", "iptables")
	f("no tool", absent, Options{}, "install nftables or iptables", "no-such-nft", "not found")
	f("no such program", ruleTools, Options{Self: "/no/such/seine"}, "/no/such/seine")
	f("not our program", ruleTools, Options{Self: "/bin/true"}, "probe")
}

// machine describes what a cluster must not touch: the links, addresses, routes and forwarding of this namespace.
func machine() ([]string, error) {
	links, err := netlink.LinkList()
	if err != nil {
		return nil, err
	}
	addrs, err := netlink.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	routes, err := netlink.RouteList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, err
	}
	all := []string{fmt.Sprintf("%d links, addresses %v, routes %v", len(links), addrs, routes)}
	for _, name := range []string{"ipv4/ip_forward", "ipv6/conf/all/forwarding", "bridge/bridge-nf-call-iptables"} {
		value, err := os.ReadFile("/proc/sys/net/" + name)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			return nil, err
		}
		all = append(all, name+" "+string(value))
	}
	return all, nil
}

// alive returns those of the processes that run. A dead one that nobody reaped holds no namespace and does not count.
func alive(list []int) []int {
	var running []int
	for _, pid := range list {
		stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
		if err != nil {
			continue
		}
		_, state, _ := bytes.Cut(stat, []byte(") "))
		if !bytes.HasPrefix(state, []byte("Z")) && !bytes.HasPrefix(state, []byte("X")) {
			running = append(running, pid)
		}
	}
	return running
}

// namespacesOf returns what identifies each process's network namespace.
func namespacesOf(t *testing.T, list []int) []string {
	t.Helper()
	var spaces []string
	for _, pid := range list {
		space, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", pid))
		if err != nil {
			t.Fatal(err)
		}
		spaces = append(spaces, space)
	}
	return spaces
}

// held returns those of the namespaces that a process is in, holds open or has mounted.
func held(t *testing.T, spaces []string) []string {
	t.Helper()
	var found []string
	for _, pattern := range []string{"/proc/[0-9]*/ns/net", "/proc/[0-9]*/fd/*"} {
		links, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, l := range links {
			if space, err := os.Readlink(l); err == nil && slices.Contains(spaces, space) {
				found = append(found, l)
			}
		}
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	if err != nil {
		t.Fatal(err)
	}
	for _, s := range spaces {
		if bytes.Contains(mounts, []byte(s)) {
			found = append(found, "mount of "+s)
		}
	}
	return found
}

// children returns this process's children.
func children(t *testing.T) []string {
	t.Helper()
	lists, err := filepath.Glob("/proc/self/task/*/children")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, l := range lists {
		list, err := os.ReadFile(l)
		if err != nil && !errors.Is(err, os.ErrNotExist) {
			t.Fatal(err)
		}
		all = append(all, strings.Fields(string(list))...)
	}
	return all
}
