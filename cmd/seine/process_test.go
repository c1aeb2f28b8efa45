package main

import (
	"bytes"
	"context"
	"encoding/json"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"
)

// patience is how long any one thing may take on a busy machine.
const patience = 90 * time.Second

// outcome is how a run of the program ended.
type outcome struct {
	code      int
	out, errs string
}

// seine runs the program to its end.
func seine(t testing.TB, args ...string) outcome {
	t.Helper()
	return runAs(t, nil, program, args...)
}

// runAs runs a command to its end, with an empty standard input and, where given, other privileges.
func runAs(t testing.TB, attr *syscall.SysProcAttr, name string, args ...string) outcome {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	cmd := exec.CommandContext(ctx, name, args...)
	cmd.Dir, cmd.SysProcAttr = "/", attr
	var out, errs bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &errs
	err := cmd.Run()
	if ctx.Err() != nil {
		t.Fatalf("%s %q does not end: %s", name, args, errs.String())
	}
	if cmd.ProcessState == nil {
		t.Fatalf("run %s %q: %v", name, args, err)
	}
	return outcome{cmd.ProcessState.ExitCode(), out.String(), errs.String()}
}

// covered runs the program where an empty file system hides a directory.
func covered(t *testing.T, dir string, args ...string) outcome {
	t.Helper()
	const script = `mount -t tmpfs none "$0" && exec "$@"`
	attr := &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	return runAs(t, attr, "/bin/sh", append([]string{"-c", script, dir, program}, args...)...)
}

// running is the program under way.
type running struct {
	*exec.Cmd
	t     testing.TB
	ended chan struct{}

	mu        sync.Mutex
	out, errs bytes.Buffer
}

// start starts the program. It is killed at the end of the test if it still runs.
func start(t testing.TB, args ...string) *running {
	t.Helper()
	p := &running{Cmd: exec.Command(program, args...), t: t, ended: make(chan struct{})}
	p.Stdout, p.Stderr = p.into(&p.out), p.into(&p.errs)
	p.begin()
	return p
}

// begin starts the command and follows it until it has ended.
func (p *running) begin() {
	p.t.Helper()
	p.Dir, p.WaitDelay = "/", time.Second // The delay is for children of a killed one that keep its pipes open.
	if err := p.Start(); err != nil {
		p.t.Fatal(err)
	}
	go func() {
		_ = p.Wait() // The exit code is in ProcessState.
		close(p.ended)
	}()
	p.t.Cleanup(func() {
		_ = p.Process.Kill()
		<-p.ended
	})
}

// writerFunc is a function as an io.Writer.
type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

// into guards a buffer that is read while the program writes.
func (p *running) into(b *bytes.Buffer) writerFunc {
	return func(data []byte) (int, error) {
		p.mu.Lock()
		defer p.mu.Unlock()
		return b.Write(data)
	}
}

// output returns what the program has written so far.
func (p *running) output() (out, errs string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.out.String(), p.errs.String()
}

func (p *running) isEnded() bool {
	select {
	case <-p.ended:
		return true
	default:
		return false
	}
}

// await returns when the condition holds while the program runs.
func (p *running) await(what string, holds func() bool) {
	p.t.Helper()
	for deadline := time.Now().Add(patience); ; time.Sleep(50 * time.Millisecond) {
		ended := p.isEnded()
		if holds() {
			return
		}
		if ended || time.Now().After(deadline) {
			out, errs := p.output()
			p.t.Fatalf("%s: does not come; ended %v; errors %q; the end of the output: %q", what, ended, errs, tail(out, 2000))
		}
	}
}

func tail(text string, n int) string { return text[max(0, len(text)-n):] }

// awaitReady returns when the agent of a node is attached: it opens its control socket then.
func (p *running) awaitReady(node string) {
	p.t.Helper()
	p.await("control socket of "+node, func() bool { return len(sockets(p.t, node)) > 0 })
}

// sockets returns the control sockets of a node's agents.
func sockets(t testing.TB, node string) []string {
	t.Helper()
	paths, err := filepath.Glob("/run/seine/agent-" + node + "-*.sock")
	if err != nil {
		t.Fatal(err)
	}
	return paths
}

// end sends a signal and returns how the program ended.
func (p *running) end(signal os.Signal) outcome {
	p.t.Helper()
	if err := p.Process.Signal(signal); err != nil {
		p.t.Fatalf("end by %v: %v", signal, err)
	}
	return p.wait()
}

// wait returns how the program ended.
func (p *running) wait() outcome {
	p.t.Helper()
	select {
	case <-p.ended:
	case <-time.After(patience):
		p.t.Fatal("the program does not end")
	}
	out, errs := p.output()
	return outcome{p.ProcessState.ExitCode(), out, errs}
}

// watchingLine and servingLine are what a run says first on standard error.
var (
	watchingLine = regexp.MustCompile(`(?m)^time=\S+ level=INFO msg=watching node=.*\n`)
	servingLine  = regexp.MustCompile(`(?m)^time=\S+ level=INFO msg=serving api=.*\n`)
)

// withoutServing leaves out the line that says what is served, withoutWatching also those that say what is watched.
func withoutServing(errs string) string { return servingLine.ReplaceAllString(errs, "") }

func withoutWatching(errs string) string {
	return watchingLine.ReplaceAllString(withoutServing(errs), "")
}

// check fails the test unless the run ended well, with nothing on standard error but what is watched.
func (o outcome) check(t testing.TB) {
	t.Helper()
	if o.code != 0 || withoutWatching(o.errs) != "" {
		t.Errorf("exit code %d, errors %q; want 0 and none", o.code, o.errs)
	}
}

// volume is what a record says of one direction.
type volume struct{ Bytes, Packets uint64 }

// endpoint is what a record says of one end.
type endpoint struct {
	Addr            string
	Port            uint16
	Kind, Name, App string
}

// record holds the members of a JSON record that these tests look at.
type record struct {
	Proto, NAT, Node, Iface, Reporter string
	Primary                           bool
	Src, Dst, Backend, SNAT           endpoint
	Fwd, Rev                          volume
	TCP                               struct{ Flags []string }
}

// records reads NDJSON, and fails the test where a line is not an object. A last line without its end is left out.
func records(t *testing.T, out string) []record {
	t.Helper()
	var all []record
	for line := range strings.Lines(out) {
		if !strings.HasSuffix(line, "\n") {
			break
		}
		var r record
		if err := json.Unmarshal([]byte(line), &r); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		all = append(all, r)
	}
	return all
}
