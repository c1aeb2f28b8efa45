package flow

import "strconv"

// Enum lists the values of an enumeration; the index is the code.
type Enum []EnumValue

// EnumValue is one value: its text in every output, and what it means.
type EnumValue struct{ Name, Doc string }

// Name returns the text of a code: empty for a value that stands for unknown, the number for a code that
// the enumeration does not have, as a newer peer may send.
func (e Enum) Name(code uint64) string {
	if code < uint64(len(e)) {
		return e[code].Name
	}
	return strconv.FormatUint(code, 10)
}

// Names returns the texts of all values that have one.
func (e Enum) Names() []string {
	var names []string
	for _, v := range e {
		if v.Name != "" {
			names = append(names, v.Name)
		}
	}
	return names
}

var nats = Enum{
	0:           {"none", "nothing"},
	DNAT:        {"dnat", "the dialled address"},
	SNAT:        {"snat", "the client's address"},
	DNAT | SNAT: {"dnat+snat", "both"},
}

var natSources = Enum{
	NoSource:  {"none", "nothing was known of the connection"},
	KFunc:     {"kfunc", "a lookup in conntrack from the capture program"},
	FEntry:    {"fentry", "an fentry probe on the kernel's translation"},
	KProbe:    {"kprobe", "a kprobe on the kernel's translation"},
	CTNetlink: {"ctnetlink", "conntrack's own dump and events"},
}

var orientations = Enum{
	0:             {"", "unknown"},
	ByConntrack:   {"conntrack", "the original direction of the conntrack entry"},
	BySYN:         {"syn", "a SYN or SYN-ACK segment"},
	ByFirstPacket: {"first_packet", "the sender of the first packet is taken for the client"},
	ByPort:        {"port", "the lower port is taken for the server's"},
}

var reporters = Enum{
	Transit: {"transit", "it only forwards"},
	Client:  {"client", "it has the client"},
	Server:  {"server", "it has the server"},
}

var endpointKinds = Enum{
	UnknownKind: {"", "unknown"},
	Pod:         {"Pod", "a Kubernetes pod"},
	Service:     {"Service", "a Kubernetes Service"},
	Node:        {"Node", "a node, or a process in its own network namespace"},
	External:    {"External", "an address outside the cluster"},
	Special:     {"Special", "an address with a meaning of its own, such as loopback, multicast or a cloud's metadata service"},
}

var resolutions = Enum{
	Unresolved:  {"none", "nothing"},
	ByPodIP:     {"pod_ip", "the address of a pod"},
	ByServiceIP: {"service_ip", "an address of a Service"},
	ByNodeIP:    {"node_ip", "an address of a node"},
	ByCgroup:    {"cgroup", "the control group of the process that owns the socket"},
	BySubnet:    {"subnet", "a configured subnet"},
	ByDNS:       {"dns", "a DNS answer that named the address"},
	ByNodePort:  {"node_port", "a port that a Service has on every node"},
	ByEndpoint:  {"endpoint", "an EndpointSlice, which has the address behind a Service"},
	ByRange:     {"range", "a range of addresses with a meaning of its own"},
}

var trafficClasses = Enum{
	UnknownTraffic: {"", "unknown, or to a private address outside the cluster"},
	SameNode:       {"same_node", "both ends are on one node"},
	SameZone:       {"same_zone", "the ends are on different nodes of one zone"},
	CrossZone:      {"cross_zone", "the ends are in different zones of one region"},
	CrossRegion:    {"cross_region", "the ends are in different regions"},
	InternetIn:     {"internet_in", "the client is on the internet"},
	InternetOut:    {"internet_out", "the server is on the internet"},
}

var tcpStates = Enum{
	0:              {"", "unknown"},
	TCPEstablished: {"ESTABLISHED", "data may flow"},
	TCPSynSent:     {"SYN_SENT", "the client waits for an answer to its SYN"},
	TCPSynRecv:     {"SYN_RECV", "the server waits for the end of the handshake"},
	TCPFinWait1:    {"FIN_WAIT1", "this side closed first and waits for the acknowledgement"},
	TCPFinWait2:    {"FIN_WAIT2", "this side closed first and waits for the other to close"},
	TCPTimeWait:    {"TIME_WAIT", "closed; stragglers are waited for"},
	TCPClose:       {"CLOSE", "closed"},
	TCPCloseWait:   {"CLOSE_WAIT", "the other side closed; the program on this side has not"},
	TCPLastACK:     {"LAST_ACK", "both sides closed, this one last; it waits for the acknowledgement"},
	TCPListen:      {"LISTEN", "waits for clients"},
	TCPClosing:     {"CLOSING", "both sides closed at the same time"},
	TCPNewSynRecv:  {"NEW_SYN_RECV", "the server answered a SYN and waits for the end of the handshake"},
}

