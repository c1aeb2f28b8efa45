package main

import (
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// rowTable is what a line has where rows of a dataset are listed: the fields that it is made of, and its columns.
type rowTable struct {
	fields  []string
	columns []blockColumn
	// wide are the fields that -o wide adds.
	wide []string
}

// asked are the fields to ask for; none asks for all.
func (t *rowTable) asked(output string) []string {
	switch output {
	case "table":
		return t.fields
	case "wide":
		return slices.Concat(t.fields, t.wide)
	}
	return nil
}

func (t *rowTable) table(output string) func([]query.Column) []blockColumn {
	shown := slices.Clone(t.columns)
	if output == "wide" {
		for _, name := range t.wide {
			shown = append(shown, named(strings.ToUpper(name), name, 0))
		}
	}
	return func([]query.Column) []blockColumn { return shown }
}

var queryRows = rowTable{
	fields: []string{
		"end", "dns.rcode", "dns.latency", "dns.type", "dns.name", "src.namespace", "src.name", "src.addr",
		"dst.namespace", "dst.name", "dst.addr", "backend.namespace", "backend.name", "backend.addr",
	},
	columns: []blockColumn{
		named("TIME", "end", 12), named("OUTCOME", "dns.rcode", 8), named("LATENCY", "dns.latency", 8), named("TYPE", "dns.type", 5),
		named("NAME", "dns.name", 34),
		{title: "CLIENT → RESOLVER", text: resolutionText},
	},
	wide: []string{"dns.retries", "dns.answers", "src.process.name", "node"},
}

// resolutionText is who asked whom, and who answered if that is another.
func resolutionText(b *query.Block, row int) string {
	client, resolver, backend := endName(b, "src", row), endName(b, "dst", row), endName(b, "backend", row)
	if backend == resolver || backend == "" {
		return client + " → " + resolver
	}
	return client + " → " + resolver + " ⇒ " + backend
}

// endName is the name of an end, else its address.
func endName(b *query.Block, end string, row int) string {
	switch name, namespace := at(b, end+".name", row), at(b, end+".namespace", row); {
	case name == "":
		return at(b, end+".addr", row)
	case namespace == "":
		return name
	default:
		return namespace + "/" + name
	}
}

var dropRows = rowTable{
	fields: append(slices.Clone(connectionFields), "total.drop_packets", "drop_reason", "node"),
	columns: []blockColumn{
		named("TIME", "end", 12), named("DROPPED", "total.drop_packets", 7), named("REASON", "drop_reason", 16), named("NODE", "node", 10),
		named("PROTO", "proto", 6),
		{title: "CONNECTION", text: connectionText},
	},
	wide: []string{"drop_function", "iface", "tcp.flags", "tcp.connect"},
}
