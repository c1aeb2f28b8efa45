package metrics

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/prometheus/client_golang/prometheus/testutil/promlint"
	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/wire"
)

func TestWantsASource(t *testing.T) {
	if _, err := New(Config{Log: discard}); err == nil {
		t.Error("no error without a source")
	}
	if _, err := New(Config{Source: open(t, 1).server, Log: discard, MaxKeys: -1}); err == nil || !strings.Contains(err.Error(), "-1 keys, want 0 to 1000000") {
		t.Errorf("error is %v", err)
	}
}

// call is a connection of a client's workload, of so many bytes there.
func call(client string, bytes uint64) flow.Record {
	r := querytest.RandomRecords(1, 1)[0]
	r.Src.Identity = flow.Identity{Kind: flow.Pod, Namespace: "shop", Name: client + "-1", Workload: flow.Workload{Kind: "Deployment", Name: client}}
	r.Proto, r.Primary, r.Sampling, r.Fwd, r.Rev = flow.UDP, true, 1, flow.Volume{Bytes: bytes, Packets: 1}, flow.Volume{}
	r.FwdFaults, r.RevFaults, r.TCP = flow.Faults{}, flow.Faults{}, flow.TCPHealth{}
	return r
}

// sent are the bytes that each client sent.
func (s *site) sent() string {
	var all []string
	for k, n := range s.summed() {
		if k.name == "seine_flow_bytes_total" {
			_, rest, _ := strings.Cut(k.labels, "client_workload=")
			client, _, _ := strings.Cut(rest, ",")
			all = append(all, fmt.Sprintf("%s=%v", client, n))
		}
	}
	if len(all) == 2 && all[0] > all[1] {
		all[0], all[1] = all[1], all[0]
	}
	return strings.Join(all, " ")
}

// TestExpiry has keys give their room up an hour after the last row, and begin at 0 when they come again.
func TestExpiry(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, 2)
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		f := func(after time.Duration, client string, bytes uint64, want string) {
			t.Helper()
			time.Sleep(after)
			if client != "" {
				s.ingest(columns.Flows(), []flow.Record{call(client, bytes)})
			}
			synctest.Wait()
			if got := s.sent(); got != want {
				t.Errorf("after %v and %d bytes of %q: %s, want %s", after, bytes, client, got, want)
			}
		}
		f(0, "a", 10, "a=10")
		f(30*time.Minute, "b", 5, "a=10 b=5")
		f(29*time.Minute, "a", 1, "a=11 b=5") // Not idle for an hour.
		f(32*time.Minute, "", 0, "a=11")
		f(0, "c", 7, "a=11 c=7") // There is room again.
		f(0, "a", 1, "a=12 c=7")
		f(2*time.Hour, "", 0, "")
		f(0, "a", 3, "a=3")
		stop()
		<-ended
		if got := s.gather()[series{"seine_metrics_expired_keys_total", "table=edges,"}]; got != 3 {
			t.Errorf("%v keys expired, want 3", got)
		}
	})
}

// TestLost has the metrics tell what they were too slow for.
func TestLost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := open(t, 100)
		records := querytest.RandomRecords(1, 20_000)
		for range 10 { // More than the queue holds, before anybody takes of it.
			s.ingest(columns.Flows(), records)
		}
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { s.Run(ctx); close(ended) }()
		synctest.Wait()
		got := s.gather()
		taken, lost := got[series{"seine_metrics_rows_total", "dataset=flows,"}], got[series{"seine_metrics_lost_rows_total", "dataset=flows,"}]
		if taken+lost != 200_000 || lost == 0 || taken == 0 {
			t.Errorf("%v rows taken and %v lost, want some of each and 200000 together", taken, lost)
		}
		stop()
		<-ended
	})
}

// TestOwn has agents of two nodes, one of which went away and one of which runs for the second time.
func TestOwn(t *testing.T) {
	s := open(t, 10)
	s.engine.stats.Losses = map[string]uint64{"torn": 3}
	s.engine.stats.Rows, s.engine.stats.Oldest = 7, int64(90*time.Second)
	s.config.Exporters = func() []export.Status {
		return []export.Status{{Name: "lake", Kind: "kafka", State: export.Degraded, Sent: 5, Refused: 1, Lost: 2, Failures: 3, QueuedBytes: 4}}
	}
	join := func(node, origin string, report wire.Report) wire.Session {
		t.Helper()
		session, err := s.server.Accept(wire.Agent{Node: node, Origin: origin, Version: "v1"})
		if err != nil {
			t.Fatal(err)
		}
		session.Report(report)
		return session
	}
	lost := []wire.Loss{{Reason: "ring_full", Count: 9}, {Reason: "ring_full", Count: 1}}
	features := []wire.Feature{{Name: "dns", State: "off"}, {Name: "drops", State: "live"}, {Name: "odd\xff", State: "degraded"}}
	join("worker-1", "first", wire.Report{Losses: lost})
	join("worker-1", "second", wire.Report{Dropped: 4, Losses: lost[1:], Features: features, CountedBytes: 1000, AccountedBytes: 999})
	join("worker-2", "gone", wire.Report{}).Close()
	got := s.gather()
	f := func(name, labels string, want float64) {
		t.Helper()
		if n, ok := got[series{name, labels}]; !ok || n != want {
			t.Errorf("%s{%s} is %v (there: %v), want %v", name, labels, n, ok, want)
		}
	}
	f("seine_ready", "", 1)
	f("seine_agents", "state=connected,", 1)
	f("seine_agents", "state=away,", 1)
	f("seine_agent_connected", "node=worker-1,", 1)
	f("seine_agent_connected", "node=worker-2,", 0)
	f("seine_agent_info", "node=worker-1,version=v1,", 1)
	f("seine_losses_total", "node=worker-1,reason=ring_full,", 1)
	f("seine_losses_total", "node=worker-1,reason=agent_dropped,", 4)
	f("seine_losses_total", "node=,reason=torn,", 3)
	f("seine_feature_not_live", "feature=dns,node=worker-1,state=off,", 1)
	f("seine_feature_not_live", "feature=odd,node=worker-1,state=degraded,", 1)
	f("seine_agent_coverage_ratio", "node=worker-1,", 0.999)
	f("seine_exporter_rows_total", "exporter=lake,kind=kafka,outcome=sent,", 5)
	f("seine_exporter_rows_total", "exporter=lake,kind=kafka,outcome=refused,", 1)
	f("seine_exporter_rows_total", "exporter=lake,kind=kafka,outcome=lost,", 2)
	f("seine_exporter_failures_total", "exporter=lake,kind=kafka,", 3)
	f("seine_exporter_queued_bytes", "exporter=lake,kind=kafka,", 4)
	f("seine_exporter_degraded", "exporter=lake,kind=kafka,", 1)
	f("seine_store_rows", "", 7)
	f("seine_store_oldest_timestamp_seconds", "", 90)
	f("seine_metrics_max_keys", "table=lookups,", 10)
	if _, there := got[series{"seine_feature_not_live", "feature=drops,node=worker-1,state=live,"}]; there {
		t.Error("a live feature is told as one that is not")
	}
}

