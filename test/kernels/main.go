// Kernels runs Seine's tests on other kernels than the one at hand: `make check-kernels`. Each kernel is a line of the
// table in kernel.go, each set of tests one in suite.go.
//
// A kernel comes as a package of the Debian archive that this machine's apt knows. It is unpacked into the cache, never
// installed, and booted by QEMU from an initramfs that is packed anew each time: static test binaries of the tree as it
// is, busybox, this machine's own network tools with their libraries, the kernel's modules. There is no disk image. The
// guest runs one suite after the other and writes what the test runner says to a virtio port; go tool test2json reads
// it there, and this program tells what passed and prints all that a failed test said. The host's own kernel runs the
// same suites without a virtual machine.
//
// In a virtual machine nothing is skipped but what the kernel's version excuses (testkit.SinceKernel): a test that is
// skipped for another reason, or that is named in suite.go and did not run, fails the kernel. Suites that would take too
// long without KVM run with smaller bounds, which the tests themselves print.
//
// The verifier's statistics that the tests report are compared with docs/reference/kernels.md, which -write renews.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"os"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"golang.org/x/sys/unix"
)

// options are the command line.
type options struct {
	kernel, run string
	write       bool
	jobs        int
	limit       time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.kernel, "kernel", "", "only the kernel of this name: "+strings.Join(names(), ", "))
	flag.StringVar(&o.run, "run", "", "only the tests that match, as go test -run")
	flag.BoolVar(&o.write, "write", false, "renew "+reference)
	flag.IntVar(&o.jobs, "jobs", 0, "virtual machines at a time (default: as memory and processors permit)")
	flag.DurationVar(&o.limit, "limit", 25*time.Minute, "the longest that one kernel may take")
	flag.Parse()
	ctx, stop := signal.NotifyContext(context.Background(), unix.SIGINT, unix.SIGTERM)
	defer stop()
	if err := run(ctx, o); err != nil {
		fmt.Fprintln(os.Stderr, "kernels:", err)
		os.Exit(1)
	}
}

// run prepares and runs the kernels wanted, and judges their statistics together.
func run(ctx context.Context, o options) error {
	if _, err := regexp.Compile(o.run); err != nil {
		return fmt.Errorf("-run %q: want a regular expression: %w", o.run, err)
	}
	wanted, err := selectKernels(o.kernel)
	if err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	work, err := os.MkdirTemp(cache, "work-")
	if err != nil {
		return err
	}
	defer os.RemoveAll(work)
	m := &matrix{options: o, cache: cache, work: work, out: newPrinter(os.Stdout)}
	if err := m.prepare(ctx, wanted); err != nil {
		return err
	}
	results := m.runAll(ctx, wanted)
	m.out.summary(results)
	return errors.Join(verdict(results), judgeStatistics(results, o))
}

// cacheDir is where downloads and logs are kept.
func cacheDir() (string, error) {
	base, err := os.UserCacheDir()
	if err != nil {
		return "", fmt.Errorf("find the cache folder: %w", err)
	}
	dir := filepath.Join(base, "seine", "kernels")
	return dir, os.MkdirAll(dir, 0o755)
}

// verdict tells which kernels failed, or that there was nothing to fail.
func verdict(results []*result) error {
	var failed []string
	tests := 0
	for _, r := range results {
		tests += r.passes + r.fails + r.skips
		if !r.passed() {
			failed = append(failed, r.kernel.name)
		}
	}
	if len(failed) > 0 {
		return fmt.Errorf("tests failed on %s", strings.Join(failed, ", "))
	}
	if tests == 0 {
		return errors.New("no test ran: the pattern matches none that suite.go names")
	}
	return nil
}
