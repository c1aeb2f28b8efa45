package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"sync"
	"time"
)

// result is what became of a kernel's suites.
type result struct {
	kernel *kernel
	// run is the pattern that limits the tests, "" is none.
	run string
	// took is the time from the boot to the end, spent the processor time of a guest.
	took, spent          time.Duration
	passes, fails, skips int
	problems             []string
	// ended tells whether the last suite was reached and ended.
	ended      bool
	statistics map[program]statistic

	// What follows is of the suite under way: the tests seen, and what those said that have not ended, both by name.
	suite  *suite
	began  time.Time
	seen   map[string]bool
	output map[string][]string
	// convert takes the test runner's output; converted gets an error or nil when all of it was read.
	convert   io.WriteCloser
	converted chan error
}

func newResult(k *kernel, run string) *result {
	return &result{kernel: k, run: run, statistics: make(map[program]statistic)}
}

func (r *result) passed() bool { return r.fails == 0 && len(r.problems) == 0 && r.ended }

func (r *result) problem(format string, args ...any) {
	r.problems = append(r.problems, fmt.Sprintf(format, args...))
}

// read takes what suites say until the end.
func (r *result) read(ctx context.Context, out io.Reader, p *printer) error {
	err := lines(out, func(line string) error {
		switch {
		case strings.HasPrefix(line, beginMark):
			return r.beginSuite(ctx, strings.TrimPrefix(line, beginMark), p)
		case strings.HasPrefix(line, endMark):
			return r.endSuite(strings.TrimPrefix(line, endMark), p)
		case line == allMark:
			r.ended = true
		case r.convert != nil:
			_, err := io.WriteString(r.convert, line+"\n")
			return err
		}
		return nil
	})
	if r.convert != nil {
		return r.endSuite("none: it did not end", p)
	}
	return err
}

// beginSuite starts the test runner's own reader of its output.
func (r *result) beginSuite(ctx context.Context, name string, p *printer) error {
	r.suite = nil
	for _, s := range suitesOf(r.kernel, r.run) {
		if s.name == name {
			r.suite = &s
		}
	}
	if r.suite == nil {
		return fmt.Errorf("suite %q: not one of this kernel's", name)
	}
	r.began, r.seen, r.output = time.Now(), make(map[string]bool), make(map[string][]string)
	cmd := exec.CommandContext(ctx, "go", "tool", "test2json", "-t")
	in, err := cmd.StdinPipe()
	if err != nil {
		return err
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return err
	}
	if err := cmd.Start(); err != nil {
		return fmt.Errorf("start test2json: %w", err)
	}
	r.convert, r.converted = in, make(chan error, 1)
	go func() {
		err := lines(out, func(line string) error { return r.take(line, p) })
		_, _ = io.Copy(io.Discard, out) // Else its writer would wait for ever.
		if waited := cmd.Wait(); err == nil {
			err = waited
		}
		r.converted <- err
	}()
	return nil
}

// endSuite checks that what was named did run.
func (r *result) endSuite(code string, p *printer) error {
	r.convert.Close()
	r.convert = nil
	err := <-r.converted
	verdict := "ok"
	if code != "0" {
		verdict = "FAIL"
		r.problem("suite %s: exit code %s", r.suite.name, code)
		p.block(r.kernel, r.output[""])
	}
	for _, name := range r.suite.tests {
		if r.run == "" && !r.seen[name] {
			r.problem("suite %s: %s did not run", r.suite.name, name)
		}
	}
	if r.run == "" && len(r.seen) == 0 {
		r.problem("suite %s: no test ran", r.suite.name)
	}
	p.say(r.kernel, "%s %s %.1fs", verdict, r.suite.name, time.Since(r.began).Seconds())
	return err
}

// event is one of go tool test2json; see go doc test2json.
type event struct {
	Action, Test, Output, Key, Value string
	Elapsed                          float64
}

func (r *result) take(line string, p *printer) error {
	var e event
	if err := json.Unmarshal([]byte(line), &e); err != nil {
		return fmt.Errorf("read the test runner's output %q: %w", line, err)
	}
	switch e.Action {
	case "run":
		r.seen[e.Test] = true
	case "output":
		r.output[e.Test] = append(r.output[e.Test], strings.TrimRight(e.Output, "\n"))
	case "attr":
		return r.note(&e)
	case "pass", "fail", "skip":
		if e.Test != "" {
			r.end(&e, p)
		}
	}
	return nil
}

// excuse is how testkit.SinceKernel says that the kernel is older than a feature. The host's own kernel may be built
// without some.
var excuse = regexp.MustCompile(`needs Linux \d+\.\d+, this is|is not in this kernel`)

func (r *result) end(e *event, p *printer) {
	said := r.output[e.Test]
	delete(r.output, e.Test)
	isTop := !strings.Contains(e.Test, "/")
	switch e.Action {
	case "pass":
		r.passes++
		if isTop {
			p.say(r.kernel, "--- PASS: %s (%.2fs)", e.Test, e.Elapsed)
		}
	case "skip":
		r.skips++
		if !excuse.MatchString(strings.Join(said, "\n")) {
			r.problem("%s was skipped without a kernel version", e.Test)
		}
		p.block(r.kernel, said)
	case "fail":
		r.fails++
		p.block(r.kernel, said)
	}
}

// finish says what is left to say of a kernel.
func (r *result) finish(p *printer, log string) {
	for test, said := range r.output {
		if test != "" {
			r.problem("%s did not end", test)
			p.block(r.kernel, said)
		}
	}
	if !r.ended && len(r.problems) == 0 {
		r.problem("the suites did not end")
	}
	for _, text := range r.problems {
		p.say(r.kernel, "%s", text)
	}
	if !r.passed() {
		p.say(r.kernel, "FAIL: all that the tests said is in %s", log)
	}
}

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
		if noise.MatchString(line) {
			continue
		}
		fmt.Fprintf(p.w, "%-10s %s\n", k.name, line)
	}
}

// noise is what the test runner says for readers of a single stream.
var noise = regexp.MustCompile(`^=== (RUN|PAUSE|CONT|NAME|ATTR) `)

func (p *printer) summary(results []*result) {
	p.mu.Lock()
	defer p.mu.Unlock()
	fmt.Fprintf(p.w, "\n%-10s %6s %6s %7s %8s %9s\n", "kernel", "passed", "failed", "skipped", "seconds", "processor")
	for _, r := range results {
		fmt.Fprintf(p.w, "%-10s %6d %6d %7d %8.0f %9.0f",
			r.kernel.name, r.passes, r.fails, r.skips, r.took.Seconds(), r.spent.Seconds())
		if len(r.problems) > 0 {
			fmt.Fprintf(p.w, "  %s", strings.SplitN(r.problems[0], "\n", 2)[0])
		}
		fmt.Fprintln(p.w)
	}
}
