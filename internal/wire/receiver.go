package wire

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"maps"
	"net"
	"runtime"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/net/netutil"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/keepalive"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/wire/wirepb"
)

// ReceiverConfig says where agents connect and what they must prove.
type ReceiverConfig struct {
	// Listen is "HOST:PORT".
	Listen string
	// TLS is nil for plain text, which is accepted on loopback only. With a CA, agents need certificates that it signed.
	TLS *credential.TLS
	// TokenFile holds the bearer tokens that are accepted; empty demands none.
	TokenFile string
	// Version is the server's release.
	Version string
	// MaxAgents bounds the streams that are open at once; default 1024.
	MaxAgents int
}

const (
	defaultMaxAgents = 1024
	// spareConnections are those that are not streams yet, or no longer.
	spareConnections = 64
	// streamWindow is how much of a stream is received before it is asked for. It bounds memory: two streams may be open
	// on a connection, the second for an agent that did not notice yet that its first is broken.
	streamWindow         = 256 << 10
	streamsPerConnection = 2
	// Connections without a stream are closed after idleAfter. Agents begin anew every renewAfter; connections of those
	// that do not are closed after ageLimit, so that everybody's credentials are checked again.
	idleAfter = time.Minute
	ageLimit  = 2 * renewAfter
	// stopWithin bounds how long batches in hand are waited for at the end.
	stopWithin = 5 * time.Second
)

// Receiver takes batches from agents.
type Receiver struct {
	wirepb.UnimplementedReceiverServer
	config   ReceiverConfig
	handler  Handler
	log      *slog.Logger
	quiet    *seldom
	listener net.Listener
	server   *grpc.Server
	tokens   *credential.Tokens
	versions versions
	// patience is how long Hello may take.
	patience time.Duration

	// decoders bounds the batches that are decoded at once, and so the memory that they take.
	decoders chan struct{}
	// meter bounds the memory of messages that are not dealt with.
	meter   *meter
	streams atomic.Int64
	// stopping is closed when no further batch should be begun.
	stopping chan struct{}

	refusalsMu sync.Mutex
	refusals   map[string]uint64
}

// ReceiverStats tells what a receiver does.
type ReceiverStats struct {
	Streams int64 `json:"streams"`
	// Refusals counts streams and batches that were not accepted, by reason.
	Refusals map[string]uint64 `json:"refusals,omitempty"`
}

// Listen opens the socket, reads the credentials, and returns a receiver that Run starts.
func Listen(cfg ReceiverConfig, handler Handler, log *slog.Logger) (*Receiver, error) {
	if cfg.MaxAgents <= 0 {
		cfg.MaxAgents = defaultMaxAgents
	}
	r := &Receiver{
		config: cfg, handler: handler, log: log, quiet: &seldom{log: log}, versions: ours, patience: greetWithin,
		decoders: make(chan struct{}, 2*runtime.GOMAXPROCS(0)), refusals: make(map[string]uint64),
		stopping: make(chan struct{}),
	}
	r.meter = newMeter(r.tooSlow)
	if cfg.TokenFile != "" {
		var err error
		if r.tokens, err = credential.OpenTokens(cfg.TokenFile, log); err != nil {
			return nil, fmt.Errorf("--agents-token-file: %w", err)
		}
	}
	options, err := r.options()
	if err != nil {
		return nil, err
	}
	if r.listener, err = net.Listen("tcp", cfg.Listen); err != nil {
		return nil, fmt.Errorf("listen for agents: %w", err)
	}
	r.server = grpc.NewServer(options...)
	wirepb.RegisterReceiverServer(r.server, r)
	return r, nil
}

func (r *Receiver) options() ([]grpc.ServerOption, error) {
	options := []grpc.ServerOption{
		grpc.MaxRecvMsgSize(maxMessageBytes),
		grpc.MaxHeaderListSize(maxAnswerBytes),
		grpc.MaxConcurrentStreams(streamsPerConnection),
		grpc.StaticStreamWindowSize(streamWindow),
		grpc.StaticConnWindowSize(streamsPerConnection * streamWindow),
		grpc.ConnectionTimeout(greetWithin),
		grpc.KeepaliveParams(keepalive.ServerParameters{
			MaxConnectionIdle: idleAfter, MaxConnectionAge: ageLimit, MaxConnectionAgeGrace: greetWithin,
			Time: pingAfter, Timeout: pingWithin,
		}),
		grpc.KeepaliveEnforcementPolicy(keepalive.EnforcementPolicy{MinTime: pingAtMost}),
		// After Stop no handler may use the store, which is closed next.
		grpc.WaitForHandlers(true),
		grpc.StatsHandler(r.meter),
	}
	if r.config.TLS == nil {
		if !credential.IsLoopback(r.config.Listen) {
			return nil, errors.New("plain text is accepted on loopback addresses only: give --agents-tls-cert FILE and --agents-tls-key FILE (and --agents-tls-client-ca FILE to demand certificates of agents)")
		}
		return options, nil
	}
	tls, err := r.config.TLS.Server(r.log, "h2")
	if err != nil {
		return nil, fmt.Errorf("--agents-tls-cert and --agents-tls-key: %w", err)
	}
	return append(options, grpc.Creds(credentials.NewTLS(tls))), nil
}

// tooSlow counts a connection that was closed since its message did not arrive in time.
func (r *Receiver) tooSlow(address string) {
	r.count(slowReason)
	r.quiet.Warn("connection of agent closed", "address", address, "reason", slowReason, "within", r.meter.within)
}

// Addr is where the receiver listens.
func (r *Receiver) Addr() net.Addr { return r.listener.Addr() }

// Run serves until the context ends, then acknowledges the batches in hand, within a time limit, and closes. When it
// returns, the handler is no longer called.
func (r *Receiver) Run(ctx context.Context) error {
	ctx, cancel := context.WithCancel(ctx)
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		<-ctx.Done()
		r.stop()
	}()
	err := r.server.Serve(meteredListener{netutil.LimitListener(r.listener, r.config.MaxAgents+spareConnections), r.meter})
	asked := ctx.Err() != nil
	cancel()
	<-stopped
	if asked {
		return nil
	}
	return fmt.Errorf("serve agents: %w", err)
}

// stop lets streams end once the batch in hand is acknowledged, and ends those that do not in time.
func (r *Receiver) stop() {
	close(r.stopping)
	late := time.AfterFunc(stopWithin, r.server.Stop)
	defer late.Stop()
	r.server.GracefulStop()
}

// Close closes a receiver that was never run.
func (r *Receiver) Close() error { return r.listener.Close() }

// Stats tells the present state.
func (r *Receiver) Stats() ReceiverStats {
	r.refusalsMu.Lock()
	defer r.refusalsMu.Unlock()
	return ReceiverStats{Streams: r.streams.Load(), Refusals: maps.Clone(r.refusals)}
}
