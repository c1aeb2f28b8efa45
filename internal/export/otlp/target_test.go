package otlp

import (
	"bytes"
	"context"
	"log/slog"
	"net"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	collectorpb "go.opentelemetry.io/proto/otlp/collector/logs/v1"
	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/codes"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/types/known/durationpb"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/export/exporttest"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// numbered returns records that are told apart by their source ports.
func numbered(first, n int) []flow.Record {
	records := make([]flow.Record, n)
	for i := range records {
		records[i] = example()
		records[i].Src.Port = uint16(first + i)
	}
	return records
}

// wantPorts expects records in order, each once.
func wantPorts(t *testing.T, c *collector, n int) {
	t.Helper()
	records, _ := c.records()
	if len(records) != n {
		t.Fatalf("%d records, want %d", len(records), n)
	}
	for i, r := range records {
		if port := attributesOf(t, r.Attributes)["source.port"].GetIntValue(); port != int64(i) {
			t.Fatalf("record %d is number %d", i, port)
		}
	}
}

// ask is one request to a collector that answers as judge says, and what Send made of it.
func ask(t *testing.T, protocol string, rows int, judge func(arrived) (*collectorpb.ExportLogsServiceResponse, error)) (*Target, *query.Block, *collector, int, error) {
	t.Helper()
	c, config := start(t, protocol)
	c.judgeBy(judge)
	plan := exporttest.Plan(t, "flows")
	target := open(t, config, plan)
	block := exporttest.Block(t, plan, numbered(0, rows))
	refused, err := target.Send(t.Context(), block)
	return target, block, c, refused, err
}

// TestSplit keeps requests below the bound, and refuses a row that alone is above.
func TestSplit(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		c, config := start(t, protocol)
		config.MaxMessageBytes = minMessageBytes
		plan := exporttest.Plan(t, "flows")
		target := open(t, config, plan)
		records := numbered(0, 1000)
		for i := range records {
			records[i].Node = []string{"worker-1", "worker-2", "a-node-with-a-longer-name"}[i/7%3]
		}
		if refused := exporttest.Send(t, target, exporttest.Block(t, plan, records)); refused != 0 {
			t.Errorf("%d rows refused", refused)
		}
		wantPorts(t, c, 1000)
		if len(c.requests) < 5 {
			t.Errorf("%d requests", len(c.requests))
		}
		for _, r := range c.requests {
			if r.bytes > minMessageBytes {
				t.Errorf("a request of %d bytes", r.bytes)
			}
		}
		large := numbered(0, 3)
		large[1].Src.Image = strings.Repeat("x", minMessageBytes)
		if refused := exporttest.Send(t, target, exporttest.Block(t, plan, large)); refused != 1 {
			t.Errorf("%d rows refused, want 1", refused)
		}
		if records, _ := c.records(); len(records) != 1002 {
			t.Errorf("%d records, want 1002", len(records))
		}
	}
}

