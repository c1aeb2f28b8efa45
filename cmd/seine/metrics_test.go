package main

import (
	"encoding/json"
	"net/http"
	"slices"
	"strings"
	"testing"

	dto "github.com/prometheus/client_model/go"
	"github.com/prometheus/common/expfmt"
	"github.com/prometheus/common/model"

	"github.com/seine-net/seine/internal/flow"
)

// scraped are the metrics of a scrape, by name.
type scraped map[string]*dto.MetricFamily

// scrape asks a server for its metrics, as Prometheus does.
func (s *served) scrape() scraped {
	s.t.Helper()
	status, body := get(s.t, s.api+"/metrics")
	if status != http.StatusOK {
		s.t.Fatalf("status %d: %s", status, body)
	}
	parser := expfmt.NewTextParser(model.LegacyValidation)
	families, err := parser.TextToMetricFamilies(strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	return families
}

// sum adds up what a metric has under the labels given.
func (m scraped) sum(name string, labels map[string]string) (total float64) {
	for _, one := range m[name].GetMetric() {
		has := func(l *dto.LabelPair) bool { want, ok := labels[l.GetName()]; return !ok || want == l.GetValue() }
		if !slices.ContainsFunc(one.GetLabel(), func(l *dto.LabelPair) bool { return !has(l) }) {
			total += one.GetCounter().GetValue() + one.GetGauge().GetValue() + float64(one.GetHistogram().GetSampleCount())
		}
	}
	return total
}

// answers are the values that a query has for its one measure, by the texts of its group.
func (s *served) answers(dataset, measure string, groupBy ...string) map[string]float64 {
	s.t.Helper()
	got := s.ask("query", "--dataset", dataset, "--measure", measure, "--group-by", strings.Join(groupBy, ","), "-o", "json", "--since", "1h")
	if got.code != 0 {
		s.t.Fatalf("query: %s", got.errs)
	}
	all := make(map[string]float64)
	for line := range strings.Lines(got.out) {
		var row map[string]any
		if err := json.Unmarshal([]byte(line), &row); err != nil {
			s.t.Fatalf("line %q: %v", line, err)
		}
		var texts []string
		for _, name := range groupBy {
			texts = append(texts, textAt(row, strings.Split(name, ".")))
		}
		all[strings.Join(texts, " ")], _ = row[measure].(float64)
	}
	return all
}

// textAt is the text at a path of nested objects, "" if it is not there.
func textAt(row map[string]any, path []string) string {
	for _, name := range path[:len(path)-1] {
		row, _ = row[name].(map[string]any)
	}
	text, _ := row[path[len(path)-1]].(string)
	return text
}

// TestMetrics holds what a scrape tells against what queries answer of the same rows.
func TestMetrics(t *testing.T) {
	s := serve(t)
	records := shopRecords()
	for i := range records {
		r := &records[i]
		if r.Dst.Kind == flow.Service {
			r.Dst.Service = r.Dst.Name
		}
		r.Sampling = uint32(1 + i)
		if r.Proto == flow.TCP {
			r.TCP.Connect, r.TCP.RTT = flow.Connect(1+i), 900
		}
	}
	again := records[0]
	again.Primary, again.Node, again.RevFaults.DropPackets, again.Drop.Reason = false, "node-2", 5, "NETFILTER_DROP"
	s.feed(append(records, again))
	s.feedQueries(shopQueries())
	s.await("the rows in the metrics", func() bool { return s.scrape().sum("seine_metrics_rows_total", nil) == 8 })
	got := s.scrape()
	edge := []string{"src.namespace", "src.workload.name", "backend.namespace", "backend.workload.name", "dst.service"}
	labels := []string{"client_namespace", "client_workload", "server_namespace", "server_workload", "service_name"}
	f := func(dataset, measure, metric, label, value string, wanted int) {
		t.Helper()
		rows := 0
		for group, want := range s.answers(dataset, measure, edge...) {
			under := map[string]string{label: value}
			for i, text := range strings.Split(group, " ") {
				under[labels[i]] = text
			}
			if n := got.sum(metric, under); n != want {
				t.Errorf("%s of %v is %v, want %v as by %s", metric, under, n, want, measure)
			}
			if want != 0 {
				rows++
			}
		}
		if rows != wanted {
			t.Errorf("%s has %d groups, want %d", measure, rows, wanted)
		}
	}
	f("flows", "sum(fwd.bytes)", "seine_flow_bytes_total", "direction", "to_server", 3)
	f("flows", "sum(rev.bytes)", "seine_flow_bytes_total", "direction", "to_client", 2)
	f("flows", "sum(rev.packets)", "seine_flow_packets_total", "direction", "to_client", 3)
	f("flows", `count(tcp.connect == "refused")`, "seine_tcp_connects_total", "outcome", "refused", 1)
	f("flows", `count(known(tcp.rtt))`, "seine_tcp_rtt_seconds", "", "", 2)
	f("dns", `count(dns.rcode == "timeout")`, "seine_dns_queries_total", "rcode", "timeout", 1)
	f("dns", "count(known(dns.latency))", "seine_dns_latency_seconds", "", "", 1)
	if n := got.sum("seine_node_dropped_packets_total", map[string]string{"node": "node-2", "reason": "NETFILTER_DROP"}); n != 5 {
		t.Errorf("%v packets are dropped on node-2, want 5: what the server's node alone reports counts, too", n)
	}
	for name, want := range map[string]float64{"seine_build_info": 1, "seine_ready": 1, "seine_server_rows_stored_total": 8, "seine_store_rows": 8} {
		if n := got.sum(name, nil); n != want {
			t.Errorf("%s is %v, want %v", name, n, want)
		}
	}
	if got["go_goroutines"] == nil || got["process_resident_memory_bytes"] == nil {
		t.Error("the metrics of the process are missing")
	}
}

// TestMetricsEdges expects the limit to count, and one that makes no sense to be refused.
func TestMetricsEdges(t *testing.T) {
	s := serve(t, "--data-dir", t.TempDir(), "--metrics-max-edges", "1")
	s.feed(shopRecords())
	s.await("the rows in the metrics", func() bool { return s.scrape().sum("seine_metrics_rows_total", nil) == 4 })
	got := s.scrape()
	if n := got.sum("seine_metrics_keys", map[string]string{"table": "edges"}); n != 1 {
		t.Errorf("%v edges, want 1", n)
	}
	if all, others := got.sum("seine_flow_bytes_total", nil), got.sum("seine_flow_bytes_total", map[string]string{"client_kind": "other"}); all != 31760 || others == 0 {
		t.Errorf("%v bytes, of others %v; want 31760 and some", all, others)
	}
	for _, value := range []string{"-1", "1000001", "many"} {
		checkRefusal(t, seine(t, "server", "--metrics-max-edges", value), "--metrics-max-edges", "a whole number from 0 to 1000000")
	}
}
