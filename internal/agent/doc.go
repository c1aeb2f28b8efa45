// Package agent assembles the node's part: capture drains the kernel, nat joins what it counted to connections, names
// are put to the endpoints, and a sink takes the batch. The way of a record is direct calls by one goroutine, once an
// interval or when the flow map fills up.
//
// The package decides when; what happens is in the packages it calls. Where records go is the caller's business.
package agent
