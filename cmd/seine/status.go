package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
)

func newStatusCommand() *cobra.Command {
	var output string
	var running bool
	var ask askFlags
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell which features are live here, what is missing, and what was lost",
		Long: "Ask the agents that run on this host how they are: features, coverage, map use and losses by reason.\n" +
			"Where none runs, tell what one could use here. Ends with 1 where no agent runs.\n" +
			"With --api a server tells of itself and of all agents that send to it:\n" +
			"  seine status --api http://127.0.0.1:8080",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if cmd.Flags().Changed("api") {
				if running {
					return usagef("--running is of this host's agents: it does not go with --api")
				}
				return inFlags(showClusterStatus(cmd.Context(), &ask, cmd.OutOrStdout(), output))
			}
			if output != "table" && output != "json" {
				return fmt.Errorf("output %q: want table or json", output)
			}
			return showStatus(cmd.Context(), cmd.OutOrStdout(), output == "json", running)
		},
	}
	c.Flags().StringVarP(&output, "output", "o", "table", "`HOW`: table or json")
	c.Flags().BoolVar(&running, "running", false, "where no agent runs end at once, without a look at what one could use, as probes want it")
	ask.add(c.Flags())
	c.Flags().Lookup("api").Usage = "ask the server at `URL`, such as http://" + defaultListen + ", in place of the agents of this host"
	return c
}

var errNoAgent = errors.New("no agent runs on this host: start one with seine run or seine agent")

func showStatus(ctx context.Context, w io.Writer, asJSON, running bool) error {
	statuses, missing := agent.ReadStatuses(ctx)
	if len(statuses) == 0 {
		if missing != nil {
			return missing
		}
		if running {
			return errNoAgent
		}
		features, err := capture.Probe(slog.New(slog.DiscardHandler))
		if err != nil {
			return fmt.Errorf("no agent runs on this host, and none could: %w", err)
		}
		statuses = append(statuses, agent.Status{
			Version: versionText(), Features: features, Conntrack: agent.ReadConntrack(""),
		})
		missing = errNoAgent
	}
	if asJSON {
		return errors.Join(writeJSON(w, statuses), missing)
	}
	for i := range statuses {
		if i > 0 {
			fmt.Fprintln(w)
		}
		writeStatus(w, &statuses[i])
	}
	return missing
}

func writeJSON(w io.Writer, statuses []agent.Status) error { return writeIndented(w, statuses) }

func writeIndented(w io.Writer, value any) error {
	text, err := json.MarshalIndent(value, "", "  ")
	if err != nil {
		return err
	}
	_, err = w.Write(append(escapeControls(text), '\n'))
	return err
}
