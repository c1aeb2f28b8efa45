package flow

import (
	"net/netip"
	"slices"
	"strconv"
)

// NetObserv writes records in the flow-log format of NetObserv, so that consumers of that format keep working:
// NDJSON with two one-way flow logs a connection, one for each direction that has packets. A NetObserv may be
// shared by goroutines.
//
// What the two logs of a record share was not kept for each direction: the times and the TCP flags are those of
// the connection. The translation is on both: SrcAddr and DstAddr are what the client sees, XlatSrcAddr and
// XlatDstAddr the same packets on the backend's side. Left out is what a record does not know: AgentIP, MAC
// addresses, DSCP, and IfDirections, since FlowDirection is the node's view and that of the interface is the
// opposite on the host's end of a pod's link.
type NetObserv struct{}

// AppendHeader returns dst: NDJSON has no header.
func (NetObserv) AppendHeader(dst []byte) []byte { return dst }

// Append appends a line for each direction with packets.
func (NetObserv) Append(dst []byte, r *Record) []byte {
	if r.Fwd.Packets > 0 {
		dst = leg{r, false}.append(dst)
	}
	if r.Rev.Packets > 0 {
		dst = leg{r, true}.append(dst)
	}
	return dst
}

// leg is one direction of a record; reverse is from the server to the client.
type leg struct {
	r       *Record
	reverse bool
}

func (l leg) append(dst []byte) []byte {
	dst = append(dst, '{')
	for i := range netObservFields {
		dst = netObservFields[i].append(dst, l)
	}
	dst[len(dst)-1] = '}' // In place of the last comma.
	return append(dst, '\n')
}

func (l leg) volume() Volume {
	if l.reverse {
		return l.r.Rev
	}
	return l.r.Fwd
}

func (l leg) src() *Endpoint {
	if l.reverse {
		return &l.r.Dst
	}
	return &l.r.Src
}

func (l leg) dst() *Endpoint { return leg{l.r, !l.reverse}.src() }

// xlatSrc returns the sender's address and port on the backend's side of the translation.
func (l leg) xlatSrc() netip.AddrPort {
	if l.reverse {
		return l.r.Backend.AddrPort()
	}
	return l.r.SNAT
}

func (l leg) xlatDst() netip.AddrPort { return leg{l.r, !l.reverse}.xlatSrc() }

// xlatSrcIdentity returns who has the address of xlatSrc. A translated client's address belongs to some node or
// gateway that nobody resolved, so it has no identity.
func (l leg) xlatSrcIdentity() *Endpoint {
	switch {
	case l.r.NAT == 0:
		return &nobody
	case l.reverse:
		return &l.r.Backend
	case l.r.SNAT.Addr() == l.r.Src.Addr:
		return &l.r.Src
	}
	return &nobody
}

func (l leg) xlatDstIdentity() *Endpoint { return leg{l.r, !l.reverse}.xlatSrcIdentity() }

var nobody Endpoint

// The values of FlowDirection.
const (
	ingress = iota
	egress
	inner
)

// direction returns the leg's direction in the view of the reporting node: inner if it has both ends, ingress
// or egress if it has one, and false for a node that only forwards, as the format has no value for that.
func (l leg) direction() (int, bool) {
	switch {
	case l.r.Reporter == Transit:
		return 0, false
	case l.r.Node != "" && l.r.Src.Node == l.r.Node && l.r.serverNode() == l.r.Node:
		return inner, true
	case (l.r.Reporter == Client) == l.reverse:
		return ingress, true
	}
	return egress, true
}

// serverNode returns the node of who answered.
func (r *Record) serverNode() string {
	if r.Backend.Node != "" || r.NAT&DNAT != 0 {
		return r.Backend.Node
	}
	return r.Dst.Node
}

// netObservField appends a value, or returns what it was given where the leg does not have the field.
type netObservField struct {
	key   string
	value func(leg, []byte) []byte
}

func (f *netObservField) append(dst []byte, l leg) []byte {
	start := len(dst)
	dst = append(dst, f.key...)
	keyed := len(dst)
	if dst = f.value(l, dst); len(dst) == keyed {
		return dst[:start]
	}
	return append(dst, ',')
}

