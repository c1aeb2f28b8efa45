package flow

// tcpFields tell how a TCP connection fares.
var tcpFields = []Field{
	{
		ID: 21, Name: "tcp.state", Group: groupTCP, Kind: EnumField, Example: "ESTABLISHED", Presence: IfKnown, Enum: tcpStates,
		Doc:    "State of the socket on the reporting node at the interval's end; the client's if it has both.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.State) },
	},
	{
		ID: 22, Name: "tcp.rtt", Group: groupTCP, Kind: DurationField, Unit: "microseconds", Example: "850", Presence: IfKnown,
		Doc:    "Smoothed round-trip time of the socket on the reporting node; the client's if it has both.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMax, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.RTT) },
	},
	{
		ID: 23, Name: "tcp.min_rtt", Group: groupTCP, Kind: DurationField, Unit: "microseconds", Example: "410", Presence: IfKnown,
		Doc:    "Smallest round-trip time that the same socket saw of late.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMin, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.MinRTT) },
	},
	{
		ID: 24, Name: "tcp.handshake", Group: groupTCP, Kind: DurationField, Unit: "microseconds", Example: "1200", Presence: IfKnown,
		Doc:    "Time from the first SYN to the ACK that ended the handshake, repeated SYNs included; in the interval in which it ended.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMax, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.Handshake) },
	},
	{
		ID: 25, Name: "tcp.resets", Group: groupTCP, Kind: CountField, Unit: "segments", Example: "1", Presence: IfKnown,
		Doc:    "RST segments of either side.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggSum, Cardinality: HighCardinality, Whole: true,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.Resets) },
	},
	{
		ID: 26, Name: "tcp.reset_by", Group: groupTCP, Kind: EnumField, Example: "server", Presence: IfKnown, Enum: resetBys,
		Doc:    "Side that sent the RST segments.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggOr, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.ResetBy) },
	},
	{
		ID: 27, Name: "tcp.connect", Group: groupTCP, Kind: EnumField, Example: "ok", Presence: IfKnown, Enum: connects,
		Doc:    "Outcome of the attempt to connect, in the interval in which it was known.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggMax, Cardinality: LowCardinality,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.Connect) },
	},
	{
		ID: 28, Name: "tcp.listen_drops", Group: groupTCP, Kind: CountField, Unit: "segments", Example: "3", Presence: IfKnown,
		Doc:    "SYNs and final ACKs of the handshake that the server on the reporting node turned away as its queue was full.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggSum, Cardinality: HighCardinality, Whole: true,
		Uint: func(r *Record) uint64 { return uint64(r.TCP.ListenDrops) },
	},
	{
		ID: 29, Name: "tcp.lifetime", Group: groupTCP, Kind: DurationField, Unit: "microseconds", Example: "5310000", Presence: IfKnown,
		Doc:    "Time from the begin of the handshake to the end of the connection; in the interval in which it ended.",
		Origin: OriginKernel, Role: RoleMeasure, Aggregate: AggMax, Cardinality: HighCardinality,
		Uint: func(r *Record) uint64 { return r.TCP.Lifetime },
	},
}

// dropFields tell why packets were dropped.
var dropFields = []Field{
	{
		ID: 70, Name: "drop_reason", Group: groupFaults, Kind: NameField, Example: "NETFILTER_DROP", Presence: IfKnown,
		Doc:    "Why the kernel dropped packets, as it calls the reason (enum skb_drop_reason); that of most of them.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: LowCardinality,
		Text: func(r *Record) string { return r.Drop.Reason },
	},
	{
		ID: 71, Name: "drop_function", Group: groupFaults, Kind: NameField, Example: "nf_hook_slow", Presence: IfKnown,
		Doc:    "Function of the kernel that dropped packets; that which dropped most of them.",
		Origin: OriginKernel, Role: RoleKey, Aggregate: AggNone, Cardinality: MediumCardinality,
		Text: func(r *Record) string { return r.Drop.Function },
	},
}

