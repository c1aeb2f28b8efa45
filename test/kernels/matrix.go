package main

import (
	"bufio"
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
)

// matrix runs suites on kernels.
type matrix struct {
	options
	// cache keeps what was downloaded and the logs; work vanishes at the end.
	cache, work string
	out         *printer
	accelerated bool
}

func (m *matrix) root(k *kernel) string { return m.archive(k).unpacked() }

func (m *matrix) archive(k *kernel) *archive {
	return &archive{dir: filepath.Join(m.cache, k.suite+"-"+k.machine.arch), suite: k.suite, arch: k.machine.arch}
}

func (m *matrix) binaries(arch string) string { return filepath.Join(m.work, "tests-"+arch) }

// prepare fetches the kernels, and builds the tests meanwhile; then it finds out how to run processors.
func (m *matrix) prepare(ctx context.Context, wanted []*kernel) error {
	running, preparing := errgroup.WithContext(ctx)
	for _, k := range wanted {
		if k.machine == nil {
			continue
		}
		m.out.say(k, "fetch the kernel of %s, unless it is in %s", k.suite, m.cache)
		running.Go(func() error {
			if err := m.archive(k).fetch(preparing); err != nil {
				return fmt.Errorf("fetch kernel %s: %w", k.name, err)
			}
			return nil
		})
	}
	running.Go(func() error { return m.buildAll(preparing, wanted) })
	if err := running.Wait(); err != nil {
		return err
	}
	for _, k := range wanted {
		if k.machine == amd64 {
			err := kvmWorks(ctx, m.root(k), m.work)
			if m.accelerated = err == nil; !m.accelerated {
				m.out.say(k, "processors are emulated, as KVM does not work here: %v", err)
			}
			break
		}
	}
	return nil
}

// buildAll builds the test binaries of each architecture.
func (m *matrix) buildAll(ctx context.Context, wanted []*kernel) error {
	built := make(map[string]bool)
	for _, k := range wanted {
		arch := runtime.GOARCH
		if k.machine != nil {
			arch = k.machine.arch
		}
		for _, s := range suitesOf(k, m.options.run) {
			path := filepath.Join(m.binaries(arch), s.binary())
			if built[path] {
				continue
			}
			if err := build(ctx, arch, s.pkg, path); err != nil {
				return err
			}
			built[path] = true
		}
	}
	return nil
}

// build compiles a package's tests into a static binary without symbols, which would take memory in guests.
func build(ctx context.Context, arch, pkg, path string) error {
	ctx, cancel := context.WithTimeout(ctx, 20*time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "go", "test", "-c", "-ldflags=-s -w", "-o", path, "./"+pkg)
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0", "GOOS=linux", "GOARCH="+arch)
	if out, err := cmd.CombinedOutput(); err != nil {
		return fmt.Errorf("build the tests of %s for %s: %w\n%s", pkg, arch, err, out)
	}
	return nil
}

// parallel is the number of guests that run at a time: as many as memory holds, and a processor for each: tests wait
// long enough for two to share one, but not with patience.
func (m *matrix) parallel() int {
	if m.jobs > 0 {
		return m.jobs
	}
	return max(1, min(runtime.NumCPU(), availableMemory()/(guestMemory+guestMemory/4)))
}

// availableMemory is in MiB, as proc(5) tells it.
func availableMemory() int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return 0
	}
	for line := range strings.Lines(string(text)) {
		if words := strings.Fields(line); words[0] == "MemAvailable:" {
			n, _ := strconv.Atoi(words[1])
			return n / 1024
		}
	}
	return 0
}

// order returns the places of the kernels that are for guests: first those with most suites, of them the newest.
func (m *matrix) order(wanted []*kernel) []int {
	var guests []int
	for i, k := range slices.Backward(wanted) {
		if k.machine != nil {
			guests = append(guests, i)
		}
	}
	suites := func(i int) int { return len(suitesOf(wanted[i], m.options.run)) }
	slices.SortStableFunc(guests, func(a, b int) int { return cmp.Compare(suites(b), suites(a)) })
	return guests
}

// runAll runs the guests beside each other, and the host's own kernel when they are done, as its tests measure time. What
// has most to test begins, so that the guests end at about one time.
func (m *matrix) runAll(ctx context.Context, wanted []*kernel) []*result {
	results := make([]*result, len(wanted))
	slots := make(chan struct{}, m.parallel())
	var running sync.WaitGroup
	for _, i := range m.order(wanted) {
		k := wanted[i]
		slots <- struct{}{}
		running.Go(func() {
			defer func() { <-slots }()
			results[i] = m.runTwice(ctx, k, m.inGuest)
		})
	}
	running.Wait()
	for i, k := range wanted {
		if k.machine == nil {
			results[i] = m.runTwice(ctx, k, m.onHost)
		}
	}
	return results
}

