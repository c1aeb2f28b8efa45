package query

import "github.com/seine-net/seine/internal/flow"

// Column is one column of an answer. One of the slices holds its values, as long as the block; Texts those of names,
// addresses, protocols and enumerations, Ints numbers, times (nanoseconds) and booleans (0 and 1), Floats averages and
// quantiles.
type Column struct {
	// Name is a field's name, a measure's, or "time" for the buckets' begin.
	Name string
	Kind flow.FieldKind
	Unit string
	// Estimated says that sampled packets went into values, or that distinct values were too many to be counted.
	Estimated bool
	Texts     []string
	Ints      []int64
	Floats    []float64
	// Null marks the values that are not there; nil means that all are.
	Null []bool
}

// Columns returns the columns of the plan's answer, without values.
func (p *Plan) Columns() []Column {
	var columns []Column
	if len(p.Measures) == 0 {
		return fieldColumns(p.Fields)
	}
	if p.Step > 0 {
		columns = append(columns, Column{Name: TimeColumn, Kind: flow.TimeField})
	}
	columns = append(columns, fieldColumns(p.GroupBy)...)
	for _, m := range p.Measures {
		columns = append(columns, m.Column())
	}
	return columns
}

func fieldColumns(fields []*flow.Field) []Column {
	columns := make([]Column, len(fields))
	for i, f := range fields {
		columns[i] = Column{Name: f.Name, Kind: f.Kind, Unit: f.Unit}
	}
	return columns
}

// Column describes the measure's column, without values. Numbers of things have the kind of a count, all others that of the field.
func (m *Measure) Column() Column {
	switch m.Aggregation {
	case Count, CountDistinct, Constant:
		return Column{Name: m.Name, Kind: flow.CountField}
	case Rate:
		return Column{Name: m.Name, Kind: m.Field.Kind, Unit: m.Field.Unit + "/s"}
	case Plus, Minus, Times, Divided:
		return m.computed()
	}
	return Column{Name: m.Name, Kind: m.Field.Kind, Unit: m.Field.Unit}
}

// IsFloat says whether the measure's values are Floats; those of all others are Ints.
func (m *Measure) IsFloat() bool {
	switch m.Aggregation {
	case Count, Sum, Min, Max, CountDistinct:
		return false
	}
	return true
}

// Block is a part of an answer: the columns in the order of the plan (bucket, group keys, measures; or fields). Its
// slices are valid until the next block.
type Block struct {
	Columns []Column
	Rows    int
	// Other marks the rows of the group that holds what the limit cut; nil means that there is none.
	Other []bool
}

// Summary is what is known once a plan is answered.
type Summary struct {
	// Rows is how many rows the answer has, Scanned how many were looked at.
	Rows, Scanned int64
	// Truncated says that the plan's limit or a bound of the evaluator left something out, and Cut which one: "limit",
	// or the bound in words. What is in the group of others is not left out.
	Truncated bool
	Cut       string
}