// TestPartialSuccess counts what the collector rejected as refused, and logs its words once.
func TestPartialSuccess(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		c, config := start(t, protocol)
		c.judgeBy(func(arrived) (*collectorpb.ExportLogsServiceResponse, error) {
			return &collectorpb.ExportLogsServiceResponse{
				PartialSuccess: &collectorpb.ExportLogsPartialSuccess{RejectedLogRecords: 3, ErrorMessage: "too\nold"},
			}, nil
		})
		plan := exporttest.Plan(t, "flows")
		var logged bytes.Buffer
		target, err := Open(config, plan, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		for range 2 {
			if refused := exporttest.Send(t, target, exporttest.Block(t, plan, numbered(0, 10))); refused != 3 {
				t.Errorf("%s: %d rows refused, want 3", protocol, refused)
			}
		}
		if strings.Count(logged.String(), "the collector refuses rows") != 1 || !strings.Contains(logged.String(), `answer="too old"`) {
			t.Errorf("logged %s", logged.String())
		}
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestStatuses has each status of gRPC do what the specification says, or we for those that are about us.
func TestStatuses(t *testing.T) {
	f := func(code codes.Code, want string, details ...*errdetails.RetryInfo) {
		t.Helper()
		s := status.New(code, "words of the collector")
		for _, d := range details {
			detailed, err := s.WithDetails(d)
			if err != nil {
				t.Fatal(err)
			}
			s = detailed
		}
		target, block, c, refused, err := ask(t, grpcProtocol, 2, func(arrived) (*collectorpb.ExportLogsServiceResponse, error) { return nil, s.Err() })
		check(t, code.String(), want, refused, err, target)
		if want == "later" {
			c.judgeBy(nil)
			target.until = time.Time{}
			exporttest.Send(t, target, block)
			wantPorts(t, c, 2)
		}
	}
	for _, code := range []codes.Code{
		codes.Canceled, codes.DeadlineExceeded, codes.Aborted, codes.OutOfRange, codes.Unavailable, codes.DataLoss,
		codes.Unauthenticated, codes.PermissionDenied, codes.Unimplemented,
	} {
		f(code, "later")
	}
	for _, code := range []codes.Code{codes.InvalidArgument, codes.Unknown, codes.Internal, codes.NotFound, codes.FailedPrecondition} {
		f(code, "never")
	}
	f(codes.ResourceExhausted, "never")
	f(codes.ResourceExhausted, "later", &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)})
	f(codes.Unavailable, "later", &errdetails.RetryInfo{RetryDelay: durationpb.New(time.Minute)})
}

// check expects two rows to be refused, or to go later for a reason in the collector's words.
func check(t *testing.T, name, want string, refused int, err error, target *Target) {
	t.Helper()
	switch {
	case want == "never" && (refused != 2 || err != nil):
		t.Errorf("%s: %d rows refused, error %v; want 2 refused", name, refused, err)
	case want == "later" && (refused != 0 || err == nil || !strings.Contains(err.Error(), "words of the collector") ||
		!strings.HasPrefix(err.Error(), "collector "+target.config.Address()+": ")):
		t.Errorf("%s: %d rows refused, error %v; want its words", name, refused, err)
	}
}

// TestHTTPStatuses is the same for HTTP.
func TestHTTPStatuses(t *testing.T) {
	statusOf, err := proto.Marshal(status.New(codes.Unavailable, "words of the collector").Proto())
	if err != nil {
		t.Fatal(err)
	}
	f := func(code int, want string) {
		t.Helper()
		for kind, body := range map[string]string{"text/plain": "words of the collector\n", "application/x-protobuf": string(statusOf)} {
			target, block, c, refused, err := ask(t, httpProtocol, 2, func(arrived) (*collectorpb.ExportLogsServiceResponse, error) {
				return nil, &refusal{status: code, kind: kind, body: body}
			})
			check(t, http.StatusText(code), want, refused, err, target)
			if want == "later" {
				c.judgeBy(nil)
				exporttest.Send(t, target, block)
				wantPorts(t, c, 2)
			}
		}
	}
	for _, code := range []int{429, 502, 503, 504, 401, 403, 404, 405, 301, 307} {
		f(code, "later")
	}
	for _, code := range []int{400, 413, 415, 422, 500, 501} {
		f(code, "never")
	}
}

// TestThrottling leaves the collector alone for as long as it asks, by either protocol.
func TestThrottling(t *testing.T) {
	for protocol, busy := range map[string]func() error{
		grpcProtocol: func() error {
			s, err := status.New(codes.ResourceExhausted, "busy").WithDetails(&errdetails.RetryInfo{RetryDelay: durationpb.New(40 * time.Second)})
			if err != nil {
				t.Fatal(err)
			}
			return s.Err()
		},
		httpProtocol: func() error {
			return &refusal{status: 503, kind: "text/plain", body: "busy", header: http.Header{"Retry-After": {"40"}}}
		},
	} {
		asked := 0
		target, block, c, _, err := ask(t, protocol, 5, func(arrived) (*collectorpb.ExportLogsServiceResponse, error) {
			asked++
			return nil, busy()
		})
		if err == nil || !strings.Contains(err.Error(), "busy") {
			t.Errorf("%s: got %v", protocol, err)
		}
		now := time.Now()
		target.now = func() time.Time { return now }
		if _, err := target.Send(t.Context(), block); err == nil || !strings.Contains(err.Error(), "asks to be left alone for 40s more") {
			t.Errorf("%s: got %v", protocol, err)
		}
		if asked != 1 {
			t.Errorf("%s: asked %d times", protocol, asked)
		}
		now = now.Add(41 * time.Second)
		c.judgeBy(nil)
		exporttest.Send(t, target, block)
		wantPorts(t, c, 5)
	}
}

