package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/wire"
)

// agentsFlags say where agents connect.
type agentsFlags struct {
	listen, tokenFile string
	tls               credential.TLS
}

func newServerCommand() *cobra.Command {
	var stored storeFlags
	var served apiFlags
	var agents agentsFlags
	var named nameFlags
	var level string
	c := &cobra.Command{
		Use:   "server",
		Short: "Take records from agents, keep them and answer questions",
		Long: "Take records from agents (seine agent --server HOST:PORT), keep them and answer questions over HTTP.\n" +
			"Agents beyond this machine need TLS; the API beyond this machine needs tokens or an OpenID Connect issuer.",
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			log, err := newLogger(os.Stderr, level)
			if err != nil {
				return err
			}
			letGarbage(local.GarbagePercent)
			n, err := named.open("", nil, log)
			if err != nil {
				return err
			}
			s, err := openService(&stored, &served, n, nil, log)
			if err != nil {
				return err
			}
			defer n.follow(cmd.Context())()
			receiver, err := agents.open(s, log)
			if err != nil {
				return errors.Join(err, s.listener.Close(), s.store.Close())
			}
			return runServer(cmd.Context(), s, receiver, log)
		},
	}
	s := c.Flags()
	stored.add(s, true)
	served.add(s)
	named.add(s, true)
	s.StringVar(&agents.listen, "agents-listen", defaultAgentsListen, "`HOST:PORT` where agents connect; beyond loopback with TLS only")
	s.StringVar(&agents.tls.Cert, "agents-tls-cert", "", "PEM `FILE` with the certificate for agents")
	s.StringVar(&agents.tls.Key, "agents-tls-key", "", "PEM `FILE` with the key of that certificate")
	s.StringVar(&agents.tls.CA, "agents-tls-client-ca", "", "PEM `FILE` with the certificates that must have signed those of agents")
	s.StringVar(&agents.tokenFile, "agents-token-file", "", "`FILE` with the bearer tokens that agents may present, one a line")
	s.StringVar(&level, "log-level", "info", "least `LEVEL` that is logged: debug, info, warn or error")
	return c
}

func (f *agentsFlags) open(s *service, log *slog.Logger) (*wire.Receiver, error) {
	cfg := wire.ReceiverConfig{Listen: f.listen, TokenFile: f.tokenFile, Version: versionText()}
	if f.tls != (credential.TLS{}) {
		cfg.TLS = &f.tls
	}
	receiver, err := wire.Listen(cfg, s.server, log)
	if err != nil {
		return nil, fmt.Errorf("--agents-listen %s: %w", f.listen, err)
	}
	return receiver, nil
}

// runServer serves agents and the API until the context ends. The store is closed when the last batch is in it.
func runServer(ctx context.Context, s *service, receiver *wire.Receiver, log *slog.Logger) error {
	log.Info("taking records", "listen", receiver.Addr().String())
	stop := s.serve(log)
	return errors.Join(receiver.Run(ctx), stop())
}
