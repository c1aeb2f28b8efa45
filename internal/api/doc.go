// Package api answers over HTTP what is asked of the records: the paths below /api/v1, and the two that tell whether the
// process lives and whether it is ready.
//
// The table in route.go has every path with its parameters and answers; the handlers, the OpenAPI document and the
// reference page are made from it. A request passes the guards (guard.go: whose host name, whose page, whose token), is
// decoded strictly, compiled by package query, answered by a store.Engine in blocks of columns, and written as one JSON
// answer, as server-sent events or as an export, which package format encodes. Whatever goes wrong is told in one shape,
// query.Error.
//
// Everything is bounded: the size of a body, the time of a query and how many run at once, the bytes of an answer, the
// time in which a client must take what it asked for, the connections. The package keeps no state of its own; what is
// stored, and what is missing in it, the server and the engine know.
package api

//go:generate go run ./gendocs
