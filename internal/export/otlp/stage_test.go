package otlp

import (
	"compress/gzip"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"net"
	"net/http"
	"net/http/httptest"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	commonpb "go.opentelemetry.io/proto/otlp/common/v1"
	logspb "go.opentelemetry.io/proto/otlp/logs/v1"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials"
	_ "google.golang.org/grpc/encoding/gzip" // Servers that know it answer with it.
	"google.golang.org/grpc/metadata"
	"google.golang.org/protobuf/proto"

	"github.com/seine-net/seine/internal/credential/credentialtest"
	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/query"
)

var quiet = slog.New(slog.DiscardHandler)

// open makes a target that ends with the test.
func open(t testing.TB, c *Config, plan *query.Plan) *Target {
	t.Helper()
	target, err := Open(c, plan, quiet)
	return exporttest.Opened(t, target, err)
}

// arrived is a request as the collector had it.
type arrived struct {
	*collectorpb.ExportLogsServiceRequest
	headers  http.Header
	encoding string
	bytes    int
}

// collector notes requests that it takes. Before, judge may have another answer.
type collector struct {
	collectorpb.UnimplementedLogsServiceServer
	t testing.TB

	mu       sync.Mutex
	requests []arrived
	judge    func(arrived) (*collectorpb.ExportLogsServiceResponse, error)
}

func (c *collector) take(a arrived) (*collectorpb.ExportLogsServiceResponse, error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	response := &collectorpb.ExportLogsServiceResponse{}
	if c.judge != nil {
		judged, err := c.judge(a)
		if err != nil {
			return nil, err
		}
		if judged != nil {
			response = judged
		}
	}
	c.requests = append(c.requests, a)
	return response, nil
}

// judgeBy changes how requests are answered.
func (c *collector) judgeBy(judge func(arrived) (*collectorpb.ExportLogsServiceResponse, error)) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.judge = judge
}

// records returns those of all requests, each with the node of its resource.
func (c *collector) records() (records []*logspb.LogRecord, nodes []string) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, request := range c.requests {
		for _, logs := range request.ResourceLogs {
			for _, scope := range logs.ScopeLogs {
				for _, r := range scope.LogRecords {
					records = append(records, r)
					nodes = append(nodes, attributesOf(c.t, logs.Resource.Attributes)["host.name"].GetStringValue())
				}
			}
		}
	}
	return records, nodes
}

// Export is gRPC's.
func (c *collector) Export(ctx context.Context, request *collectorpb.ExportLogsServiceRequest) (*collectorpb.ExportLogsServiceResponse, error) {
	a := arrived{ExportLogsServiceRequest: request, headers: http.Header{}, bytes: proto.Size(request)}
	pairs, _ := metadata.FromIncomingContext(ctx)
	for name, values := range pairs {
		a.headers[http.CanonicalHeaderKey(name)] = values
	}
	if stream, ok := grpc.ServerTransportStreamFromContext(ctx).(interface{ RecvCompress() string }); ok {
		a.encoding = stream.RecvCompress()
	}
	return c.take(a)
}

// ServeHTTP is HTTP's. An error of the judge is written as it is.
func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	if r.URL.Path != "/v1/logs" || r.Method != http.MethodPost || r.Header.Get("Content-Type") != "application/x-protobuf" {
		http.Error(w, "no such page", http.StatusNotFound)
		return
	}
	body := io.Reader(r.Body)
	encoding := r.Header.Get("Content-Encoding")
	if encoding == "gzip" {
		unzipped, err := gzip.NewReader(r.Body)
		if err != nil {
			http.Error(w, err.Error(), http.StatusBadRequest)
			return
		}
		body = unzipped
	}
	content, err := io.ReadAll(body)
	request := &collectorpb.ExportLogsServiceRequest{}
	if err == nil {
		err = proto.Unmarshal(content, request)
	}
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	response, err := c.take(arrived{request, r.Header, encoding, len(content)})
	if refusal, ok := errors.AsType[*refusal](err); ok {
		refusal.write(w)
		return
	}
	w.Header().Set("Content-Type", "application/x-protobuf")
	encoded, err := proto.Marshal(response)
	if err == nil {
		_, err = w.Write(encoded)
	}
	if err != nil {
		c.t.Error(err)
	}
}

