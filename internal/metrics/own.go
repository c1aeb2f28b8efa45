package metrics

import (
	"cmp"
	"runtime"
	"slices"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/wire"
)

// own is a metric that Seine tells of itself at each scrape.
type own struct {
	name, help string
	kind       prometheus.ValueType
	labels     []label
	tell       func(s *state, add point)
}

// point takes a value with the labels' values, in their order.
type point func(value float64, labels ...string)

// state is what the metrics of Seine itself are read from.
type state struct {
	server.Status
	version string
	ready   bool
	// exporters are those that send records on.
	exporters []export.Status
	// nodes has the newest run of the agent on each node.
	nodes map[string]*server.AgentStatus
	feeds []feedState
}

// feedState is how the sums of one dataset fare.
type feedState struct {
	dataset     string
	taken, lost uint64
	queued      int64
	groups      []groupState
}

type groupState struct {
	table           string
	keys, limit     int
	others, expired uint64
}

// The labels of Seine's own metrics.
var (
	nodeLabel    = label{"node", "Node of the agent; empty for what the server tells of itself."}
	datasetLabel = label{"dataset", "flows or dns."}
	tableLabel   = label{"table", "The grouping of the sums: one of the tables above."}

	exporterLabels = []label{{"exporter", "Name of the exporter, as in the file of exporters."}, {"kind", "kafka, ipfix or otlp."}}
)

