package testkit

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// NS is an anonymous network namespace. It lives until the end of the test that made it, or as long as a socket or a
// process is still in it. Its methods fail that test on errors and may be called from its goroutine only, but for Do.
type NS struct {
	// Name is for messages and unique within a test by the caller's care.
	Name string
	// Path leads to the namespace from any process on the machine while the test runs.
	Path string
	// Links is a netlink handle inside the namespace.
	Links *netlink.Handle

	t    testing.TB
	file *os.File
}

// NewNS makes a namespace with loopback up and without IPv6's duplicate address detection, which would delay every
// first packet by a second. It fails the test without root.
func NewNS(t testing.TB, name string) *NS {
	t.Helper()
	RequireRoot(t)
	file, err := unshareNet()
	if err != nil {
		t.Fatalf("make namespace %s: %v", name, err)
	}
	t.Cleanup(func() { file.Close() })
	handle, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		t.Fatalf("open netlink in namespace %s: %v", name, err)
	}
	t.Cleanup(handle.Close)
	ns := &NS{Name: name, Path: fmt.Sprintf("/proc/%d/fd/%d", os.Getpid(), file.Fd()), Links: handle, t: t, file: file}
	ns.quiet()
	ns.Up("lo")
	return ns
}

// quiet stops what IPv6 sends of its own accord, so that counters hold the test's traffic only.
func (ns *NS) quiet() {
	for _, which := range []string{"all", "default"} {
		ns.Sysctl("net.ipv6.conf."+which+".accept_dad", "0")
		ns.Sysctl("net.ipv6.conf."+which+".dad_transmits", "0")
		ns.Sysctl("net.ipv6.conf."+which+".router_solicitations", "0")
		ns.Sysctl("net.ipv6.conf."+which+".accept_ra", "0")
		ns.Sysctl("net.ipv6.conf."+which+".mldv2_unsolicited_report_interval", "1")
	}
}

// unshareNet makes a namespace on a thread that returns to its own one afterwards.
func unshareNet() (*os.File, error) {
	type result struct {
		file *os.File
		err  error
	}
	done := make(chan result)
	go func() {
		file, err := unshareHere()
		done <- result{file, err}
	}()
	r := <-done
	return r.file, r.err
}

// unshareHere leaves the thread locked, so that it ends with its goroutine, where it cannot go back.
func unshareHere() (*os.File, error) {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	defer home.Close()
	if err := unix.Unshare(unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return nil, err
	}
	made, err := os.Open("/proc/thread-self/ns/net")
	if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
		runtime.UnlockOSThread()
	}
	return made, err
}

// Do runs f on a thread inside the namespace and waits for it. Sockets that f makes belong to the namespace for good;
// goroutines that f starts do not run in it. f must not end the test's goroutine (t.Fatal); it returns its error.
func (ns *NS) Do(f func() error) error {
	done := make(chan error)
	go func() { done <- ns.inside(f) }()
	return <-done
}

func (ns *NS) inside(f func() error) error {
	runtime.LockOSThread()
	home, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	defer home.Close()
	if err := unix.Setns(int(ns.file.Fd()), unix.CLONE_NEWNET); err != nil {
		runtime.UnlockOSThread()
		return fmt.Errorf("enter namespace %s: %w", ns.Name, err)
	}
	defer func() {
		if unix.Setns(int(home.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
	}()
	return f()
}

// Run runs a tool inside the namespace with text on its standard input and returns its standard output.
func (ns *NS) Run(stdin, name string, args ...string) (string, error) {
	var out, errs strings.Builder
	cmd := exec.Command(name, args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &errs
	if err := ns.Do(cmd.Run); err != nil {
		return out.String(), fmt.Errorf("run %s %s in %s: %w: %s", name, strings.Join(args, " "), ns.Name, err, errs.String())
	}
	return out.String(), nil
}

// Exec is Run without input; it fails the test where the tool fails.
func (ns *NS) Exec(name string, args ...string) string {
	ns.t.Helper()
	out, err := ns.Run("", name, args...)
	ns.check(err)
	return out
}

// needModule loads a module of the kernel unless the setting is there that comes with it.
func (ns *NS) needModule(module, sysctl string) {
	ns.t.Helper()
	if _, err := os.Stat(sysctlPath(sysctl)); err != nil {
		ns.Exec("modprobe", module)
	}
}

func sysctlPath(name string) string {
	return filepath.Join("/proc/sys", filepath.FromSlash(strings.ReplaceAll(name, ".", "/")))
}

// Sysctl sets a kernel setting of the namespace, named as sysctl(8) names it. Interface names must be without dots.
func (ns *NS) Sysctl(name, value string) {
	ns.t.Helper()
	ns.check(ns.Do(func() error { return os.WriteFile(sysctlPath(name), []byte(value), 0o644) }))
}

func (ns *NS) check(err error) {
	ns.t.Helper()
	if err != nil {
		ns.t.Fatalf("namespace %s: %v", ns.Name, err)
	}
}
