package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"text/tabwriter"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/flow"
)

// newClusterStatusCommand is the status of the plug-in of kubectl: that of the server and of all its agents.
func newClusterStatusCommand() *cobra.Command {
	var ask askFlags
	var output string
	c := &cobra.Command{
		Use:   "status",
		Short: "Tell which agents the server has, what of them is not live and why, and what was lost",
		Args:  noArguments,
	}
	ask.add(c.Flags())
	c.Flags().StringVarP(&output, "output", "o", "table", "`HOW`: table or json")
	return asking(c, func(ctx context.Context, cmd *cobra.Command, _ []string) error {
		return showClusterStatus(ctx, &ask, cmd.OutOrStdout(), output)
	})
}

// showClusterStatus tells of a server and all its agents.
func showClusterStatus(ctx context.Context, ask *askFlags, to io.Writer, output string) error {
	if output != "table" && output != "json" {
		return usagef("output %q: want table or json", output)
	}
	client, err := ask.client()
	if err != nil {
		return err
	}
	status, err := client.Status(ctx)
	if err != nil {
		return err
	}
	if output == "json" {
		return writeIndented(to, status)
	}
	return writeClusterStatus(to, &status, time.Now())
}

// shareText is a share in percent, a dash where it is not known.
func shareText(share *float64) string {
	if share == nil {
		return "-"
	}
	return fmt.Sprintf("%.2f %%", 100**share)
}

// writeClusterStatus writes a line for each agent, and then what does not work.
func writeClusterStatus(to io.Writer, s *api.Status, now time.Time) error {
	t := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "NODE\tVERSION\tSTATE\tLAST SEEN\tRECORDS\tDROPPED\tCOVERAGE")
	for i := range s.Agents {
		a := &s.Agents[i]
		state := "connected"
		if !a.Connected {
			state = "away"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%v ago\t%d\t%d\t%s\n", printable(a.Node), printable(a.Version), state,
			now.Sub(a.LastSeen).Round(time.Second), a.Rows, a.Dropped, shareText(a.Coverage))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	fmt.Fprintf(to, "\nserver %s, %d records stored since %s\n", printable(s.Version), s.Stored, s.Started.Local().Format(time.DateTime))
	if err := writeExporters(to, s.Exporters); err != nil {
		return err
	}
	for _, reason := range s.Readiness.Reasons {
		fmt.Fprintf(to, "not ready: %s\n", printable(reason))
	}
	for _, f := range s.Features {
		writeUnlive(to, "server", f.Name, f.State, f.Detail)
	}
	for _, a := range s.Agents {
		for _, f := range a.Features {
			if !strings.HasPrefix(f.Name, exporterFeature) { // Told above, as they are the server's in the same process.
				writeUnlive(to, a.Node, f.Name, f.State, f.Detail)
			}
		}
	}
	for _, l := range s.Losses {
		if l.Count > 0 {
			fmt.Fprintf(to, "lost: %s %d\n", printable(l.Reason), l.Count)
		}
	}
	return nil
}

// writeExporters writes a line for each exporter, and then why some do not send.
func writeExporters(to io.Writer, all []export.Status) error {
	if len(all) == 0 {
		return nil
	}
	t := tabwriter.NewWriter(to, 0, 8, 2, ' ', 0)
	fmt.Fprintln(t, "\nEXPORTER\tKIND\tTO\tSTATE\tSENT\tREFUSED\tLOST\tQUEUED")
	for i := range all {
		e := &all[i]
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%d\t%d\t%d\t%s\n", e.Name, e.Kind, printable(e.Address), e.State, e.Sent, e.Refused, e.Lost,
			flow.FormatBytes(e.QueuedBytes))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	for _, e := range all {
		if e.State == export.Degraded {
			writeUnlive(to, "exporter", e.Name, e.State, e.Detail)
		}
	}
	return nil
}

func writeUnlive(to io.Writer, of, name, state, detail string) {
	if state != "live" {
		fmt.Fprintf(to, "%s: %s is %s: %s\n", printable(of), printable(name), printable(state), printable(detail))
	}
}
