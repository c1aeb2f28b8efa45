package health

// dropsRule is the rule of what kernels drop, which tells the reason of other findings, too.
const dropsRule = "drops"

// silentRule is the rule of nodes that report nothing any more.
const silentRule = "node-silent"

// Parts of the measures that several rules have.
const (
	connects = "count(known(tcp.connect))"
	// hanging is what is told of a connect that goes on while nothing answers.
	hanging = `tcp.state == "SYN_SENT" && fwd.retransmits > 0`
	lookups = "count()"
	forth   = `sum(fwd.packets, proto == "TCP")`
	back    = `sum(rev.packets, proto == "TCP")`
	// byFault leaves out what kernels drop as nothing listens at the port, or nobody reads any more.
	byFault = `!(drop_reason in ["NO_SOCKET", "TCP_ABORT_ON_DATA"])`
)

// rules is the table of what can be wrong, as built in: causes stand before what follows from them (relations.go).
// docs/reference/health.md and GET /api/v1/health/rules are made from it.
var rules = []Rule{
	{
		Name: "service-without-endpoints", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "connects without an endpoint",
		Doc: "Connects to a Service fail, no backend was chosen for them and none has reset them: it has no endpoint that is ready. Look at the pods " +
			"that its selector means, at their readiness, and at the selector.",
		Says: "{value} of connects fail, as the Service has no ready endpoints",
		Bad:  `count(dst.kind == "Service" && backend.kind == "Service" && !(tcp.reset_by in ["server", "both"]) && tcp.connect in ["refused", "unreachable", "timeout", "aborted"])`,
		Of:   `count(dst.kind == "Service" && known(tcp.connect))`, Rows: `backend.kind == "Service" && known(tcp.connect) && tcp.connect != "ok"`,
		Thresholds: Thresholds{Critical: new(0.02), MinVolume: 3, MinBad: 3},
	},
	{
		Name: "accept-queue-full", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit, AllReports: true,
		Noun: "full accept queues",
		Doc: "The server's kernel turns handshakes away, since the program does not accept connections as fast as they come: it " +
			"is overloaded or stuck, or its backlog is too short (listen(2), net.core.somaxconn).",
		Says: "the server's accept queue is full for {value} of connects",
		Bad:  "sum(tcp.listen_drops)", Of: connects, Rows: "tcp.listen_drops > 0",
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 10, MinBad: 5},
	},
	{
		Name: "dns-timeout", Dataset: "dns", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "DNS timeouts", ByDrops: true,
		Doc: "The resolver does not answer in time: it is down or overloaded, waits for one further up, or packets are lost. " +
			"Clients wait for seconds at each look-up.",
		Says: "{value} of DNS queries time out",
		Bad:  "sum(dns.timeouts)", Of: lookups, Rows: `dns.rcode == "timeout"`,
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 10, MinBad: 3},
	},
	{
		Name: "dns-failure", Dataset: "dns", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "DNS failures",
		Doc: "The resolver answers that it failed or refuses (SERVFAIL, REFUSED and others, but for NXDOMAIN): one further up does " +
			"not answer it, a zone is broken, or the client must not ask it.",
		Says: "{value} of DNS queries fail",
		Bad:  `count(known(dns.rcode) && !(dns.rcode in ["NOERROR", "NXDOMAIN", "timeout"]))`, Of: lookups,
		Rows:       `known(dns.rcode) && !(dns.rcode in ["NOERROR", "NXDOMAIN", "timeout"])`,
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 10, MinBad: 3},
	},
	{
		Name: "dns-nxdomain", Dataset: "dns", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "names that do not exist",
		Doc: "Far more names do not exist than before: a Service was removed or renamed, or a zone lost its records. Search " +
			"domains make many such answers at all times; so only the increase is judged.",
		Says: "{value} of DNS queries are for names that do not exist",
		Bad:  `count(dns.rcode == "NXDOMAIN")`, Of: lookups, Rows: `dns.rcode == "NXDOMAIN"`,
		Thresholds: Thresholds{Warning: new(0.1), Critical: new(0.9), MinVolume: 10, MinBad: 5, MinIncrease: 0.15},
	},
	{
		Name: "connect-timeout", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "connects that time out", ByDrops: true,
		Doc: "Nothing answers connects: packets are lost or dropped on the way there or back, by a policy or a firewall for " +
			"instance, or the server's queue of connections is full.",
		Says: "{value} of connects time out",
		Bad:  `count(tcp.connect == "timeout")`, Of: connects, Rows: `tcp.connect == "timeout"`,
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 10, MinBad: 3},
	},
	{
		Name: "connect-unanswered", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "unanswered connects", ByDrops: true,
		Doc: "Clients repeat their SYNs, nothing answers, and they go on: a kernel gives up after two minutes only where the program has no " +
			"limit of its own. It is what connect-timeout is, told before it ends. An attempt counts in each interval in which its SYN is sent again.",
		Says: "{value} of attempts to connect wait without an answer",
		Bad:  `count(` + hanging + `)`, Of: `count(known(tcp.connect) || ` + hanging + `)`, Rows: hanging,
		Thresholds: Thresholds{Warning: new(0.05), Critical: new(0.5), MinVolume: 5, MinBad: 5},
	},
	{
		Name: "connect-refused", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "refused connects",
		Doc: "The server's machine answers that nothing listens at the port: the program is down or not yet up, or listens " +
			"elsewhere. Behind a Service its readiness probe should have taken it out.",
		Says: "{value} of connects are refused",
		Bad:  `count(tcp.connect == "refused")`, Of: connects, Rows: `tcp.connect == "refused"`,
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 10, MinBad: 3},
	},
	{
		Name: "connect-unreachable", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "rejected connects", ByDrops: true,
		Doc: "A router or a firewall on the way answers that the server cannot be reached or must not be: a policy that rejects, " +
			"a route that is missing, a node or a pod that is gone.",
		Says: "{value} of connects are rejected as unreachable or prohibited",
		Bad:  `count(tcp.connect == "unreachable")`, Of: connects, Rows: `tcp.connect == "unreachable"`,
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 10, MinBad: 3},
	},
	{
		Name: "connect-aborted", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "connects given up", ByDrops: true,
		Doc: "Clients give up connecting before the kernel repeats a SYN, which takes it a second: their own limit is shorter, " +
			"and the answer does not come within it.",
		Says: "{value} of connects are given up before an answer",
		Bad:  `count(tcp.connect == "aborted")`, Of: connects, Rows: `tcp.connect == "aborted"`,
		Thresholds: Thresholds{Warning: new(0.05), Critical: new(0.25), MinVolume: 10, MinBad: 3, MinIncrease: 0.05},
	},
	{
		Name: dropsRule, Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit, AllReports: true, AtReporter: true,
		Noun: "dropped packets", OfPath: true,
		Doc: "The kernel of a node drops packets: by a rule of nftables or iptables, a full queue, an invalid packet. The records " +
			"behind it tell the node, the interface and the reason. What is dropped as nothing listens at the port (NO_SOCKET) is " +
			"told as refused, what comes after a program has closed (TCP_ABORT_ON_DATA) as a reset.",
		Says: "{value} of packets are dropped",
		Bad:  `sum(fwd.drop_packets, ` + byFault + `)`, Of: "sum(fwd.packets)",
		BadBack: `sum(rev.drop_packets, ` + byFault + `)`, OfBack: "sum(rev.packets)",
		Rows:       `(fwd.drop_packets > 0 || rev.drop_packets > 0) && ` + byFault,
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.1), MinVolume: 200, MinBad: 10},
	},
	{
		Name: "retransmits", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit, AllReports: true,
		Noun: "retransmits", OfPath: true, ByDrops: true,
		Doc: "Segments are sent again, as no acknowledgement came for them: packets are lost on the way. What goes to one node " +
			"alone points to its link, its queues or its rules; the rule drops tells whether a kernel threw them away.",
		Says: "{value} of segments are sent again",
		Bad:  "sum(fwd.retransmits)", Of: forth, BadBack: "sum(rev.retransmits)", OfBack: back,
		Rows:       "fwd.retransmits > 0 || rev.retransmits > 0",
		Thresholds: Thresholds{Warning: new(0.01), Critical: new(0.05), MinVolume: 200, MinBad: 5},
	},
	{
		Name: "server-stalls", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "stalled servers",
		Doc: "The server tells the client to stop sending, since its buffer is full: the program does not read as fast as data " +
			"comes. The network is not at fault.",
		Says: "the server takes no data in {value} of its segments",
		Bad:  "sum(rev.zero_windows)", Of: back, Rows: "rev.zero_windows > 0",
		Thresholds: Thresholds{Warning: new(0.02), MinVolume: 200, MinBad: 10},
	},
	{
		Name: "client-stalls", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "stalled clients",
		Doc: "The client tells the server to stop sending, since its buffer is full: the program does not read as fast as data " +
			"comes. The network is not at fault.",
		Says: "the client takes no data in {value} of its segments",
		Bad:  "sum(fwd.zero_windows)", Of: forth, Rows: "fwd.zero_windows > 0",
		Thresholds: Thresholds{Warning: new(0.02), MinVolume: 200, MinBad: 10},
	},
	{
		Name: "slow-network", Dataset: "flows", By: ByEdge, Form: Growth, Unit: timeUnit,
		Noun: "long round trips",
		Doc: "The round-trip time of the sockets is many times what it was: a congested or longer path, or an endpoint whose " +
			"processor is busy.",
		Says:  "the round-trip time (p90) is {value}",
		Value: "p90(tcp.rtt)", Of: "count(known(tcp.rtt))", Rows: "known(tcp.rtt)",
		Thresholds: Thresholds{Warning: new(3.0), Critical: new(20.0), MinVolume: 20, MinIncrease: 10_000},
	},
	{
		Name: "slow-handshake", Dataset: "flows", By: ByEdge, Form: Growth, Unit: timeUnit,
		Noun: "slow handshakes",
		Doc: "Connecting takes many times as long as it did. About one second or more means that SYNs are lost and repeated, or " +
			"that the server's queue is full; less, that the path is longer or an endpoint busy.",
		Says:  "connecting takes {value} (p90)",
		Value: "p90(tcp.handshake)", Of: "count(known(tcp.handshake))", Rows: "known(tcp.handshake)",
		Thresholds: Thresholds{Warning: new(3.0), Critical: new(20.0), MinVolume: 20, MinIncrease: 20_000},
	},
	{
		Name: "dns-slow", Dataset: "dns", By: ByEdge, Form: Growth, Unit: timeUnit,
		Noun:  "slow DNS answers",
		Doc:   "Answers of the resolver take many times as long as they did: it is overloaded, or one further up is slow or far.",
		Says:  "DNS answers take {value} (p90)",
		Value: "p90(dns.latency)", Of: "count(known(dns.latency))", Rows: "known(dns.latency)",
		Thresholds: Thresholds{Warning: new(3.0), Critical: new(20.0), MinVolume: 10, MinIncrease: 50_000},
	},
	{
		Name: "resets-by-server", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "resets by the server",
		Doc: "The server breaks connections off more often than before: it crashes, closes with data unread, or a proxy in " +
			"between gives up. Some programs always end so; so only the increase is judged.",
		Says: "the server resets {value} of connections",
		Bad:  `count(tcp.reset_by in ["server", "both"] && tcp.connect != "refused")`, Of: connects,
		Rows:       `tcp.reset_by in ["server", "both"] && tcp.connect != "refused"`,
		Thresholds: Thresholds{Warning: new(0.1), MinVolume: 20, MinBad: 5, MinIncrease: 0.1},
	},
	{
		Name: "resets-by-client", Dataset: "flows", By: ByEdge, Form: Share, Unit: shareUnit,
		Noun: "resets by the client",
		Doc: "Clients break connections off more often than before: they time out, are cancelled, or crash. Some programs always " +
			"end so; so only the increase is judged.",
		Says: "the client resets {value} of connections",
		Bad:  `count(tcp.reset_by in ["client", "both"])`, Of: connects, Rows: `tcp.reset_by in ["client", "both"]`,
		Thresholds: Thresholds{Warning: new(0.1), MinVolume: 20, MinBad: 5, MinIncrease: 0.1},
	},
	{
		Name: "slow-connections", Dataset: "flows", By: ByEdge, Form: Growth, Unit: timeUnit,
		Noun: "slow connections",
		Doc: "Connections last many times as long as they did, where they used to be short: where a client makes one for each " +
			"request, the server takes longer to answer. What the server itself calls and waits for is told in its place.",
		Says:  "the median connection lasts {value}",
		Value: "p50(tcp.lifetime)", Below: 10e6, Of: "count(known(tcp.lifetime))", Rows: "known(tcp.lifetime)",
		Thresholds: Thresholds{Warning: new(3.0), MinVolume: 10, MinIncrease: 150_000},
	},
	{
		Name: "traffic-stopped", Dataset: "flows", By: ByEdge, Form: Fall, Unit: bytesUnit,
		Noun: "stopped traffic",
		Doc: "A client that called all through the baseline does not any more. Either it was meant to end, or it fails before " +
			"it gets to the network: at DNS, or by itself.",
		Says: "traffic fell to {value}", Of: "sum(total.bytes)",
		Thresholds: Thresholds{Warning: new(0.02), MinVolume: 16 << 10},
	},
	{
		Name: "traffic-surge", Dataset: "flows", By: ByEdge, Form: Rise, Unit: bytesUnit,
		Noun: "risen traffic",
		Doc: "A client sends and receives many times what it did before: a retry storm, a new release, a batch job. It is " +
			"news rather than a fault, and may explain others.",
		Says: "traffic rose to {value}", Of: "sum(total.bytes)",
		Thresholds: Thresholds{Info: new(10.0), MinVolume: 16 << 20},
	},
	{
		Name: silentRule, Dataset: "flows", By: ByNode, Form: Fall, Unit: "records/s",
		Noun: "silent agents",
		Doc: "A node whose agent reported all through the baseline reports nothing any more: the node, its agent, or the way " +
			"from the agent to the server is down. What else is said of its pods is from what other nodes saw.",
		Says: "its agent fell silent", Of: "count()",
		Thresholds: Thresholds{Critical: new(0.01), MinVolume: 20},
	},
}
