package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/agent"
)

func newRunCommand() *cobra.Command {
	var f captureFlags
	var output string
	c := &cobra.Command{
		Use:   "run",
		Short: "Watch the connections of this machine",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			show, err := newShow(output, "this machine", nil)
			if err != nil {
				return err
			}
			defer show.done()
			log, err := f.finish(show.log)
			if err != nil {
				return err
			}
			a, err := agent.New(f.config, log)
			if err != nil {
				return err
			}
			if show.lines {
				logWatching(a, log)
			}
			warnUnwatched(a, &f, log)
			ctx, cancel := f.context(cmd.Context())
			defer cancel()
			defer serveStatus(ctx, a, log)()
			return watch(ctx, a, show)
		},
	}
	f.add(c.Flags(), time.Second)
	c.Flags().StringVarP(&output, "output", "o", "", "how: live (the default on a terminal), or as lines: "+outputNames())
	return c
}

// watch shows an agent's records until the context or the view ends.
func watch(ctx context.Context, a *agent.Agent, show show) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := a.Run(ctx, show.sink)
		stop()
		ended <- err
	}()
	err := show.run(ctx, []*agent.Agent{a})
	stop()
	return errors.Join(err, <-ended)
}