var resetBys = Enum{
	0:                             {"", "nobody, or unknown"},
	ResetByClient:                 {"client", "the client"},
	ResetByServer:                 {"server", "the server"},
	ResetByClient | ResetByServer: {"both", "each side"},
}

var connects = Enum{
	0:                  {"", "unknown, or not ended in the interval"},
	ConnectOK:          {"ok", "it was established"},
	ConnectRefused:     {"refused", "the server's side answered with a reset"},
	ConnectTimeout:     {"timeout", "nothing answered before the kernel gave up, or before the program did after at least one repeated SYN"},
	ConnectUnreachable: {"unreachable", "a router or a firewall answered that the server cannot be reached"},
	ConnectAborted:     {"aborted", "the program gave up before a SYN was repeated"},
}

var runtimes = Enum{
	0:          {"", "unknown, or no container"},
	Containerd: {"containerd", "containerd"},
	CRIO:       {"cri-o", "CRI-O"},
	Docker:     {"docker", "Docker"},
	Podman:     {"podman", "Podman"},
}

// String returns the kernel's name of the state, empty if unknown.
func (s TCPState) String() string { return tcpStates.Name(uint64(s)) }

// String returns "client", "server" or "both", empty for nobody.
func (r ResetBy) String() string { return resetBys.Name(uint64(r)) }

// String returns "ok" or what went wrong, empty if unknown.
func (c Connect) String() string { return connects.Name(uint64(c)) }

// String returns the runtime's name, empty if unknown.
func (r Runtime) String() string { return runtimes.Name(uint64(r)) }

// String returns "none", "dnat", "snat" or "dnat+snat".
func (n NAT) String() string { return nats.Name(uint64(n)) }

// String returns the name by which configuration and records call the source.
func (s NATSource) String() string { return natSources.Name(uint64(s)) }

// String returns the name of the evidence, empty if unknown.
func (o Orientation) String() string { return orientations.Name(uint64(o)) }

// String returns "client", "server" or "transit".
func (r Reporter) String() string { return reporters.Name(uint64(r)) }

// String returns the kind's name in Kubernetes' spelling, empty if unknown.
func (k Kind) String() string { return endpointKinds.Name(uint64(k)) }

// String returns the name of the evidence, "none" where there was none.
func (r Resolution) String() string { return resolutions.Name(uint64(r)) }

// String returns the name of the class, empty if unknown.
func (c TrafficClass) String() string { return trafficClasses.Name(uint64(c)) }

// protoNames has the protocols that are shown by name.
var protoNames = [256]string{TCP: "TCP", UDP: "UDP", SCTP: "SCTP", ICMPv4: "ICMP", ICMPv6: "ICMPv6"}

// String returns the protocol's name, else its number in digits.
func (p Proto) String() string {
	if name := protoNames[p]; name != "" {
		return name
	}
	return strconv.Itoa(int(p))
}

func (p Proto) appendText(dst []byte) []byte {
	if name := protoNames[p]; name != "" {
		return append(dst, name...)
	}
	return strconv.AppendUint(dst, uint64(p), 10)
}

// IsICMP says whether the protocol is ICMP or ICMPv6, whose messages have a type and a code in place of ports.
func (p Proto) IsICMP() bool { return p == ICMPv4 || p == ICMPv6 }

// HasPorts says whether the protocol is one of those whose ports records carry.
func (p Proto) HasPorts() bool { return p == TCP || p == UDP || p == SCTP }

// flagNames has the TCP flags from the lowest bit up.
var flagNames = [...]string{"FIN", "SYN", "RST", "PSH", "ACK", "URG", "ECE", "CWR"}

// String returns the names of the flags joined by "|", as in "SYN|ACK".
func (f TCPFlags) String() string { return string(f.appendText(nil)) }

func (f TCPFlags) appendText(dst []byte) []byte { return f.appendNames(dst, "", "|") }

// AppendJSON appends the flags as an array of names.
func (f TCPFlags) AppendJSON(dst []byte) []byte {
	return append(f.appendNames(append(dst, '['), `"`, ","), ']')
}

func (f TCPFlags) appendNames(dst []byte, quote, separator string) []byte {
	between := ""
	for i, name := range flagNames {
		if f&(1<<i) == 0 {
			continue
		}
		dst = append(dst, between...)
		dst = append(dst, quote...)
		dst = append(dst, name...)
		dst = append(dst, quote...)
		between = separator
	}
	return dst
}