// TestRetryAfter reads what RFC 9110 allows, and nothing else.
func TestRetryAfter(t *testing.T) {
	now := time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	for value, want := range map[string]time.Duration{
		"": 0, "0": 0, "7": 7 * time.Second, "-1": 0, "soon": 0, "Sun, 01 Mar 2026 12:01:00 GMT": time.Minute, "Sun, 01 Mar 2026 11:00:00 GMT": 0,
	} {
		if got := retryAfter(value, now); got != want {
			t.Errorf("%q is %v, want %v", value, got, want)
		}
	}
}

// TestSmaller makes requests smaller for a collector that takes less, and loses no row.
func TestSmaller(t *testing.T) {
	for protocol, large := range map[string]error{
		grpcProtocol: status.Error(codes.ResourceExhausted, "message larger than max"),
		httpProtocol: &refusal{status: 413, kind: "text/plain", body: "too large"},
	} {
		target, _, c, refused, err := ask(t, protocol, 2000, func(a arrived) (*collectorpb.ExportLogsServiceResponse, error) {
			if a.bytes > 300<<10 {
				return nil, large
			}
			return nil, nil
		})
		if err != nil || refused != 0 {
			t.Fatalf("%s: %d rows refused, %v", protocol, refused, err)
		}
		wantPorts(t, c, 2000)
		if target.maxBytes > 300<<10 || target.maxBytes < 150<<10 {
			t.Errorf("%s: requests of %d bytes", protocol, target.maxBytes)
		}
	}
}

// TestServerLimit is a real server of gRPC with the limit that it has if nobody says otherwise, and more than that to send.
func TestServerLimit(t *testing.T) {
	c, config := start(t, grpcProtocol)
	config.MaxMessageBytes = 16 << 20
	plan := exporttest.Plan(t, "flows")
	records := numbered(0, 4096)
	for i := range records {
		records[i].Src.Labels = strings.Repeat("l", 2000)
	}
	if refused := exporttest.Send(t, open(t, config, plan), exporttest.Block(t, plan, records)); refused != 0 {
		t.Errorf("%d rows refused", refused)
	}
	wantPorts(t, c, 4096)
}

// TestRest goes on after an error with the row where it stopped.
func TestRest(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		c, config := start(t, protocol)
		config.MaxMessageBytes = minMessageBytes
		plan := exporttest.Plan(t, "flows")
		target := open(t, config, plan)
		block := exporttest.Block(t, plan, numbered(0, 1000))
		taken := 0
		c.judgeBy(func(arrived) (*collectorpb.ExportLogsServiceResponse, error) {
			if taken++; taken%3 == 0 {
				if protocol == httpProtocol {
					return nil, &refusal{status: 503, kind: "text/plain"}
				}
				return nil, status.Error(codes.Unavailable, "again")
			}
			return nil, nil
		})
		failures := 0
		for {
			refused, err := target.Send(t.Context(), block)
			if err == nil && refused == 0 {
				break
			}
			if failures++; failures > 50 {
				t.Fatal(err)
			}
		}
		if failures == 0 {
			t.Error("no attempt failed")
		}
		wantPorts(t, c, 1000)
	}
}

// TestAway expects an error that names the collector at once, and delivery when it is there; then it goes and comes back.
func TestAway(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := l.Addr().String()
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	plan := exporttest.Plan(t, "flows")
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		target := open(t, &Config{Endpoint: "http://" + address, Protocol: protocol}, plan)
		_, err := target.Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1)))
		if err == nil || !strings.HasPrefix(err.Error(), "collector "+address+": ") || !strings.Contains(err.Error(), "connection refused") {
			t.Errorf("%s: got %v", protocol, err)
		}
	}
	target := open(t, &Config{Endpoint: "http://" + address}, plan)
	for range 2 {
		block := exporttest.Block(t, plan, numbered(0, 10))
		if _, err := target.Send(t.Context(), block); err == nil {
			t.Fatal("no error without a collector")
		}
		c, _, stop := startGRPC(t, address)
		exporttest.UntilSent(t, target, block)
		wantPorts(t, c, 10)
		stop()
	}
}

