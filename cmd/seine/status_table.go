package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
)

// columns aligns lines of cells. Names in them come from others: nothing reaches the terminal that it would obey.
type columns struct{ *tabwriter.Writer }

func (c columns) line(cells ...string) {
	for i := range cells {
		cells[i] = printable(cells[i])
	}
	fmt.Fprintln(c, strings.Join(cells, "\t"))
}

func writeStatus(w io.Writer, s *agent.Status) {
	t := columns{tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)}
	defer t.Flush()
	if s.Node == "" {
		t.line("What an agent could use here:")
		writeFeatures(t, s)
		return
	}
	t.line("Node "+s.Node, fmt.Sprintf("seine %s, up %s, every %s, sampling 1:%d", s.Version,
		time.Since(s.Started).Round(time.Second), s.Interval, s.Sampling))
	writeFeatures(t, s)
	t.line("Flow map", fmt.Sprintf("%.0f %% of %d", s.Map.Used*100, s.Map.Max),
		fmt.Sprintf("%d connections remembered", s.Map.Connections))
	t.line("Evicted", fmt.Sprintf("%d flows in %d intervals", s.Evicted.Flows, s.Evicted.Times),
		fmt.Sprintf("%d records, the last in %s", s.Evicted.Records, s.Evicted.LastTook))
	writeCoverage(t, s)
	writeFailed(t, s)
	t.line()
	t.line("Losses", "Count", "Meaning")
	for _, l := range s.Losses {
		t.line(l.Reason, fmt.Sprint(l.Count), l.Detail)
	}
}

func writeFeatures(t columns, s *agent.Status) {
	t.line()
	t.line("Feature", "State", "Means", "Detail")
	for _, f := range s.Features {
		state, detail := string(f.State), f.Detail
		if f.Name == "translation" && f.State != capture.Off {
			idle, why := idleness(s.Conntrack)
			state, detail = state+idle, why+detail
		}
		t.line(f.Name, state, f.Means, detail)
	}
	t.line()
}

// idleness tells where conntrack has nothing to learn translations from.
func idleness(c agent.Conntrack) (state, why string) {
	switch c.State {
	case agent.ConntrackIdle:
		return ", idle", "conntrack has no entries in this network namespace, so nothing is translated; "
	case agent.ConntrackNotLoaded:
		return ", idle", "conntrack is not loaded (nf_conntrack), so nothing is translated; "
	case agent.ConntrackTracking, "": // An agent of an older version tells nothing.
		return "", ""
	}
	return "", fmt.Sprintf("whether conntrack has entries is not known (%s); ", c.Why)
}

func writeCoverage(t columns, s *agent.Status) {
	t.line()
	if s.Evicted.Times == 0 {
		t.line("Coverage of interfaces is told from the end of the first interval on.")
		return
	}
	t.line("Interface", "Coverage", "Counted", "In flows", "Outside flows")
	for i := range s.Coverage {
		c := &s.Coverage[i]
		t.line(c.Name, fmt.Sprintf("%.2f %%", c.Ratio()*100), flow.FormatBytes(c.Counted.Bytes),
			flow.FormatBytes(c.Flows.Bytes), outsideText(c))
	}
	if slices.ContainsFunc(s.Coverage, overCounted) {
		for _, line := range overCountedNote {
			t.line(line)
		}
	}
}

func writeFailed(t columns, s *agent.Status) {
	for _, name := range slices.Sorted(maps.Keys(s.Failed)) {
		t.line(name, "not watched: "+s.Failed[name])
	}
}

// overCounted tells of an interface with clearly more in its flows than it counted itself.
func overCounted(c capture.Coverage) bool { return c.Ratio() > 1.001 }

// overCountedNote explains overCounted. A bridge counts in br_dev_xmit, before which br_nf_dev_xmit of
// net/bridge/br_netfilter_hooks.c takes packets whose destination netfilter has rewritten.
var overCountedNote = []string{
	"Coverage above 100 %: the records hold more than the interface itself counted. Nothing is counted twice. It is so",
	"- on a bridge (docker0, cni0, br0): it does not count packets to a Service that netfilter sends from one of its",
	"  ports to another, and the records do;",
	"- for a moment on any interface: flows and the interface's counters are not read at the same instant;",
	"- under sampling: what is in flows is an estimate.",
}

func outsideText(c *capture.Coverage) string {
	var reasons []string
	for reason, v := range c.Outside {
		reasons = append(reasons, fmt.Sprintf("%s %s", reason, flow.FormatBytes(v.Bytes)))
	}
	slices.Sort(reasons)
	return strings.Join(reasons, ", ")
}
