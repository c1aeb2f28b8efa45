package health

import (
	"cmp"
	"context"
	"math"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/store"
)

// Store is what is asked; a store.Engine is one.
type Store interface {
	Engine
	Stats() store.Stats
}

// The bounds of a check.
const (
	// maxEdges and maxNodes are how many groups one query may have; the largest are looked at.
	maxEdges = 20_000
	maxNodes = 5_000
	// maxFindings are told, the gravest first.
	maxFindings = 200
	// maxTraced are those of which it is asked when they began.
	maxTraced = 40
)

// Checker checks the records of a store. It may be used by several goroutines at once.
type Checker struct {
	engine   Store
	settings *Settings
}

// New returns a checker; nil settings are those built in.
func New(engine Store, settings *Settings) *Checker {
	if settings == nil {
		settings = DefaultSettings()
	}
	return &Checker{engine: engine, settings: settings}
}

// Rules returns the rules with their thresholds in force.
func (c *Checker) Rules() []Rule { return slices.Clone(c.settings.Rules) }

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

// Report is what a check found.
type Report struct {
	From         time.Time `json:"from"`
	To           time.Time `json:"to"`
	BaselineFrom time.Time `json:"baseline_from"`
	BaselineTo   time.Time `json:"baseline_to"`
	Findings     []Finding `json:"findings"`
	// Checked counts what was looked at.
	Checked Checked `json:"checked"`
	// Notes say what could not be looked at.
	Notes []string `json:"notes"`
}

// Checked counts the subjects that had records in the period or before, and the rules that were applied.
type Checked struct {
	Edges int `json:"edges"`
	Nodes int `json:"nodes"`
	Rules int `json:"rules"`
}

// Request says what to check.
type Request struct {
	// Last is how long the period is, 15 minutes if 0, and Baseline how long the time before it, an hour if 0.
	Last, Baseline time.Duration
	// To is the end of the period.
	To time.Time
	// Filter is a condition in CEL on the rows of every dataset.
	Filter string
	// Namespaces, where not nil, leave the records with an end in one of them; then nothing is said of nodes.
	Namespaces []string
	// Take is asked for the bytes of each block of an answer before it is kept; nil takes what it needs.
	Take func(bytes int) error
}

// The periods of a request that names none.
const (
	DefaultLast     = 15 * time.Minute
	DefaultBaseline = time.Hour
)

// MaxPeriod is the longest that a period or a baseline may be.
const MaxPeriod = 7 * 24 * time.Hour

// Check says whether a request can be answered. The error is of type *query.Error.
func (r Request) Check() error {
	for member, length := range map[string]time.Duration{"last": r.Last, "baseline": r.Baseline} {
		if length < 0 || length > MaxPeriod {
			return refuse(member, "", "length "+length.String()+" is not from 1s to 7d")
		}
	}
	return nil
}

// Check looks at a period. Errors about the request are of type *query.Error.
func (c *Checker) Check(ctx context.Context, r Request) (*Report, error) {
	if err := r.Check(); err != nil {
		return nil, err
	}
	if r.Take == nil {
		r.Take = func(int) error { return nil }
	}
	run := &check{Checker: c, filter: r.Filter, take: r.Take, within: r.Namespaces, periods: c.periods(r)}
	if err := run.all(ctx); err != nil {
		return nil, err
	}
	return run.report(), nil
}

// periods leaves out of the baseline what is before the first record.
func (c *Checker) periods(r Request) Periods {
	p := Periods{To: r.To, From: r.To.Add(-cmp.Or(r.Last, DefaultLast))}
	p.BaselineTo, p.BaselineFrom = p.From, p.From.Add(-cmp.Or(r.Baseline, DefaultBaseline))
	if stats := c.engine.Stats(); stats.Rows > 0 {
		if oldest := time.Unix(0, stats.Oldest); oldest.After(p.BaselineFrom) {
			p.BaselineFrom = oldest
		}
	}
	if p.BaselineTo.Sub(p.BaselineFrom) < p.To.Sub(p.From)/4 {
		p.BaselineFrom = p.BaselineTo
	}
	return p
}

// check is the state of Check.
type check struct {
	*Checker
	filter   string
	take     func(bytes int) error
	within   []string
	periods  Periods
	judged   []judged
	findings []*finding
	edges    map[Edge]bool
	nodes    map[string]bool
	behind   backends
	// foundBy and everyBy are the edges of rules by their ends.
	foundBy, everyBy map[*Rule]*index
	rules            int
	notes            []string
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

func (c *check) all(ctx context.Context) error {
	c.edges, c.nodes, c.behind = make(map[Edge]bool), make(map[string]bool), make(backends)
	c.foundBy, c.everyBy = make(map[*Rule]*index), make(map[*Rule]*index)
	for _, dataset := range c.settings.datasets() {
		for _, step := range []func(context.Context, string) error{c.byEdge, c.byNode} {
			if err := step(ctx, dataset); err != nil {
				return err
			}
		}
	}
	order := c.settings.names()
	slices.SortStableFunc(c.judged, func(a, b judged) int {
		return cmp.Compare(slices.Index(order, a.rule.Name), slices.Index(order, b.rule.Name))
	})
	if err := c.relate(ctx); err != nil {
		return err
	}
	for _, j := range c.judged {
		if err := c.explain(ctx, j); err != nil {
			return err
		}
	}
	slices.SortStableFunc(c.findings, (*finding).compare)
	if err := c.trace(ctx); err != nil {
		return err
	}
	slices.SortStableFunc(c.findings, (*finding).compare) // What is over matters less.
	if err := c.findPods(ctx); err != nil {
		return err
	}
	if err := c.findNames(ctx); err != nil {
		return err
	}
	return c.findDrops(ctx)
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

func (c *check) report() *Report {
	p := c.periods
	r := &Report{
		From: p.From.UTC(), To: p.To.UTC(), BaselineFrom: p.BaselineFrom.UTC(), BaselineTo: p.BaselineTo.UTC(),
		Findings: []Finding{}, Checked: Checked{Edges: len(c.edges), Nodes: len(c.nodes), Rules: c.rules}, Notes: c.notes,
	}
	if r.Notes == nil {
		r.Notes = []string{}
	}
	if p.scale() == 0 {
		r.Notes = append(r.Notes, "there are too few records from before the period to compare with: rules that compare were left out")
	}
	for _, f := range c.findings[:min(len(c.findings), maxFindings)] {
		r.Findings = append(r.Findings, f.told(p))
	}
	return r
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

// with is the request's filter with another condition.
func (c *check) with(condition string) string {
	parts := []string{}
	for _, part := range []string{c.filter, condition} {
		if part != "" {
			parts = append(parts, "("+part+")")
		}
	}
	return joined(parts...)
}

// refuse is an error about the request.
func refuse(member, hint, message string) error {
	return &query.Error{Member: member, Message: message, Kind: query.ValueError, Hint: hint}
}
