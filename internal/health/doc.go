// Package health tells what is wrong in the network now, and whom it concerns: it compares a period of the stored
// records with the time before it, by rules that are data.
//
// A check passes through these steps. Rules of one dataset are asked together: one query groups the period's rows by
// client and server, one the baseline's (measure.go). Each rule looks at each of these edges (judge.go). What follows from
// another finding is counted there and left out (relate.go), first what follows from a node that loses packets (nodes.go).
// Edges with a finding of the same rule are then put down to what they share, a Service, a client or a node, where that
// explains them (cause.go), and what remains is a finding each: since when (since.go), at which pod (pods.go), for which
// name (names.go), dropped by whom (drops.go), in one sentence (sentence.go), the gravest first (check.go). The table of
// rules is in rules.go, that of what follows from what in relations.go; settings.go reads the file that changes thresholds.
//
// The package asks a store's Query and nothing else. It keeps nothing between two checks, and it measures nothing: a
// rule is as good as the fields that the agents fill.
package health

//go:generate go run ./gendocs
