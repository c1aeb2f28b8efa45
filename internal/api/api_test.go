package api_test

import (
	"bytes"
	"context"
	"encoding/json"
	"io"
	"log/slog"
	"net/http"
	"strings"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// site is an API that is served, over a real store.
type site struct {
	t       testing.TB
	server  *server.Server
	url     string
	client  *client.Client
	batches []arrow.RecordBatch
}

// open serves an API until the end of the test. Change adjusts its configuration.
func open(t testing.TB, change func(*api.Config, *server.Config)) *site {
	t.Helper()
	log := slog.New(slog.DiscardHandler)
	engine, err := local.Open(local.Config{Dir: t.TempDir()}, log)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = engine.Close() })
	cfg, serverConfig := api.Config{Engine: engine, Log: log, Version: "test"}, server.Config{Engine: engine, Log: log}
	if change != nil {
		change(&cfg, &serverConfig)
	}
	s := &site{t: t}
	if s.server, err = server.New(serverConfig); err != nil {
		t.Fatal(err)
	}
	cfg.Source = s.server
	a, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	s.serve(a)
	return s
}

func (s *site) serve(a *api.API) {
	s.t.Helper()
	listener, err := api.Listen("127.0.0.1:0", a, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	s.url = "http://" + listener.Addr().String()
	if s.client, err = client.New(client.Config{URL: s.url}); err != nil {
		s.t.Fatal(err)
	}
	ctx, stop := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- listener.Run(ctx) }()
	s.t.Cleanup(func() {
		s.client.Close()
		http.DefaultClient.CloseIdleConnections()
		stop()
		if err := <-ended; err != nil {
			s.t.Errorf("serve: %v", err)
		}
	})
}

// fill stores records.
func (s *site) fill(records []flow.Record) {
	s.t.Helper()
	builder := columns.NewBuilder(columns.Flows(), columns.MaxRows)
	for len(records) > 0 {
		records = records[builder.Append(records):]
		batch := builder.NewBatch()
		if err := s.server.Ingest(s.t.Context(), "flows", batch, "", 0); err != nil {
			s.t.Fatal(err)
		}
		s.batches = append(s.batches, batch)
	}
}

// withRecords serves random records.
func withRecords(t testing.TB, n int) *site {
	s := open(t, nil)
	s.fill(querytest.RandomRecords(1, n))
	return s
}

// do sends a request and returns the status and the body.
func (s *site) do(method, path, body string, headers ...string) (int, string) {
	s.t.Helper()
	response := s.send(method, path, strings.NewReader(body), headers...)
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response.StatusCode, string(text)
}

func (s *site) send(method, path string, body io.Reader, headers ...string) *http.Response {
	s.t.Helper()
	request, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, body)
	if err != nil {
		s.t.Fatal(err)
	}
	for i := 0; i < len(headers); i += 2 {
		request.Header.Set(headers[i], headers[i+1])
		if headers[i] == "Host" {
			request.Host = headers[i+1]
		}
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		s.t.Fatalf("%s %s: %v", method, path, err)
	}
	return response
}

// refusal is the shape of errors.
type refusal struct {
	Error, Kind, Hint string
	Position          *query.Position
}

// refused decodes an error strictly.
func refused(t testing.TB, body string) (r refusal) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&r); err != nil || r.Error == "" || r.Kind == "" {
		t.Errorf("body %.300q is no error of ours: %v", body, err)
	}
	return r
}

// The period of random records.
const period = `"from":"2026-03-01T11:00:00Z","to":"2026-03-01T14:00:00Z"`