// place is where suites run: it hands what they say to a function.
type place func(context.Context, *result, func(io.Reader) error) error

// runTwice runs a kernel's suites, and what failed once more, in a guest of its own: emulated processors that share real
// ones now and then make a test wait longer than it has patience for. What fails both times has failed. Tests that were
// chosen on the command line run once.
func (m *matrix) runTwice(ctx context.Context, k *kernel, where place) *result {
	first := m.runOnce(ctx, newResult(k, suitesOf(k, m.options.run)), where)
	if first.passed() || m.options.run != "" || ctx.Err() != nil {
		return first
	}
	second := newResult(k, first.again())
	for _, s := range second.plan {
		m.out.say(k, "run again: suite %s: %s", s.name, cmp.Or(strings.Join(s.tests, ", "), "all"))
	}
	first.replace(m.runOnce(ctx, second, where))
	return first
}

// runOnce runs the suites of a plan, somewhere, and reads what they say.
func (m *matrix) runOnce(ctx context.Context, r *result, where place) *result {
	ctx, cancel := context.WithTimeout(ctx, m.limit)
	defer cancel()
	began := time.Now()
	log, err := os.OpenFile(filepath.Join(m.cache, r.kernel.name+".log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o644)
	if err != nil {
		m.out.say(r.kernel, "%v", err)
		return r
	}
	defer log.Close()
	reader := &reader{result: r, p: m.out}
	err = where(ctx, r, func(out io.Reader) error { return reader.read(ctx, io.TeeReader(out, log)) })
	r.took = time.Since(began)
	if err != nil {
		m.out.say(r.kernel, "after %v: %v", r.took.Round(time.Second), err)
	}
	m.out.verdict(r, log.Name())
	return r
}

func (m *matrix) inGuest(ctx context.Context, r *result, read func(io.Reader) error) error {
	k := r.kernel
	g := &guest{
		machine: k.machine, initramfs: filepath.Join(m.work, k.name+".cpio"),
		console: filepath.Join(m.cache, k.name+".console"), accelerated: m.accelerated && k.machine == amd64,
	}
	var err error
	if g.kernel, err = kernelFile(m.root(k), k.machine); err != nil {
		return err
	}
	text := script(r.plan, "/tests", "SEINE_WHOLE_KERNEL=1")
	if err := pack(ctx, g.initramfs, m.root(k), m.binaries(k.machine.arch), k, text); err != nil {
		return fmt.Errorf("pack the initramfs: %w", err)
	}
	defer os.Remove(g.initramfs)
	err = g.run(ctx, read)
	r.spent = g.spent
	for _, line := range g.complaints() {
		r.fault(&r.plan[len(r.plan)-1], "the kernel says "+line)
	}
	if err == nil && !r.ended {
		err = fmt.Errorf("the guest ended before its tests did")
	}
	if err != nil {
		err = fmt.Errorf("%w; the end of the console:\n%s", err, g.tail())
	}
	return err
}

// onHost runs the suites as they are, one after the other.
func (m *matrix) onHost(ctx context.Context, r *result, read func(io.Reader) error) error {
	cmd := exec.CommandContext(ctx, "/bin/sh", "-c", script(r.plan, m.binaries(runtime.GOARCH)))
	cmd.WaitDelay = 5 * time.Second
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	cmd.Stderr = cmd.Stdout
	if err := cmd.Start(); err != nil {
		return err
	}
	failed := read(out)
	if err := cmd.Wait(); err != nil {
		return err
	}
	return failed
}

// script runs suites in order, whatever becomes of each.
func script(plan []suite, dir string, env ...string) string {
	var b bytes.Buffer
	b.WriteString("#!/bin/sh\n")
	for _, s := range plan {
		fmt.Fprintf(&b, "echo '%s%s'\n", beginMark, s.name)
		fmt.Fprintf(&b, "cd / && %s %s/%s %s\n", strings.Join(env, " "), dir, s.binary(), quote(s.arguments()))
		fmt.Fprintf(&b, "echo \"%s$?\"\n", endMark)
	}
	fmt.Fprintf(&b, "echo %s\n", allMark)
	return b.String()
}

// quote writes arguments for a shell.
func quote(args []string) string {
	var quoted []string
	for _, a := range args {
		quoted = append(quoted, "'"+strings.ReplaceAll(a, "'", `'\''`)+"'")
	}
	return strings.Join(quoted, " ")
}

// lines calls f with each line, without its end.
func lines(r io.Reader, f func(string) error) error {
	b := bufio.NewReaderSize(r, 1<<16)
	for {
		line, err := b.ReadString('\n')
		if line != "" {
			if err := f(strings.TrimRight(line, "\r\n")); err != nil {
				return err
			}
		}
		if err == io.EOF {
			return nil
		}
		if err != nil {
			return err
		}
	}
}
