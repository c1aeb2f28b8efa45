package otlp

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"net"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/backoff"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/credentials"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/encoding/gzip"
	"google.golang.org/grpc/mem"
	"google.golang.org/grpc/metadata"
	"google.golang.org/grpc/status"
)

// exportMethod is LogsService.Export of logs_service.proto.
const exportMethod = "/opentelemetry.proto.collector.logs.v1.LogsService/Export"

// overGRPC sends requests by gRPC.
type overGRPC struct {
	address string
	headers *headers
	options []grpc.DialOption
	calls   []grpc.CallOption
	conn    *grpc.ClientConn
}

// newGRPC connects when it has something to send. configOf is nil for plain text.
func newGRPC(c *Config, address string, h *headers, configOf func(address string) *tls.Config) (*overGRPC, error) {
	security := insecure.NewCredentials()
	if configOf != nil {
		security = &freshTLS{credentials.NewTLS(configOf(address)), func() *tls.Config { return configOf(address) }}
	}
	g := &overGRPC{address: address, headers: h, calls: []grpc.CallOption{grpc.ForceCodecV2(bytesCodec{})}, options: []grpc.DialOption{
		grpc.WithTransportCredentials(security),
		grpc.WithUserAgent("seine"),
		grpc.WithDisableServiceConfig(),
		grpc.WithDisableRetry(),
		grpc.WithConnectParams(grpc.ConnectParams{
			Backoff:           backoff.Config{BaseDelay: 100 * time.Millisecond, Multiplier: 2, Jitter: 0.2, MaxDelay: 5 * time.Second},
			MinConnectTimeout: sendTime,
		}),
	}}
	if c.Compression == gzipped {
		g.calls = append(g.calls, grpc.UseCompressor(gzip.Name))
	}
	return g, g.connect()
}

func (g *overGRPC) connect() (err error) {
	g.conn, err = grpc.NewClient(g.address, g.options...)
	return err
}

func (g *overGRPC) send(ctx context.Context, request []byte) answer {
	pairs := metadata.MD{}
	g.headers.each(func(name, value string) { pairs.Set(name, value) })
	var response []byte
	err := g.conn.Invoke(metadata.NewOutgoingContext(ctx, pairs), exportMethod, request, &response, g.calls...)
	if status.Code(err) == codes.DeadlineExceeded {
		// The other end may be gone without a word, and the connection would be waited for.
		if err := errors.Join(g.conn.Close(), g.connect()); err != nil {
			return answer{fate: later, message: err.Error()}
		}
	}
	if err != nil {
		return answerOfStatus(status.Convert(err))
	}
	return parseResponse(response)
}

// fates are those of the codes that the specification calls retryable ("Failures" of OTLP/gRPC), and of those that say
// that endpoint or credentials are wrong.
var fates = map[codes.Code]fate{
	codes.Canceled:         later,
	codes.DeadlineExceeded: later,
	codes.Aborted:          later,
	codes.OutOfRange:       later,
	codes.Unavailable:      later,
	codes.DataLoss:         later,

	codes.Unauthenticated:  later,
	codes.PermissionDenied: later,
	codes.Unimplemented:    later,
}

func answerOfStatus(s *status.Status) answer {
	a := answer{fate: never, message: s.Code().String() + ": " + words([]byte(s.Message()))}
	if f, ok := fates[s.Code()]; ok {
		a.fate = f
	}
	if s.Code() == codes.ResourceExhausted {
		a.fate = smaller
	}
	for _, detail := range s.Details() {
		if retry, ok := detail.(*errdetails.RetryInfo); ok {
			a.wait = max(retry.GetRetryDelay().AsDuration(), 0)
			if s.Code() == codes.ResourceExhausted {
				a.fate = later
			}
		}
	}
	return a
}

func (g *overGRPC) close() error { return g.conn.Close() }

// bytesCodec has encoded messages on both sides.
type bytesCodec struct{}

// Name makes the content type that of protobuf.
func (bytesCodec) Name() string { return "proto" }

// Marshal takes a request.
func (bytesCodec) Marshal(v any) (mem.BufferSlice, error) {
	request, ok := v.([]byte)
	if !ok {
		return nil, fmt.Errorf("BUG: marshal %T, want bytes", v)
	}
	return mem.BufferSlice{mem.SliceBuffer(request)}, nil
}

// Unmarshal gives a response.
func (bytesCodec) Unmarshal(data mem.BufferSlice, v any) error {
	response, ok := v.(*[]byte)
	if !ok {
		return fmt.Errorf("BUG: unmarshal to %T, want bytes", v)
	}
	*response = data.Materialize()
	return nil
}

// freshTLS makes each connection with what the files of TLS hold then.
type freshTLS struct {
	credentials.TransportCredentials
	config func() *tls.Config
}

// ClientHandshake is that of credentials.NewTLS.
func (f *freshTLS) ClientHandshake(ctx context.Context, authority string, conn net.Conn) (net.Conn, credentials.AuthInfo, error) {
	return credentials.NewTLS(f.config()).ClientHandshake(ctx, authority, conn)
}

// Clone returns itself: it has no state.
func (f *freshTLS) Clone() credentials.TransportCredentials { return f }
