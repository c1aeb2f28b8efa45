package ipfix

import (
	"slices"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// shapes is a set of shapes of rows, each of which has a template.
type shapes uint8

// The shapes: the family of the addresses, and whether there are ports or a type of ICMP. Their templates are numbered
// in this order from firstTemplate on.
const (
	ipv4Ports shapes = 1 << iota
	ipv6Ports
	ipv4ICMP
	ipv6ICMP

	ports    = ipv4Ports | ipv6Ports
	icmp     = ipv4ICMP | ipv6ICMP
	ipv4     = ipv4Ports | ipv4ICMP
	ipv6     = ipv6Ports | ipv6ICMP
	anything = ports | icmp
)

const (
	// firstTemplate is the number of the first template; lower ones are of sets that hold templates.
	firstTemplate = 256
	shapeCount    = 4
)

// owner says whose number an element has.
type owner uint8

const (
	// iana is for elements of IANA's registry "IPFIX Information Elements".
	iana owner = iota
	// reverse is for those of the way back of iana's, by the same number (RFC 5103, section 6.1).
	reverse
	// private is for those of the configured enterprise.
	private
)

// An element is one value of a record.
type element struct {
	owner  owner
	number uint16
	name   string
	is     abstract
	// fields are those that the value is made of.
	fields []string
	in     shapes
	write  writer
	// note is what the documentation says beside what the field means.
	note string
}

// elements has all of them, in the order in which templates have them.
var elements = slices.Concat(registered, ownElements())

// linkLayer is said of bytes, which IANA has without the link layer's headers.
const linkLayer = "With the link layer's headers."

// registered are the elements of IANA's registry. Counters of sampled packets are not scaled: a collector multiplies them
// by samplingInterval, or divides them by samplingProbability.
var registered = []element{
	{iana, 152, "flowStartMilliseconds", milliseconds, []string{"start"}, anything, appendMilliseconds, ""},
	{iana, 153, "flowEndMilliseconds", milliseconds, []string{"end"}, anything, appendMilliseconds, ""},
	{iana, 8, "sourceIPv4Address", ipv4Address, []string{"src.addr"}, ipv4, appendIPv4(source), ""},
	{iana, 12, "destinationIPv4Address", ipv4Address, []string{"dst.addr"}, ipv4, appendIPv4(destination), ""},
	{iana, 27, "sourceIPv6Address", ipv6Address, []string{"src.addr"}, ipv6, appendIPv6(source), ""},
	{iana, 28, "destinationIPv6Address", ipv6Address, []string{"dst.addr"}, ipv6, appendIPv6(destination), ""},
	{iana, 7, "sourceTransportPort", unsigned16, []string{"src.port"}, ports, appendUnsigned16, ""},
	{iana, 11, "destinationTransportPort", unsigned16, []string{"dst.port"}, ports, appendUnsigned16, ""},
	{iana, 4, "protocolIdentifier", unsigned8, []string{"proto"}, anything, appendProtocol, ""},
	{iana, 32, "icmpTypeCodeIPv4", unsigned16, []string{"icmp.type", "icmp.code"}, ipv4ICMP, appendTypeCode, "256 times the type, plus the code."},
	{iana, 139, "icmpTypeCodeIPv6", unsigned16, []string{"icmp.type", "icmp.code"}, ipv6ICMP, appendTypeCode, "256 times the type, plus the code."},
	{iana, 225, "postNATSourceIPv4Address", ipv4Address, []string{"snat.addr"}, ipv4, appendIPv4(postSource), ""},
	{iana, 226, "postNATDestinationIPv4Address", ipv4Address, []string{"backend.addr"}, ipv4, appendIPv4(postDestination), "Equal to the destination where nothing translated it."},
	{iana, 281, "postNATSourceIPv6Address", ipv6Address, []string{"snat.addr"}, ipv6, appendIPv6(postSource), ""},
	{iana, 282, "postNATDestinationIPv6Address", ipv6Address, []string{"backend.addr"}, ipv6, appendIPv6(postDestination), "Equal to the destination where nothing translated it."},
	{iana, 227, "postNAPTSourceTransportPort", unsigned16, []string{"snat.port"}, ports, appendUnsigned16, ""},
	{iana, 228, "postNAPTDestinationTransportPort", unsigned16, []string{"backend.port"}, ports, appendUnsigned16, ""},
	{iana, 1, "octetDeltaCount", unsigned64, []string{"fwd.bytes"}, anything, appendUnsigned64, linkLayer},
	{iana, 2, "packetDeltaCount", unsigned64, []string{"fwd.packets"}, anything, appendUnsigned64, ""},
	{reverse, 1, "reverseOctetDeltaCount", unsigned64, []string{"rev.bytes"}, anything, appendUnsigned64, linkLayer},
	{reverse, 2, "reversePacketDeltaCount", unsigned64, []string{"rev.packets"}, anything, appendUnsigned64, ""},
	{iana, 352, "layer2OctetDeltaCount", unsigned64, []string{"fwd.bytes"}, anything, appendUnsigned64, "The same number as octetDeltaCount, by the element that is meant for it."},
	{reverse, 352, "reverseLayer2OctetDeltaCount", unsigned64, []string{"rev.bytes"}, anything, appendUnsigned64, "The same number as reverseOctetDeltaCount."},
	{iana, 132, "droppedOctetDeltaCount", unsigned64, []string{"fwd.drop_bytes"}, anything, appendUnsigned64, ""},
	{iana, 133, "droppedPacketDeltaCount", unsigned64, []string{"fwd.drop_packets"}, anything, appendUnsigned64, ""},
	{reverse, 132, "reverseDroppedOctetDeltaCount", unsigned64, []string{"rev.drop_bytes"}, anything, appendUnsigned64, ""},
	{reverse, 133, "reverseDroppedPacketDeltaCount", unsigned64, []string{"rev.drop_packets"}, anything, appendUnsigned64, ""},
	{iana, 6, "tcpControlBits", controlBits, []string{"tcp.flags"}, ports, appendUnsigned8, "Of both directions together; there is no reverse one."},
	{iana, 239, "biflowDirection", unsigned8, []string{"oriented_by"}, anything, appendDirection, "1, initiator, where something told client from server; else 0."},
	{iana, 82, "interfaceName", text, []string{"iface"}, anything, appendText, ""},
	{iana, 304, "selectorAlgorithm", unsigned16, []string{"sampling"}, anything, appendAlgorithm, "Always 4, uniform probabilistic sampling."},
	{iana, 311, "samplingProbability", double, []string{"sampling"}, anything, appendProbability, "1/N where one packet in N was counted."},
	{iana, 34, "samplingInterval", unsigned32, []string{"sampling"}, anything, appendUnsigned32, "N itself. IANA calls the element deprecated; most collectors scale by it."},
}

// netobserv has the elements that NetObserv's IPFIX exporter has for a field, under the same numbers, so that a collector
// that was taught these reads them here as well.
var netobserv = map[string]element{
	"src.namespace": {private, 7733, "sourcePodNamespace", text, nil, anything, appendText, ""},
	"src.name":      {private, 7734, "sourcePodName", text, nil, anything, appendText, ""},
	"dst.namespace": {private, 7735, "destinationPodNamespace", text, nil, anything, appendText, ""},
	"dst.name":      {private, 7736, "destinationPodName", text, nil, anything, appendText, ""},
	"src.node":      {private, 7737, "sourceNodeName", text, nil, anything, appendText, ""},
	"dst.node":      {private, 7738, "destinationNodeName", text, nil, anything, appendText, ""},
	"tcp.rtt":       {private, 7740, "timeFlowRttNs", unsigned64, nil, ports, appendNanoseconds, "In nanoseconds."},
}

// ownElements returns an element of the enterprise for each field that is stored and that no element of IANA has whole.
// Its number is the field's.
func ownElements() []element {
	whole := map[string]bool{}
	for _, e := range registered {
		for _, name := range e.fields {
			whole[name] = name != "oriented_by" // Of which biflowDirection tells but a part.
		}
	}
	var own []element
	for _, f := range columns.Flows().Fields {
		if !whole[f.Name] {
			own = append(own, ownElement(f))
		}
	}
	return own
}

func ownElement(f *flow.Field) element {
	e, known := netobserv[f.Name]
	if !known {
		is := ownTypes[f.Kind]
		e = element{owner: private, number: uint16(f.ID), name: f.Name, is: is.abstract, in: shapesOf(f), write: is.write}
	}
	e.fields = []string{f.Name}
	return e
}

// shapesOf leaves out the shapes whose rows never have the field.
func shapesOf(f *flow.Field) shapes {
	switch {
	case f.Presence == flow.IfICMP:
		return icmp
	case f.Group == "TCP":
		return ports
	}
	return anything
}

type ownType struct {
	abstract
	write writer
}

// ownTypes has what elements of the enterprise are, by the kind of their field.
var ownTypes = map[flow.FieldKind]ownType{
	flow.BytesField:    {unsigned64, appendUnsigned64},
	flow.CountField:    {unsigned64, appendUnsigned64},
	flow.DurationField: {unsigned64, appendUnsigned64},
	flow.MoneyField:    {unsigned64, appendUnsigned64},
	flow.TimeField:     {milliseconds, appendMilliseconds},
	flow.IDField:       {unsigned32, appendUnsigned32},
	flow.PortField:     {unsigned16, appendUnsigned16},
	flow.FlagsField:    {unsigned8, appendUnsigned8},
	flow.BoolField:     {boolean, appendBoolean},
	flow.EnumField:     {text, appendText},
	flow.NameField:     {text, appendText},
	flow.TextField:     {text, appendText},
	flow.AddrField:     {text, appendText},
	flow.ProtoField:    {unsigned8, appendProtocol},
}
