package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os/exec"
	"regexp"
	"strings"
	"time"
)

// The lines between which a suite speaks. The second has its exit code.
const beginMark, endMark, allMark = "@suite ", "@code ", "@end"

// reader takes what suites say and judges it.
type reader struct {
	*result
	p *printer

	// What follows is of the suite under way: the tests seen, and what those said that have not ended, both by name.
	suite  *suite
	began  time.Time
	seen   map[string]bool
	output map[string][]string
	// convert takes the test runner's output; converted gets an error or nil when all of it was read.
	convert   io.WriteCloser
	converted chan error
}

// read takes what suites say until the end.
func (r *reader) read(ctx context.Context, out io.Reader) error {
	err := lines(out, func(line string) error {
		switch {
		case strings.HasPrefix(line, beginMark):
			return r.beginSuite(ctx, strings.TrimPrefix(line, beginMark))
		case strings.HasPrefix(line, endMark):
			return r.endSuite(strings.TrimPrefix(line, endMark))
		case line == allMark:
			r.ended = true
		case r.convert != nil:
			_, err := io.WriteString(r.convert, line+"\n")
			return err
		}
		return nil
	})
	if r.convert != nil {
		return r.endSuite("none: it did not end")
	}
	return err
}

// beginSuite starts the test runner's own reader of its output.
func (r *reader) beginSuite(ctx context.Context, name string) error {
	r.suite = nil
	for _, s := range r.plan {
		if s.name == name {
			r.suite = &s
		}
	}
	if r.suite == nil {
		return fmt.Errorf("suite %q: not one of this run", name)
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
		err := lines(out, r.take)
		_, _ = io.Copy(io.Discard, out) // Else its writer would wait for ever.
		if waited := cmd.Wait(); err == nil {
			err = waited
		}
		r.converted <- err
	}()
	return nil
}

// endSuite checks that what was named did run and that nothing is wrong but tests that failed.
func (r *reader) endSuite(code string) error {
	r.convert.Close()
	r.convert = nil
	err := <-r.converted
	s := r.suite
	r.faults[s.name] = nil
	for test, said := range r.output {
		if test != "" && !strings.Contains(test, "/") {
			r.fault(s, test+" did not end")
		}
		if test != "" {
			r.p.block(r.kernel, said)
		}
	}
	for _, name := range s.tests {
		if !r.seen[name] {
			r.fault(s, name+" did not run")
		}
	}
	if s.only == "" && len(r.seen) == 0 {
		r.fault(s, "no test ran")
	}
	failed := r.failedIn(s)
	if code != "0" && (code != "1" || len(failed) == 0) {
		r.fault(s, "exit code "+code)
		r.p.block(r.kernel, r.output[""])
	}
	verdict := "ok"
	if len(failed)+len(r.faults[s.name]) > 0 {
		verdict = "FAIL"
	}
	r.p.say(r.kernel, "%s %s %.1fs", verdict, s.name, time.Since(r.began).Seconds())
	return err
}

// event is one of go tool test2json; see go doc test2json.
type event struct {
	Action, Test, Output, Key, Value string
	Elapsed                          float64
}

func (r *reader) take(line string) error {
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
			r.end(&e)
		}
	}
	return nil
}

// excuse is how testkit.SinceKernel says that the kernel is older than a feature. The host's own kernel may be built
// without some.
var excuse = regexp.MustCompile(`\S.*(needs Linux \d+\.\d+, this is|is not in this kernel)`)

func (r *reader) end(e *event) {
	said := r.output[e.Test]
	delete(r.output, e.Test)
	outcome := e.Action
	if outcome == "skip" {
		reason := position.ReplaceAllString(excuse.FindString(strings.Join(said, "\n")), "")
		r.excuses[strings.TrimSuffix(reason, ", this is")]++
		if reason == "" {
			outcome, said = "fail", append(said, "skipped without a kernel version: that is a failure here")
		}
	}
	r.outcomes[testName{r.suite.name, e.Test}] = outcome
	switch {
	case outcome == "fail":
		r.p.block(r.kernel, said)
	case outcome == "pass" && !strings.Contains(e.Test, "/"):
		r.p.say(r.kernel, "--- PASS: %s (%.2fs)", e.Test, e.Elapsed)
	}
}

// position is where a test says something, before what it says.
var position = regexp.MustCompile(`^\s*[\w.]+\.go:\d+: `)
