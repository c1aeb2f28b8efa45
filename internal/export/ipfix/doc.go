// Package ipfix sends connections to a collector of IPFIX (RFC 7011), over TCP, TLS or UDP.
//
// A row is one bidirectional flow record (RFC 5103): what goes from client to server is in the elements themselves,
// what comes back in their reverse ones. The client as the backend saw it and the backend itself are the postNAT
// elements. All that IANA has no element for, names above all, is in elements of an enterprise, whose numbers are those
// of the field table, so that a new field needs no line here (elements.go). There is a template for each pair of address
// family and of ports or ICMP; an element is in it if the exporter's plan has its fields.
//
// Send encodes a block row by row into messages (encoder.go) and writes each to the connection (session.go), which it
// makes anew after any error. Neither TCP nor UDP has the collector confirm records: what was under way when a
// connection broke may be lost, and what came before in the same block comes again. Queueing, waiting and counting are
// package export's.
package ipfix

//go:generate go run ./gendocs
