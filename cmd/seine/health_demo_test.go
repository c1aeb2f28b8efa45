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
	"time"

	"github.com/seine-net/seine/internal/demo"
	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/testkit"
)

// everyFault asks TestHealthOfDemo for all of the demo's faults, which takes minutes; make check-health does.
const everyFault = "SEINE_EVERY_FAULT"

// faultFindings has the one finding that each of the demo's faults gives: its rule, and what its sentence must hold. The
// clear ones are seen within seconds.
var faultFindings = map[string]struct {
	rule  string
	words []string
	clear bool
}{
	"payments-slow":             {rule: "slow-connections", words: []string{"payments: "}},
	"checkout-down":             {rule: "connect-refused", words: []string{"checkout: "}, clear: true},
	"dns-nxdomain":              {rule: "dns-nxdomain", words: []string{"dns/dns: ", "most of them for checkout.shop.svc.cluster.local"}},
	"dns-slow":                  {rule: "dns-slow", words: []string{"dns/dns: "}},
	"dns-silent":                {rule: "dns-timeout", words: []string{"dns/dns: "}},
	"dns-servfail":              {rule: "dns-failure", words: []string{"dns/dns: ", "most of them for checkout.shop.svc.cluster.local"}},
	"packet-loss":               {rule: "drops", words: []string{"node worker-2: ", "NETFILTER_DROP", "also: "}},
	"service-without-endpoints": {rule: "service-without-endpoints", words: []string{"payments: "}, clear: true},
	"pod-blackhole":             {rule: "connect-timeout", words: []string{"payments: ", "at pod payments-", "dropped on node worker-1", "NETFILTER_DROP"}},
	"firewall-rejects":          {rule: "connect-unreachable", words: []string{"inventory: ", "NETFILTER_DROP"}, clear: true},
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

// period is how long a time the test looks at, and baseline how long nothing is wrong before every fault is tried.
const (
	period   = 15 * time.Second
	baseline = time.Minute
)

// findings are those of the period, against all the time before; compared says whether there is enough of that.
func (d *demoOnTerminal) findings() (found []health.Finding, compared bool) {
	d.t.Helper()
	time.Sleep(500 * time.Millisecond) // Each look costs the demo's processors something.
	got := seine(d.t, "health", "--api", d.api, "--last", period.String(), "-o", "json")
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
	if os.Getenv(everyFault) != "" {
		time.Sleep(baseline) // Some faults are seen by what was before.
		found, _ = d.findings()
	}
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

// looks is how often a fault's finding is looked at, two seconds apart, once all of the period has the fault.
const looks = 4

// checkFault switches a fault on until its finding is there alone, and off until nothing is found. With every fault the
// finding must stay the only one.
func (d *demoOnTerminal) checkFault(name, key string) {
	d.t.Helper()
	want := faultFindings[name]
	var found []health.Finding
	alone := func() bool {
		found, _ = d.findings()
		return len(found) == 1 && found[0].Rule == want.rule &&
			!slices.ContainsFunc(want.words, func(word string) bool { return !strings.Contains(found[0].Sentence, word) })
	}
	defer func() {
		if d.t.Failed() {
			d.t.Logf("%s, at last: %q", name, sentences(found))
		}
	}()
	d.press(key)
	since := time.Now()
	d.await(name+" found", alone)
	d.t.Logf("%s after %v: %q", name, time.Since(since).Round(time.Second), sentences(found))
	for i := 0; i < looks && os.Getenv(everyFault) != ""; i++ {
		time.Sleep(time.Until(since.Add(period + time.Duration(2*i+3)*time.Second)))
		if !alone() {
			d.t.Errorf("%s, look %d: %q", name, i, sentences(found))
		}
	}
	d.t.Logf("%s: %q", name, sentences(found))
	d.press(key)
	d.await(name+" over", func() bool {
		found, _ = d.findings()
		return len(found) == 0
	})
}
