package flow

// DNS is one query of a client and what came of it. A query that a client repeats, as it got no answer, is one query.
type DNS struct {
	// Name is the name that was asked for, in lower case and without the dot at its end; "." is the root.
	Name string
	// Type is the type that was asked for, such as "AAAA" (IANA "Resource Record (RR) TYPEs"); "TYPE65280" where it has
	// no name.
	Type string
	// RCode is the answer's response code, such as "NXDOMAIN" (IANA "DNS RCODEs"), or DNSTimeout where none came.
	RCode string
	// Latency is the time from the client's first query to the answer, in microseconds; 0 where none came.
	Latency uint64
	// Retries is how often the client repeated the query.
	Retries uint32
	// Truncated tells that the answer did not fit: the client has to ask again by TCP (RFC 1035, 4.1.1, TC).
	Truncated bool
	// Answers has the addresses of the answer, joined by commas; the first few where there are many.
	Answers string
	// Records is the number of records in the answer section, TTL the least time to live among them in seconds.
	Records, TTL uint32
}

// DNSTimeout stands in place of a response code where no answer came in time.
const DNSTimeout = "timeout"

// failed tells whether the client learnt nothing: that a name does not exist is an answer.
func (d *DNS) failed() bool { return d.RCode != "NOERROR" && d.RCode != "NXDOMAIN" }

// truth is a truth value as Field.Uint returns it.
func truth(b bool) uint64 {
	if b {
		return 1
	}
	return 0
}

// noDNS is read in place of the member that a record of a connection does not have.
var noDNS = &DNS{RCode: "NOERROR"}

// query returns what the record tells of DNS.
func (r *Record) query() *DNS {
	if r.DNS == nil {
		return noDNS
	}
	return r.DNS
}

// dnsFields describe a DNS query; their numbers are those from 500 to 599.
var dnsFields = []Field{
	{
		ID: 500, Name: "dns.name", Group: groupDNS, Datasets: Queries, Kind: NameField, Example: "cart.shop.svc.cluster.local", Shown: true,
		Doc:    "Name that was asked for, in lower case and without the dot at its end.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: HighCardinality, Presence: IfKnown,
		Text: func(r *Record) string { return r.query().Name },
	},
	{
		ID: 501, Name: "dns.type", Group: groupDNS, Datasets: Queries, Kind: NameField, Example: "AAAA", Shown: true,
		Doc:    "Type of record that was asked for.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Presence: IfKnown,
		Text: func(r *Record) string { return r.query().Type },
	},
	{
		ID: 502, Name: "dns.rcode", Group: groupDNS, Datasets: Queries, Kind: NameField, Example: "NXDOMAIN", Shown: true,
		Doc:    "Response code of the answer; `timeout` where none came in time.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Presence: IfKnown,
		Text: func(r *Record) string { return r.query().RCode },
	},
	{
		ID: 503, Name: "dns.latency", Group: groupDNS, Datasets: Queries, Kind: DurationField, Unit: "microseconds", Example: "1250", Shown: true,
		Doc:    "Time from the client's first query to the answer.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMax, Cardinality: HighCardinality, Presence: IfKnown,
		Uint: func(r *Record) uint64 { return r.query().Latency },
	},
	{
		ID: 504, Name: "dns.failures", Group: groupDNS, Datasets: Queries, Kind: CountField, Unit: "queries", Example: "0",
		Doc:    "1 where the client learnt nothing: no answer, or a response code other than NOERROR and NXDOMAIN; else 0.",
		Origin: OriginDerived, Role: RoleMeasure, Aggregate: AggSum, Cardinality: HighCardinality, Whole: true,
		Uint: func(r *Record) uint64 { return truth(r.query().failed()) },
	},
	{
		ID: 505, Name: "dns.timeouts", Group: groupDNS, Datasets: Queries, Kind: CountField, Unit: "queries", Example: "0",
		Doc:    "1 where no answer came in time; else 0.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggSum, Cardinality: HighCardinality, Whole: true,
		Uint: func(r *Record) uint64 { return truth(r.query().RCode == DNSTimeout) },
	},
	{
		ID: 506, Name: "dns.retries", Group: groupDNS, Datasets: Queries, Kind: CountField, Unit: "queries", Example: "1",
		Doc:    "How often the client repeated the query.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggSum, Cardinality: HighCardinality, Whole: true,
		Uint: func(r *Record) uint64 { return uint64(r.query().Retries) },
	},
	{
		ID: 507, Name: "dns.truncated", Group: groupDNS, Datasets: Queries, Kind: BoolField, Example: "false",
		Doc:    "True where the answer did not fit, so that the client has to ask again by TCP.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return truth(r.query().Truncated) },
	},
	{
		ID: 508, Name: "dns.answers", Group: groupDNS, Datasets: Queries, Kind: TextField, Example: "10.96.0.20,10.96.0.21",
		Doc:    "Addresses of the answer, joined by commas; the first 16 where there are more.",
		Origin: OriginKernel, Role: RoleAttribute, Aggregate: AggNone, Cardinality: HighCardinality, Presence: IfKnown,
		Text: func(r *Record) string { return r.query().Answers },
	},
	{
		ID: 509, Name: "dns.records", Group: groupDNS, Datasets: Queries, Kind: CountField, Unit: "records", Example: "2",
		Doc:    "Number of records in the answer section.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMax, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.query().Records) },
	},
	{
		ID: 510, Name: "dns.ttl", Group: groupDNS, Datasets: Queries, Kind: CountField, Unit: "seconds", Example: "30",
		Doc:    "Least time to live among the records of the answer section.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMin, Cardinality: HighCardinality, Presence: IfKnown,
		Uint: func(r *Record) uint64 { return uint64(r.query().TTL) },
	},
}
