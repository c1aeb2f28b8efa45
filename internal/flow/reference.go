package flow

import (
	"bufio"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
)

// WriteFieldTable writes the fields for a terminal, a line each.
func WriteFieldTable(w io.Writer) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "FIELD\tKIND\tUNIT\tROLE\tFROM\tDATASETS\tMEANING")
	for _, f := range fields {
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\t%s\n", f.Name, f.Kind, orDash(f.Unit), f.Role, f.Origin, f.Datasets, f.meaning())
	}
	return t.Flush()
}

// meaning returns the doc sentence and, for an enumeration, its values.
func (f *Field) meaning() string {
	if f.Enum == nil {
		return f.Doc
	}
	return fmt.Sprintf("%s One of %s.", f.Doc, strings.Join(f.Enum.Names(), ", "))
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// WriteFieldDocs writes the reference page of the fields in Markdown.
func WriteFieldDocs(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, docsIntroduction)
	for _, group := range groups {
		writeGroup(b, group)
	}
	writeEnums(b)
	writeKinds(b)
	return b.Flush()
}

const docsIntroduction = `<!-- Generated from the field table in internal/flow by go generate. Do not edit. -->

# Fields of a record

A record is a row of one of two datasets. One of *flows* is one connection during one interval, as one node saw it,
oriented from client to server. One of *dns* is one DNS query with its answer, or with none in time: its *src* is who
asked, its *dst* the resolver that was asked, its *backend* the one that answered; it starts with the query and ends
with the answer, or when none was waited for any longer. The names here are the same in JSON, where they nest at the
dots, in CSV headers, in filters and in the API.

A connection has up to four addresses: *src* is the client, *dst* what it dialled, *backend* who answered, equal to
*dst* where nothing translated it, and *snat* the client as the backend saw it, equal to *src* likewise. *fwd* counts
from client to server, *rev* from server to client.

- **Kind** says what sort of value it is; the kinds are explained at the end.
- **Role**: a *key* groups and filters, a *measure* is aggregated, an *attribute* is shown with the record.
- **Merged by** is how the values of several records become one.
- **From**: the kernel's packets, the translation (nat), the name index (names), the agent, or derived from other fields.
- **Values** says how many distinct values to expect: low, medium (as many as workloads) or high (as many as pods or connections).
- **In** names the datasets that have the field.
- **Id** is the stable number of the field in stored and transmitted columns.
`

func writeGroup(w io.Writer, group string) {
	fmt.Fprintf(w, "\n## %s\n\n", group)
	fmt.Fprintln(w, "| Field | Kind | Meaning | Example | Present | Role | Merged by | From | Values | In | Id |")
	fmt.Fprintln(w, "|---|---|---|---|---|---|---|---|---|---|---|")
	for _, f := range fields {
		if f.Group == group {
			fmt.Fprintf(w, "| `%s` | %s | %s | `%s` | %s | %s | %s | %s | %s | %s | %d |\n",
				f.Name, f.Kind, f.Doc, inTable(f.Example), f.when(), f.Role, f.Aggregate, f.Origin, f.Cardinality, f.Datasets, f.ID)
		}
	}
}

// inTable escapes the bar, which ends a cell of a Markdown table even in code.
func inTable(text string) string { return strings.ReplaceAll(text, "|", `\|`) }

// when says in words under which condition a record is written with the field.
func (f *Field) when() string {
	if f.OnRequest {
		return "if asked for"
	}
	return [...]string{
		Always:     "always",
		IfKnown:    "if known",
		IfTCP:      "TCP",
		IfICMP:     "ICMP",
		UnlessICMP: "unless ICMP",
	}[f.Presence]
}

// writeEnums writes the values of each enumeration once, under the names of all fields that have it.
func writeEnums(w io.Writer) {
	fmt.Fprint(w, "\n## Values of the enumerations\n")
	written := map[*EnumValue]bool{}
	for _, f := range fields {
		if f.Enum == nil || written[&f.Enum[0]] {
			continue
		}
		written[&f.Enum[0]] = true
		fmt.Fprintf(w, "\n%s\n\n| Value | Meaning |\n|---|---|\n", fieldsWith(f.Enum))
		for _, v := range f.Enum {
			if v.Name != "" {
				fmt.Fprintf(w, "| `%s` | %s |\n", v.Name, v.Doc)
			}
		}
	}
}

func fieldsWith(e Enum) string {
	var names []string
	for _, f := range fields {
		if f.Enum != nil && &f.Enum[0] == &e[0] {
			names = append(names, "`"+f.Name+"`")
		}
	}
	return strings.Join(names, ", ")
}

func writeKinds(w io.Writer) {
	fmt.Fprint(w, "\n## Kinds\n\n| Kind | In JSON | Meaning |\n|---|---|---|\n")
	for _, k := range FieldKinds() {
		fmt.Fprintf(w, "| %s | %s | %s |\n", k, k.JSONType(), inTable(k.Doc()))
	}
}