// owns is the table of metrics that Seine tells of itself.
var owns = []own{
	{
		name: "seine_build_info", help: "1, with the release.", kind: prometheus.GaugeValue,
		labels: []label{{"version", "Release of the server."}, {"goversion", "Go that it was built by."}},
		tell:   func(s *state, add point) { add(1, s.version, runtime.Version()) },
	},
	{
		name: "seine_ready", help: "1 where all parts of the server work, else 0: /readyz tells why.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) { add(truth(s.ready)) },
	},
	{
		name: "seine_agents", help: "Nodes with an agent that reported within a day, by whether it is connected.", kind: prometheus.GaugeValue,
		labels: []label{{"state", "connected or away."}}, tell: tellAgents,
	},
	{
		name: "seine_agent_connected", help: "1 while the agent of a node is connected, 0 for a day after it went away.", kind: prometheus.GaugeValue,
		labels: []label{nodeLabel}, tell: ofAgents(func(a *server.AgentStatus) float64 { return truth(a.Connected) }),
	},
	{
		name: "seine_agent_last_seen_timestamp_seconds", help: "When the agent of a node last said anything.", kind: prometheus.GaugeValue,
		labels: []label{nodeLabel}, tell: ofAgents(func(a *server.AgentStatus) float64 { return seconds(a.LastSeen) }),
	},
	{
		name: "seine_agent_info", help: "1, with the release of the agent of a node.", kind: prometheus.GaugeValue,
		labels: []label{nodeLabel, {"version", "Release of the agent."}},
		tell: func(s *state, add point) {
			for node, a := range s.nodes {
				add(1, node, a.Version)
			}
		},
	},
	{
		name: "seine_agent_rows_total", help: "Rows that the agent of a node delivered since its start, those that came again included.", kind: prometheus.CounterValue,
		labels: []label{nodeLabel}, tell: ofAgents(func(a *server.AgentStatus) float64 { return float64(a.Rows) }),
	},
	{
		name: "seine_agent_coverage_ratio", kind: prometheus.GaugeValue,
		help:   "Share of the bytes counted by the interfaces of a node that its records account for, since they are watched.",
		labels: []label{nodeLabel}, tell: func(s *state, add point) {
			for node, a := range s.nodes {
				if a.Coverage != nil {
					add(*a.Coverage, node)
				}
			}
		},
	},
	{
		name: "seine_losses_total", kind: prometheus.CounterValue,
		help:   "What the records lack, by who lost it and why: packets in the kernel, rows on the way and in the store. seine status explains the reasons.",
		labels: []label{nodeLabel, {"reason", "Why, as seine status has it; agent_dropped is rows that the server did not take in time."}}, tell: tellLosses,
	},
	{
		name: "seine_feature_not_live", help: "1 for each feature that is degraded or off; seine status tells why.", kind: prometheus.GaugeValue,
		labels: []label{nodeLabel, {"feature", "What it is."}, {"state", "degraded, or off."}}, tell: tellFeatures,
	},
	{
		name: "seine_server_rows_stored_total", help: "Rows that were stored since the start.", kind: prometheus.CounterValue,
		tell: func(s *state, add point) { add(float64(s.Stored)) },
	},
	{
		name: "seine_server_rows_repeated_total", help: "Rows that came once more than needed, and were not stored again.", kind: prometheus.CounterValue,
		tell: func(s *state, add point) { add(float64(s.Repeated)) },
	},
	{
		name: "seine_server_batches_waiting", help: "Batches that wait for the store to have room.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) { add(float64(s.Waiting)) },
	},
	{
		name: "seine_server_followers", help: "Clients that follow live.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) { add(float64(s.Subscribers)) },
	},
	{
		name: "seine_server_followers_lost_rows_total", help: "Rows that clients which follow live were too slow for.", kind: prometheus.CounterValue,
		tell: func(s *state, add point) { add(float64(s.SubscribersLost)) },
	},
	{
		name: "seine_store_rows", help: "Rows in the store.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) { add(float64(s.Store.Rows)) },
	},
	{
		name: "seine_store_bytes", help: "Bytes that the store takes.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) { add(float64(s.Store.Bytes)) },
	},
	{
		name: "seine_store_oldest_timestamp_seconds", help: "Time of the oldest row; none while the store is empty.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) {
			if s.Store.Rows > 0 {
				add(float64(s.Store.Oldest) / float64(time.Second))
			}
		},
	},
	{
		name: "seine_store_moved_rows_total", help: "Rows whose time was too far ahead of the server's clock, and was set back.", kind: prometheus.CounterValue,
		tell: func(s *state, add point) { add(float64(s.Store.Moved)) },
	},
	{
		name: "seine_store_notes", help: "Sentences about what needs an operator, such as a file set aside; seine status has them.", kind: prometheus.GaugeValue,
		tell: func(s *state, add point) { add(float64(len(s.Store.Notes))) },
	},
	{
		name: "seine_exporter_rows_total", help: "Rows that an exporter is done with.", kind: prometheus.CounterValue,
		labels: slices.Concat(exporterLabels, []label{{"outcome", "sent: taken; refused: never will be; lost: no room in the queue."}}),
		tell: ofExporters(func(e *export.Status, add point) {
			add(float64(e.Sent), e.Name, e.Kind, "sent")
			add(float64(e.Refused), e.Name, e.Kind, "refused")
			add(float64(e.Lost), e.Name, e.Kind, "lost")
		}),
	},
	{
		name: "seine_exporter_failures_total", help: "Attempts to send that the other end did not take.", kind: prometheus.CounterValue,
		labels: exporterLabels, tell: ofExporters(func(e *export.Status, add point) { add(float64(e.Failures), e.Name, e.Kind) }),
	},
	{
		name: "seine_exporter_queued_bytes", help: "Bytes of rows that wait to be sent.", kind: prometheus.GaugeValue,
		labels: exporterLabels, tell: ofExporters(func(e *export.Status, add point) { add(float64(e.QueuedBytes), e.Name, e.Kind) }),
	},
	{
		name: "seine_exporter_degraded", help: "1 while the other end does not take what an exporter sends; seine status tells why.", kind: prometheus.GaugeValue,
		labels: exporterLabels, tell: ofExporters(func(e *export.Status, add point) { add(truth(e.State == export.Degraded), e.Name, e.Kind) }),
	},
	{
		name: "seine_metrics_rows_total", help: "Rows that went into the sums above.", kind: prometheus.CounterValue,
		labels: []label{datasetLabel}, tell: ofFeeds(func(f *feedState) float64 { return float64(f.taken) }),
	},
	{
		name: "seine_metrics_lost_rows_total", help: "Rows that are stored and missing in the sums, as they came too fast.", kind: prometheus.CounterValue,
		labels: []label{datasetLabel}, tell: ofFeeds(func(f *feedState) float64 { return float64(f.lost) }),
	},
	{
		name: "seine_metrics_queued_bytes", help: "Bytes of rows that wait to go into the sums.", kind: prometheus.GaugeValue,
		labels: []label{datasetLabel}, tell: ofFeeds(func(f *feedState) float64 { return float64(f.queued) }),
	},
	{
		name: "seine_metrics_keys", help: "Keys that a table has, such as pairs of workloads.", kind: prometheus.GaugeValue,
		labels: []label{tableLabel}, tell: ofGroups(func(g *groupState) float64 { return float64(g.keys) }),
	},
	{
		name: "seine_metrics_max_keys", help: "Keys that a table may have: --metrics-max-edges.", kind: prometheus.GaugeValue,
		labels: []label{tableLabel}, tell: ofGroups(func(g *groupState) float64 { return float64(g.limit) }),
	},
	{
		name: "seine_metrics_other_rows_total", help: "Rows that went under the key other, as a table had no room for a new one.", kind: prometheus.CounterValue,
		labels: []label{tableLabel}, tell: ofGroups(func(g *groupState) float64 { return float64(g.others) }),
	},
	{
		name: "seine_metrics_expired_keys_total", help: "Keys that gave their room up, as nothing was added to them for an hour.", kind: prometheus.CounterValue,
		labels: []label{tableLabel}, tell: ofGroups(func(g *groupState) float64 { return float64(g.expired) }),
	},
}

