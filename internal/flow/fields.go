package flow

import "net/netip"

// The headings of the documentation.
const (
	groupTime        = "Time"
	groupTuple       = "Tuple"
	groupTranslation = "Translation"
	groupVolume      = "Volume"
	groupTCP         = "TCP"
	groupFaults      = "Faults"
	groupProcess     = "Process"
	groupIdentity    = "Identity"
	groupDNS         = "DNS"
	groupObservation = "Observation"
	groupCost        = "Cost"
)

// groups has the headings in their order.
var groups = []string{
	groupTime, groupTuple, groupTranslation, groupVolume, groupTCP, groupFaults, groupProcess, groupIdentity,
	groupDNS, groupObservation, groupCost,
}

// fields is the table, in the order in which fields are listed and written.
var fields = link(build())

// build puts the table together. The numbers of its parts: below 100 the fields of the connection;
// 100, 200 and 300 plus the number in endpointFields and processFields those of src, dst and backend;
// from 500 those of a DNS query.
func build() []*Field {
	var all []*Field
	add := func(fs ...Field) {
		for i := range fs {
			if fs[i].Datasets == 0 {
				fs[i].Datasets = Connections
			}
			all = append(all, &fs[i])
		}
	}
	add(tupleFields...)
	add(endpoints()...)
	add(translationFields...)
	add(tcpFields...)
	add(volumes()...)
	add(dropFields...)
	add(processes()...)
	add(dnsFields...)
	add(observationFields...)
	add(costFields...)
	return all
}

// tupleFields describe when, what and between whom.
var tupleFields = []Field{
	{
		ID: 1, Name: "start", Group: groupTime, Datasets: everywhere, Kind: TimeField, Example: "2026-03-01T12:00:00.000000001Z",
		Doc:    "Time of the first packet in the interval.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggMin, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.Start) },
	},
	{
		ID: 2, Name: "end", Group: groupTime, Datasets: everywhere, Kind: TimeField, Example: "2026-03-01T12:00:04.5Z", Shown: true,
		Doc:    "Time of the last packet in the interval.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggMax, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.End) },
	},
	{
		ID: 3, Name: "proto", Group: groupTuple, Datasets: everywhere, Kind: ProtoField, Example: "TCP", Shown: true,
		Doc:    "IP protocol of the connection.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.Proto) },
	},
	{
		ID: 4, Name: "icmp.type", Group: groupTuple, Kind: IDField, Example: "8", Presence: IfICMP,
		Doc:    "Type of the ICMP or ICMPv6 messages that the client sent.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.ICMP.Type) },
	},
	{
		ID: 5, Name: "icmp.code", Group: groupTuple, Kind: IDField, Example: "0", Presence: IfICMP,
		Doc:    "Code of the ICMP or ICMPv6 messages that the client sent.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.ICMP.Code) },
	},
	{
		ID: 6, Name: "icmp.id", Group: groupTuple, Kind: IDField, Example: "4711", Presence: IfICMP,
		Doc:    "Identifier of an ICMP query such as echo, which tells two pings between the same hosts apart; 0 for other messages.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.ICMP.ID) },
	},
	{
		ID: 7, Name: "oriented_by", Group: groupTuple, Datasets: everywhere, Kind: EnumField, Example: "conntrack", Presence: IfKnown,
		Doc:    "Evidence that told client from server.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Enum: orientations,
		Uint: func(r *Record) uint64 { return uint64(r.OrientedBy) },
	},
	{
		ID: 8, Name: "community_id", Group: groupTuple, Kind: TextField, Example: "1:wCb3OG7yAFWelaUydu0D+125CLM=", OnRequest: true,
		Doc:    "Community ID, version 1 with seed 0, of what the client sent: the same text that Zeek, Suricata and others give the connection.",
		Origin: OriginDerived, Role: RoleKey, Aggregate: AggNone, Cardinality: HighCardinality, Presence: IfKnown,
		Text: CommunityID,
	},
}

