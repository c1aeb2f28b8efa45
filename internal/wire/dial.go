package wire

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"net"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/keepalive"
	"google.golang.org/grpc/status"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/wire/wirepb"
)

const (
	// greetWithin bounds the time from dialling to Welcome, and that in which a server expects Hello.
	greetWithin = 10 * time.Second
	// After pingAfter of silence an end asks whether the other is there, and waits pingWithin for the answer. Servers
	// refuse agents that ask more than once in pingAtMost.
	pingAfter  = 20 * time.Second
	pingWithin = 10 * time.Second
	pingAtMost = 10 * time.Second
)

// dialer makes connections to one server.
type dialer struct {
	server string
	tls    func() *tls.Config
	tokens *credential.Tokens
}

func newDialer(cfg SenderConfig, log *slog.Logger) (*dialer, error) {
	host, port, err := net.SplitHostPort(cfg.Server)
	if err != nil || host == "" || port == "" {
		return nil, fmt.Errorf("server %q: want HOST:PORT", cfg.Server)
	}
	d := &dialer{server: cfg.Server}
	if cfg.TLS == nil && !credential.IsLoopback(cfg.Server) {
		return nil, errors.New("plain text goes to loopback addresses only: leave out --server-plain, and name the authorities of the server's certificate by --server-ca FILE unless the system trusts them (and --tls-cert FILE and --tls-key FILE where the server demands certificates)")
	}
	if cfg.TLS != nil {
		if cfg.ServerName != "" {
			host = cfg.ServerName
		}
		if d.tls, err = cfg.TLS.Client(host, log); err != nil {
			return nil, fmt.Errorf("--server-ca, --tls-cert and --tls-key: %w", err)
		}
	}
	if cfg.TokenFile != "" {
		if d.tokens, err = credential.OpenTokens(cfg.TokenFile, log); err != nil {
			return nil, fmt.Errorf("--server-token-file: %w", err)
		}
	}
	return d, nil
}

// dial returns a connection that is made at the first call, and again by nobody: that is the Sender's work.
func (d *dialer) dial() (*grpc.ClientConn, error) {
	options := []grpc.DialOption{
		grpc.WithTransportCredentials(d.security()),
		grpc.WithKeepaliveParams(keepalive.ClientParameters{Time: pingAfter, Timeout: pingWithin}),
		grpc.WithDefaultCallOptions(grpc.MaxCallRecvMsgSize(maxAnswerBytes), grpc.MaxCallSendMsgSize(maxMessageBytes)),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithMaxHeaderListSize(maxAnswerBytes),
		grpc.WithUserAgent("seine-agent"),
	}
	if d.tls == nil {
		options = append(options, grpc.WithContextDialer(dialLoopback))
	}
	if d.tokens != nil {
		options = append(options, grpc.WithPerRPCCredentials(bearer{d.tokens, d.tls != nil}))
	}
	return grpc.NewClient(d.server, options...)
}

func (d *dialer) security() credentials.TransportCredentials {
	if d.tls == nil {
		return insecure.NewCredentials()
	}
	return credentials.NewTLS(d.tls())
}

// dialLoopback makes sure that plain text stays on this machine, whatever localhost resolves to.
func dialLoopback(ctx context.Context, address string) (net.Conn, error) {
	conn, err := new(net.Dialer).DialContext(ctx, "tcp", address)
	if err != nil {
		return nil, err
	}
	if !credential.IsLoopback(conn.RemoteAddr().String()) {
		return nil, errors.Join(fmt.Errorf("%s is %s, and plain text is for loopback only", address, conn.RemoteAddr()), conn.Close())
	}
	return conn, nil
}

// bearer presents a token with each stream.
type bearer struct {
	tokens *credential.Tokens
	secure bool
}

// GetRequestMetadata returns the header; see credentials.PerRPCCredentials.
func (b bearer) GetRequestMetadata(context.Context, ...string) (map[string]string, error) {
	return map[string]string{"authorization": "Bearer " + b.tokens.First()}, nil
}

// RequireTransportSecurity is whether gRPC refuses plain text; on loopback the dialer has taken care.
func (b bearer) RequireTransportSecurity() bool { return b.secure }

// overNetwork serves one stream to the server.
func (s *Sender) overNetwork(parent context.Context, d *dialer) error {
	conn, err := d.dial()
	if err != nil {
		return err
	}
	defer conn.Close()
	ctx, cancel := context.WithCancelCause(parent)
	defer cancel(nil)
	late := time.AfterFunc(greetWithin, func() { cancel(fmt.Errorf("no answer within %v", greetWithin)) })
	defer late.Stop()
	stream, err := wirepb.NewReceiverClient(conn).Deliver(ctx)
	if err == nil {
		err = s.greet(stream)
	}
	if err != nil {
		return causeOr(ctx, err)
	}
	late.Stop()
	return s.exchange(ctx, cancel, stream)
}

