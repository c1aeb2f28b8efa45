package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// measureFlags are the flags that seine top and seine query share.
type measureFlags struct {
	ask        askFlags
	conditions conditions
	period     periodFlags
	request    query.Request
	output     string
	// titles are what a table calls columns, where that is not their name.
	titles map[string]string
	// hidden are the columns that a table was given for the text of others alone.
	hidden []string
	// hiding leaves out what few look for; nil shows all.
	hiding *hiding
}

func (f *measureFlags) add(c *cobra.Command) {
	s := c.Flags()
	s.SortFlags = false
	f.conditions.add(s)
	f.period.add(s)
	s.StringArrayVar(&f.request.Measures, "measure", f.request.Measures,
		"what is computed of each group, a `MEASURE`; may be repeated: count() of records, or sum, rate, avg, min, max, count_distinct or p99 of a field, each with a condition if wanted, as in count(dst.port == 443) / count()")
	s.StringVar(&f.request.Order, "order", "", "`COLUMNS` to sort by, separated by commas, with - in front for descending")
	s.IntVar(&f.request.Limit, "limit", f.request.Limit, "at most `N` lines")
	s.BoolVar(&f.request.Other, "other", false, "add a line of all that the limit cut")
	s.StringVar(&f.request.Compare, "compare", "", "compare with the period that was this `TIME` earlier, such as 1h or 7d")
	s.StringVarP(&f.output, "output", "o", "table", "`HOW`: table, wide (exact numbers), json (an object a line) or csv")
	f.ask.add(s)
	f.conditions.complete(c, &f.ask)
	_ = c.RegisterFlagCompletionFunc("measure", completeMeasures)
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(answerOutputs, cobra.ShellCompDirectiveNoFileComp))
}

// answer asks for the request, with what the flags filter by.
func (f *measureFlags) answer(ctx context.Context, filter string) (*query.Answer, error) {
	if err := checkAnswerOutput(f.output); err != nil {
		return nil, err
	}
	var err error
	if f.request.Filter, err = f.conditions.filter(filter); err != nil {
		return nil, err
	}
	if err := f.period.apply(&f.request, time.Now()); err != nil {
		return nil, err
	}
	if f.hiding != nil {
		f.hiding.apply(&f.request, f.output)
	}
	if f.output == "table" && datasetOf(&f.request) == flow.Connections && len(f.request.Measures) > 0 {
		f.hidden = kindsFor(f.request.GroupBy)
		f.request.GroupBy = slices.Concat(f.request.GroupBy, f.hidden)
	}
	return f.asked(ctx, &f.request)
}

func (f *measureFlags) asked(ctx context.Context, r *query.Request) (*query.Answer, error) {
	c, err := f.ask.client()
	if err != nil {
		return nil, err
	}
	return c.Query(ctx, r)
}

func (f *measureFlags) write(cmd *cobra.Command, a *query.Answer) error {
	if err := writeAnswer(f.output, cmd.OutOrStdout(), cmd.ErrOrStderr(), a, f.table(a), &f.period); err != nil {
		return err
	}
	if f.request.Compare != "" && a.Rows > 0 && isNew(a.Block) {
		fmt.Fprintf(cmd.ErrOrStderr(), "seine: nothing of this was recorded in the period %s earlier: there is nothing to compare with\n", printable(f.request.Compare))
	}
	return f.tellHidden(cmd)
}

// tellHidden says what was left out.
func (f *measureFlags) tellHidden(cmd *cobra.Command) error {
	if f.hiding == nil {
		return nil
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	return f.hiding.tell(cmd.Context(), c, cmd.ErrOrStderr())
}

// newTopCommand ranks groups.
func newTopCommand() *cobra.Command {
	f := measureFlags{
		request: query.Request{Measures: []string{"sum(total.bytes)", "sum(total.packets)", "count()"}, Limit: 20}, hiding: new(hiding),
		titles: map[string]string{"sum(total.bytes)": "BYTES", "sum(total.packets)": "PACKETS", "count()": "RECORDS"},
	}
	var filter string
	c := asking(&cobra.Command{
		Use:   "top FIELD...",
		Short: "Rank groups of connections, by their bytes unless told otherwise",
		Long: "Each combination of the fields' values is a group; seine fields lists the fields. The order is by the first measure.\n" +
			"count() counts records: one per connection and interval of its agent, so that a long download counts several times.\n" +
			"  seine top src.workload.name backend.workload.name --since 6h\n" +
			"  seine top src.workload.name --since 1h --compare 1h\n" +
			"  seine top dst.port --measure 'count_distinct(src.addr)' --namespace shop",
		Args:              atLeastOne,
		ValidArgsFunction: completeFields(isGroup),
	}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		f.request.GroupBy = args
		if f.request.Order == "" && len(f.request.Measures) > 0 {
			f.request.Order = "-" + f.request.Measures[0]
		}
		a, err := f.answer(ctx, filter)
		if err != nil {
			return err
		}
		return f.write(cmd, a)
	})
	f.add(c)
	f.hiding.add(c.Flags())
	c.Flags().StringVar(&filter, "filter", "", "`CONDITION` in CEL")
	_ = c.RegisterFlagCompletionFunc("filter", completeFilter(&f.ask))
	return c
}

