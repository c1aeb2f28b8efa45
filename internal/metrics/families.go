package metrics

import "github.com/seine-net/seine/internal/flow"

// family is a metric that is summed from records: for each key of its grouping and each value of its own label a number.
type family struct {
	name, help string
	by         *grouping
	// label tells the numbers of a key apart by its values; a family without has one number.
	label  label
	values []string
	// fields are summed: one for each value, or one alone. None counts rows.
	fields []string
	// split is the field whose text is the label's value, in place of a field for each; unknown is the value for rows where
	// that is empty, which do not count otherwise. Texts that are none of the values are counted under otherValue.
	split, unknown string
	// allReports counts the rows of all who report a connection: of what each sees of its own sockets and its own kernel.
	// All other families count the primary row of a connection alone.
	allReports bool
	// whole writes all values of a key, those that are 0 as well, once one is not: a rate then sees the first of each.
	whole bool
	// per is how many of the fields' unit are one of the metric's; 0 stands for 1.
	per float64
	// buckets are the upper bounds of a histogram of the field, in its unit; none makes a counter.
	buckets []int64
}

// otherValue is the label's value for what a newer agent or an odd peer sends, and for keys beyond the limit.
const otherValue = "other"

// directions are the values of the label of families with a number for each direction.
var (
	direction  = label{"direction", "to_server is from client to server, to_client the way back."}
	directions = []string{"to_server", "to_client"}
)

// latencies are the upper bounds of the buckets of times, in microseconds: from 100 µs, which is within a rack, to 5 s.
// A connect that takes more than 1 s has repeated a SYN.
var latencies = []int64{100, 500, 1000, 5000, 10_000, 50_000, 100_000, 500_000, 1_000_000, 5_000_000}

// How many of the fields' units are a second, and a dollar.
const (
	microseconds = 1e6
	picoDollars  = 1e12
)

// families is the table of metrics that are summed from records.
var families = []family{
	{
		name: "seine_flow_bytes_total", by: edges, label: direction, values: directions, whole: true,
		help:   "Link-layer bytes of connections, as interfaces count them.",
		fields: []string{"fwd.bytes", "rev.bytes"},
	},
	{
		name: "seine_flow_packets_total", by: edges, label: direction, values: directions, whole: true,
		help:   "Packets of connections, each segment of an offloaded super-packet counted.",
		fields: []string{"fwd.packets", "rev.packets"},
	},
	{
		name: "seine_flow_dropped_packets_total", by: edges, label: direction, values: directions, allReports: true,
		help:   "Packets of connections that the kernels of watched nodes dropped.",
		fields: []string{"fwd.drop_packets", "rev.drop_packets"},
	},
	{
		name: "seine_tcp_connects_total", by: edges, whole: true,
		help:  "Attempts to connect by TCP that ended.",
		label: label{"outcome", "How the attempt ended, as the field tcp.connect has it."}, values: outcomes(), split: "tcp.connect",
	},
	{
		name: "seine_tcp_retransmits_total", by: edges, label: direction, values: directions, allReports: true,
		help:   "TCP segments that watched nodes sent again.",
		fields: []string{"fwd.retransmits", "rev.retransmits"},
	},
	{
		name: "seine_tcp_resets_total", by: edges,
		help:  "RST segments, those that refuse connects included.",
		label: label{"sender", "Who sent them in the interval: client, server, or both."}, values: []string{"client", "server", "both", "unknown"},
		fields: []string{"tcp.resets"}, split: "tcp.reset_by", unknown: "unknown",
	},
	{
		name: "seine_tcp_listen_drops_total", by: edges, allReports: true,
		help:   "SYNs and final ACKs of the handshake that servers turned away as their accept queue was full.",
		fields: []string{"tcp.listen_drops"},
	},
	{
		name: "seine_tcp_handshake_seconds", by: servers, per: microseconds, buckets: latencies,
		help:   "Time from the first SYN to the ACK that ends the handshake, repeated SYNs included.",
		fields: []string{"tcp.handshake"},
	},
	{
		name: "seine_tcp_rtt_seconds", by: servers, per: microseconds, buckets: latencies,
		help:   "Smoothed round-trip time of sockets, one observation for each connection and interval.",
		fields: []string{"tcp.rtt"},
	},
	{
		name: "seine_node_dropped_packets_total", by: nodeDrops, allReports: true,
		help:   "Packets of connections that the kernel of a node dropped, by its reason for most of them.",
		fields: []string{"total.drop_packets"},
	},
	{
		name: "seine_traffic_bytes_total", by: namespaces,
		help:  "Link-layer bytes of connections, both directions, by how far they go.",
		label: trafficClass, values: classes(), fields: []string{"total.bytes"}, split: "traffic.class", unknown: "unknown",
	},
	{
		name: "seine_traffic_cost_dollars_total", by: namespaces, per: picoDollars,
		help:  "Cost of the bytes of connections by the price table, in US dollars.",
		label: trafficClass, values: classes(), fields: []string{"cost"}, split: "traffic.class", unknown: "unknown",
	},
	{
		name: "seine_dns_queries_total", by: lookups, whole: true,
		help:  "DNS queries that were answered, or were not in time.",
		label: label{"rcode", "Response code of the answer; timeout where none came in time."},
		values: []string{
			"NOERROR", "NXDOMAIN", "SERVFAIL", "REFUSED", "FORMERR", "NOTIMP", flow.DNSTimeout,
		},
		split: "dns.rcode",
	},
	{
		name: "seine_dns_retries_total", by: lookups,
		help:   "DNS queries that clients sent again.",
		fields: []string{"dns.retries"},
	},
	{
		name: "seine_dns_latency_seconds", by: lookups, per: microseconds, buckets: latencies,
		help:   "Time from a client's first DNS query to the answer; those without one are not in it.",
		fields: []string{"dns.latency"},
	},
}

var trafficClass = label{"traffic_class", "How far the connection goes, as the field traffic.class has it; unknown where that is empty."}

// outcomes are those of an attempt to connect.
func outcomes() []string { return field("tcp.connect").Enum.Names() }

// classes are those of traffic.
func classes() []string { return append(field("traffic.class").Enum.Names(), "unknown") }

// isHistogram says whether the metric is a histogram, not a counter.
func (f *family) isHistogram() bool { return f.buckets != nil }

// allValues are the label's values with that for the rest, which only texts have.
func (f *family) allValues() []string {
	if f.split == "" {
		return f.values
	}
	return append(append([]string(nil), f.values...), otherValue)
}

// labels are all labels of the metric.
func (f *family) labels() []label {
	all := append([]label(nil), f.by.labels...)
	if f.label.name != "" {
		all = append(all, f.label)
	}
	return all
}

// inUnit is a number of the fields in the metric's unit.
func (f *family) inUnit(n int64) float64 {
	if f.per == 0 {
		return float64(n)
	}
	return float64(n) / f.per
}
