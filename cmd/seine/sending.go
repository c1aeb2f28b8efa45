package main

import (
	"errors"
	"fmt"
	"log/slog"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/flow"
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
	s.StringVar(&f.name, "server-name", "", "name that the server's certificate must bear (default the host of --server)")
	s.StringVar(&f.tls.CA, "server-ca", "", "certificates that must have signed the server's, a PEM file (default those of the system)")
	s.StringVar(&f.tls.Cert, "tls-cert", "", "certificate to present to the server, a PEM file")
	s.StringVar(&f.tls.Key, "tls-key", "", "key of that certificate, a PEM file")
	s.StringVar(&f.tokenFile, "server-token-file", "", "file with the bearer token to present to the server")
	s.BoolVar(&f.plain, "server-plain", false, "speak to the server without TLS, which only one on this machine accepts")
	s.Var(&f.queue, "queue-bytes", "how much may wait while the server is away before the oldest goes")
}

// open returns a sender of an agent's records.
func (f *sendFlags) open(c *captures, a *agent.Agent, log *slog.Logger) (*wire.Sender, error) {
	cfg := wire.SenderConfig{
		Server: f.server, ServerName: f.name, TokenFile: f.tokenFile, Node: a.Status().Node, Version: versionText(),
		Report: func() wire.Report { return c.report(a) }, QueueBytes: int64(f.queue),
	}
	if !f.plain {
		cfg.TLS = &f.tls
	}
	sender, err := wire.OpenSender(cfg, log)
	if err != nil {
		return nil, fmt.Errorf("--server %s: %w", f.server, err)
	}
	return sender, nil
}

// sending runs what it is given with a sink that sends, too, and then delivers what is left.
func (f *sendFlags) sending(c *captures, a *agent.Agent, sink func([]flow.Record) error, log *slog.Logger,
	run func(sink func([]flow.Record) error) error,
) error {
	sender, err := f.open(c, a, log)
	if err != nil {
		return errors.Join(err, a.Close())
	}
	if sink == nil {
		sink = sender.Sink
	} else {
		sink = both(sender.Sink, sink)
	}
	err = run(sink)
	c.end()
	return errors.Join(err, sender.Close())
}