// translationFields describe what happened to the connection on the way.
var translationFields = []Field{
	{
		ID: 10, Name: "nat", Group: groupTranslation, Datasets: everywhere, Kind: EnumField, Example: "dnat", Shown: true,
		Doc:    "Which addresses were translated on the way.",
		Origin: OriginNAT, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Enum: nats,
		Uint: func(r *Record) uint64 { return uint64(r.NAT) },
	},
	{
		ID: 11, Name: "nat_source", Group: groupTranslation, Datasets: everywhere, Kind: EnumField, Example: "kfunc",
		Doc:    "Means by which the translation was learnt.",
		Origin: OriginNAT, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Enum: natSources,
		Uint: func(r *Record) uint64 { return uint64(r.NATSource) },
	},
	{
		ID: 12, Name: "ct_zone", Group: groupTranslation, Datasets: everywhere, Kind: IDField, Example: "0",
		Doc:    "Conntrack zone of the connection; 0 is the default zone.",
		Origin: OriginNAT, Role: RoleKey, Aggregate: AggNone, Cardinality: MediumCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.Zone) },
	},
	{
		ID: 13, Name: "snat.addr", Group: groupTranslation, Datasets: everywhere, Kind: AddrField, Example: "192.0.2.10",
		Doc:    "Address of the client as the backend saw it; equal to src.addr where nothing translated it.",
		Origin: OriginNAT, Role: RoleKey, Aggregate: AggNone, Cardinality: HighCardinality,
		Addr: func(r *Record) netip.Addr { return r.SNAT.Addr() },
	},
	{
		ID: 14, Name: "snat.port", Group: groupTranslation, Datasets: everywhere, Kind: PortField, Example: "61000", Presence: UnlessICMP,
		Doc:    "Port of the client as the backend saw it; equal to src.port where nothing translated it.",
		Origin: OriginNAT, Role: RoleKey, Aggregate: AggNone, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.SNAT.Port()) },
	},
	{
		ID: 20, Name: "tcp.flags", Group: groupTCP, Kind: FlagsField, Example: "SYN|ACK", Presence: IfTCP,
		Doc:    "All flags that TCP segments of either direction carried.",
		Origin: OriginKernel, Role: RoleAttribute, Aggregate: AggOr, Cardinality: MediumCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCPFlags) },
	},
}

// observationFields describe who saw the connection and how.
var observationFields = []Field{
	{
		ID: 30, Name: "node", Group: groupObservation, Datasets: everywhere, Kind: NameField, Example: "worker-1",
		Doc:    "Node whose agent made the record.",
		Origin: OriginAgent, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Text: func(r *Record) string { return r.Node },
	},
	{
		ID: 31, Name: "iface", Group: groupObservation, Datasets: everywhere, Kind: NameField, Example: "eth0",
		Doc:    "Network interface whose counts the record's volumes are.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: HighCardinality,
		Text: func(r *Record) string { return r.Iface },
	},
	{
		ID: 32, Name: "reporter", Group: groupObservation, Datasets: everywhere, Kind: EnumField, Example: "client",
		Doc:    "Role of the reporting node in the connection.",
		Origin: OriginAgent, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Enum: reporters,
		Uint: func(r *Record) uint64 { return uint64(r.Reporter) },
	},
	{
		ID: 33, Name: "primary", Group: groupObservation, Datasets: everywhere, Kind: BoolField, Example: "true",
		Doc:    "True on the one record of the connection and interval that sums count.",
		Origin: OriginDerived, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 {
			if r.Primary {
				return 1
			}
			return 0
		},
	},
	{
		ID: 34, Name: "sampling", Group: groupObservation, Datasets: everywhere, Kind: CountField, Unit: "packets", Example: "1",
		Doc:    "N where one packet in N was counted; 1 is every packet.",
		Origin: OriginAgent, Role: RoleAttribute, Aggregate: AggMax, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.Sampling) },
	},
}

// costFields say what the connection costs.
var costFields = []Field{
	{
		ID: 90, Name: "traffic.class", Group: groupCost, Kind: EnumField, Example: "cross_zone",
		Doc:    "How far the connection goes, from client to backend, as providers bill it.",
		Origin: OriginNames, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality, Presence: IfKnown, Enum: trafficClasses,
		Uint: func(r *Record) uint64 { return uint64(r.Traffic) },
	},
	{
		ID: 91, Name: "cost", Group: groupCost, Kind: MoneyField, Unit: "pUSD", Example: "15140",
		Doc:    "Cost of the bytes of both directions by the price table; only primary records have it, so that it counts once.",
		Origin: OriginNames, Role: RoleMeasure, Aggregate: AggSum, Cardinality: HighCardinality, Presence: IfKnown,
		Uint: func(r *Record) uint64 { return r.Cost },
	},
}

// volumeFields is one entry for each direction and the total; "%s" in Doc becomes the direction.
var volumeFields = []struct {
	Field
	of func(Volume) uint64
}{
	{
		Field: Field{
			ID: 0, Name: "bytes", Group: groupVolume, Kind: BytesField, Unit: "bytes", Example: "1514", Shown: true,
			Doc: "Link-layer bytes %s, as the interface counts them.",
		},
		of: func(v Volume) uint64 { return v.Bytes },
	},
	{
		Field: Field{
			ID: 1, Name: "packets", Group: groupVolume, Kind: CountField, Unit: "packets", Example: "12",
			Doc: "Packets %s, each segment of an offloaded super-packet counted.",
		},
		of: func(v Volume) uint64 { return v.Packets },
	},
}

