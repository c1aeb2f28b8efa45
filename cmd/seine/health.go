package main

import (
	"context"
	"errors"
	"io"
	"os"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/health"
)

// exitUnwell is what seine health ends with where it found what --fail-on names.
const exitUnwell = 5

// errUnwell ends the program without words: the findings have been written.
var errUnwell = errors.New("unwell")

// healthFlags are the flags of seine health.
type healthFlags struct {
	ask            askFlags
	conditions     conditions
	last, baseline string
	until          string
	output, failOn string
	edges          int
	watch, rules   bool
	every          time.Duration
	// colour says that the output is a terminal which shows colours, width how wide it is; 0 is no terminal.
	colour bool
	width  int
}

func newHealthCommand() *cobra.Command {
	var f healthFlags
	c := asking(&cobra.Command{
		Use:   "health [FILTER]",
		Short: "Tell what is wrong in the network and with whom",
		Long: "A period is compared with the time before it, by the rules that docs/reference/health.md lists. Findings come first, the\n" +
			"gravest of them at the top, then the edges with most connects that failed. The filter is a condition in CEL.\n" +
			"  seine health --last 5m --namespace shop\n" +
			"  seine health --fail-on critical >/dev/null || page-me\n" +
			"  seine health --watch\n" +
			"  seine health --rules",
		Args: atMostOne,
	}, func(ctx context.Context, cmd *cobra.Command, args []string) error {
		return f.run(ctx, cmd.OutOrStdout(), cmd.ErrOrStderr(), append(args, "")[0])
	})
	c.Long = strings.Replace(c.Long, "4 the server refuses the token.",
		"4 the server refuses the token;\n5 something was found that is as grave as --fail-on says, or graver.", 1)
	s := c.Flags()
	s.SortFlags = false
	f.conditions.add(s)
	s.StringVar(&f.last, "last", "15m", "how long the period is, a `TIME` such as 5m or 1h")
	s.StringVar(&f.baseline, "baseline", "1h", "how long the time before is that it is compared with, a `TIME`")
	s.StringVar(&f.until, "until", "", "end of the period, `WHEN`: how long ago, such as 2h, or a time such as 16:00 (default now)")
	s.StringVar(&f.failOn, "fail-on", "", "end with 5 if there is a finding of this `SEVERITY` or graver, with --watch as soon as there is: critical, warning or info")
	s.IntVar(&f.edges, "edges", 10, "list `N` edges below the findings in a table")
	s.BoolVar(&f.rules, "rules", false, "list the rules with the thresholds in force, which --health-rules of the server changes, and look at nothing")
	s.BoolVarP(&f.watch, "watch", "f", false, "look again and again, until interrupted")
	s.DurationVar(&f.every, "every", 10*time.Second, "with --watch, the `TIME` between two looks")
	s.StringVarP(&f.output, "output", "o", "table", "`HOW`: table, wide (values and filters, too), json (a finding a line) or csv")
	f.ask.add(s)
	f.conditions.complete(c, &f.ask)
	_ = c.RegisterFlagCompletionFunc("output", cobra.FixedCompletions(answerOutputs, cobra.ShellCompDirectiveNoFileComp))
	_ = c.RegisterFlagCompletionFunc("fail-on", cobra.FixedCompletions(severityNames(), cobra.ShellCompDirectiveNoFileComp))
	return c
}

func severityNames() (names []string) {
	for _, s := range health.Severities() {
		names = append(names, string(s))
	}
	return names
}

func (f *healthFlags) run(ctx context.Context, out, notes io.Writer, filter string) error {
	parameters, err := f.check(filter)
	if err != nil {
		return err
	}
	c, err := f.ask.client()
	if err != nil {
		return err
	}
	if f.rules {
		return f.listRules(ctx, c, out)
	}
	f.colour, f.width = isTerminal(out) && os.Getenv("NO_COLOR") == "", widthOf(out)
	if f.watch {
		return f.watched(ctx, c, parameters, out, notes)
	}
	report, err := f.look(ctx, c, parameters, out, notes)
	if err != nil {
		return err
	}
	return f.verdict(report)
}

// check makes the question of the flags.
func (f *healthFlags) check(filter string) (client.HealthRequest, error) {
	r := client.HealthRequest{Last: f.last, Baseline: f.baseline}
	if err := checkAnswerOutput(f.output); err != nil {
		return r, err
	}
	if f.failOn != "" && !slices.Contains(severityNames(), f.failOn) {
		return r, usagef("--fail-on %q: want one of %s", f.failOn, strings.Join(severityNames(), ", "))
	}
	if f.edges < 0 || f.edges > 1000 {
		return r, usagef("--edges %d: want 0 to 1000", f.edges)
	}
	if f.every < time.Second {
		return r, usagef("--every %v: want 1s or more", f.every)
	}
	to, err := moment("until", f.until, time.Now())
	if err != nil {
		return r, err
	}
	r.To = written(to)
	r.Filter, err = f.conditions.filter(filter)
	return r, err
}

// look asks once and writes what was found.
func (f *healthFlags) look(ctx context.Context, c *client.Client, r client.HealthRequest, out, notes io.Writer) (*api.Health, error) {
	report, err := c.Health(ctx, r)
	if err != nil {
		return nil, err
	}
	if err := f.write(ctx, c, r, report, out); err != nil {
		return nil, err
	}
	writeHealthNotes(notes, report)
	return report, nil
}

// verdict is the exit code as an error.
func (f *healthFlags) verdict(report *api.Health) error {
	if f.failOn == "" {
		return nil
	}
	names := severityNames()
	for i := range report.Findings {
		if slices.Index(names, string(report.Findings[i].Severity)) <= slices.Index(names, f.failOn) {
			return errUnwell
		}
	}
	return nil
}

// watched looks again and again. On a terminal each look takes the place of the one before.
func (f *healthFlags) watched(ctx context.Context, c *client.Client, r client.HealthRequest, out, notes io.Writer) error {
	tick := time.NewTicker(f.every)
	defer tick.Stop()
	for {
		var page strings.Builder
		report, err := f.look(ctx, c, r, &page, &page)
		if err != nil {
			return err
		}
		if err := f.turn(out, page.String()); err != nil {
			return err
		}
		if err := f.verdict(report); err != nil {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-tick.C:
		}
	}
}
