package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/spf13/cobra"
	"golang.org/x/sync/errgroup"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/demo"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/live"
)

func newDemoCommand() *cobra.Command {
	var f captureFlags
	var stored storeFlags
	var served apiFlags
	var named nameFlags
	var rules, output string
	var faults []string
	c := &cobra.Command{
		Use:   "demo",
		Short: "Build a miniature cluster of network namespaces, drive traffic through it and watch it",
		Long:  demoHelp(),
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if err := checkFaults(faults); err != nil {
				return err
			}
			var cluster *demo.Cluster
			show, err := newShow(output, "demo cluster · "+served.listen, func() []live.Toggle { return demoToggles(cluster) })
			if err != nil {
				return err
			}
			defer show.done()
			log, err := f.finish(show.log)
			if err != nil {
				return err
			}
			keep, err := openDemoService(&f, &stored, &served, &named, log)
			if err != nil {
				return err
			}
			defer keep.remove()
			fmt.Fprintln(os.Stderr, "seine: building the demo cluster")
			cluster, err = demo.Up(cmd.Context(), demo.Options{Rules: rules, Log: log})
			if err != nil && cmd.Context().Err() != nil {
				log.Debug("building interrupted", "error", err)
				return nil
			}
			if err != nil {
				return err
			}
			ctx, cancel := f.context(cmd.Context())
			defer cancel()
			return errors.Join(runDemo(ctx, &f, cluster, faults, show, keep, log), cluster.Down())
		},
	}
	f.add(c.Flags(), time.Second)
	for _, name := range []string{"netns", "node"} {
		_ = c.Flags().MarkHidden(name)
	}
	stored.add(c.Flags(), false)
	served.add(c.Flags())
	named.add(c.Flags(), false)
	c.Flags().StringVar(&rules, "rules", "", "write the Services' rules with `PROGRAM`, iptables or nftables (default what works)")
	c.Flags().StringArrayVar(&faults, "fault", nil, "switch a `FAULT` on from the start; may be repeated")
	c.Flags().StringVarP(&output, "output", "o", "", "`HOW`: live (the default on a terminal), or as lines: "+outputNames())
	return c
}

func demoHelp() string {
	var b strings.Builder
	b.WriteString("Build a miniature cluster of network namespaces, drive bounded traffic through it and watch it.\n" +
		"Nothing outside the namespaces is touched, and everything is gone at the end.\n" +
		"In the live view ? shows the keys, and digits and letters switch the faults on and off.\n\nFaults:\n")
	for i, f := range demo.Faults() {
		fmt.Fprintf(&b, "  %s  %-26s %s\n", toggleKeys[i:i+1], f.Name, f.Doc)
	}
	return b.String()
}

// checkFaults spares a user the building of a cluster that would not be used.
func checkFaults(names []string) error {
	var known []string
	for _, f := range demo.Faults() {
		known = append(known, f.Name)
	}
	for _, name := range names {
		if !slices.Contains(known, name) {
			return fmt.Errorf("--fault %q: want one of %s", name, strings.Join(known, ", "))
		}
	}
	return nil
}

// demoService keeps a demo's records in a folder that goes with it.
type demoService struct {
	*service
	captures *captures
	names    *names
	dir      string
}

func openDemoService(f *captureFlags, stored *storeFlags, served *apiFlags, named *nameFlags, log *slog.Logger) (*demoService, error) {
	dir, err := os.MkdirTemp("", "seine-demo-")
	if err != nil {
		return nil, fmt.Errorf("make a folder for the demo's records: %w", err)
	}
	stored.dir = dir
	d := &demoService{captures: newCaptures(f), dir: dir}
	if d.names, err = named.open("", demo.Objects(), log); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	if d.service, err = openService(stored, served, d.names, d.captures.reasons, log); err != nil {
		return nil, errors.Join(err, os.RemoveAll(dir))
	}
	return d, nil
}

// remove closes what was never served, and removes the folder.
func (d *demoService) remove() {
	_ = d.listener.Close() // Closed already if it was served, as is the store.
	_ = d.store.Close()
	_ = os.RemoveAll(d.dir)
}

// runDemo runs an agent on each node of a cluster until the context or the view ends.
func runDemo(ctx context.Context, f *captureFlags, cluster *demo.Cluster, faults []string, show show, keep *demoService,
	log *slog.Logger,
) error {
	for _, name := range faults {
		if err := cluster.SetFault(name, true); err != nil {
			return err
		}
	}
	agents, err := demoAgents(cluster, f, keep.names, log)
	if err != nil {
		return err
	}
	keep.captures.begin(agents...)
	stopService := keep.serve(serviceLog(show, log))
	ctx, stop := context.WithCancel(ctx)
	defer stop()
	group, ctx := errgroup.WithContext(ctx)
	group.Go(func() error { return cluster.Drive(ctx) })
	sink := serialized(show.sink)
	for _, a := range agents {
		if show.lines {
			logWatching(a, log)
		}
		warnUnwatched(a, f, log)
		defer serveStatus(ctx, a, log)()
		group.Go(func() error { return runStored(ctx, keep, a, sink, log) })
	}
	err = show.run(ctx, agents)
	stop()
	if waited := group.Wait(); !errors.Is(waited, context.Canceled) && !errors.Is(waited, context.DeadlineExceeded) {
		err = errors.Join(err, waited)
	}
	return errors.Join(err, stopService())
}

// runStored runs an agent whose records are kept and shown.
func runStored(ctx context.Context, keep *demoService, a *agent.Agent, show func([]flow.Record) error, log *slog.Logger) error {
	sender, err := keep.captures.sender(keep.server, a, log)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	a.OnQueries(sender.SinkQueries)
	err = a.Run(ctx, both(sender.Sink, show))
	keep.captures.end()
	return errors.Join(err, sender.Close())
}

// demoAgents opens an agent for each node, each knowing what the other watches.
func demoAgents(cluster *demo.Cluster, f *captureFlags, n *names, log *slog.Logger) ([]*agent.Agent, error) {
	objects := demo.Objects()
	var agents []*agent.Agent
	for _, node := range cluster.Nodes() {
		cfg := f.config
		cfg.Node, cfg.NetNS, cfg.Namer = node.Name, node.NetNS, n
		cfg.PodSpaces = node.PodSpaces
		cfg.Watched = elsewhere(objects, node.Name)
		a, err := agent.New(cfg, log)
		if err != nil {
			for _, open := range agents {
				err = errors.Join(err, open.Close())
			}
			return nil, err
		}
		agents = append(agents, a)
	}
	return agents, nil
}

// elsewhere tells whether an address belongs to another node than the one named, or to a pod there.
func elsewhere(objects []kube.Object, node string) func(netip.Addr) bool {
	var others []netip.Addr
	for _, o := range objects {
		if o.Node != "" && o.Node != node {
			others = append(others, o.Addrs...)
		}
	}
	return func(a netip.Addr) bool { return slices.Contains(others, a) }
}

// serialized lets several agents share a sink.
func serialized(sink func([]flow.Record) error) func([]flow.Record) error {
	var mu sync.Mutex
	return func(batch []flow.Record) error {
		mu.Lock()
		defer mu.Unlock()
		return sink(batch)
	}
}

// newPodCommand is what the demo starts for each of its pods.
func newPodCommand() *cobra.Command {
	return &cobra.Command{
		Use: "demo-pod", Hidden: true, DisableFlagParsing: true,
		Run: func(_ *cobra.Command, args []string) { os.Exit(demo.PodMain(args)) },
	}
}
