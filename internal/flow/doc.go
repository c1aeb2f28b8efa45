// Package flow defines the connection record, the one thing that all other packages exchange, and the table
// of its fields.
//
// A [Record] is one connection during one interval, as one node saw it. It is filled in stages: capture writes
// times, tuple and volumes; nat the translation; the name indexes the identities; the agent the node, the
// reporter and primary. After that it is only read: by the store, the query evaluators, the exporters and the
// encoders of this package.
//
// A [Field] is one value of a record: its stable number and name, its [FieldKind], what it means and how it is
// read. Columns, filters, output formats and the reference documentation are loops over [Fields]; none of them
// has a list of its own. To add a field, add the member to Record and an entry to the table in fields.go, and
// run go generate. The tests name what was forgotten.
//
// The package knows neither where records come from nor where they go: it opens nothing, keeps no state
// and imports no other package of the project.
package flow

//go:generate go run ./gendocs
