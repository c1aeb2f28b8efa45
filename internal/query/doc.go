// Package query defines what can be asked of the records: the plan, which every evaluator shares; the filter language,
// CEL over the field table, compiled to the plan's conditions; and the answer, in blocks of columns.
//
// A request passes through as text (Request), is checked and compiled once (Compile), and is then evaluated: by a
// store, by a Matcher for each batch of the live tail, or by Evaluate, row by row and without any cleverness, which is
// what the stores are tested against. A comparison has two plans, whose answers Join puts together. A Collector
// gathers the blocks, and Answer writes them as JSON. The package reads no files and knows no store.
package query