// faultFields is one entry for each direction and the total; "%s" in Doc becomes the direction.
var faultFields = []struct {
	Field
	of func(Faults) uint64
}{
	{
		Field: Field{
			ID: 2, Name: "retransmits", Group: groupFaults, Kind: CountField, Unit: "segments", Example: "2", Presence: IfKnown, Whole: true,
			Doc: "TCP segments sent again %s, as far as the sender's socket is on the reporting node.",
		},
		of: func(f Faults) uint64 { return f.Retransmits },
	},
	{
		Field: Field{
			ID: 3, Name: "drop_packets", Group: groupFaults, Kind: CountField, Unit: "packets", Example: "2", Presence: IfKnown, Whole: true,
			Doc: "Packets %s that the reporting node's kernel dropped.",
		},
		of: func(f Faults) uint64 { return f.DropPackets },
	},
	{
		Field: Field{
			ID: 4, Name: "drop_bytes", Group: groupFaults, Kind: BytesField, Unit: "bytes", Example: "120", Presence: IfKnown, Whole: true,
			Doc: "Bytes of the packets %s that the reporting node's kernel dropped.",
		},
		of: func(f Faults) uint64 { return f.DropBytes },
	},
	{
		Field: Field{
			ID: 5, Name: "zero_windows", Group: groupFaults, Kind: CountField, Unit: "segments", Example: "1", Presence: IfKnown,
			Doc: "TCP segments %s whose sender takes no more data for now, as its buffer is full.",
		},
		of: func(f Faults) uint64 { return f.ZeroWindows },
	},
	{
		Field: Field{
			ID: 6, Name: "out_of_order", Group: groupFaults, Kind: CountField, Unit: "segments", Example: "4", Presence: IfKnown, Whole: true,
			Doc: "TCP segments %s that came out of order, as far as the receiver's socket is on the reporting node.",
		},
		of: func(f Faults) uint64 { return f.OutOfOrder },
	},
}

// processFields is one entry for the owner of either end's socket; "%s" in Doc becomes what the end is.
var processFields = []endpointField{
	{
		Field: Field{
			ID: 14, Name: "pid", Kind: IDField, Example: "4711",
			Doc: "Process that owns the socket of %s, by its number on the reporting node's host.", Cardinality: HighCardinality,
		},
		uint: func(e *Endpoint) uint64 { return uint64(e.Process.PID) },
	},
	{
		Field: Field{
			ID: 15, Name: "name", Kind: NameField, Example: "nginx",
			Doc: "Command name of the process that owns the socket of %s.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Process.Name },
	},
	{
		Field: Field{
			ID: 16, Name: "container", Kind: NameField, Example: "3f4c6a1be0d2",
			Doc: "Identifier of the container of that process of %s.", Cardinality: HighCardinality,
		},
		text: func(e *Endpoint) string { return e.Process.Container },
	},
	{
		Field: Field{
			ID: 17, Name: "unit", Kind: NameField, Example: "sshd.service",
			Doc: "Systemd unit of that process of %s, where it is in no container.", Cardinality: MediumCardinality,
		},
		text: func(e *Endpoint) string { return e.Process.Unit },
	},
	{
		Field: Field{
			ID: 18, Name: "runtime", Kind: EnumField, Example: "containerd", Enum: runtimes,
			Doc: "Runtime of the container of that process of %s.", Cardinality: LowCardinality,
		},
		uint: func(e *Endpoint) uint64 { return uint64(e.Process.Runtime) },
	},
	{
		Field: Field{
			ID: 19, Name: "pod_uid", Kind: NameField, Example: "0b9ad5c2-6f0e-4bd5-9a26-4a1a0a8a4c11",
			Doc: "Identifier of the Kubernetes pod of that process of %s, by its control group.", Cardinality: HighCardinality,
		},
		text: func(e *Endpoint) string { return e.Process.PodUID },
	},
}
