package main

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// costGroups are what seine cost tells apart.
var costGroups = map[string][]string{
	"namespace": {"src.namespace", "backend.namespace"},
	"workload":  {"src.namespace", "src.workload.name"},
	"service":   {"dst.namespace", "dst.service"},
	"edge":      {"src.namespace", "src.workload.name", "backend.namespace", "backend.workload.name"},
	"class":     {"traffic.class"},
	"zone":      {"src.zone", "backend.zone"},
}

// apart is the condition for traffic that would cost nothing if both ends were in one zone.
const apart = `traffic.class == "cross_zone" || traffic.class == "cross_region"`

// costMeasures are the columns of seine cost, by the names that its answer has.
var costMeasures = []struct{ name, measure string }{
	{"cost", "sum(cost)"},
	{"bytes", "sum(total.bytes)"},
	{"cross_zone", `sum(cost, traffic.class == "cross_zone")`},
	{"cross_region", `sum(cost, traffic.class == "cross_region")`},
	{"internet", `sum(cost, traffic.class == "internet_in" || traffic.class == "internet_out")`},
	{"saveable", `sum(cost, ` + apart + `)`},
	{"saveable_share", `sum(cost, ` + apart + `) / sum(cost)`},
}

// costTitles are what a table calls them.
var costTitles = map[string]string{"cross_zone": "CROSS ZONE", "cross_region": "CROSS REGION", "saveable_share": "SHARE SAVEABLE"}

// newCostCommand tells what traffic costs.
func newCostCommand() *cobra.Command {
	f := measureFlags{request: query.Request{Limit: 20, Order: "-sum(cost)"}, titles: costTitles}
	var by, filter string
	groups := slices.Sorted(maps.Keys(costGroups))
	c := asking(&cobra.Command{
		Use:   "cost",
		Short: "Tell what traffic costs and who causes it",
		Long: "Costs are those of the bytes between zones, regions and the internet by the server's --prices, at each connection's own\n" +
			"class (traffic.class). SAVEABLE is what the same traffic would not have cost with both ends in one zone.\n" +
			"Each connection counts once, and is its client's: --by workload names clients, service what was dialled.\n" +
			"  seine cost --by edge --since 1d\n" +
			"  seine cost --by service --namespace shop -o csv",
		Args: noArguments,
	}, func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		fields, ok := costGroups[by]
		if !ok {
			return usagef("--by %q: want one of %s", by, strings.Join(groups, ", "))
		}
		f.request.GroupBy = fields
		for _, m := range costMeasures {
			f.request.Measures = append(f.request.Measures, m.measure)
		}
		a, err := f.answer(ctx, filter)
		if err != nil {
			return err
		}
		rename(a)
		if err := f.write(cmd, a); err != nil || f.output != "table" {
			return err
		}
		return f.writeTotal(ctx, cmd)
	})
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&by, "by", "namespace", "what is told apart, a `GROUP`: "+strings.Join(groups, ", "))
	f.conditions.add(s)
	f.period.add(s)
	s.StringVar(&filter, "filter", "", "`CONDITION` in CEL")
	s.IntVar(&f.request.Limit, "limit", f.request.Limit, "at most `N` lines")
	s.StringVarP(&f.output, "output", "o", "table", "`HOW`: table, wide (exact numbers, in pico-USD), json (an object a line) or csv")
	f.ask.add(s)
	f.conditions.complete(c, &f.ask)
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(groups, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(answerOutputs, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// rename gives the columns of measures their short names.
func rename(a *query.Answer) {
	for i := range a.Columns {
		for _, m := range costMeasures {
			if a.Columns[i].Name == m.measure {
				a.Columns[i].Name = m.name
			}
		}
	}
}

// writeTotal tells the sum of all groups, those beyond the limit included.
func (f *measureFlags) writeTotal(ctx context.Context, cmd *cobra.Command) error {
	r := f.request
	r.GroupBy, r.Order = nil, ""
	if err := f.period.apply(&r, time.Now()); err != nil {
		return err
	}
	a, err := f.asked(ctx, &r)
	if err != nil || a.Rows == 0 {
		return err
	}
	rename(a)
	values := make(map[string]int64)
	for i := range a.Columns {
		if c := &a.Columns[i]; c.Ints != nil && (c.Null == nil || !c.Null[0]) {
			values[c.Name] = c.Ints[0]
		}
	}
	_, err = fmt.Fprintf(cmd.OutOrStdout(), "\nIn all %s for %s; %s of it for traffic whose ends could be in one zone.\n",
		flow.FormatMoney(uint64(values["cost"])), flow.FormatBytes(uint64(values["bytes"])), flow.FormatMoney(uint64(values["saveable"])))
	return err
}
