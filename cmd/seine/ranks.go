package main

import (
	"context"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/flow"
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
}

// dnsAbsent counts the queries for names that do not exist.
const dnsAbsent = `count(dns.rcode == "NXDOMAIN")`

var dnsRanking = ranking{
	use: "dns [FILTER]", short: "Rank DNS queries by what went wrong", dataset: flow.Queries,
	long: "A failure is a query from which the client learnt nothing: no answer in time, or a code other than NOERROR and NXDOMAIN.\n" +
		"  seine dns --by client --since 1h\n" +
		`  seine dns 'dns.rcode == "SERVFAIL"' --by resolver` + "\n" +
		"Single queries: seine query --dataset dns --limit 20.",
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
}

var dropsRanking = ranking{
	use: "drops [FILTER]", short: "Rank the packets that kernels dropped", dataset: flow.Connections,
	long: "A drop is a packet of a connection that the kernel of a watched node threw away, with the reason it gives.\n" +
		"  seine drops --by function --since 1h\n" +
		"  seine drops --by edge --to shop/checkout",
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
}

// newRankingCommand makes the command of a ranking.
func newRankingCommand(r ranking) *cobra.Command {
	var f measureFlags
	var by string
	words := slices.Sorted(maps.Keys(r.by))
	c := asking(&cobra.Command{Use: r.use, Short: r.short, Long: r.long, Args: atMostOne}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		groups := r.by[by]
		if groups == nil {
			return usagef("--by %q: want one of %s", by, strings.Join(words, ", "))
		}
		f.request.Dataset, f.request.GroupBy, f.titles = r.dataset.String(), groups, r.titles
		if len(f.request.Measures) == 0 {
			f.request.Measures = r.measures
		}
		if f.request.Order == "" && slices.Equal(f.request.Measures, r.measures) {
			f.request.Order = r.order
		}
		filter := append(args, "")[0]
		switch {
		case r.only != "" && strings.TrimSpace(filter) != "":
			filter = r.only + " && (" + filter + ")"
		case r.only != "":
			filter = r.only
		}
		a, err := f.answer(ctx, filter)
		if err != nil {
			return err
		}
		return f.write(cmd, a)
	})
	c.Flags().SortFlags = false
	c.Flags().StringVar(&by, "by", r.first, "`WHAT` makes a line: "+strings.Join(words, ", "))
	f.add(c)
	_ = c.RegisterFlagCompletionFunc("by", cobra.FixedCompletions(words, cobra.ShellCompDirectiveNoFileComp))
	return c
}
