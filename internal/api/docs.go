package api

import (
	"fmt"
	"io"
	"strings"
)

const docsBegin = `<!-- Made by go generate in internal/api. -->
# HTTP API

` + "`seine run`, `seine demo` and `seine server` serve it at `http://127.0.0.1:8080`; `--listen` chooses another address." + `
The exact description is [openapi.json](openapi.json), which the server itself has at ` + "`/api/v1/openapi.json`." + ` The fields and
their kinds are in [fields.md](fields.md).

`

const docsRest = `
## Groups

Each combination of values of what ` + "`group_by`" + ` names is a group: fields that identify or describe, or ` + "`first(a, b, …)`" + `, the first
of up to 8 texts that is known. ` + "`[\"first(src.workload.name, src.name, src.addr)\", \"first(backend.workload.name, backend.name, backend.addr)\"]`" + `
makes the edges of a map, whichever of its ends have a workload, and as few groups as that has.

## Measures

A measure is computed for each group, over its rows:

| measure | what |
|---|---|
| ` + "`count()`" + ` | how many rows |
| ` + "`sum(f)`, `rate(f)`" + ` | the sum of a counter; the same for each second of the period or, with a step, of the bucket's part in it |
| ` + "`avg(f)`, `min(f)`, `max(f)`, `p99(f)`" + ` | of an amount, such as bytes or a time in microseconds; any quantile, such as ` + "`p50` or `p99.9`" + `, with an error of at most 1 % |
| ` + "`count_distinct(f)`" + ` | how many values there are of what can be grouped by; exact up to 100,000 in an answer |

The last argument of each may be a condition in CEL, for the rows that count: ` + "`count(tcp.connect == \"timeout\")`, `sum(total.bytes, dst.kind == \"External\")`" + `.
Measures and numbers are joined by ` + "`+ - * /`" + ` and parentheses: ` + "`sum(fwd.retransmits) / sum(fwd.packets)`, `100 * count(dst.port == 443) / count()`" + `.
What is computed so is null where it has nothing to compute with: a division by 0, or a largest value of no rows.
A column has the measure's text as its name, which ` + "`order`" + ` takes, too.

Each connection is counted once: where the request names none of ` + "`primary`, `reporter` and `node`" + `, in filter, groups, fields or measures, only
records with ` + "`primary`" + ` count, and the answer says ` + "`\"scope\":\"primary\"`" + `. Counters of sampled packets are multiplied by the record's
` + "`sampling`" + ` in sums, rates and averages, and their columns marked ` + "`estimated`" + `.

## Who may ask

Without tokens the API answers on loopback only, and only to requests whose ` + "`Host`" + ` is a loopback name, so that no web page
reaches it by DNS rebinding. Requests that a browser sends for a page of another site are refused. Elsewhere the server
wants ` + "`--api-token-file`" + ` (one token a line, read again when it changes) or ` + "`--oidc-issuer` and `--oidc-audience`" + `; clients
send ` + "`Authorization: Bearer TOKEN`" + `. In a Kubernetes cluster ` + "`--api-kubernetes`" + ` admits its users' bearer tokens, too: who may list the
pods of all namespaces sees everything, others the connections with an end in a namespace whose pods they may list; the paths
that tell of the whole server are not for them. ` + "`/healthz` and `/readyz`" + ` answer everybody.

To revoke tokens, replace the token file by one with at least one other token: what it no longer holds is refused within
about a second. A token file that is emptied, removed or makes no sense revokes nothing until the server restarts: the
tokens before stay in use, with a warning in the log. At the restart it is an error.

## Bounds

A query has 30 s; 4 run at once, and 2 exports besides. Those beyond wait up to 2 s and are then refused with 503 and
` + "`Retry-After`" + `. Bodies have at most 256 KiB, filters 64 KiB, answers 100,000 rows and 32 MiB of values,
of each its JSON or what it takes in memory, whichever is more; the two periods of a comparison have 4 MiB together. All
answers under way have 64 MiB, beyond which large ones are refused with 503. What a limit cut is marked ` + "`truncated`" + `,
with ` + "`cut`" + ` naming the limit. Clients must take each 64 KiB within 30 s. Exports have an hour and no limit
of rows; one that cannot be completed ends with a broken connection, never as if it were whole.

256 connections are open at once, half of them from one IPv4 address or one /64 of IPv6; more from there are closed. Once
three quarters are open, those that have waited for a request for 2 s are closed to make room.

## Errors

All have one shape, for instance

` + "```json" + `
{"error":"filter: no field or function is called \"dst.prt\"","kind":"unknown_name",
 "hint":"did you mean \"dst.port\"? /api/v1/fields and seine fields list all","position":{"line":1,"column":1,"offset":0}}
` + "```" + `

` + "`hint` and `position`" + ` are there where they help.

| kind | status | meaning |
|---|---|---|
`

// WriteDocs writes the reference page of the API in Markdown.
func WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(docsBegin)
	b.WriteString("| path | what |\n|---|---|\n")
	for _, rt := range routes {
		fmt.Fprintf(&b, "| `%s %s` | %s%s |\n", rt.method, rt.path, rt.doc, parameterDocs(rt.parameters))
	}
	b.WriteString(docsRest)
	for _, k := range errorKinds {
		fmt.Fprintf(&b, "| `%s` | %d | %s |\n", k.kind, k.status, k.doc)
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func parameterDocs(parameters []parameter) string {
	var names []string
	for _, p := range parameters {
		names = append(names, "`"+p.name+"`")
	}
	if names == nil {
		return ""
	}
	return " Parameters: " + strings.Join(names, ", ") + "."
}
