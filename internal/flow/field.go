package flow

import (
	"net/netip"
	"strings"
)

// FieldID is the stable number of a field. It is never given to another field, even after the field is gone,
// so that stored and transmitted columns keep their meaning across versions.
type FieldID uint16

// Origin is the part of the product that fills a field.
type Origin string

// The origins.
const (
	OriginKernel  Origin = "kernel"
	OriginNAT     Origin = "nat"
	OriginNames   Origin = "names"
	OriginAgent   Origin = "agent"
	OriginDerived Origin = "derived"
)

// Role is what a query uses a field for: a key groups and filters, a measure is aggregated,
// an attribute describes the record and is shown with it.
type Role string

// The roles.
const (
	RoleKey       Role = "key"
	RoleMeasure   Role = "measure"
	RoleAttribute Role = "attribute"
)

// Aggregate is how values of several records of one connection become one.
type Aggregate string

// The aggregates; AggNone means that only equal values may be merged.
const (
	AggNone Aggregate = "none"
	AggSum  Aggregate = "sum"
	AggMin  Aggregate = "min"
	AggMax  Aggregate = "max"
	AggOr   Aggregate = "or"
)

// Cardinality says how many distinct values a field takes: low is tens and bounded by the code or by the number
// of nodes, medium grows with the number of workloads, high with the number of pods or connections.
// Fields of low and medium cardinality may become labels of metrics.
type Cardinality string

// The cardinality classes.
const (
	LowCardinality    Cardinality = "low"
	MediumCardinality Cardinality = "medium"
	HighCardinality   Cardinality = "high"
)

// Presence is the condition under which a field is written in JSON and has text in CSV and tables.
type Presence uint8

// The conditions. IfKnown omits the zero value, which stands for unknown.
const (
	Always Presence = iota
	IfKnown
	IfTCP
	IfICMP
	UnlessICMP
)

// Dataset is a set of kinds of rows, each of which has some of the fields.
type Dataset uint8

// The datasets: a row of Connections is a connection in an interval, one of Queries a DNS query with its answer.
const (
	Connections Dataset = 1 << iota
	Queries

	everywhere = Connections | Queries
)

// datasetNames has the names by which the API calls datasets.
var datasetNames = []struct {
	set  Dataset
	name string
}{{Connections, "flows"}, {Queries, "dns"}}

// String returns the names of the datasets joined by commas: "flows", "dns" or "flows, dns".
func (d Dataset) String() string {
	var names []string
	for _, n := range datasetNames {
		if d&n.set != 0 {
			names = append(names, n.name)
		}
	}
	return strings.Join(names, ", ")
}

// In says whether rows of a dataset have the field.
func (f *Field) In(d Dataset) bool { return f.Datasets&d != 0 }

// Field describes one value of a record and reads it. Fields are shared and must not be changed.
type Field struct {
	ID   FieldID
	Name string
	// Group is the heading under which the documentation lists the field.
	Group string
	// Datasets are those whose rows have the field; none stands for the connections alone.
	Datasets Dataset
	Kind     FieldKind
	// Unit is the unit of the number, empty where there is none.
	Unit string
	// Doc is one sentence, Example a value as CSV shows it.
	Doc, Example string
	Origin       Origin
	Role         Role
	Aggregate    Aggregate
	Cardinality  Cardinality
	// Mirror is the field that takes this one's place when the connection is looked at from its other end; 0 is none.
	Mirror FieldID
	// SumOf names the fields that this one is the sum of: whoever has those need not store it. It is empty for all others.
	SumOf []FieldID
	// FirstOf are the fields of texts of which this one, which a query made, has the first that is known. It is empty for
	// those of the table.
	FirstOf []*Field
	// Whole marks sums of events that are all counted, of sampled and unsampled packets alike: they are no estimates.
	Whole bool
	// Shown marks the fields that a table of records has when the user chooses none.
	Shown bool
	// OnRequest marks costly fields, which are computed only where a user names them.
	OnRequest bool
	Presence  Presence
	// Enum lists the values of an EnumField: the index is the code that Uint returns.
	Enum Enum

	// One of the accessors is set, as Kind.Storage says. Uint returns Time as nanoseconds since the epoch and
	// true as 1. They do not allocate, but for Text of fields that are OnRequest.
	Uint func(*Record) uint64
	Text func(*Record) string
	Addr func(*Record) netip.Addr

	// parts are the fields that SumOf names.
	parts []*Field
}

// Parts returns the fields that this one is the sum of; it is empty for a field that is no sum.
func (f *Field) Parts() []*Field { return f.parts }

// Present says whether the record has the field: a condition on its protocol, or on the value being known.
func (f *Field) Present(r *Record) bool {
	switch f.Presence {
	case IfKnown:
		return f.known(r)
	case IfTCP:
		return r.Proto == TCP
	case IfICMP:
		return r.Proto.IsICMP()
	case UnlessICMP:
		return !r.Proto.IsICMP()
	}
	return true
}

func (f *Field) known(r *Record) bool {
	switch f.Kind.Storage() {
	case TextStorage:
		return f.Text(r) != ""
	case AddrStorage:
		return f.Addr(r).IsValid()
	}
	return f.Uint(r) != 0
}

// mirrors holds the prefixes that change places between the two ends of a connection.
var mirrors = map[string]string{
	"src": "dst", "dst": "src",
	"fwd": "rev", "rev": "fwd",
	"snat": "backend", "backend": "snat",
}

// link sets the mirror of each field that has one, and the parts of sums.
func link(fields []*Field) []*Field {
	byName := index(fields, func(f *Field) string { return f.Name })
	byID := index(fields, func(f *Field) FieldID { return f.ID })
	for _, f := range fields {
		prefix, rest, _ := strings.Cut(f.Name, ".")
		if m, ok := byName[mirrors[prefix]+"."+rest]; ok {
			f.Mirror = m.ID
		}
		for _, id := range f.SumOf {
			f.parts = append(f.parts, byID[id])
		}
	}
	return fields
}

func index[K comparable](fields []*Field, key func(*Field) K) map[K]*Field {
	m := make(map[K]*Field, len(fields))
	for _, f := range fields {
		m[key(f)] = f
	}
	return m
}
