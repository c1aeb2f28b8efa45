package health

import (
	"fmt"
	"math"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// TestSentences holds the sentences of every rule, of each kind of subject, and with numbers from none to many against a
// golden file, which UPDATE=1 writes anew.
func TestSentences(t *testing.T) {
	var b strings.Builder
	for i := range rules {
		f := told(&rules[i], Subject{Kind: edgeSubject, Src: &Entity{"Deployment", "shop", "frontend"}, Dst: &Entity{"Service", "shop", "cart"}})
		if f.rule.By == ByNode {
			f.subject = Subject{Kind: nodeSubject, Src: &Entity{Kind: nodeKind, Name: "worker-1"}}
		}
		fmt.Fprintf(&b, "%s\n\t%s\n", f.rule.Name, f.sentence(sentencePeriods))
	}
	for _, c := range variants {
		f := told(&rules[c.rule], c.subject)
		p := sentencePeriods
		c.change(f, &p)
		fmt.Fprintf(&b, "%s\n\t%s\n", c.name, f.sentence(p))
	}
	path := filepath.Join("testdata", "sentences.golden")
	if os.Getenv("UPDATE") != "" {
		if err := os.WriteFile(path, []byte(b.String()), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	want, err := os.ReadFile(path)
	if err != nil || string(want) != b.String() {
		t.Errorf("%v; got\n%s", err, b.String())
	}
}

var sentencePeriods = Periods{
	From: now.Add(-15 * time.Minute), To: now, BaselineFrom: now.Add(-75 * time.Minute), BaselineTo: now.Add(-15 * time.Minute),
}

// told is a finding of a rule with usual figures.
func told(r *Rule, s Subject) *finding {
	f := &finding{rule: r, subject: s, since: now.Add(-10 * time.Minute), edges: make([]*edgeState, 1)}
	f.edges[0] = &edgeState{}
	f.verdict = verdict{severity: Warning, value: 0.123, baseline: 0, now: Facts{Bad: 41, Of: 333, Value: math.NaN()}, before: noFacts()}
	switch r.Unit {
	case timeUnit:
		f.verdict.value, f.verdict.baseline = 412_300, 5_100
	case bytesUnit:
		f.verdict.value, f.verdict.baseline = 0, 51_300
	}
	return f
}

// ruleAt is the place of a rule in the table.
func ruleAt(name string) int {
	for i := range rules {
		if rules[i].Name == name {
			return i
		}
	}
	panic("no rule " + name)
}

var (
	cart     = Subject{Kind: serviceSubject, Dst: &Entity{"Service", "shop", "cart"}}
	resolver = Subject{Kind: resolverSubject, Dst: &Entity{"Service", "kube-system", "dns"}}
	client   = Subject{Kind: workloadSubject, Src: &Entity{"Deployment", "shop", "frontend"}}
	atWorker = Subject{Kind: nodeSubject, Src: &Entity{Kind: nodeKind, Name: "worker-1"}}
	toWorker = Subject{Kind: nodeSubject, Dst: &Entity{Kind: nodeKind, Name: "worker-1"}}
)

// wide gives a finding edges of which some were judged.
func wide(found, judged int) func(*finding, *Periods) {
	return func(f *finding, _ *Periods) {
		f.judged, f.edges = judged, nil
		for range found {
			f.edges = append(f.edges, &edgeState{})
		}
	}
}

// following adds edges with a finding of another rule that follows.
func following(f *finding, rule string, edges int) {
	for i := range edges {
		s := &edgeState{edge: Edge{Src: Entity{Name: fmt.Sprint(rule, i)}}}
		f.consequences = append(f.consequences, consequence{&rules[ruleAt(rule)], s})
	}
}

var variants = []struct {
	name    string
	rule    int
	subject Subject
	change  func(*finding, *Periods)
}{
	{"both clients", ruleAt("connect-timeout"), cart, wide(2, 2)},
	{"two of three clients", ruleAt("connect-timeout"), cart, wide(2, 3)},
	{"all of many clients", ruleAt("connect-refused"), cart, wide(14, 14)},
	{"a resolver's clients", ruleAt("dns-timeout"), resolver, wide(3, 5)},
	{"both servers", ruleAt("connect-unreachable"), client, wide(2, 2)},
	{"many servers", ruleAt("connect-unreachable"), client, wide(11, 14)},
	{"to a node", ruleAt("retransmits"), toWorker, wide(7, 9)},
	{"at a node", ruleAt("drops"), atWorker, func(f *finding, p *Periods) {
		wide(7, 9)(f, p)
		f.at = "worker-1"
		f.drops.add("NETFILTER_DROP", "worker-1", 41)
		following(f, "retransmits", 5)
		following(f, "dns-timeout", 1)
		following(f, "slow-connections", 2)
		following(f, "traffic-stopped", 1)
		following(f, "connect-timeout", 1)
	}},
	{"a pod alone, dropped at one node", ruleAt("connect-timeout"), cart, func(f *finding, p *Periods) {
		wide(2, 2)(f, p)
		f.pod, f.podNode = "cart-7d4-x2", "worker-1"
		f.drops.add("NETFILTER_DROP", "worker-1", 41)
		following(f, "retransmits", 1)
	}},
	{"dropped at two nodes, by a reason without words", ruleAt("drops"), cart, func(f *finding, p *Periods) {
		wide(2, 2)(f, p)
		f.drops.add("UNHANDLED_PROTO", "worker-1", 20)
		f.drops.add("UNHANDLED_PROTO", "worker-2", 21)
	}},
	{"dropped at many nodes", ruleAt("connect-unreachable"), cart, func(f *finding, p *Periods) {
		wide(3, 3)(f, p)
		for i := range 6 {
			f.drops.add("IP_OUTNOROUTES", fmt.Sprint("worker-", i+1), 7)
		}
	}},
	{"a name", ruleAt("dns-failure"), resolver, func(f *finding, p *Periods) {
		wide(2, 2)(f, p)
		f.name = "cart.shop.svc.cluster.local"
	}},
	{"all, of one", ruleAt("connect-refused"), cart, func(f *finding, _ *Periods) {
		f.verdict.value, f.verdict.now = 1, Facts{Bad: 1, Of: 1, Value: math.NaN()}
	}},
	{"very little of very much", ruleAt("retransmits"), cart, func(f *finding, _ *Periods) {
		f.verdict.value, f.verdict.now = 0.0101, Facts{Bad: 1_234_567, Of: 122_234_356, Value: math.NaN()}
		f.verdict.baseline = 0.000012
	}},
	{"not seen before", ruleAt("connect-refused"), cart, func(f *finding, _ *Periods) { f.verdict.baseline = math.NaN() }},
	{"nothing before", ruleAt("connect-refused"), cart, func(f *finding, p *Periods) {
		f.verdict.baseline, p.BaselineFrom = math.NaN(), p.BaselineTo
	}},
	{"always", ruleAt("connect-refused"), cart, func(f *finding, p *Periods) {
		f.always, f.since, f.verdict.baseline = true, p.BaselineFrom, 0.119
	}},
	{"over", ruleAt("connect-refused"), cart, func(f *finding, _ *Periods) { f.until = now.Add(-5 * time.Minute) }},
	{"begin unknown", ruleAt("connect-refused"), cart, func(f *finding, _ *Periods) { f.since = time.Time{} }},
	{"a chain", ruleAt("slow-connections"), cart, func(f *finding, _ *Periods) { following(f, "slow-connections", 3) }},
	{"yesterday", ruleAt("connect-refused"), cart, func(f *finding, _ *Periods) { f.since = now.Add(-20 * time.Hour) }},
}