// refusal is an answer of HTTP's other than 200.
type refusal struct {
	status     int
	header     http.Header
	kind, body string
}

// Error makes it an error that a judge returns.
func (r *refusal) Error() string { return r.body }

func (r *refusal) write(w http.ResponseWriter) {
	maps.Copy(w.Header(), r.header)
	w.Header().Set("Content-Type", r.kind)
	w.WriteHeader(r.status)
	_, _ = io.WriteString(w, r.body)
}

// startGRPC serves on loopback until the test ends, or stop is called.
func startGRPC(t testing.TB, address string, options ...grpc.ServerOption) (c *collector, endpoint string, stop func()) {
	t.Helper()
	c = &collector{t: t}
	l, err := net.Listen("tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	server := grpc.NewServer(options...)
	collectorpb.RegisterLogsServiceServer(server, c)
	var served sync.WaitGroup
	served.Go(func() { _ = server.Serve(l) })
	stop = func() {
		server.Stop()
		served.Wait()
	}
	t.Cleanup(stop)
	return c, "http://" + l.Addr().String(), stop
}

// startHTTP serves on loopback until the test ends.
func startHTTP(t testing.TB) (*collector, string) {
	t.Helper()
	c := &collector{t: t}
	server := httptest.NewServer(c)
	t.Cleanup(server.Close)
	return c, server.URL
}

// start is one of both, without TLS.
func start(t testing.TB, protocol string) (*collector, *Config) {
	t.Helper()
	c, endpoint := (*collector)(nil), ""
	if protocol == httpProtocol {
		c, endpoint = startHTTP(t)
	} else {
		c, endpoint, _ = startGRPC(t, "127.0.0.1:0")
	}
	return c, &Config{Endpoint: endpoint, Protocol: protocol, Version: "v1.2.3"}
}

// startTLS is one of both, with a certificate of an authority whose file is returned.
func startTLS(t testing.TB, protocol string) (*collector, *Config, string) {
	t.Helper()
	dir := t.TempDir()
	authority := credentialtest.New(t, "collectors")
	ca, cert, key := filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")
	authority.WriteCA(ca)
	authority.Issue("collector", cert, key)
	pair, err := tls.LoadX509KeyPair(cert, key)
	if err != nil {
		t.Fatal(err)
	}
	config := &tls.Config{Certificates: []tls.Certificate{pair}}
	if protocol == grpcProtocol {
		c, endpoint, _ := startGRPC(t, "127.0.0.1:0", grpc.Creds(credentials.NewTLS(config)))
		return c, &Config{Endpoint: strings.Replace(endpoint, "http:", "https:", 1)}, ca
	}
	c := &collector{t: t}
	server := httptest.NewUnstartedServer(c)
	server.TLS = config
	server.Config.ErrorLog = slog.NewLogLogger(slog.DiscardHandler, 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	return c, &Config{Endpoint: server.URL, Protocol: protocol}, ca
}

// attributesOf returns attributes by name, each of which is there once.
func attributesOf(t testing.TB, attributes []*commonpb.KeyValue) map[string]*commonpb.AnyValue {
	t.Helper()
	by := make(map[string]*commonpb.AnyValue, len(attributes))
	for _, a := range attributes {
		if by[a.Key] != nil {
			t.Fatalf("attribute %s is there twice", a.Key)
		}
		by[a.Key] = a.Value
	}
	return by
}

// plain is a value as Go has it.
func plain(v *commonpb.AnyValue) any {
	switch v := v.Value.(type) {
	case *commonpb.AnyValue_StringValue:
		return v.StringValue
	case *commonpb.AnyValue_IntValue:
		return v.IntValue
	case *commonpb.AnyValue_BoolValue:
		return v.BoolValue
	case *commonpb.AnyValue_ArrayValue:
		texts := []string{}
		for _, text := range v.ArrayValue.Values {
			texts = append(texts, text.GetStringValue())
		}
		return texts
	}
	return fmt.Sprintf("unexpected %T", v.Value)
}