// scrape asks for the metrics in a format.
func (s *site) scrape(accept string) *http.Response {
	s.t.Helper()
	r := httptest.NewRequestWithContext(s.t.Context(), http.MethodGet, "/metrics", nil)
	r.Header.Set("Accept", accept)
	w := httptest.NewRecorder()
	s.Handler().ServeHTTP(w, r)
	if w.Code != http.StatusOK {
		s.t.Fatalf("status %d: %s", w.Code, w.Body)
	}
	return w.Result()
}

// TestFormats has what a scrape gets read by Prometheus' own parsers, in the formats that it asks for.
func TestFormats(t *testing.T) {
	s := open(t, 1000)
	s.take(columns.Flows(), randomRecords(1, 300))
	s.take(columns.Queries(), randomQueries(1, 300))
	want := len(s.gather())
	f := func(accept string) {
		t.Helper()
		response := s.scrape(accept)
		defer response.Body.Close()
		body, err := io.ReadAll(response.Body)
		if err != nil {
			t.Fatal(err)
		}
		format := expfmt.ResponseFormat(response.Header)
		if format == expfmt.NewFormat(expfmt.TypeUnknown) {
			t.Fatalf("%s is answered with %q", accept, response.Header.Get("Content-Type"))
		}
		got := make(map[series]float64)
		for _, family := range decode(t, body, format) {
			for i, m := range family.GetMetric() {
				addNumbers(got, family.GetName(), fmt.Sprint(i), m)
			}
		}
		if len(got) < want {
			t.Errorf("%s: %d numbers, want at least %d", accept, len(got), want)
		}
	}
	f("text/plain;version=0.0.4")
	f("application/vnd.google.protobuf;proto=io.prometheus.client.MetricFamily;encoding=delimited")
	response := s.scrape("application/openmetrics-text;version=1.0.0")
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || !strings.HasPrefix(response.Header.Get("Content-Type"), "application/openmetrics-text") || !bytes.HasSuffix(body, []byte("# EOF\n")) {
		t.Errorf("OpenMetrics: %q, error %v, ends with %q", response.Header.Get("Content-Type"), err, body[max(0, len(body)-20):])
	}
}

func decode(t *testing.T, body []byte, format expfmt.Format) (all []*dto.MetricFamily) {
	t.Helper()
	decoder := expfmt.NewDecoder(bytes.NewReader(body), format)
	for {
		family := &dto.MetricFamily{}
		if err := decoder.Decode(family); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all = append(all, family)
	}
}

// TestNames has the names and helps judged by Prometheus' own rules.
func TestNames(t *testing.T) {
	s := open(t, 1000)
	s.take(columns.Flows(), randomRecords(1, 300))
	s.take(columns.Queries(), randomQueries(1, 300))
	gathered, err := s.registry.Gather()
	if err != nil {
		t.Fatal(err)
	}
	problems, err := promlint.NewWithMetricFamilies(gathered).Lint()
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range problems {
		t.Errorf("%s: %s", p.Metric, p.Text)
	}
}

// TestScrapesWhileRowsArrive is for the race detector; the last scrape has all.
func TestScrapesWhileRowsArrive(t *testing.T) {
	s := open(t, 50)
	ctx, stop := context.WithCancel(t.Context())
	ended := make(chan struct{})
	go func() { s.Run(ctx); close(ended) }()
	var busy sync.WaitGroup
	for worker := range uint64(2) {
		busy.Go(func() {
			for i := range uint64(20) {
				s.ingest(columns.Flows(), randomRecords(worker*100+i, 50))
				s.ingest(columns.Queries(), randomQueries(worker*100+i, 50))
			}
		})
		busy.Go(func() {
			for range 10 {
				s.scrape("").Body.Close()
				s.forget(time.Now().Add(time.Duration(worker) * 2 * time.Hour))
			}
		})
	}
	busy.Wait()
	for deadline := time.Now().Add(time.Minute); ; time.Sleep(10 * time.Millisecond) {
		got := s.gather()
		if got[series{"seine_metrics_rows_total", "dataset=flows,"}] == 2000 && got[series{"seine_metrics_rows_total", "dataset=dns,"}] == 2000 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the rows do not come")
		}
	}
	stop()
	<-ended
}