// endpointFields is one entry for each of src, dst and backend; "%s" in Doc becomes what the endpoint is.
var endpointFields = []endpointField{
	{
		Field: Field{
			ID: 1, Name: "addr", Group: groupTuple, Kind: AddrField, Example: "10.244.1.7",
			Doc:    "Address of %s.",
			Origin: OriginKernel, Cardinality: HighCardinality, Presence: Always,
		},
		addr: func(e *Endpoint) netip.Addr { return e.Addr },
	},
	{
		Field: Field{
			ID: 2, Name: "port", Group: groupTuple, Kind: PortField, Example: "8080",
			Doc:    "Port of %s; 0 where the protocol has none.",
			Origin: OriginKernel, Cardinality: HighCardinality, Presence: UnlessICMP,
		},
		uint: func(e *Endpoint) uint64 { return uint64(e.Port) },
	},
	{
		Field: Field{
			ID: 3, Name: "kind", Kind: EnumField, Example: "Pod", Enum: endpointKinds,
			Doc: "Kind of object that %s is.", Cardinality: LowCardinality,
		},
		uint: func(e *Endpoint) uint64 { return uint64(e.Kind) },
	},
	{
		Field: Field{
			ID: 4, Name: "namespace", Kind: NameField, Example: "shop", Shown: true,
			Doc: "Kubernetes namespace of %s.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Namespace },
	},
	{
		Field: Field{
			ID: 5, Name: "name", Kind: NameField, Example: "cart-5c6d8", Shown: true,
			Doc: "Name of the object that %s is.", Cardinality: HighCardinality,
		},
		text: func(e *Endpoint) string { return e.Name },
	},
	{
		Field: Field{
			ID: 6, Name: "workload.kind", Kind: NameField, Example: "Deployment",
			Doc: "Kind of the top controller of %s.", Cardinality: LowCardinality,
		},
		text: func(e *Endpoint) string { return e.Workload.Kind },
	},
	{
		Field: Field{
			ID: 7, Name: "workload.name", Kind: NameField, Example: "cart",
			Doc: "Name of the top controller of %s.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Workload.Name },
	},
	{
		Field: Field{
			ID: 8, Name: "node", Kind: NameField, Example: "worker-1",
			Doc: "Node that %s runs on.", Cardinality: LowCardinality,
		},
		text: func(e *Endpoint) string { return e.Node },
	},
	{
		Field: Field{
			ID: 9, Name: "zone", Kind: NameField, Example: "eu-west-1a",
			Doc: "Availability zone of %s, by its node's topology label.", Cardinality: LowCardinality,
		},
		text: func(e *Endpoint) string { return e.Zone },
	},
	{
		Field: Field{
			ID: 10, Name: "service", Kind: NameField, Example: "cart",
			Doc: "Kubernetes Service of %s.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Service },
	},
	{
		Field: Field{
			ID: 11, Name: "app", Kind: NameField, Example: "shop-frontend",
			Doc: "Application that %s belongs to, by its labels.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.App },
	},
	{
		Field: Field{
			ID: 12, Name: "subnet", Kind: NameField, Example: "office",
			Doc: "Configured label of the subnet that holds the address of %s.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Subnet },
	},
	{
		Field: Field{
			ID: 13, Name: "resolved_by", Kind: EnumField, Example: "pod_ip", Enum: resolutions,
			Doc: "Evidence that identified %s.", Cardinality: LowCardinality,
		},
		uint: func(e *Endpoint) uint64 { return uint64(e.ResolvedBy) },
	},
	{
		Field: Field{
			ID: 21, Name: "image", Kind: NameField, Example: "registry.example/cart:1.4",
			Doc: "Image of the first container of %s.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Image },
	},
	{
		Field: Field{
			ID: 22, Name: "region", Kind: NameField, Example: "eu-west-1",
			Doc: "Region of %s, by its node's topology label.", Cardinality: LowCardinality,
		},
		text: func(e *Endpoint) string { return e.Region },
	},
	{
		Field: Field{
			ID: 23, Name: "labels", Kind: NameField, Example: "team=payments,tier=front",
			Doc: "Chosen labels and annotations of %s, as key=value in the order of the keys.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Labels },
	},
	{
		Field: Field{
			ID: 30, Name: "dns_name", Kind: NameField, Example: "api.example.com",
			Doc: "Name that the client had the address of %s from, by a DNS answer.", Cardinality: HighCardinality,
		},
		text: func(e *Endpoint) string { return e.DNSName },
	},
}