// TestSilence gives up on a collector that takes connections and says nothing.
func TestSilence(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	plan := exporttest.Plan(t, "flows")
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		target := open(t, &Config{Endpoint: "http://" + l.Addr().String(), Protocol: protocol}, plan)
		ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
		defer cancel()
		begin := time.Now()
		if _, err := target.Send(ctx, exporttest.Block(t, plan, numbered(0, 1))); err == nil || time.Since(begin) > 5*time.Second {
			t.Errorf("%s: got %v after %v", protocol, err, time.Since(begin))
		}
	}
}

// TestTLSAndSecrets sends over TLS with a token and headers, of which no error and no log tells; a wrong token is an error
// until the right one is in the file.
func TestTLSAndSecrets(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		c, config, ca := startTLS(t, protocol)
		dir := t.TempDir()
		token, key := filepath.Join(dir, "token"), filepath.Join(dir, "key")
		write(t, token, "wrong-secret")
		write(t, key, "key-secret\n")
		config.TLS = &credential.Client{TLS: credential.TLS{CA: ca}}
		config.TokenFile, config.HeaderFiles, config.Headers = token, map[string]string{"x-api-key": key}, map[string]string{"x-scope": "net"}
		c.judgeBy(func(a arrived) (*collectorpb.ExportLogsServiceResponse, error) {
			if a.headers.Get("Authorization") == "Bearer right-secret" && a.headers.Get("X-Api-Key") == "key-secret" && a.headers.Get("X-Scope") == "net" {
				return nil, nil
			}
			if protocol == httpProtocol {
				return nil, &refusal{status: 401, kind: "text/plain", body: "who are you? " + a.headers.Get("Authorization") + a.headers.Get("X-Api-Key")}
			}
			return nil, status.Error(codes.Unauthenticated, "who are you? "+a.headers.Get("Authorization"))
		})
		plan := exporttest.Plan(t, "flows")
		var logged bytes.Buffer
		target, err := Open(config, plan, slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		block := exporttest.Block(t, plan, numbered(0, 10))
		_, err = target.Send(t.Context(), block)
		if err == nil || !strings.Contains(err.Error(), "who are you?") {
			t.Fatalf("%s: got %v", protocol, err)
		}
		if told := err.Error() + logged.String(); strings.Contains(told, "-secret") {
			t.Errorf("%s: a secret is told: %s", protocol, told)
		}
		write(t, token, "right-secret\n")
		exporttest.UntilSent(t, target, block)
		wantPorts(t, c, 10)
		if err := target.Close(); err != nil {
			t.Error(err)
		}
	}
}

// TestForeignCollector gives nothing to a collector whose authority is not ours.
func TestForeignCollector(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		c, config, _ := startTLS(t, protocol)
		plan := exporttest.Plan(t, "flows")
		_, err := open(t, config, plan).Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1)))
		if err == nil || !strings.Contains(err.Error(), "certificate signed by unknown authority") {
			t.Errorf("%s: got %v", protocol, err)
		}
		wantPorts(t, c, 0)
	}
}

// TestRedirect gives credentials to nobody that the collector points to.
func TestRedirect(t *testing.T) {
	other, otherConfig := start(t, httpProtocol)
	target, err := url.Parse(otherConfig.Endpoint)
	if err != nil {
		t.Fatal(err)
	}
	_, _, _, _, err = ask(t, httpProtocol, 2, func(arrived) (*collectorpb.ExportLogsServiceResponse, error) {
		return nil, &refusal{status: 307, header: http.Header{"Location": {target.String() + "/v1/logs"}}}
	})
	if err == nil || !strings.Contains(err.Error(), "307") {
		t.Errorf("got %v", err)
	}
	wantPorts(t, other, 0)
}

