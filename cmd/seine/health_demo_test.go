package main

import (
	"encoding/json"
	"io"
	"net"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/demo"
	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/testkit"
)

// everyFault asks TestHealthOfDemo for all of the demo's faults, which takes minutes; make check-health does.
const everyFault = "SEINE_EVERY_FAULT"

// faultFindings has the finding that names each of the demo's faults: the rules that may tell it, and whom. The clear ones
// are seen within seconds.
var faultFindings = map[string]struct {
	rules []string
	whom  string
	clear bool
}{
	"payments-slow":             {rules: []string{"slow-connections"}, whom: "payments"},
	"checkout-down":             {rules: []string{"connect-refused"}, whom: "checkout", clear: true},
	"dns-nxdomain":              {rules: []string{"dns-nxdomain"}, whom: "dns"},
	"dns-slow":                  {rules: []string{"dns-slow"}, whom: "dns"},
	"dns-silent":                {rules: []string{"dns-timeout"}, whom: "dns"},
	"dns-servfail":              {rules: []string{"dns-failure"}, whom: "dns"},
	"packet-loss":               {rules: []string{"drops", "retransmits"}},
	"service-without-endpoints": {rules: []string{"service-without-endpoints"}, whom: "payments", clear: true},
	"pod-blackhole":             {rules: []string{"connect-timeout", "retransmits"}, whom: "payments"},
	"firewall-rejects":          {rules: []string{"connect-unreachable"}, whom: "inventory", clear: true},
}

// demoOnTerminal is a demo whose faults are switched by keys.
type demoOnTerminal struct {
	*running
	user  *os.File
	api   string
	drawn chan struct{}
}

func startDemoOnTerminal(t *testing.T) *demoOnTerminal {
	t.Helper()
	free, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	listen := free.Addr().String()
	free.Close()
	user, terminal := testkit.OpenTerminal(t)
	p := &running{Cmd: exec.Command(program, "demo", "--listen", listen), t: t, ended: make(chan struct{})}
	p.Env = append(os.Environ(), "TERM=xterm-256color")
	p.Stdin, p.Stdout, p.Stderr = terminal, terminal, p.into(&p.errs)
	p.begin()
	terminal.Close() // So that only the program holds it.
	d := &demoOnTerminal{running: p, user: user, api: "http://" + listen, drawn: make(chan struct{})}
	go func() {
		_, _ = io.Copy(io.Discard, user) // It ends with EIO when the program has closed the terminal.
		close(d.drawn)
	}()
	return d
}

func (d *demoOnTerminal) press(key string) {
	d.t.Helper()
	if _, err := d.user.WriteString(key); err != nil {
		d.t.Fatal(err)
	}
}

// findings are those of the last 12 seconds, against the time before; compared says whether there is enough of that.
func (d *demoOnTerminal) findings() (found []health.Finding, compared bool) {
	d.t.Helper()
	got := seine(d.t, "health", "--api", d.api, "--last", "12s", "--baseline", "45s", "-o", "json")
	if got.code != 0 {
		return nil, false
	}
	for line := range strings.Lines(got.out) {
		var f health.Finding
		if err := json.Unmarshal([]byte(line), &f); err != nil {
			d.t.Fatalf("finding %q: %v", line, err)
		}
		if f.Severity != health.Info {
			found = append(found, f)
		}
	}
	return found, !strings.Contains(got.errs, "too few records")
}

func sentences(found []health.Finding) (all []string) {
	for i := range found {
		all = append(all, found[i].Rule+": "+found[i].Sentence)
	}
	return all
}

// TestHealthOfDemo expects nothing to be found in the healthy demo, and each fault to be found, named, and over again.
func TestHealthOfDemo(t *testing.T) {
	before := linkNames(t)
	d := startDemoOnTerminal(t)
	var found []health.Finding
	d.await("a baseline", func() (ok bool) {
		found, ok = d.findings()
		return ok
	})
	if len(found) > 0 {
		t.Errorf("the healthy demo is found ill: %q", sentences(found))
	}
	for i, fault := range demo.Faults() {
		if want, ok := faultFindings[fault.Name]; !ok {
			t.Errorf("fault %s has no finding that names it", fault.Name)
		} else if want.clear || os.Getenv(everyFault) != "" {
			d.checkFault(fault.Name, toggleKeys[i:i+1])
		}
	}
	d.press("q")
	if got := d.wait(); got.code != 0 {
		t.Errorf("exit code %d", got.code)
	}
	<-d.drawn
	checkDemoGone(t, before)
}

// checkFault switches a fault on until it is found, and off until nothing is.
func (d *demoOnTerminal) checkFault(name, key string) {
	d.t.Helper()
	want := faultFindings[name]
	isIt := func(f health.Finding) bool {
		return slices.Contains(want.rules, f.Rule) && strings.Contains(f.Sentence, want.whom)
	}
	var found []health.Finding
	d.press(key)
	d.await(name+" found", func() bool {
		found, _ = d.findings()
		return slices.ContainsFunc(found, isIt)
	})
	d.t.Logf("%s: %q", name, sentences(found))
	d.press(key)
	d.await(name+" over", func() bool {
		found, _ = d.findings()
		return len(found) == 0
	})
}
