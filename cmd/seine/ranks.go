package main

import (
	"context"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// ranking is a command that ranks groups of rows by what went wrong in them.
type ranking struct {
	use, short, long string
	dataset          flow.Dataset
	// only is the condition that all rows meet; "" is none.
	only     string
	measures []string
	// titles are what a table calls these measures.
	titles map[string]string
	order  string
	// by has the groupings by the word that chooses one; first is the one if none is chosen.
	by    map[string][]string
	first string
	// rows is what a line has where rows are listed.
	rows rowTable
}

// dnsAbsent counts the queries for names that do not exist.
const dnsAbsent = `count(dns.rcode == "NXDOMAIN")`

var dnsRanking = ranking{
	use: "dns [FILTER]", short: "Rank DNS queries by what went wrong", dataset: flow.Queries,
	long: "A failure is a query from which the client learnt nothing: no answer in time, or a code other than NOERROR and NXDOMAIN.\n" +
		"  seine dns --by client --since 1h\n" +
		`  seine dns 'dns.rcode == "SERVFAIL"' --by resolver` + "\n" +
		"Single queries, the newest 20, or as they come:\n" +
		"  seine dns --rows 20 --from-workload shop/checkout\n" +
		`  seine dns -f 'dns.rcode != "NOERROR"'`,
	measures: []string{"count()", "sum(dns.failures)", "sum(dns.timeouts)", dnsAbsent, "sum(dns.retries)", "p50(dns.latency)", "p99(dns.latency)"},
	titles: map[string]string{
		"count()": "QUERIES", "sum(dns.failures)": "FAILED", "sum(dns.timeouts)": "TIMEOUTS", dnsAbsent: "NXDOMAIN",
		"sum(dns.retries)": "RETRIES", "p50(dns.latency)": "TYPICAL", "p99(dns.latency)": "SLOWEST 1 %",
	},
	order: "-sum(dns.failures),-count()",
	by: map[string][]string{
		"name": {"dns.name"}, "outcome": {"dns.rcode"}, "type": {"dns.type"},
		"resolver": {"dst.addr", "dst.name"}, "backend": {"backend.addr", "backend.name"}, "client": {"src.namespace", "src.name", "src.addr"},
	},
	first: "name",
	rows:  queryRows,
}

var dropsRanking = ranking{
	use: "drops [FILTER]", short: "Rank the packets that kernels dropped", dataset: flow.Connections,
	long: "A drop is a packet of a connection that the kernel of a watched node threw away, with the reason it gives.\n" +
		"  seine drops --by function --since 1h\n" +
		"  seine drops --by edge --to shop/checkout\n" +
		"Single records, the newest 20, or as they come:\n" +
		"  seine drops --rows 20\n" +
		"  seine drops -f --node worker-2",
	only:     "total.drop_packets > 0",
	measures: []string{"sum(total.drop_packets)", "sum(total.drop_bytes)", "count()"},
	titles:   map[string]string{"sum(total.drop_packets)": "DROPPED", "sum(total.drop_bytes)": "DROPPED BYTES", "count()": "RECORDS"},
	order:    "-sum(total.drop_packets)",
	by: map[string][]string{
		"reason": {"drop_reason"}, "function": {"drop_reason", "drop_function"}, "node": {"node", "drop_reason"},
		"edge":       {"src.namespace", "src.workload.name", "dst.namespace", "dst.name", "drop_reason"},
		"connection": {"src.addr", "dst.addr", "dst.port", "drop_reason"},
	},
	first: "reason",
	rows:  dropRows,
}

// rankingFlags are the flags of a ranking.
type rankingFlags struct {
	measureFlags
	ranking
	chosen string
	// last is how many rows are listed in place of groups, and follow whether rows are as they come.
	last   int
	follow bool
}

// newRankingCommand makes the command of a ranking.
func newRankingCommand(r ranking) *cobra.Command {
	f := rankingFlags{ranking: r}
	words := slices.Sorted(maps.Keys(r.by))
	c := asking(&cobra.Command{Use: r.use, Short: r.short, Long: r.long, Args: atMostOne}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		filter := r.filter(append(args, "")[0])
		if f.follow || cmd.Flags().Changed("rows") {
			return f.list(ctx, cmd, filter)
		}
		return f.rank(ctx, cmd, filter)
	})
	s := c.Flags()
	s.SortFlags = false
	s.StringVar(&f.chosen, "by", r.first, "`WHAT` makes a line: "+strings.Join(words, ", "))
	s.IntVar(&f.last, "rows", 0, "list the `N` newest rows in place of groups")
	s.BoolVarP(&f.follow, "follow", "f", false, "list rows as they are recorded; with --rows or --since, the earlier ones first")
	f.add(c)
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return c
}

// filter is a user's condition with that of the ranking.
func (r *ranking) filter(condition string) string {
	switch {
	case r.only == "":
		return condition
	case strings.TrimSpace(condition) == "":
		return r.only
	}
	return r.only + " && (" + condition + ")"
}

func (f *rankingFlags) rank(ctx context.Context, cmd *cobra.Command, filter string) error {
	groups := f.by[f.chosen]
	if groups == nil {
		return usagef("--by %q: want one of %s", f.chosen, strings.Join(slices.Sorted(maps.Keys(f.by)), ", "))
	}
	f.request.Dataset, f.request.GroupBy, f.measureFlags.titles = f.dataset.String(), groups, f.ranking.titles
	if len(f.request.Measures) == 0 {
		f.request.Measures = f.measures
	}
	if f.request.Order == "" && slices.Equal(f.request.Measures, f.measures) {
		f.request.Order = f.order
	}
	a, err := f.answer(ctx, filter)
	if err != nil {
		return err
	}
	return f.write(cmd, a)
}

// ofGroups are the flags that say something of groups alone.
var ofGroups = []string{"by", "measure", "order", "limit", "other", "compare"}

// list writes rows.
func (f *rankingFlags) list(ctx context.Context, cmd *cobra.Command, filter string) error {
	for _, name := range ofGroups {
		if cmd.Flags().Changed(name) {
			return usagef("--%s is of groups: it does not go with --rows and --follow", name)
		}
	}
	if f.follow && f.last == 0 && cmd.Flags().Changed("since") {
		f.last = 20
	}
	if f.last < 0 || f.last > query.MaxLimit || f.last == 0 && !f.follow {
		return usagef("--rows %d: want 1 to %d", f.last, query.MaxLimit)
	}
	if err := checkAnswerOutput(f.output); err != nil {
		return err
	}
	condition, err := f.conditions.filter(filter)
	if err != nil {
		return err
	}
	request := &query.Request{Dataset: f.dataset.String(), Filter: condition, Fields: f.rows.asked(f.output), Limit: f.last}
	if err := f.period.apply(request, time.Now()); err != nil {
		return err
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	l := listing{output: f.output, table: f.rows.table(f.output), period: &f.period}
	if f.follow {
		return l.follow(ctx, c, request, cmd.OutOrStdout(), cmd.ErrOrStderr())
	}
	return l.write(ctx, c, request, cmd.OutOrStdout(), cmd.ErrOrStderr())
}
