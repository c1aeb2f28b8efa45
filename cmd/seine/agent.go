package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
)

// encoder writes records.
type encoder interface {
	AppendHeader(dst []byte) []byte
	Append(dst []byte, r *flow.Record) []byte
}

var outputs = []struct {
	name string
	make func() encoder
	// queries makes the encoder of DNS queries, where the format has one.
	queries func() encoder
}{
	{
		"json", func() encoder { return flow.NewJSON(flow.DefaultFields(flow.Connections)) },
		func() encoder { return flow.NewJSON(flow.DefaultFields(flow.Queries)) },
	},
	{"netobserv", func() encoder { return flow.NetObserv{} }, nil},
	{
		"table", func() encoder { return flow.NewTable(flow.ConnectionColumns()) },
		func() encoder { return flow.NewTable(flow.QueryColumns()) },
	},
	{
		"csv", func() encoder { return flow.NewCSV(flow.DefaultFields(flow.Connections)) },
		func() encoder { return flow.NewCSV(flow.DefaultFields(flow.Queries)) },
	},
}

func newEncoder(name string) (encoder, error) {
	var names []string
	for _, o := range outputs {
		if o.name == name {
			return o.make(), nil
		}
		names = append(names, o.name)
	}
	return nil, fmt.Errorf("output %q: want one of %s", name, strings.Join(names, ", "))
}

// newQueryEncoder makes an encoder of DNS queries.
func newQueryEncoder(name string) (encoder, error) {
	for _, o := range outputs {
		if o.name == name && o.queries != nil {
			return o.queries(), nil
		}
	}
	return nil, fmt.Errorf("--dataset dns does not go with output %q: want json, table or csv", name)
}

// sinks are who takes the records of each dataset; nil is nobody.
type sinks struct{ flows, queries func([]flow.Record) error }

// exportTo writes the records of one dataset.
func exportTo(export, dataset, output string, log *slog.Logger) (to sinks, err error) {
	enc, err := newEncoder(output)
	if err != nil {
		return to, err
	}
	switch dataset {
	case flow.Connections.String():
		to.flows, err = exportSink(export, enc, log)
	case flow.Queries.String():
		if enc, err = newQueryEncoder(output); err == nil {
			to.flows = func([]flow.Record) error { return nil }
			to.queries, err = exportSink(export, enc, log)
		}
	default:
		err = fmt.Errorf("--dataset %q: want flows or dns", dataset)
	}
	return to, err
}

func newAgentCommand() *cobra.Command {
	var f captureFlags
	var send sendFlags
	var named nameFlags
	var export, output, dataset string
	c := &cobra.Command{
		Use:   "agent",
		Short: "Capture on this node, and send the records to a server or write them",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if send.server != "" && !cmd.Flags().Changed("export") {
				export = ""
			}
			if export != "stdout" && send.server == "" {
				return fmt.Errorf("--export %q: want stdout", export)
			}
			log, err := f.finish(os.Stderr)
			if err != nil {
				return err
			}
			to, err := exportTo(export, dataset, output, log)
			if err != nil {
				return err
			}
			letGarbage(agentGarbage)
			stop, err := named.forAgent(cmd.Context(), &f, to.flows != nil, log)
			if err != nil {
				return err
			}
			defer stop()
			sent, err := send.open(&f, log)
			if err != nil {
				return err
			}
			a, err := agent.New(f.config, log)
			if err != nil {
				return errors.Join(err, sent.abandon())
			}
			logWatching(a, log)
			warnUnwatched(a, &f, log)
			ctx, cancel := f.context(cmd.Context())
			defer cancel()
			defer serveStatus(ctx, a, log)()
			return sent.run(ctx, a, to, log)
		},
	}
	f.add(c.Flags(), 5*time.Second)
	c.Flags().StringVar(&export, "export", "stdout", "`WHERE` records are written: stdout; with --server nowhere, unless it is given")
	c.Flags().StringVar(&dataset, "dataset", flow.Connections.String(), "`WHAT` is written: flows, a record for each connection in an interval, or dns, one for each query")
	send.add(c.Flags())
	named.add(c.Flags(), true)
	c.Flags().StringVarP(&output, "output", "o", "json", "`HOW`: json (a record a line), netobserv, table or csv")
	return c
}

// exportSink writes records; nil stands for nowhere.
func exportSink(export string, enc encoder, log *slog.Logger) (func([]flow.Record) error, error) {
	switch export {
	case "":
		return nil, nil
	case "stdout":
		return newWriter(os.Stdout, enc).write, checkExport(os.Stdout, log)
	}
	return nil, fmt.Errorf("--export %q: want stdout", export)
}

// agentGarbage is how much garbage an agent lets grow, in percent of what is in use: its memory is taken from the
// node's pods, and what it allocates in an interval is little beside its tables.
const agentGarbage = 50

// letGarbage sets how much garbage may grow, unless GOGC says so.
func letGarbage(percent int) {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(percent)
	}
}

// context ends after --duration, if one was given. Time runs from now, so call it when all is attached.
func (f *captureFlags) context(parent context.Context) (context.Context, context.CancelFunc) {
	if f.duration > 0 {
		return context.WithTimeout(parent, f.duration)
	}
	return context.WithCancel(parent)
}

// serveStatus lets `seine status` ask the agent until the function that it returns is called. Without it the agent works
// all the same.
func serveStatus(ctx context.Context, a *agent.Agent, log *slog.Logger) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := a.ServeStatus(ctx, versionText()); err != nil {
			log.Warn("seine status cannot ask this agent", "error", err)
		}
	}()
	return func() {
		cancel()
		<-ended
	}
}

// writeAt is how much of a batch is gathered before it is written, in bytes: a full flow map makes 70 MB of JSON.
const writeAt = 1 << 18

// writer writes the records of each batch as they are encoded, always whole lines.
type writer struct {
	to      io.Writer
	encoder encoder
	buffer  []byte
	started bool
}

func newWriter(to io.Writer, e encoder) *writer { return &writer{to: terminalGuard(to), encoder: e} }

func (w *writer) write(batch []flow.Record) error {
	if !w.started {
		w.buffer = w.encoder.AppendHeader(w.buffer)
		w.started = true
	}
	for i := range batch {
		w.buffer = w.encoder.Append(w.buffer, &batch[i])
		if len(w.buffer) < writeAt {
			continue
		}
		if err := w.flush(); err != nil {
			return err
		}
	}
	return w.flush()
}

func (w *writer) flush() error {
	_, err := w.to.Write(w.buffer)
	w.buffer = w.buffer[:0]
	return err
}
