package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/wire"
)

const defaultAgentsListen = "127.0.0.1:8090"

// sendFlags say where an agent sends its records.
type sendFlags struct {
	server, name, tokenFile string
	tls                     credential.TLS
	queue                   bytesValue
	plain                   bool
}

func (f *sendFlags) add(s *pflag.FlagSet) {
	f.queue = 64 << 20
	s.StringVar(&f.server, "server", "", "seine server to send records to, `HOST:PORT`")
	s.StringVar(&f.name, "server-name", "", "`NAME` that the server's certificate must bear (default the host of --server)")
	s.StringVar(&f.tls.CA, "server-ca", "", "PEM `FILE` with the certificates that must have signed the server's (default those of the system)")
	s.StringVar(&f.tls.Cert, "tls-cert", "", "PEM `FILE` with the certificate to present to the server")
	s.StringVar(&f.tls.Key, "tls-key", "", "PEM `FILE` with the key of that certificate")
	s.StringVar(&f.tokenFile, "server-token-file", "", "`FILE` with the bearer token to present to the server")
	s.BoolVar(&f.plain, "server-plain", false, "speak to the server without TLS, which only one on this machine accepts")
	s.Var(&f.queue, "queue-bytes", "how much may wait while the server is away before the oldest goes")
}

// delivery sends an agent's records to a server.
type delivery struct {
	sender   *wire.Sender
	captures *captures
}

// open checks the flags and begins to connect, before anything is attached; the report to the server waits for the agent.
// Without --server it returns nil.
func (f *sendFlags) open(capture *captureFlags, log *slog.Logger) (*delivery, error) {
	if f.server == "" {
		return nil, nil
	}
	node, err := ownName(capture.config.Node)
	if err != nil {
		return nil, err
	}
	d := &delivery{captures: newCaptures(capture)}
	cfg := wire.SenderConfig{
		Server: f.server, ServerName: f.name, TokenFile: f.tokenFile, Node: node, Version: versionText(),
		Report: d.captures.reportOfOnly, QueueBytes: int64(f.queue),
	}
	if !f.plain {
		cfg.TLS = &f.tls
	}
	if d.sender, err = wire.OpenSender(cfg, log); err != nil {
		return nil, fmt.Errorf("--server %s: %w", f.server, err)
	}
	return d, nil
}

// ownName is the name that an agent has in its records.
func ownName(given string) (string, error) {
	if given != "" {
		return given, nil
	}
	host, err := os.Hostname()
	if err != nil {
		return "", fmt.Errorf("read the host name: %w", err)
	}
	return host, nil
}

// abandon ends what no agent will use.
func (d *delivery) abandon() error {
	if d == nil {
		return nil
	}
	d.captures.begin()
	return d.sender.Close()
}

// run runs an agent with sinks that send, too, and then delivers what is left.
func (d *delivery) run(ctx context.Context, a *agent.Agent, to sinks, log *slog.Logger) error {
	if d == nil {
		a.OnQueries(to.queries)
		return a.Run(ctx, to.flows)
	}
	d.captures.begin(a)
	a.OnQueries(both(d.sender.SinkQueries, to.queries))
	err := a.Run(ctx, both(d.sender.Sink, to.flows))
	d.captures.end()
	return errors.Join(err, d.close(log))
}

// close delivers what is left. That a record did not arrive is an error; that none was there to be sent, and no server
// to take it, a warning.
func (d *delivery) close(log *slog.Logger) error {
	before := d.sender.Stats().LastError
	err := d.sender.Close()
	s := d.sender.Stats()
	if s.LastError == "" || s.LastError == context.Canceled.Error() { // The end of waiting is no reason.
		s.LastError = before
	}
	if lost := undelivered(&s); lost != nil {
		return lost // It says what err does, and of what was dropped before.
	}
	if s.Streams == 0 {
		log.Warn("server was never reached; there was no record to deliver", "server", s.Server, "error", s.LastError)
	}
	return err
}

// undelivered says how many records did not arrive, and why.
func undelivered(s *wire.Stats) error {
	var reasons []string
	for _, r := range []struct {
		count uint64
		text  string
	}{
		{s.Queued, cmp.Or(s.LastError, "the server did not answer in time")},
		{s.Full, "the queue was full, see --queue-bytes"},
		{s.Refused, "the server refused them"},
		{s.Unsendable, "they were too large"},
	} {
		if r.count > 0 {
			reasons = append(reasons, r.text)
		}
	}
	if len(reasons) == 0 {
		return nil
	}
	return fmt.Errorf("%d records were not delivered to %s (%s)", s.Queued+s.Full+s.Refused+s.Unsendable, s.Server, strings.Join(reasons, "; "))
}
