// Package metrics tells Prometheus what the records say, summed by pairs of workloads, and how Seine itself fares.
//
// It follows the stored batches of each dataset by a bounded queue of its own (server.Follow), so that it never holds up
// what is stored; rows that it was too slow for are counted. A batch is read column by column: first what each family adds
// for each row, then under which key, then the sums. Keys are made of workloads, Services, namespaces and nodes, never of
// addresses, ports or pods; each grouping has a bounded number of them, rows beyond which go under one key "other", and
// those that nothing was added to for an hour give their room up.
//
// The tables in groupings.go, families.go and own.go are all there is; docs/reference/metrics.md is made from them. The
// package opens no socket: Handler is served by package api, at GET /metrics.
package metrics

//go:generate go run ./gendocs
