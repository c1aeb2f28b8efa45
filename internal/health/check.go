package health

import (
	"cmp"
	"context"
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
