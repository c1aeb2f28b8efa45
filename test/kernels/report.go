package main

import (
	"fmt"
	"io"
	"maps"
	"regexp"
	"slices"
	"strings"
	"sync"
)

// printer writes lines of several kernels, each with its name before it.
type printer struct {
	mu sync.Mutex
	w  io.Writer
}

func newPrinter(w io.Writer) *printer { return &printer{w: w} }

func (p *printer) say(k *kernel, format string, args ...any) {
	p.block(k, strings.Split(fmt.Sprintf(format, args...), "\n"))
}

// block keeps lines together.
func (p *printer) block(k *kernel, text []string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, line := range text {
		if !noise.MatchString(line) {
			fmt.Fprintf(p.w, "%-10s %s\n", k.name, line)
		}
	}
}

// noise is what the test runner says for readers of a single stream.
var noise = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME|ATTR) `)

// verdict says what is left to say of one run of a kernel's suites.
func (p *printer) verdict(r *result, log string) {
	for _, reason := range slices.Sorted(maps.Keys(r.excuses)) {
		p.say(r.kernel, "skipped %d: %s", r.excuses[reason], reason)
	}
	for _, text := range r.problems() {
		p.say(r.kernel, "%s", text)
	}
	if !r.passed() {
		p.say(r.kernel, "FAIL: all that the tests said is in %s", log)
	}
}

// summary is a table with a line for each kernel, and the closing line that readers of test runners look for.
func (p *printer) summary(results []*result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	var passed, failed, skipped, flaky int
	fmt.Fprintf(p.w, "\n%-10s %6s %6s %7s %5s %8s %9s\n", "kernel", "passed", "failed", "skipped", "flaky", "seconds", "processor")
	for _, r := range results {
		wrong := r.count("fail") + len(r.problems())
		fmt.Fprintf(p.w, "%-10s %6d %6d %7d %5d %8.0f %9.0f\n",
			r.kernel.name, r.count("pass"), wrong, r.count("skip"), len(r.flaky), r.took.Seconds(), r.spent.Seconds())
		passed, failed, skipped, flaky = passed+r.count("pass"), failed+wrong, skipped+r.count("skip"), flaky+len(r.flaky)
	}
	fmt.Fprintln(p.w)
	for _, r := range results {
		for _, name := range r.flaky {
			fmt.Fprintf(p.w, "flaky on %s: %s failed, and passed when it ran again\n", r.kernel.name, name)
		}
		for _, text := range r.problems() {
			fmt.Fprintf(p.w, "failed on %s: %s\n", r.kernel.name, text)
		}
		for _, s := range r.plan {
			for _, name := range r.failedIn(&s) {
				fmt.Fprintf(p.w, "failed on %s: %s\n", r.kernel.name, name)
			}
		}
	}
	fmt.Fprintf(p.w, "kernels: %d flaky\n", flaky)
	fmt.Fprintf(p.w, "kernels: %d passed, %d failed, %d skipped\n", passed, failed, skipped)
}
