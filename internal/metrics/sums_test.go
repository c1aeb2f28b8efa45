package metrics

import (
	"math"
	"math/rand/v2"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
)

func number(x float64) string { return strconv.FormatFloat(x, 'g', -1, 64) }

// reference adds up record by record what package metrics adds column by column.
type reference map[series]int64

// endName is who an end is, by the record.
func endName(side string, e *flow.Endpoint) []string {
	namespace, kind, workload := e.Namespace, e.Kind.String(), ""
	switch {
	case e.Workload.Name != "":
		kind, workload = e.Workload.Kind, e.Workload.Name
	case e.Kind == flow.UnknownKind:
		namespace, kind, workload = "", "Unknown", e.Subnet
	case e.Kind == flow.Node, e.Kind == flow.External:
		namespace, workload = "", e.Subnet
	}
	return []string{side + "_namespace=" + namespace, side + "_kind=" + kind, side + "_workload=" + workload}
}

func (r reference) add(name string, amount int64, labels ...string) {
	slices.Sort(labels)
	key := series{name, strings.Join(labels, ",") + ","}
	if amount > 0 {
		r[key] = columns.AddSaturating(r[key], amount)
	}
}

func (r reference) observe(name string, amount uint32, labels ...string) {
	slices.Sort(labels)
	text := strings.Join(labels, ",") + ","
	if amount == 0 {
		return
	}
	r[series{name + "_count", text}]++
	r[series{name + "_sum", text}] += int64(amount)
	for _, bound := range []float64{0.0001, 0.0005, 0.001, 0.005, 0.01, 0.05, 0.1, 0.5, 1, 5} {
		if float64(amount)/1e6 <= bound {
			r[series{name + "_bucket", text + "le=" + number(bound)}]++
		}
	}
}

// labelsOf are those of a connection's edge.
func labelsOf(r *flow.Record) (client, server, service []string) {
	client, server = endName("client", &r.Src), endName("server", &r.Backend)
	service = []string{"service_namespace=", "service_name="}
	if r.Dst.Kind == flow.Service {
		service = []string{"service_namespace=" + r.Dst.Namespace, "service_name=" + r.Dst.Service}
		if r.Backend.Workload.Name == "" && (r.Backend.Kind == flow.Service || r.Backend.Kind == flow.UnknownKind) {
			server = []string{"server_namespace=" + r.Dst.Namespace, "server_kind=Service", "server_workload=" + r.Dst.Service}
		}
	}
	return client, server, service
}

func scaled(n uint64, r *flow.Record) int64 {
	return columns.MultiplySaturating(int64(min(n, math.MaxInt64)), max(1, int64(r.Sampling)))
}

func (r reference) addConnection(c *flow.Record) {
	client, server, service := labelsOf(c)
	edge := slices.Concat(client, server, service)
	with := func(more ...string) []string { return append(slices.Clone(edge), more...) }
	for i, d := range []struct {
		flow.Volume
		flow.Faults
	}{{c.Fwd, c.FwdFaults}, {c.Rev, c.RevFaults}} {
		way := "direction=" + []string{"to_server", "to_client"}[i]
		if c.Primary {
			r.add("seine_flow_bytes_total", scaled(d.Bytes, c), with(way)...)
			r.add("seine_flow_packets_total", scaled(d.Packets, c), with(way)...)
		}
		r.add("seine_flow_dropped_packets_total", int64(d.DropPackets), with(way)...)
		r.add("seine_tcp_retransmits_total", int64(d.Retransmits), with(way)...)
		r.add("seine_node_dropped_packets_total", int64(d.DropPackets), "node="+c.Node, "reason="+c.Drop.Reason)
	}
	r.add("seine_tcp_listen_drops_total", int64(c.TCP.ListenDrops), with()...)
	if !c.Primary {
		return
	}
	r.addTCP(c, with, slices.Concat(client[:1], server, service))
	class := c.Traffic.String()
	if class == "" {
		class = "unknown"
	}
	pair := []string{client[0], "server_namespace=" + c.Backend.Namespace, "traffic_class=" + class}
	pair[0] = "client_namespace=" + c.Src.Namespace
	total := columns.AddSaturating(int64(min(c.Fwd.Bytes, math.MaxInt64)), int64(min(c.Rev.Bytes, math.MaxInt64)))
	r.add("seine_traffic_bytes_total", scaled(uint64(total), c), slices.Clone(pair)...)
	r.add("seine_traffic_cost_dollars_total", scaled(c.Cost, c), slices.Clone(pair)...)
}

