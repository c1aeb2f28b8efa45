package health

import (
	"cmp"
	"math"
	"time"
)

// Subject is whom a finding is about. An edge has both ends; a workload and a node have Src alone, a service and a
// resolver Dst.
type Subject struct {
	Kind string  `json:"kind"`
	Src  *Entity `json:"src,omitempty"`
	Dst  *Entity `json:"dst,omitempty"`
}

// The kinds of subject.
const (
	edgeSubject     = "edge"
	workloadSubject = "workload"
	serviceSubject  = "service"
	nodeSubject     = "node"
	resolverSubject = "resolver"
)

// Finding is something that is wrong.
type Finding struct {
	Rule     string   `json:"rule"`
	Severity Severity `json:"severity"`
	Subject  Subject  `json:"subject"`
	// Sentence says it all, without a dot at its end.
	Sentence string `json:"sentence"`
	// Value and Baseline are in the unit; Baseline is null where nothing is known of then.
	Value    float64  `json:"value"`
	Baseline *float64 `json:"baseline"`
	Unit     string   `json:"unit"`
	// Since is when it began, null where that is not known; where it was so all through the baseline, its begin.
	Since *time.Time `json:"since"`
	// Until is when it ended, for what is over.
	Until *time.Time `json:"until,omitempty"`
	// Pod is the one pod of the server that is to blame, where others of it are well.
	Pod string `json:"pod,omitempty"`
	// DNSName is the name that most of the queries are for, where it is of queries that failed.
	DNSName string `json:"dns_name,omitempty"`
	// DropReason is why a kernel dropped most of the packets, where that is what the finding is of, or the reason for it, and
	// DropNodes which nodes did.
	DropReason string   `json:"drop_reason,omitempty"`
	DropNodes  []string `json:"drop_nodes,omitempty"`
	// Explains counts what was found beside it, and follows from it.
	Explains []Explained `json:"explains,omitempty"`
	// Filter selects in CEL the records of the dataset that are behind it.
	Filter  string `json:"filter"`
	Dataset string `json:"dataset"`
	// Volume is how much was looked at, such as connects, and Affected how much of that was bad.
	Volume   float64 `json:"volume"`
	Affected float64 `json:"affected"`
	// Edges are those that the finding stands for, where it is wider than one.
	Edges []EdgeFinding `json:"edges,omitempty"`
}

// Explained is how many edges have a finding of another rule, or of the same, that follows from one.
type Explained struct {
	Rule  string `json:"rule"`
	Edges int    `json:"edges"`
	noun  string
}

// EdgeFinding is what was found at one edge.
type EdgeFinding struct {
	Src      Entity   `json:"src"`
	Dst      Entity   `json:"dst"`
	Value    float64  `json:"value"`
	Baseline *float64 `json:"baseline"`
}

// finding is a Finding under way.
type finding struct {
	rule    *Rule
	subject Subject
	verdict verdict
	edges   []*edgeState
	filter  string
	// since and until are when it began and ended, zero where that is not known, and where it goes on.
	since, until time.Time
	// always says that it was so from the begin of the baseline.
	always bool
	// pod is the one pod that is to blame, and podNode where it is.
	pod, podNode string
	// name is the one that most DNS queries are for.
	name string
	// judged is how many edges a cause has that could be judged.
	judged int
	// at is the node that reports what happened there, empty for findings of others.
	at string
	// drops is what kernels dropped.
	drops dropped
	// consequences follow from a node's finding; those of edges are at the edges.
	consequences []consequence
	// steady says that traffic came all through the baseline.
	steady bool
}

// compare puts the gravest first, and of equal ones those that affect more.
func (f *finding) compare(g *finding) int {
	return cmp.Or(
		cmp.Compare(f.verdict.severity.rank(), g.verdict.severity.rank()),
		cmp.Compare(g.weight(), f.weight()),
		cmp.Compare(f.rule.Name, g.rule.Name), cmp.Compare(f.subject.String(), g.subject.String()),
	)
}

// weight is how much is affected: what is bad, else how much was looked at.
func (f *finding) weight() float64 {
	if f.rule.Form == Share {
		return f.verdict.now.bad()
	}
	return max(f.verdict.now.volume(), f.verdict.before.volume())
}

func (f *finding) told(p Periods) Finding {
	v := &f.verdict
	told := Finding{
		Rule: f.rule.Name, Severity: v.severity, Subject: f.subject, Sentence: f.sentence(p), Value: v.value,
		Baseline: known(v.baseline), Unit: f.rule.Unit, Filter: joined(f.filter, f.rule.Rows), Dataset: f.rule.Dataset,
		Volume: v.now.volume(), Affected: v.now.bad(),
	}
	told.Since, told.Until, told.Pod, told.DropReason = moment(f.since), moment(f.until), f.pod, most(f.drops.reasons)
	told.DNSName, told.DropNodes, told.Explains = f.name, f.drops.where(), f.explained()
	if f.subject.Kind != edgeSubject {
		for _, e := range f.edges {
			told.Edges = append(told.Edges, EdgeFinding{e.edge.Src, e.edge.Dst, e.verdict.value, known(e.verdict.baseline)})
		}
	}
	return told
}

// moment is a time, nil for none.
func moment(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	t = t.UTC()
	return &t
}

// known is a number, nil for NaN.
func known(x float64) *float64 {
	if math.IsNaN(x) {
		return nil
	}
	return &x
}