// causeOr prefers why a context ended over what gRPC says of it.
func causeOr(ctx context.Context, err error) error {
	if cause := context.Cause(ctx); cause != nil {
		return cause
	}
	if known, ok := status.FromError(err); ok {
		return errors.New(known.Message())
	}
	return err
}

type clientStream = grpc.BidiStreamingClient[wirepb.FromAgent, wirepb.FromServer]

// greet says who we are and waits for Welcome.
func (s *Sender) greet(stream clientStream) error {
	hello := &wirepb.Hello{
		Protocol: ours.newest, OldestProtocol: ours.oldest,
		Version: s.config.Version, Node: s.config.Node, Origin: s.origin, FieldTable: fieldTable,
	}
	// An error of Send is io.EOF; Recv tells the reason.
	_ = stream.Send(&wirepb.FromAgent{Message: &wirepb.FromAgent_Hello{Hello: hello}})
	answer, err := stream.Recv()
	if err != nil {
		return err
	}
	switch m := answer.Message.(type) {
	case *wirepb.FromServer_Welcome:
		s.connected(m.Welcome.Protocol, m.Welcome.Version)
		return nil
	case *wirepb.FromServer_Refusal:
		return &Refused{reasonOf(m.Refusal.Kind), m.Refusal.Text}
	}
	return fmt.Errorf("server answers %T instead of a welcome", answer.Message)
}

// errEnded is the error of a stream that the server ended without a reason.
var errEnded = errors.New("server ended the stream")

// exchange sends batches and takes acknowledgements, until either end has enough. It returns nil if that was us.
func (s *Sender) exchange(ctx context.Context, cancel context.CancelCauseFunc, stream clientStream) error {
	received := make(chan error, 1)
	go func() {
		err := s.receive(stream)
		// The first to cancel gives the reason why the stream ended.
		cancel(err)
		received <- err
	}()
	err := s.pump(ctx, networkOutlet{stream})
	if err == nil {
		return finish(stream, cancel, received)
	}
	// io.EOF says that the server ended the stream; Recv knows why.
	if !errors.Is(err, io.EOF) {
		cancel(err)
	}
	<-received
	return context.Cause(ctx)
}

// finish ends the stream and waits until the server does so, too.
func finish(stream clientStream, cancel context.CancelCauseFunc, received <-chan error) error {
	late := time.AfterFunc(greetWithin, func() { cancel(errEnded) })
	defer late.Stop()
	if err := stream.CloseSend(); err != nil {
		cancel(err)
	}
	if err := <-received; !errors.Is(err, errEnded) {
		return err
	}
	return nil
}

// receive takes what the server says until the stream ends, and returns why it did.
func (s *Sender) receive(stream clientStream) error {
	for {
		answer, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return errEnded
		}
		if err != nil {
			return causeOr(stream.Context(), err)
		}
		switch m := answer.Message.(type) {
		case *wirepb.FromServer_Ack:
			s.acknowledged(m.Ack.Sequence)
		case *wirepb.FromServer_Refusal:
			if m.Refusal.Kind != wirepb.Refusal_BATCH {
				return &Refused{reasonOf(m.Refusal.Kind), m.Refusal.Text}
			}
			s.refused(m.Refusal.Sequence, m.Refusal.Text)
		}
	}
}

// networkOutlet is the stream's sending half.
type networkOutlet struct{ stream clientStream }

func (n networkOutlet) batch(_ context.Context, next item) error {
	return n.stream.Send(&wirepb.FromAgent{Message: &wirepb.FromAgent_Batch{Batch: &wirepb.Batch{
		Sequence: next.sequence, Dataset: next.dataset, Arrow: next.payload, Dropped: next.dropped,
	}}})
}

func (n networkOutlet) report(r Report) error {
	report := &wirepb.Report{Dropped: r.Dropped, CountedBytes: r.CountedBytes, AccountedBytes: r.AccountedBytes}
	for _, l := range r.Losses {
		report.Losses = append(report.Losses, &wirepb.Loss{Reason: l.Reason, Count: l.Count, Detail: l.Detail})
	}
	for _, f := range r.Features {
		report.Features = append(report.Features, &wirepb.Feature{Name: f.Name, State: f.State, Means: f.Means, Detail: f.Detail})
	}
	for _, a := range r.Addresses {
		report.Addresses = append(report.Addresses, a.AsSlice())
	}
	return n.stream.Send(&wirepb.FromAgent{Message: &wirepb.FromAgent_Report{Report: report}})
}
