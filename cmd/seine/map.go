package main

import (
	"cmp"
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// mapLevels say by which members of an endpoint its node in the map is known: the first that is known names it.
var mapLevels = []struct {
	name    string
	members []string
}{
	{"workload", []string{"workload.name", "name", "addr"}},
	{"pod", []string{"name", "addr"}},
	{"service", []string{"service", "name", "addr"}},
	{"namespace", []string{"namespace", "kind"}},
	{"address", []string{"addr"}},
	{"node", []string{"node", "kind"}},
}

const unknown = "unknown"

func newMapCommand() *cobra.Command {
	f := measureFlags{request: query.Request{Measures: []string{"sum(total.bytes)", "sum(total.packets)", "count()"}}, hiding: new(hiding)}
	by, most, output, filter := "workload", 100, "table", ""
	c := asking(&cobra.Command{
		Use:   "map [FILTER]",
		Short: "Show who speaks to whom: clients, and who answered them",
		Long: "Edges lead from clients to the backends that answered; the largest are shown, with how many records made them. With -o dot or mermaid they are a graph:\n" +
			"  seine map -o dot | dot -Tsvg >map.svg",
		Args: atMostOne,
	}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		write, err := mapWriter(output)
		if err != nil {
			return err
		}
		filter = append(args, "")[0]
		f.hiding.all = f.hiding.all || output == "json" || output == "csv"
		f.request.Limit = most
		edges, a, err := f.edges(ctx, by, filter)
		if err != nil {
			return err
		}
		if err := write(cmd.OutOrStdout(), edges); err != nil {
			return err
		}
		writeNotes(cmd.ErrOrStderr(), a, &f.period)
		return f.tellHidden(cmd)
	})
	s := c.Flags()
	s.SortFlags = false
	f.conditions.add(s)
	f.period.add(s)
	s.StringVar(&by, "by", by, "what nodes are, a `LEVEL`: "+strings.Join(levelNames(), ", "))
	s.IntVar(&most, "limit", most, "show the `N` largest edges")
	s.StringVarP(&output, "output", "o", output, "`HOW`: "+strings.Join(mapOutputs(), ", "))
	f.hiding.add(s)
	f.ask.add(s)
	f.output = "table"
	f.conditions.complete(c, &f.ask)
	c.ValidArgsFunction = completeFilter(&f.ask)
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(levelNames(), cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(mapOutputs(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func levelNames() (names []string) {
	for _, l := range mapLevels {
		names = append(names, l.name)
	}
	return names
}

// edge is who speaks to whom, and how much.
type edge struct {
	from, to                    string
	bytes, packets, connections int64
}

// edges asks for the edges, the largest first: each is a group, which the server makes.
func (f *measureFlags) edges(ctx context.Context, by, filter string) ([]edge, *query.Answer, error) {
	i := slices.Index(levelNames(), by)
	if i < 0 {
		return nil, nil, usagef("--by %q: want one of %s", by, strings.Join(levelNames(), ", "))
	}
	members := mapLevels[i].members
	f.request.GroupBy, f.request.Order = mapKeys(members), "-sum(total.bytes)"
	a, err := f.answer(ctx, filter)
	if err != nil {
		return nil, nil, err
	}
	edges := make([]edge, a.Rows)
	for row := range edges {
		measures := a.Columns[len(a.Columns)-3:]
		edges[row] = edge{
			nodeName(a.Block, "src.", members, row), nodeName(a.Block, "backend.", members, row),
			measures[0].Ints[row], measures[1].Ints[row], measures[2].Ints[row],
		}
	}
	return edges, a, nil
}

// mapKeys are the keys that name the nodes at both ends, and the namespaces of those that are in one.
func mapKeys(members []string) (keys []string) {
	for _, end := range []string{"src.", "backend."} {
		keys = append(keys, nodeKey(end, members))
		if inNamespace(members) {
			keys = append(keys, end+"namespace")
		}
	}
	return keys
}

func nodeKey(end string, members []string) string {
	return "first(" + end + strings.Join(members, ", "+end) + ")"
}

func inNamespace(members []string) bool { return slices.Contains(members, "name") }

// nodeName is the name of a node, with the namespace in front of names in one.
func nodeName(b *query.Block, end string, members []string, row int) string {
	text := func(key string) string { return b.Columns[indexOf(b, key)].Texts[row] }
	name := cmp.Or(text(nodeKey(end, members)), unknown)
	if !inNamespace(members) || text(end+"namespace") == "" {
		return name
	}
	return text(end+"namespace") + "/" + name
}

// mapFormats are the ways in which a map is written.
var mapFormats = []struct {
	name  string
	write func(io.Writer, []edge) error
}{
	{"table", func(w io.Writer, e []edge) error { return writeEdges("table", w, e) }},
	{"json", func(w io.Writer, e []edge) error { return writeEdges("json", w, e) }},
	{"csv", func(w io.Writer, e []edge) error { return writeEdges("csv", w, e) }},
	{"dot", writeDOT},
	{"mermaid", writeMermaid},
}

func mapOutputs() (names []string) {
	for _, f := range mapFormats {
		names = append(names, f.name)
	}
	return names
}

func mapWriter(name string) (func(io.Writer, []edge) error, error) {
	for _, f := range mapFormats {
		if f.name == name {
			return f.write, nil
		}
	}
	return nil, usagef("output %q: want one of %s", name, strings.Join(mapOutputs(), ", "))
}

func writeEdges(output string, to io.Writer, edges []edge) error {
	b := &query.Block{Rows: len(edges), Columns: []query.Column{
		{Name: "from", Kind: flow.NameField},
		{Name: "to", Kind: flow.NameField},
		{Name: "bytes", Kind: flow.BytesField, Unit: "bytes"},
		{Name: "packets", Kind: flow.CountField},
		{Name: "records", Kind: flow.CountField},
	}}
	for _, e := range edges {
		b.Columns[0].Texts = append(b.Columns[0].Texts, e.from)
		b.Columns[1].Texts = append(b.Columns[1].Texts, e.to)
		b.Columns[2].Ints = append(b.Columns[2].Ints, e.bytes)
		b.Columns[3].Ints = append(b.Columns[3].Ints, e.packets)
		b.Columns[4].Ints = append(b.Columns[4].Ints, e.connections)
	}
	w, err := newAnswerWriter(output, to, b.Columns, columnsOf(b.Columns, false))
	if err != nil {
		return err
	}
	if b.Rows > 0 {
		if err := w.Write(b); err != nil {
			return err
		}
	}
	return w.Close()
}

// writeDOT writes a graph for Graphviz (https://graphviz.org/doc/info/lang.html).
func writeDOT(to io.Writer, edges []edge) error {
	var b strings.Builder
	b.WriteString("digraph seine {\n\trankdir=LR;\n\tnode [shape=box];\n")
	for _, e := range edges {
		fmt.Fprintf(&b, "\t%s -> %s [label=%s];\n", dotQuoted(e.from), dotQuoted(e.to), dotQuoted(flow.FormatBytes(uint64(e.bytes))))
	}
	b.WriteString("}\n")
	_, err := io.WriteString(to, b.String())
	return err
}

// dotQuoted quotes an identifier. A backslash begins an escape in labels.
func dotQuoted(text string) string {
	return `"` + strings.NewReplacer(`\`, `\\`, `"`, `\"`).Replace(printable(text)) + `"`
}

// writeMermaid writes a flowchart for Mermaid (https://mermaid.js.org/syntax/flowchart.html).
func writeMermaid(to io.Writer, edges []edge) error {
	var b strings.Builder
	b.WriteString("flowchart LR\n")
	numbers := make(map[string]int)
	node := func(name string) string {
		if n, ok := numbers[name]; ok {
			return fmt.Sprintf("n%d", n)
		}
		numbers[name] = len(numbers)
		return fmt.Sprintf("n%d[\"%s\"]", numbers[name], mermaidEscaped(name))
	}
	for _, e := range edges {
		from := node(e.from)
		fmt.Fprintf(&b, "  %s -->|\"%s\"| %s\n", from, flow.FormatBytes(uint64(e.bytes)), node(e.to))
	}
	_, err := io.WriteString(to, b.String())
	return err
}

// mermaidEscaped writes what Mermaid would read as syntax by its entity codes.
func mermaidEscaped(text string) string {
	return strings.NewReplacer(`"`, "#quot;", "#", "#35;", "<", "#lt;", ">", "#gt;", "`", "#96;", `\`, "#92;").Replace(printable(text))
}