// TestWebPage takes a page, such as one to log in, for no collector, though it comes with 200: the rows stay.
func TestWebPage(t *testing.T) {
	target, block, c, _, err := ask(t, httpProtocol, 2, func(arrived) (*collectorpb.ExportLogsServiceResponse, error) {
		return nil, &refusal{status: 200, kind: "text/html; charset=utf-8", body: "<html>Log in</html>"}
	})
	if err == nil || !strings.Contains(err.Error(), "200 OK with a web page: want a collector of OTLP there") {
		t.Fatalf("got %v", err)
	}
	c.judgeBy(nil)
	exporttest.Send(t, target, block)
	wantPorts(t, c, 2)
}

// TestOneLine has no name break the sentence about a row, or speak to a terminal.
func TestOneLine(t *testing.T) {
	c, config := start(t, grpcProtocol)
	plan := exporttest.Plan(t, "flows")
	records := numbered(0, 1)
	records[0].Src.Name = "pod\n\x1b[31mé\x7f"
	exporttest.Send(t, open(t, config, plan), exporttest.Block(t, plan, records))
	got, _ := c.records()
	if text := got[0].GetBody().GetStringValue(); strings.ContainsAny(text, "\n\x1b\x7f") || !strings.Contains(text, "pod  [31mé ") {
		t.Errorf("got %q", text)
	}
}

// TestUncompressed sends without gzip.
func TestUncompressed(t *testing.T) {
	for _, protocol := range []string{grpcProtocol, httpProtocol} {
		c, config := start(t, protocol)
		config.Compression = "none"
		plan := exporttest.Plan(t, "flows")
		exporttest.Send(t, open(t, config, plan), exporttest.Block(t, plan, numbered(0, 10)))
		wantPorts(t, c, 10)
		if encoding := c.requests[0].encoding; encoding != "" {
			t.Errorf("%s: encoding %q", protocol, encoding)
		}
	}
}

// TestWrongPort keeps the rows where something else than the protocol's collector answers.
func TestWrongPort(t *testing.T) {
	_, config := start(t, httpProtocol)
	config.Protocol = grpcProtocol
	plan := exporttest.Plan(t, "flows")
	if _, err := open(t, config, plan).Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1))); err == nil {
		t.Error("no error from a server of HTTP")
	}
	c, config := start(t, grpcProtocol)
	config.Protocol = httpProtocol
	if _, err := open(t, config, plan).Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1))); err == nil {
		t.Error("no error from a server of gRPC")
	}
	wantPorts(t, c, 0)
	empty := grpc.NewServer()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	go func() { _ = empty.Serve(l) }()
	defer empty.Stop()
	_, err = open(t, &Config{Endpoint: "http://" + l.Addr().String()}, plan).Send(t.Context(), exporttest.Block(t, plan, numbered(0, 1)))
	if err == nil || !strings.Contains(err.Error(), "Unimplemented") {
		t.Errorf("got %v", err)
	}
}

// TestClearSecret warns where a secret would be seen by the network.
func TestClearSecret(t *testing.T) {
	token := filepath.Join(t.TempDir(), "token")
	write(t, token, "test-secret")
	for endpoint, want := range map[string]bool{"http://otel.example:4317": true, "https://otel.example:4317": false, "http://127.0.0.1:4317": false} {
		var logged bytes.Buffer
		target, err := Open(&Config{Endpoint: endpoint, TokenFile: token}, exporttest.Plan(t, "flows"), slog.New(slog.NewTextHandler(&logged, nil)))
		if err != nil {
			t.Fatal(err)
		}
		if err := target.Close(); err != nil {
			t.Error(err)
		}
		if warned := strings.Contains(logged.String(), "goes over the network as it is"); warned != want || strings.Contains(logged.String(), "test-secret") {
			t.Errorf("%s: logged %q", endpoint, logged.String())
		}
	}
}

// write replaces a file as a whole.
func write(t *testing.T, path, content string) {
	t.Helper()
	next := path + ".next"
	if err := os.WriteFile(next, []byte(content), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, path); err != nil {
		t.Fatal(err)
	}
}
