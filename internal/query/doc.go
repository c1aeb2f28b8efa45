// Package query defines what can be asked of the records: the plan, which every evaluator shares; the filter language,
// CEL over the field table, compiled to the plan's conditions; and the answer, in blocks of columns.
//
// A request passes through as text (Request), is checked and compiled once (Compile), and is then evaluated: by a
// store, by Match for each batch of the live tail, or by Evaluate, row by row and without any cleverness, which is what
// the stores are tested against. The package reads no files and knows no store.
package query
