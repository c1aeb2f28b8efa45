package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
)

func newRunCommand() *cobra.Command {
	var f captureFlags
	var stored storeFlags
	var served apiFlags
	var named nameFlags
	var output string
	c := &cobra.Command{
		Use:   "run",
		Short: "Watch the connections of this machine, keep them and answer questions",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			show, err := newShow(output, "this machine · "+served.listen, nil)
			if err != nil {
				return err
			}
			defer show.done()
			log, err := f.finish(show.log)
			if err != nil {
				return err
			}
			return storeAndWatch(cmd.Context(), &f, &stored, &served, &named, show, log)
		},
	}
	f.add(c.Flags(), time.Second)
	stored.add(c.Flags(), true)
	served.add(c.Flags())
	named.add(c.Flags(), true)
	c.Flags().StringVarP(&output, "output", "o", "", "`HOW`: live (the default on a terminal), or as lines: "+outputNames())
	return c
}

// storeAndWatch keeps and shows this machine's records until the context or the view ends, and answers what is asked of
// them. The folder and the port are taken before anything is attached.
func storeAndWatch(
	ctx context.Context, f *captureFlags, stored *storeFlags, served *apiFlags, named *nameFlags, show show, log *slog.Logger,
) error {
	c := newCaptures(f)
	n, err := named.open("", nil, log)
	if err != nil {
		return err
	}
	s, err := openService(stored, served, n, c.reasons, log)
	if err != nil {
		return privilegeOr(err)
	}
	f.config.Namer = n
	f.config.MoreFeatures = func() []capture.Feature { return append(n.features(), s.exporters.features()...) }
	defer n.follow(ctx)()
	a, err := agent.New(f.config, log)
	if err != nil {
		return errors.Join(err, s.listener.Close(), s.store.Close())
	}
	c.begin(a)
	if show.lines {
		logWatching(a, log)
	}
	warnUnwatched(a, f, log)
	return serveAndWatch(ctx, f, s, c, a, show, log)
}

// privilegeOr prefers, where the folder may not be used, to say that capturing would not be allowed either.
func privilegeOr(err error) error {
	if errors.Is(err, fs.ErrPermission) {
		if _, cannot := capture.Probe(slog.New(slog.DiscardHandler)); cannot != nil {
			return cannot
		}
	}
	return err
}

func serveAndWatch(ctx context.Context, f *captureFlags, s *service, c *captures, a *agent.Agent, show show, log *slog.Logger) error {
	ctx, cancel := f.context(ctx)
	defer cancel()
	defer serveStatus(ctx, a, log)()
	stop := s.serve(serviceLog(show, log))
	sender, err := c.sender(s.server, a, log)
	if err != nil {
		return errors.Join(err, a.Close(), stop())
	}
	show.sink = both(sender.Sink, show.sink)
	a.OnQueries(sender.SinkQueries)
	err = watch(ctx, c, a, show)
	return errors.Join(err, sender.Close(), stop())
}

// serviceLog is where it is said what is served: beside lines at once; the live view has it in its title.
func serviceLog(show show, log *slog.Logger) *slog.Logger {
	if show.lines {
		return log
	}
	return slog.New(slog.DiscardHandler)
}

// watch shows an agent's records until the context or the view ends.
func watch(ctx context.Context, c *captures, a *agent.Agent, show show) error {
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	ended := make(chan error, 1)
	go func() {
		err := a.Run(ctx, show.sink)
		c.end()
		stop()
		ended <- err
	}()
	err := show.run(ctx, []*agent.Agent{a})
	stop()
	return errors.Join(err, <-ended)
}