func (r reference) addTCP(c *flow.Record, with func(...string) []string, server []string) {
	if c.Proto != flow.TCP {
		return
	}
	if outcome := c.TCP.Connect.String(); outcome != "" {
		r.add("seine_tcp_connects_total", 1, with("outcome="+outcome)...)
	}
	sender := c.TCP.ResetBy.String()
	if sender == "" {
		sender = "unknown"
	}
	r.add("seine_tcp_resets_total", int64(c.TCP.Resets), with("sender="+sender)...)
	server[0] = "client_namespace=" + c.Src.Namespace
	r.observe("seine_tcp_handshake_seconds", c.TCP.Handshake, slices.Clone(server)...)
	r.observe("seine_tcp_rtt_seconds", c.TCP.RTT, slices.Clone(server)...)
}

func (r reference) addQuery(c *flow.Record) {
	if !c.Primary {
		return
	}
	client, server, service := labelsOf(c)
	edge := slices.Concat(client, server, service)
	rcode := c.DNS.RCode
	if rcode == "BADVERS" {
		rcode = "other"
	}
	r.add("seine_dns_queries_total", 1, append(slices.Clone(edge), "rcode="+rcode)...)
	r.add("seine_dns_retries_total", int64(c.DNS.Retries), slices.Clone(edge)...)
	r.observe("seine_dns_latency_seconds", uint32(c.DNS.Latency), slices.Clone(edge)...)
}

// inUnits are the sums as they are told: dollars and seconds.
func (r reference) inUnits() map[series]float64 {
	all := make(map[series]float64)
	for k, n := range r {
		switch {
		case strings.HasSuffix(k.name, "_seconds_sum"):
			all[k] = float64(n) / 1e6
		case strings.HasSuffix(k.name, "_dollars_total"):
			all[k] = float64(n) / 1e12
		default:
			all[k] = float64(n)
		}
	}
	return all
}

// randomRecords are those of the query tests, with what these metrics look at besides.
func randomRecords(seed uint64, n int) []flow.Record {
	rng := rand.New(rand.NewPCG(seed, 2))
	records := querytest.RandomRecords(seed, n)
	for i := range records {
		r := &records[i]
		r.TCP.ListenDrops = uint32(rng.IntN(3))
		if r.Proto != flow.TCP {
			r.TCP = flow.TCPHealth{}
		}
		r.TCP.Handshake *= uint32(1 + rng.IntN(2000))
		if r.FwdFaults.DropPackets+r.RevFaults.DropPackets > 0 {
			r.Drop.Reason = []string{"", "NETFILTER_DROP", "QDISC_DROP"}[rng.IntN(3)]
		}
	}
	return records
}

// randomQueries are DNS queries between the same ends.
func randomQueries(seed uint64, n int) []flow.Record {
	rng := rand.New(rand.NewPCG(seed, 3))
	records := querytest.RandomRecords(seed, n)
	for i := range records {
		records[i].DNS = &flow.DNS{
			Name: "a.example", Type: "A", Retries: uint32(rng.IntN(3)), Latency: uint64(rng.IntN(2) * rng.IntN(9_000_000)),
			RCode: []string{"NOERROR", "NXDOMAIN", "SERVFAIL", "BADVERS", flow.DNSTimeout}[rng.IntN(5)],
		}
	}
	return records
}

