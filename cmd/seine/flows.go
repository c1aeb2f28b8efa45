package main

import (
	"context"
	"io"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// flowsFlags are the flags of seine flows.
type flowsFlags struct {
	ask        askFlags
	conditions conditions
	period     periodFlags
	last       int
	follow     bool
	output     string
	fields     []string
	hiding     hiding
}

func newFlowsCommand() *cobra.Command {
	var f flowsFlags
	c := asking(&cobra.Command{
		Use:   "flows [FILTER]",
		Short: "List connections that a server knows",
		Long: "The filter is a condition in CEL over the fields that seine fields lists, such as\n" +
			`  seine flows 'dst.port == 443 && total.bytes > 1048576'` + "\n" +
			"A line is a record: one connection during one interval of its agent, so that a long download gives several.\n" +
			"Flags filter as well: values of one flag are alternatives, different flags must all hold.",
		Args: atMostOne,
	}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		return f.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), args)
	})
	s := c.Flags()
	s.SortFlags = false
	f.conditions.add(s)
	f.period.add(s)
	s.IntVar(&f.last, "last", 20, "list the `N` newest records; --limit is the same")
	s.SetNormalizeFunc(func(_ *pflag.FlagSet, name string) pflag.NormalizedName {
		if name == "limit" {
			name = "last"
		}
		return pflag.NormalizedName(name)
	})
	s.BoolVarP(&f.follow, "follow", "f", false, "go on with connections as they are recorded; with --last or --since, the earlier ones first")
	s.StringSliceVar(&f.fields, "fields", nil, "which `FIELDS`, separated by commas (default a table of the connection; with json and csv all)")
	s.StringVarP(&f.output, "output", "o", "table", "`HOW`: table, wide, json (an object a line), csv or netobserv (flow logs of NetObserv)")
	f.hiding.add(s)
	f.ask.add(s)
	f.conditions.complete(c, &f.ask)
	c.ValidArgsFunction = completeFilter(&f.ask)
	_ = c.RegisterFlagCompletionFunc("fields", completeFields(isAny))
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(answerOutputs, cobra.ShellCompDirectiveNoFileComp))
	c.PreRun = func(cmd *cobra.Command, _ []string) {
		if f.follow && !s.Changed("last") && !s.Changed("since") {
			f.last = 0
		}
	}
	return c
}

// atMostOne takes a filter, in one argument.
func atMostOne(_ *cobra.Command, args []string) error {
	if len(args) > 1 {
		return usagef("%d arguments: want one filter; put it in quotation marks", len(args))
	}
	return nil
}

func (f *flowsFlags) run(ctx context.Context, out, notes io.Writer, args []string) error {
	request, err := f.request(args)
	if err != nil {
		return err
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	l := listing{output: f.output, table: f.table, period: &f.period}
	if f.follow {
		return l.follow(ctx, c, request, out, notes)
	}
	if err := l.write(ctx, c, request, out, notes); err != nil {
		return err
	}
	return f.hiding.tell(ctx, c, notes)
}

func (f *flowsFlags) request(args []string) (*query.Request, error) {
	if err := checkAnswerOutput(f.output, netObservOutput); err != nil {
		return nil, err
	}
	if f.last < 0 || f.last > query.MaxLimit || f.last == 0 && !f.follow {
		return nil, usagef("--last %d: want 1 to %d; a period is --since 10m", f.last, query.MaxLimit)
	}
	filter, err := f.conditions.filter(append(args, "")[0])
	if err != nil {
		return nil, err
	}
	r := &query.Request{Filter: filter, Fields: f.columns(), Limit: f.last}
	if err := f.period.apply(r, time.Now()); err != nil {
		return nil, err
	}
	f.hiding.apply(r, f.output)
	return r, nil
}

// columns are the fields to ask for; none asks for all.
func (f *flowsFlags) columns() []string {
	switch {
	case len(f.fields) > 0:
		return f.fields
	case f.output == "table":
		return slices.Clone(connectionFields)
	case f.output == "wide":
		return append(slices.Clone(connectionFields), wideFields...)
	}
	return nil
}

// connectionFields are what a line of the table is made of; wideFields what -o wide adds.
var (
	connectionFields = []string{
		"end", "proto", "fwd.bytes", "rev.bytes", "nat",
		"src.addr", "src.port", "src.namespace", "src.name",
		"dst.addr", "dst.port", "dst.namespace", "dst.name",
		"backend.addr", "backend.port", "backend.namespace", "backend.name",
	}
	wideFields = []string{"fwd.packets", "rev.packets", "snat.addr", "snat.port", "ct_zone", "tcp.flags", "iface", "sampling"}
)

func (f *flowsFlags) table(columns []query.Column) []blockColumn {
	if len(f.fields) > 0 {
		return columnsOf(columns, f.output == "wide")
	}
	shown := []blockColumn{
		named("TIME", "end", 12), named("PROTO", "proto", 6), named("SENT", "fwd.bytes", 10), named("RECEIVED", "rev.bytes", 10),
	}
	if f.output == "wide" {
		for _, name := range wideFields {
			shown = append(shown, named(strings.ToUpper(name), name, 0))
		}
	}
	return append(shown, named("NAT", "nat", 9), blockColumn{title: "CONNECTION", text: connectionText})
}

// named shows the column of a field.
func named(title, name string, width int) blockColumn {
	field, _ := flow.FieldByName(name)
	column := columnsOf([]query.Column{{Name: name, Kind: field.Kind, Unit: field.Unit}}, false)[0]
	column.title, column.width = title, width
	column.text = func(b *query.Block, row int) string { return valueText(b, indexOf(b, name), row) }
	return column
}

func indexOf(b *query.Block, name string) int {
	return slices.IndexFunc(b.Columns, func(c query.Column) bool { return c.Name == name })
}

// connectionText shows the way of a connection as seine run does.
func connectionText(b *query.Block, row int) string {
	r := flow.Record{Src: endpointOf(b, "src", row), Dst: endpointOf(b, "dst", row), Backend: endpointOf(b, "backend", row)}
	if strings.HasPrefix(b.Columns[indexOf(b, "nat")].Texts[row], "dnat") {
		r.NAT = flow.DNAT
	}
	return flow.FormatPath(&r)
}

func endpointOf(b *query.Block, end string, row int) (e flow.Endpoint) {
	text := func(member string) string { return b.Columns[indexOf(b, end+"."+member)].Texts[row] }
	e.Addr, _ = netip.ParseAddr(text("addr"))
	if port := &b.Columns[indexOf(b, end+".port")]; port.Null == nil || !port.Null[row] {
		e.Port = uint16(port.Ints[row])
	}
	e.Namespace, e.Name = text("namespace"), text("name")
	return e
}
