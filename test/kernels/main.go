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
// long without KVM run with smaller bounds, which the tests themselves print. What failed runs once more in a fresh guest:
// if it passes then it is reported as flaky, else it has failed.
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
	guests      bool
	jobs        int
	limit       time.Duration
}

func main() {
	var o options
	flag.StringVar(&o.kernel, "kernel", "", "only the kernel of this name: "+strings.Join(names(), ", "))
	flag.StringVar(&o.run, "run", "", "only the tests that match, as go test -run")
	flag.BoolVar(&o.write, "write", false, "renew "+reference)
	flag.BoolVar(&o.guests, "guests", false, "leave out the host's own kernel, whose tests go test has run")
	flag.IntVar(&o.jobs, "jobs", 0, "virtual machines at a time (default: as memory and processors permit)")
	flag.DurationVar(&o.limit, "limit", 25*time.Minute, "the longest that one run of a kernel may take")
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
	wanted, err := selectKernels(o.kernel, o.guests)
	if err != nil {
		return err
	}
	cache, err := cacheDir()
	if err != nil {
		return err
	}
	unlock, err := lock(cache)
	if err != nil {
		return err
	}
	defer unlock()
	work := filepath.Join(cache, "work")
	// What an earlier run logged, and what one that was killed left behind, would be taken for this one's.
	if err := errors.Join(os.RemoveAll(work), removeLogs(cache), os.Mkdir(work, 0o755)); err != nil {
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

// lock waits until no other run uses the cache.
func lock(cache string) (unlock func() error, err error) {
	file, err := os.Create(filepath.Join(cache, "lock"))
	if err != nil {
		return nil, err
	}
	if err := unix.Flock(int(file.Fd()), unix.LOCK_EX); err != nil {
		return nil, errors.Join(fmt.Errorf("lock %s: %w", file.Name(), err), file.Close())
	}
	return file.Close, nil
}

func removeLogs(cache string) error {
	var errs []error
	for _, pattern := range []string{"*.log", "*.console"} {
		found, err := filepath.Glob(filepath.Join(cache, pattern))
		errs = append(errs, err)
		for _, path := range found {
			errs = append(errs, os.Remove(path))
		}
	}
	return errors.Join(errs...)
}

// verdict tells which kernels failed, or that there was nothing to fail.
func verdict(results []*result) error {
	var failed []string
	tests := 0
	for _, r := range results {
		tests += len(r.outcomes)
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