func atLeastOne(_ *cobra.Command, args []string) error {
	if len(args) == 0 {
		return usagef("no field is given: want what to group by, such as src.name or dst.port")
	}
	return nil
}

// newQueryCommand asks anything that the API answers.
func newQueryCommand() *cobra.Command {
	var f measureFlags
	var filter string
	c := asking(&cobra.Command{
		Use:   "query [-]",
		Short: "Ask a server anything that its API answers",
		Long: "Without measures the answer is rows, newest first. With the argument -, the request is read from standard input as the\n" +
			"JSON that POST /api/v1/query takes, and flags that say what to ask are refused.\n" +
			"  seine query --group-by src.name --measure 'p99(total.bytes)' --step 5m --since 1h\n" +
			`  echo '{"last":"10m","measures":["count()"]}' | seine query -`,
		Args: dashOrNothing,
	}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		a, err := f.query(ctx, cmd, filter, args)
		if err != nil {
			return err
		}
		return f.write(cmd, a)
	})
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&filter, "filter", "", "`CONDITION` in CEL")
	s.Var((*keysValue)(&f.request.GroupBy), "group-by", "`FIELDS` whose values make the groups, or first(FIELD,FIELD) for the first that is known; separated by commas")
	s.StringSliceVar(&f.request.Fields, "fields", nil, "`FIELDS` of rows, separated by commas (default the main ones in a table, else all)")
	s.StringVar(&f.request.Step, "step", "", "divide time into steps of this `TIME`, such as 1m")
	s.StringVar(&f.request.Dataset, "dataset", "", "`DATASET` that is asked: flows or dns (default flows)")
	f.add(c)
	_ = c.RegisterFlagCompletionFunc("filter", completeFilter(&f.ask))
	_ = c.RegisterFlagCompletionFunc("group-by", completeFields(isGroup))
	_ = c.RegisterFlagCompletionFunc("fields", completeFields(func(*flow.Field) bool { return true }))
	return c
}

func dashOrNothing(_ *cobra.Command, args []string) error {
	if len(args) > 1 || len(args) == 1 && args[0] != "-" {
		return usagef("argument %q: want - to read the request from standard input, or flags; a condition goes to --filter", args[0])
	}
	return nil
}

func (f *measureFlags) query(ctx context.Context, cmd *cobra.Command, filter string, args []string) (*query.Answer, error) {
	if len(args) == 0 {
		f.request.Fields = f.fields()
		return f.answer(ctx, filter)
	}
	if err := checkAnswerOutput(f.output); err != nil {
		return nil, err
	}
	if err := onlyAsking(cmd); err != nil {
		return nil, err
	}
	request, err := query.DecodeRequest(io.LimitReader(cmd.InOrStdin(), 1<<20))
	if err != nil {
		return nil, usageError{err}
	}
	return f.asked(ctx, request)
}

// fields are those asked for. A table of rows has the main ones unless told otherwise; none asks for all.
func (f *measureFlags) fields() []string {
	r := &f.request
	if f.output != "table" || len(r.Fields) > 0 || len(r.Measures) > 0 || len(r.GroupBy) > 0 || r.Step != "" {
		return r.Fields
	}
	var shown []string
	for _, field := range flow.ShownFields(datasetOf(r)) {
		shown = append(shown, field.Name)
	}
	return shown
}

// datasetOf returns the dataset that a request asks for; connections where it names none, or one that there is not.
func datasetOf(r *query.Request) flow.Dataset {
	if r.Dataset == flow.Queries.String() {
		return flow.Queries
	}
	return flow.Connections
}

// onlyAsking refuses flags that a request from standard input would override.
func onlyAsking(cmd *cobra.Command) (err error) {
	may := []string{"api", "token-file", "ca-file", "output"}
	cmd.Flags().Visit(func(flag *pflag.Flag) {
		if !slices.Contains(may, flag.Name) && err == nil {
			err = usagef("--%s and the argument - do not go together: only %s do", flag.Name, "--"+strings.Join(may, ", --"))
		}
	})
	return err
}

// keysValue is a flag for what makes groups, separated by commas outside of parentheses. It may be repeated.
type keysValue []string

func (v *keysValue) Set(text string) error {
	*v = append(*v, query.SplitNames(text)...)
	return nil
}

func (v *keysValue) String() string { return strings.Join(*v, ",") }
func (v *keysValue) Type() string   { return "FIELDS" }
