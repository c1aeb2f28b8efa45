package api

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/credential"
)

const (
	headerTime = 10 * time.Second
	idleTime   = 2 * time.Minute
	// headerBytes bounds a request's line and headers, a filter in the query string included.
	headerBytes = 128 << 10
	// farewell is how long requests under way may take once the server ends.
	farewell = 5 * time.Second
)

// Listener is where an API is served.
type Listener struct {
	api    *API
	socket net.Listener
	places *places
	server *http.Server
}

// Listen opens the socket "HOST:PORT". Without TLS it speaks plain HTTP. Without authenticators every address but
// loopback ones is refused.
func Listen(address string, a *API, files *credential.TLS) (*Listener, error) {
	if len(a.config.Authenticators) == 0 && !credential.IsLoopback(address) {
		return nil, fmt.Errorf("listen on %q: every address but loopback needs authentication: want tokens, or an OpenID Connect issuer, or 127.0.0.1", address)
	}
	socket, err := net.Listen("tcp", address)
	if err != nil {
		return nil, fmt.Errorf("listen for the API: %w", err)
	}
	bounded := newPlaces(socket, a.limits.Connections)
	l := &Listener{api: a, socket: bounded, places: bounded}
	if files != nil {
		config, err := files.Server(a.config.Log, "h2", "http/1.1")
		if err != nil {
			return nil, errors.Join(fmt.Errorf("TLS of the API: %w", err), socket.Close())
		}
		l.socket = tls.NewListener(l.socket, config)
	} else if !credential.IsLoopback(address) {
		a.config.Log.Warn("the API speaks plain HTTP beyond this machine: tokens and records can be read on the way", "listen", address)
	}
	l.server = &http.Server{
		Handler: a.Handler(), ReadHeaderTimeout: headerTime, IdleTimeout: idleTime, MaxHeaderBytes: headerBytes,
		ConnState: bounded.note,
		ErrorLog:  slog.NewLogLogger(a.config.Log.Handler(), slog.LevelDebug),
	}
	return l, nil
}

// Addr is where the API is served.
func (l *Listener) Addr() net.Addr { return l.socket.Addr() }

// Close closes a listener that was never run.
func (l *Listener) Close() error { return l.socket.Close() }

// Run serves until the context ends. Then live streams end, and what else is under way has some seconds.
func (l *Listener) Run(ctx context.Context) error {
	l.server.BaseContext = func(net.Listener) context.Context { return ctx }
	ended := make(chan error, 1)
	go func() { ended <- l.server.Serve(l.socket) }()
	watching, stop := context.WithCancel(ctx)
	var watch sync.WaitGroup
	watch.Go(func() { l.places.watch(watching, l.api.config.Log) })
	defer watch.Wait()
	defer stop()
	select {
	case err := <-ended:
		return fmt.Errorf("serve the API: %w", err)
	case <-ctx.Done():
	}
	patience, cancel := context.WithTimeout(context.WithoutCancel(ctx), farewell)
	defer cancel()
	err := l.server.Shutdown(patience)
	if err != nil {
		err = l.server.Close()
	}
	<-ended
	return err
}