func truth(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / float64(time.Second) }

// ofAgents tells a number of each node's agent.
func ofAgents(number func(*server.AgentStatus) float64) func(*state, point) {
	return func(s *state, add point) {
		for node, a := range s.nodes {
			add(number(a), node)
		}
	}
}

func ofExporters(tell func(*export.Status, point)) func(*state, point) {
	return func(s *state, add point) {
		for i := range s.exporters {
			tell(&s.exporters[i], add)
		}
	}
}

func ofFeeds(number func(*feedState) float64) func(*state, point) {
	return func(s *state, add point) {
		for i := range s.feeds {
			add(number(&s.feeds[i]), s.feeds[i].dataset)
		}
	}
}

func ofGroups(number func(*groupState) float64) func(*state, point) {
	return func(s *state, add point) {
		for i := range s.feeds {
			for _, g := range s.feeds[i].groups {
				add(number(&g), g.table)
			}
		}
	}
}

func tellAgents(s *state, add point) {
	connected := 0
	for _, a := range s.nodes {
		if a.Connected {
			connected++
		}
	}
	add(float64(connected), "connected")
	add(float64(len(s.nodes)-connected), "away")
}

func tellLosses(s *state, add point) {
	for reason, count := range s.Store.Losses {
		add(float64(count), "", reason)
	}
	for node, a := range s.nodes {
		add(float64(a.Dropped), node, server.Dropped)
		for _, l := range a.Losses {
			add(float64(l.Count), node, l.Reason)
		}
	}
}

func tellFeatures(s *state, add point) {
	notLive := func(node string, features []wire.Feature) {
		for _, f := range features {
			if f.State != "live" {
				add(1, node, f.Name, f.State)
			}
		}
	}
	notLive("", s.Features)
	for node, a := range s.nodes {
		notLive(node, a.Features)
	}
}

// newest returns the newest run of the agent on each node.
func newest(agents []server.AgentStatus) map[string]*server.AgentStatus {
	nodes := make(map[string]*server.AgentStatus)
	for i := range agents {
		a := &agents[i]
		if before := nodes[a.Node]; before == nil || cmp.Or(before.Since.Compare(a.Since), cmp.Compare(before.Origin, a.Origin)) < 0 {
			nodes[a.Node] = a
		}
	}
	return nodes
}

// state reads what Seine tells of itself.
func (m *Metrics) state() *state {
	status := m.config.Source.Status()
	s := &state{Status: status, version: m.config.Version, nodes: newest(status.Agents)}
	if m.config.Exporters != nil {
		s.exporters = m.config.Exporters()
	}
	s.ready = status.Waiting == 0 && (m.config.Ready == nil || len(m.config.Ready()) == 0)
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.feeds {
		told := feedState{dataset: f.dataset.Name, taken: f.taken, lost: f.lost, queued: f.queue.Bytes()}
		for _, g := range f.groups {
			told.groups = append(told.groups, groupState{g.name, g.keys.size(), g.keys.limit, g.keys.others, g.keys.expired})
		}
		s.feeds = append(s.feeds, told)
	}
	return s
}

// ownCollector tells the metrics of Seine itself.
type ownCollector struct{ metrics *Metrics }

var ownDescs = func() (all []*prometheus.Desc) {
	for i := range owns {
		all = append(all, prometheus.NewDesc(owns[i].name, owns[i].help, labelNames(owns[i].labels), nil))
	}
	return all
}()

// Describe tells of the metrics; see prometheus.Collector.
func (c ownCollector) Describe(to chan<- *prometheus.Desc) {
	for _, d := range ownDescs {
		to <- d
	}
}

// Collect tells them; see prometheus.Collector.
func (c ownCollector) Collect(to chan<- prometheus.Metric) {
	s := c.metrics.state()
	for i := range owns {
		owns[i].collect(s, ownDescs[i], to)
	}
}

// collect tells each combination of labels once: agents may tell one twice.
func (o *own) collect(s *state, d *prometheus.Desc, to chan<- prometheus.Metric) {
	seen := make(map[string]bool)
	o.tell(s, func(value float64, labels ...string) {
		labels = slices.Clone(labels)
		for i, text := range labels {
			labels[i] = labelValue(text)
		}
		if name := joined(labels); !seen[name] {
			seen[name] = true
			m, err := prometheus.NewConstMetric(d, o.kind, value, labels...)
			send(to, d, m, err)
		}
	})
}
