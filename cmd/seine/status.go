package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
)

func newStatusCommand() *cobra.Command {
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell which features are live here, what is missing, and what was lost",
		Long: "Ask the agents that run on this host how they are: features, coverage, map use and losses by reason.\n" +
			"Where none runs, tell what one could use here. Ends with 1 where no agent runs.",
		Args: cobra.NoArgs,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if output != "table" && output != "json" {
				return fmt.Errorf("output %q: want table or json", output)
			}
			return showStatus(cmd.Context(), cmd.OutOrStdout(), output == "json")
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "how: table or json")
	return c
}

var errNoAgent = errors.New("no agent runs on this host: start one with seine run or seine agent")

func showStatus(ctx context.Context, w io.Writer, asJSON bool) error {
	statuses, missing := agent.ReadStatuses(ctx)
	if len(statuses) == 0 {
		if missing != nil {
			return missing
		}
		features, err := capture.Probe(slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("no agent runs on this host, and none could: %w", err)
		}
		statuses = append(statuses, agent.Status{Version: versionText(), Features: features})
		missing = errNoAgent
	}
	if asJSON {
		e := json.NewEncoder(w)
		e.SetIndent("", "  ")
		return errors.Join(e.Encode(statuses), missing)
	}
	for i := range statuses {
		if i > 0 {
			fmt.Fprintln(w)
		}
		writeStatus(w, &statuses[i])
	}
	return missing
}

func writeStatus(w io.Writer, s *agent.Status) {
	t := tabwriter.NewWriter(w, 0, 8, 2, ' ', 0)
	defer t.Flush()
	if s.Node == "" {
		fmt.Fprintln(t, "What an agent could use here:")
		writeFeatures(t, s)
		return
	}
	fmt.Fprintf(t, "Node %s\tseine %s, up %s, every %s, sampling 1:%d\n", s.Node, s.Version,
		time.Since(s.Started).Round(time.Second), s.Interval, s.Sampling)
	writeFeatures(t, s)
	fmt.Fprintf(t, "Flow map\t%.0f %% of %d\t%d connections remembered\n", s.Map.Used*100, s.Map.Max, s.Map.Connections)
	fmt.Fprintf(t, "Evicted\t%d flows in %d intervals\t%d records, the last in %s\n", s.Evicted.Flows, s.Evicted.Times,
		s.Evicted.Records, s.Evicted.LastTook)
	fmt.Fprintln(t, "\nInterface\tCoverage\tCounted\tIn flows\tOutside flows")
	for i := range s.Coverage {
		c := &s.Coverage[i]
		fmt.Fprintf(t, "%s\t%.2f %%\t%s\t%s\t%s\n", c.Name, c.Ratio()*100,
			flow.FormatBytes(c.Counted.Bytes), flow.FormatBytes(c.Flows.Bytes), outsideText(c))
	}
	if slices.ContainsFunc(s.Coverage, overCounted) {
		fmt.Fprintln(t, "(more in flows than counted: packets under way between two readings, an estimate under sampling, or a bridge, which does not count what netfilter makes it send on to another port)")
	}
	for _, name := range slices.Sorted(maps.Keys(s.Failed)) {
		fmt.Fprintf(t, "%s\tnot watched: %s\n", name, s.Failed[name])
	}
	fmt.Fprintln(t, "\nLosses\tCount\tMeaning")
	for _, l := range s.Losses {
		fmt.Fprintf(t, "%s\t%d\t%s\n", l.Reason, l.Count, l.Detail)
	}
}

func writeFeatures(w io.Writer, s *agent.Status) {
	fmt.Fprintln(w, "\nFeature\tState\tMeans\tDetail")
	for _, f := range s.Features {
		fmt.Fprintf(w, "%s\t%s\t%s\t%s\n", f.Name, f.State, f.Means, f.Detail)
	}
	fmt.Fprintln(w)
}

// overCounted tells of an interface with clearly more in its flows than it counted itself (br_nf_dev_xmit of
// net/bridge/br_netfilter_hooks.c takes packets before br_dev_xmit counts them).
func overCounted(c capture.Coverage) bool { return c.Ratio() > 1.001 }

func outsideText(c *capture.Coverage) string {
	var reasons []string
	for reason, v := range c.Outside {
		reasons = append(reasons, fmt.Sprintf("%s %s", reason, flow.FormatBytes(v.Bytes)))
	}
	slices.Sort(reasons)
	return strings.Join(reasons, ", ")
}
