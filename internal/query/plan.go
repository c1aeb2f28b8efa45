package query

import (
	"net/netip"
	"regexp"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// Plan is a question about one dataset. Every evaluator answers it alike: the stores, and Evaluate of this package,
// which is what they are tested against. A plan is only read once it is made.
type Plan struct {
	// Dataset names the rows, such as "flows".
	Dataset string
	// From and To bound the rows by their field "end": From <= end < To.
	From, To flow.Time
	// Filter chooses rows; nil chooses all.
	Filter *Expr
	// Fields are the columns of a plan without measures, which asks for rows.
	Fields []*flow.Field
	// GroupBy are the keys of a plan with measures: keys and attributes of the record, never its measures. A number that
	// the row does not have is a key of its own, null. A key may be made of several texts (flow.Field.FirstOf): it is the
	// first of them that is not "". Without keys there is one group, which a plan without a step
	// answers even if no row was found.
	GroupBy []*flow.Field
	// Measures are computed for each group; with none, rows are asked for.
	Measures []Measure
	// Step divides time into buckets that begin at whole multiples of Step since the epoch; 0 is one bucket. With a
	// step, the first column of the answer is the bucket's begin, "time". Buckets without rows are left out.
	Step time.Duration
	// Order sorts the answer. Ties, and plans without an order, are sorted by the columns from left to right, ascending,
	// so that equal data gives equal answers; rows without an order come newest first, by "end". Texts are compared byte
	// by byte, and null comes before every value (after, where the order is descending).
	//
	// With a step, groups are ranked by their values over all buckets, and buckets come from the earliest (the latest,
	// if the order has "time" descending); within a bucket groups come by rank.
	Order []Order
	// Limit is the largest number of rows or, with a step, of groups over all buckets; 0 is no limit.
	Limit int
	// Other adds a group of all that the limit cut, last or, with a step, last in each bucket that has such rows. Its
	// keys are null, and the block marks it. Its measures are computed from its rows as any group's.
	Other bool
}

// TimeColumn is the name of the column with the begin of the buckets.
const TimeColumn = "time"

// Order is one key of a sort: the name of a column of the answer.
type Order struct {
	Column     string
	Descending bool
}

// Aggregation is what a measure does with the values of a group.
type Aggregation uint8

// The aggregations. Rows that do not have the value count for Count alone: a group without any value has the sum 0, 0
// distinct values, and null for the others. The text "" is no value.
//
// Counters of sampled packets (IsScaled) are multiplied by the row's sampling in Sum and Average; Min, Max and Quantile
// take them as recorded. In all five the column is Estimated if a row that gave a value was sampled. Sums stop at the
// largest int64. Average divides the sum by the number of values, as float64. Quantile is what Sketch answers.
// CountDistinct is exact while all groups and measures of the answer together saw at most DistinctLimit values, and
// estimated beyond, by what Distinct answers. Rate is Sum for each second of the period or, with a step, of that part of
// the bucket which lies in the period.
//
// The last four compute with the values of the measure's Args, as float64. Null is what comes of null, and of a division
// by 0.
const (
	Count Aggregation = iota + 1
	Sum
	Min
	Max
	Average
	CountDistinct
	Quantile
	Rate
	Constant
	Plus
	Minus
	Times
	Divided
)

// IsScaled says whether a field counts sampled packets or their bytes, so that it is multiplied by the row's sampling.
func IsScaled(f *flow.Field) bool { return f.Aggregate == flow.AggSum && !f.Whole }

// Measure is a column computed for each group.
type Measure struct {
	// Name is the text that the user wrote, such as "sum(total.bytes)", and the column's name.
	Name        string
	Aggregation Aggregation
	// Field is nil for Count, Constant and what has Args.
	Field *flow.Field
	// Where chooses among the rows of the group; nil takes all.
	Where *Expr
	// Quantile is between 0 and 1, for Quantile alone; Constant is for that alone.
	Quantile, Constant float64
	// Args are the two measures that the last four aggregations compute with.
	Args []Measure
}

// All calls visit for the measure and those that it computes with.
func (m *Measure) All(visit func(*Measure)) {
	visit(m)
	for i := range m.Args {
		m.Args[i].All(visit)
	}
}

// Seconds is the length of the period.
func (p *Plan) Seconds() float64 { return time.Duration(p.To - p.From).Seconds() }

// BucketSeconds is the length of what the period and a bucket have in common, by the bucket's begin.
func (p *Plan) BucketSeconds(begin int64) float64 {
	from, to := max(begin, int64(p.From)), min(begin+int64(p.Step), int64(p.To))
	return time.Duration(to - from).Seconds()
}

// Operator is what an expression does.
type Operator uint8

// The operators: the first three combine, the others compare a field with constants.
const (
	And Operator = iota + 1
	Or
	Not
	Equal
	Less
	LessOrEqual
	Greater
	GreaterOrEqual
	In
	Contains
	HasPrefix
	HasSuffix
	Matches
	// Within holds where an address lies in one of Prefixes.
	Within
	// Known holds where the row has the number, or the text is not "".
	Known
)

// Expr is a condition on a row, two-valued: a comparison with a number that the row does not have is false, and Not of
// it true. Unequal is Not of Equal. Texts are always there, "" where unknown, and compare byte by byte; "" is in no
// prefix.
type Expr struct {
	Operator Operator
	// Args are the parts of And, Or (one or more) and Not (one).
	Args []*Expr
	// Field is what is compared, nil in And, Or and Not.
	Field *flow.Field
	// Texts or Numbers hold the constants, as the field's column has them: one, or several for In. Times are
	// nanoseconds since the epoch, booleans 0 and 1.
	Texts    []string
	Numbers  []int64
	Prefixes []netip.Prefix
	Regexp   *regexp.Regexp
}