// summed are the numbers that come of records, without those that are 0, which some series have from the start.
func (s *site) summed() map[series]float64 {
	all := s.gather()
	for k, n := range all {
		isOwn := slices.ContainsFunc(owns, func(o own) bool { return o.name == k.name })
		if isOwn || !strings.HasPrefix(k.name, "seine_") || n == 0 {
			delete(all, k)
		}
	}
	return all
}

// TestSums holds the sums of random batches against those of the records, one by one.
func TestSums(t *testing.T) {
	s, want := open(t, 1_000_000), make(reference)
	for seed := range uint64(20) {
		records, queries := randomRecords(seed, 700), randomQueries(seed, 300)
		for i := range records {
			want.addConnection(&records[i])
		}
		for i := range queries {
			want.addQuery(&queries[i])
		}
		s.take(columns.Flows(), records)
		s.take(columns.Queries(), queries)
	}
	got, wanted := s.summed(), want.inUnits()
	if len(wanted) < 50_000 {
		t.Errorf("the reference has %d numbers, want many", len(wanted))
	}
	checkSame(t, wanted, got)
}

// checkSame tells of the first few differences.
func checkSame(t *testing.T, want, got map[series]float64) {
	t.Helper()
	if diff := cmp.Diff(want, got); diff != "" {
		lines := strings.Split(diff, "\n")
		t.Errorf("%d numbers, want %d (-want +got):\n%s", len(got), len(want), strings.Join(lines[:min(len(lines), 40)], "\n"))
	}
}

// TestOther has more keys than there is room for: what is told adds up to the same.
func TestOther(t *testing.T) {
	const room = 5
	f := func(limit int) {
		t.Helper()
		s, all := open(t, limit), open(t, 1_000_000)
		for seed := range uint64(3) {
			records := randomRecords(seed, 500)
			records[0].Src.Namespace, records[0].Src.Workload = otherValue, flow.Workload{Kind: otherValue, Name: otherValue}
			s.take(columns.Flows(), records)
			all.take(columns.Flows(), records)
			s.take(columns.Queries(), randomQueries(seed, 500))
			all.take(columns.Queries(), randomQueries(seed, 500))
		}
		checkSame(t, byName(all.summed()), byName(s.summed()))
		for name, keys := range s.keysOf() {
			if len(keys) > limit+1 {
				t.Errorf("%s has %d keys with %d at most", name, len(keys), limit)
			}
		}
		got := s.gather()
		keys, others := got[series{"seine_metrics_keys", "table=edges,"}], got[series{"seine_metrics_other_rows_total", "table=edges,"}]
		if keys != float64(limit) || others < 500 {
			t.Errorf("%v keys and %v rows of others, want %d and most of 1500", keys, others, limit)
		}
	}
	f(room)
	f(0)
}

// byName adds up all series of a metric; a sum that stops at the largest number has no exact parts, so that such metrics are
// left out.
func byName(all map[series]float64) map[series]float64 {
	sums := make(map[series]float64)
	for k, n := range all {
		if strings.HasPrefix(k.name, "seine_flow_bytes") || strings.HasPrefix(k.name, "seine_flow_packets") || strings.HasPrefix(k.name, "seine_traffic") {
			continue
		}
		le := ""
		if strings.HasSuffix(k.name, "_bucket") {
			le = k.labels[strings.LastIndex(k.labels, "le="):]
		}
		sums[series{k.name, le}] += math.Round(n * 1e6)
	}
	return sums
}

// keysOf are the keys of each counter: the labels that its grouping has.
func (s *site) keysOf() map[string]map[string]bool {
	all := make(map[string]map[string]bool)
	for k := range s.summed() {
		i := slices.IndexFunc(families, func(f family) bool { return f.name == k.name })
		if i < 0 {
			continue
		}
		if all[k.name] == nil {
			all[k.name] = make(map[string]bool)
		}
		own := strings.Index(k.labels, families[i].label.name+"=")
		rest := k.labels
		if families[i].label.name != "" {
			end := own + strings.Index(k.labels[own:], ",")
			rest = k.labels[:own] + k.labels[end:]
		}
		all[k.name][rest] = true
	}
	return all
}