var netObservFields = slices.Concat(
	netObservFlow,
	netObservOwner("Src", leg.src), netObservOwner("Dst", leg.dst),
	netObservXlat,
	netObservOwner("XlatSrc", leg.xlatSrcIdentity), netObservOwner("XlatDst", leg.xlatDstIdentity),
)

var netObservFlow = []netObservField{
	{`"TimeFlowStartMs":`, func(l leg, b []byte) []byte { return appendMs(b, l.r.Start) }},
	{`"TimeFlowEndMs":`, func(l leg, b []byte) []byte { return appendMs(b, l.r.End) }},
	{`"SrcAddr":`, func(l leg, b []byte) []byte { return appendAddr(b, l.src().Addr) }},
	{`"DstAddr":`, func(l leg, b []byte) []byte { return appendAddr(b, l.dst().Addr) }},
	{`"SrcPort":`, func(l leg, b []byte) []byte { return l.appendPort(b, l.src().Port) }},
	{`"DstPort":`, func(l leg, b []byte) []byte { return l.appendPort(b, l.dst().Port) }},
	{`"Proto":`, func(l leg, b []byte) []byte { return strconv.AppendUint(b, uint64(l.r.Proto), 10) }},
	{`"Etype":`, leg.appendEtype},
	{`"IcmpType":`, leg.appendICMPType},
	{`"IcmpCode":`, leg.appendICMPCode},
	{`"Flags":`, leg.appendFlags},
	{`"Bytes":`, func(l leg, b []byte) []byte { return strconv.AppendUint(b, l.volume().Bytes, 10) }},
	{`"Packets":`, func(l leg, b []byte) []byte { return strconv.AppendUint(b, l.volume().Packets, 10) }},
	{`"Sampling":`, leg.appendSampling},
	{`"Interfaces":`, leg.appendInterfaces},
	{`"FlowDirection":`, leg.appendDirection},
}

var netObservXlat = []netObservField{
	{`"ZoneId":`, leg.appendZone},
	{`"XlatSrcAddr":`, func(l leg, b []byte) []byte { return l.appendXlatAddr(b, l.xlatSrc()) }},
	{`"XlatDstAddr":`, func(l leg, b []byte) []byte { return l.appendXlatAddr(b, l.xlatDst()) }},
	{`"XlatSrcPort":`, func(l leg, b []byte) []byte { return l.appendXlatPort(b, l.xlatSrc()) }},
	{`"XlatDstPort":`, func(l leg, b []byte) []byte { return l.appendXlatPort(b, l.xlatDst()) }},
}

// netObservOwner returns the fields that say who has an address. They are texts, left out where unknown.
func netObservOwner(prefix string, of func(leg) *Endpoint) []netObservField {
	var fields []netObservField
	for _, attribute := range netObservIdentity {
		fields = append(fields, netObservField{`"` + prefix + attribute.suffix + `":`, func(l leg, b []byte) []byte {
			return appendKnown(b, attribute.text(of(l)))
		}})
	}
	return fields
}

// netObservIdentity has the attributes of an identity. An object without a controller owns itself.
var netObservIdentity = []struct {
	suffix string
	text   func(*Endpoint) string
}{
	{"K8S_Namespace", func(e *Endpoint) string { return e.Namespace }},
	{"K8S_Name", (*Endpoint).kubernetesName},
	{"K8S_Type", (*Endpoint).kubernetesType},
	{"K8S_OwnerName", func(e *Endpoint) string { return firstKnown(e.Workload.Name, e.kubernetesName()) }},
	{"K8S_OwnerType", func(e *Endpoint) string { return firstKnown(e.Workload.Kind, e.kubernetesType()) }},
	{"K8S_HostName", func(e *Endpoint) string { return e.Node }},
	{"K8S_Zone", func(e *Endpoint) string { return e.Zone }},
	{"SubnetLabel", func(e *Endpoint) string { return e.Subnet }},
}

// kubernetesName returns the name of an object of Kubernetes; the format has no place for other names.
func (e *Endpoint) kubernetesName() string {
	if e.kubernetesType() == "" {
		return ""
	}
	return e.Name
}

func (e *Endpoint) kubernetesType() string {
	if e.Kind == External {
		return ""
	}
	return e.Kind.String()
}

func firstKnown(a, b string) string {
	if a != "" {
		return a
	}
	return b
}