// TestQuery holds answers against the evaluator that defines what plans mean, through the client that decodes them.
func TestQuery(t *testing.T) {
	s := withRecords(t, 3000)
	f := func(body string) {
		t.Helper()
		request, err := query.DecodeRequest(strings.NewReader("{" + period + "," + body + "}"))
		if err != nil {
			t.Fatal(err)
		}
		compiled, err := query.Compile(request, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		want, summary := query.Evaluate(compiled.Plan, s.batches)
		truncated := summary.Truncated
		if compiled.Compare != nil {
			earlier, _ := query.Evaluate(compiled.Compare, s.batches)
			want, truncated = compiled.Join(want, earlier)
		}
		got, err := s.client.Query(t.Context(), request)
		if err != nil {
			t.Errorf("%s: %v", body, err)
			return
		}
		if got.Truncated != truncated || got.Primary != compiled.Primary || got.Rows != want.Rows {
			t.Errorf("%s: truncated %v, primary %v, %d rows; want %v, %v, %d", body, got.Truncated, got.Primary, got.Rows,
				truncated, compiled.Primary, want.Rows)
		}
		if diff := cmp.Diff(texts(want), texts(got.Block)); diff != "" {
			t.Errorf("%s: -want +got\n%s", body, diff)
		}
	}
	f(`"measures":["count()"]`)
	f(`"measures":["count()"],"filter":"primary || !primary"`)
	f(`"measures":["sum(total.bytes)","p99(total.bytes)","count_distinct(src.addr)","avg(fwd.bytes)","max(end)"],"group_by":["proto"]`)
	f(`"measures":["count()"],"group_by":["src.namespace"],"order":"-count()","limit":2,"other":true`)
	f(`"measures":["count()"],"group_by":["tcp.flags","primary"],"step":"10m","limit":5`)
	f(`"measures":["count()","min(start)"],"group_by":["dst.port"],"compare":"1h","order":"-change(count())","limit":7`)
	f(`"filter":"proto == 'TCP' && cidr('10.0.0.0/8').containsIP(src.addr)","limit":1000`)
	f(`"fields":["end","src.addr","icmp.type","tcp.flags","primary"],"limit":10`)
	f(`"filter":"src.name == 'nobody'"`)
}

// texts are the lines of a block.
func texts(b *query.Block) [][]string {
	var lines [][]string
	var titles []string
	for i := range b.Columns {
		c := &b.Columns[i]
		titles = append(titles, strings.Join([]string{c.Name, c.Kind.String(), c.Unit}, " "))
	}
	lines = append(lines, titles)
	for row := range b.Rows {
		var line []string
		for i := range b.Columns {
			line = append(line, string(b.Columns[i].AppendJSON(nil, row)))
		}
		lines = append(lines, line)
	}
	return lines
}

func TestValues(t *testing.T) {
	s := withRecords(t, 1000)
	status, body := s.do("GET", "/api/v1/values?field=proto&prefix=ICMP&from=2026-03-01T11:00:00Z&to=2026-03-01T14:00:00Z", "")
	var got api.Values
	if err := json.Unmarshal([]byte(body), &got); err != nil || status != 200 {
		t.Fatalf("status %d, body %q: %v", status, body, err)
	}
	if len(got.Values) != 2 || got.Field != "proto" || got.Losses == nil {
		t.Errorf("got %+v, want ICMP and ICMPv6, and losses", got)
	}
	for _, v := range got.Values {
		if !strings.HasPrefix(v.Value, "ICMP") || v.Rows < 1 {
			t.Errorf("got %+v, want a value with the prefix and rows", v)
		}
	}
}

func TestFields(t *testing.T) {
	s := open(t, nil)
	got, err := s.client.Fields(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	byName := make(map[string]api.Field)
	for _, f := range got.Fields {
		byName[f.Name] = f
	}
	bytes, namespace := byName["total.bytes"], byName["src.namespace"]
	if bytes.GroupBy || !strings.Contains(strings.Join(bytes.Measures, " "), "sum") || bytes.Unit != "bytes" {
		t.Errorf("total.bytes: %+v, want a measure in bytes", bytes)
	}
	if !namespace.GroupBy || namespace.Mirror != "dst.namespace" || strings.Join(namespace.Measures, " ") != "count_distinct" {
		t.Errorf("src.namespace: %+v, want a key that mirrors dst.namespace", namespace)
	}
	if len(byName["nat"].Values) == 0 {
		t.Error("nat has no values")
	}
	if _, ok := byName["community_id"]; ok {
		t.Error("community_id is not stored, yet listed")
	}
}

func TestStatusAndReadiness(t *testing.T) {
	var reasons []string
	s := open(t, func(c *api.Config, _ *server.Config) { c.Ready = func() []string { return reasons } })
	s.fill(querytest.RandomRecords(2, 10))
	if status, body := s.do("GET", "/readyz", ""); status != 200 || body != "{\"ready\":true}\n" {
		t.Errorf("ready: %d %q", status, body)
	}
	reasons = []string{"capture has ended"}
	if status, body := s.do("GET", "/readyz", ""); status != 503 || !strings.Contains(body, "capture has ended") {
		t.Errorf("not ready: %d %q", status, body)
	}
	if status, body := s.do("GET", "/healthz", ""); status != 200 || body != "ok\n" {
		t.Errorf("healthy: %d %q", status, body)
	}
	_, body := s.do("GET", "/api/v1/status", "")
	var got struct {
		Version string
		Store   struct{ Rows int64 }
		Stored  uint64
	}
	if err := json.Unmarshal([]byte(body), &got); err != nil || got.Version != "test" || got.Store.Rows != 10 || got.Stored != 10 {
		t.Errorf("status %s: %v", body, err)
	}
}

// TestDocuments expects every path and member to be described, and the served document to be the one.
func TestDocuments(t *testing.T) {
	s := open(t, nil)
	want, err := api.OpenAPI()
	if err != nil {
		t.Fatal(err)
	}
	status, got := s.do("GET", "/api/v1/openapi.json", "")
	if status != 200 || strings.TrimSpace(got) != string(bytes.TrimSpace(want)) {
		t.Errorf("status %d, and the document is not the one that is generated", status)
	}
	var document struct {
		Paths      map[string]map[string]struct{ Description string }
		Components struct {
			Schemas map[string]struct {
				Properties map[string]struct {
					Description string
					Ref         string `json:"$ref"`
				}
			}
		}
	}
	if err := json.Unmarshal(want, &document); err != nil {
		t.Fatal(err)
	}
	for path, methods := range document.Paths {
		for method, operation := range methods {
			if operation.Description == "" {
				t.Errorf("%s %s is not described", method, path)
			}
		}
	}
	for _, name := range []string{"Request", "Answer", "Column", "Error"} {
		for member, p := range document.Components.Schemas[name].Properties {
			if p.Description == "" && p.Ref == "" {
				t.Errorf("%s.%s is not described", name, member)
			}
		}
	}
}

// TestNewRefuses expects what is missing to be named.
func TestNewRefuses(t *testing.T) {
	if _, err := api.New(api.Config{}); err == nil {
		t.Error("made an API of nothing")
	}
}

// stalled is an engine whose queries end only with their context.
type stalled struct{ store.Engine }

// Query waits.
func (stalled) Query(ctx context.Context, _ *query.Plan, _ func(*query.Block) error) (query.Summary, error) {
	<-ctx.Done()
	return query.Summary{}, ctx.Err()
}

// Values waits.
func (stalled) Values(ctx context.Context, _ store.ValuesRequest) ([]store.Value, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}
