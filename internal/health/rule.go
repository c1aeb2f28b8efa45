package health

import (
	"slices"
	"time"
)

// Severity is how much a finding matters.
type Severity string

// The severities.
const (
	Critical Severity = "critical"
	Warning  Severity = "warning"
	Info     Severity = "info"
)

var severities = []Severity{Critical, Warning, Info}

// Severities lists the severities, the gravest first.
func Severities() []Severity { return slices.Clone(severities) }

// rank orders severities, the gravest first.
func (s Severity) rank() int {
	for i, one := range severities {
		if s == one {
			return i
		}
	}
	return len(severities)
}

// Form is how a rule judges.
type Form string

// The forms of rules. Share judges how large a part of Of is Bad; Growth how many times the baseline a Value is, such as
// a quantile; Fall how little of Of is left of what the baseline lets expect, and Rise how many times as much it is.
const (
	Share  Form = "share"
	Growth Form = "growth"
	Fall   Form = "fall"
	Rise   Form = "rise"
)

// Grouping is what a rule looks at one by one.
type Grouping string

// The groupings: an edge is a client and what it calls; a node is one by what its own agent reports.
const (
	ByEdge Grouping = "edge"
	ByNode Grouping = "node"
)

// Rule is something that can be wrong. Its measures are in the query language. Rules are only read once they are made.
type Rule struct {
	Name string `json:"name"`
	// Doc says what it means, and where to look.
	Doc string `json:"doc"`
	// Says is the finding's sentence after the subject; {value} stands for what was found.
	Says string `json:"-"`
	// Dataset is what is asked, By what of it is looked at one by one.
	Dataset string   `json:"dataset"`
	By      Grouping `json:"by"`
	Form    Form     `json:"form"`
	// Bad and Of are additive measures: what is wrong, and of how much. Forms other than Share have the volume in Of.
	Bad string `json:"bad,omitempty"`
	Of  string `json:"of"`
	// BadBack and OfBack are the same from server to client, where Bad and Of are from client to server; they are added.
	BadBack string `json:"bad_back,omitempty"`
	OfBack  string `json:"of_back,omitempty"`
	// AllReports adds Bad and BadBack up over the reports of both nodes of a connection, each of which knows its own end's
	// part; else, as for all other measures, the primary report alone is counted.
	AllReports bool `json:"all_reports,omitempty"`
	// AtReporter says that Bad happened on the node that reports it, so that this node is to blame, and not one at an end.
	AtReporter bool `json:"at_reporter,omitempty"`
	// Noun is what findings are called where another explains them, in the plural.
	Noun string `json:"-"`
	// OfPath says that it is a fault of ways rather than of servers, so that nodes are looked at first.
	OfPath bool `json:"of_path,omitempty"`
	// ByDrops says that packets which a kernel dropped may be the reason, so that those are looked for.
	ByDrops bool `json:"by_drops,omitempty"`
	// Explains are the findings that follow from this one. They are filled from the table of relations.
	Explains []Effect `json:"explains,omitempty"`
	// Value is what Growth judges, where the baseline's is at most Below, in the unit; 0 is any.
	Value string  `json:"value,omitempty"`
	Below float64 `json:"below,omitempty"`
	// Rows is a condition in CEL that selects those of the subject's rows that a finding is made of; empty is all.
	Rows string `json:"rows,omitempty"`
	// Unit is that of the value: "share" of 1, "microseconds", "bytes/s".
	Unit string `json:"unit"`
	// Thresholds are those of the rule as built in, or as a settings file has them.
	Thresholds
}

// Thresholds are what a settings file may change of a rule.
type Thresholds struct {
	// Enabled is false for a rule that is left out.
	Enabled bool `json:"enabled"`
	// Info, Warning and Critical are from where on a finding is of that severity: a share of 1, or how many times the
	// baseline the value is; for Fall, up to which share of what was expected. Null is never.
	Info     *float64 `json:"info,omitempty"`
	Warning  *float64 `json:"warning,omitempty"`
	Critical *float64 `json:"critical,omitempty"`
	// MinVolume is the least of Of in the period below which nothing is said; for Fall, of what was expected. MinBad is the
	// least of Bad.
	MinVolume float64 `json:"min_volume"`
	MinBad    float64 `json:"min_bad,omitempty"`
	// MinIncrease is by how much the value must exceed the baseline, in the unit: for Growth, and where a Share is judged
	// only if it grew.
	MinIncrease float64 `json:"min_increase,omitempty"`
}

// Periods are the time that a check looks at, and the time before that it compares with. The baseline is empty where
// there are no records of then.
type Periods struct {
	From, To                 time.Time
	BaselineFrom, BaselineTo time.Time
}

func (p Periods) length() float64 { return p.To.Sub(p.From).Seconds() }

func (p Periods) baseline() float64 { return p.BaselineTo.Sub(p.BaselineFrom).Seconds() }

// scale is what a sum over the baseline is to be multiplied with to be of the period's length; 0 without a baseline.
func (p Periods) scale() float64 {
	if p.baseline() <= 0 {
		return 0
	}
	return p.length() / p.baseline()
}
