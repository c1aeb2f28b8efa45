package flow

import "net/netip"

// Record is one connection during one interval, as one node saw it, oriented from client to server.
// It is a plain value: it holds no pointer into the kernel's memory, and copying it copies all. A record with DNS is one
// query and its answer, on the connection that the other members tell of; it has no volume of its own.
type Record struct {
	// Start and End are the times of the first and the last packet in the interval.
	Start, End Time
	// Proto is the IP protocol number (IANA "Protocol Numbers").
	Proto Proto
	// Src is the client, Dst what it dialled, Backend who answered: equal to Dst when nothing was translated.
	Src, Dst, Backend Endpoint
	// SNAT is the client as the server saw it: equal to Src's address and port when nothing was translated.
	SNAT netip.AddrPort
	// ICMP is meaningful where Proto is ICMP or ICMPv6.
	ICMP ICMP
	// NAT says which of the addresses conntrack rewrote.
	NAT NAT
	// Zone is the conntrack zone; 0 is the default zone.
	Zone uint16
	// NATSource is the source that resolved the translation.
	NATSource NATSource
	// OrientedBy says how client and server were told apart.
	OrientedBy Orientation
	// Fwd counts client to server, Rev server to client.
	Fwd, Rev Volume
	// TCPFlags is the OR of the flags of all TCP segments of both directions.
	TCPFlags TCPFlags
	// TCP is what else is known of a TCP connection.
	TCP TCPHealth
	// FwdFaults and RevFaults count what went wrong on the way from client to server, and from server to client.
	FwdFaults, RevFaults Faults
	// Drop is why and where most of the dropped packets were dropped; empty where none were.
	Drop Drop
	// Node is the name of the node whose agent made the record, Iface the interface whose counters Fwd and Rev are.
	Node, Iface string
	// Reporter is the role of Node in the connection.
	Reporter Reporter
	// Primary marks the one record of the connection and interval that sums count.
	Primary bool
	// Traffic is how far the connection goes, as providers bill it.
	Traffic TrafficClass
	// Cost is what the counted bytes cost by the price table, in pico-USD (10⁻¹² USD); 0 on records that are not primary.
	Cost uint64
	// Sampling is N where one packet in N was counted; 1 means every packet.
	Sampling uint32
	// DNS is what the record tells of a DNS query; nil in the record of a connection. It is not changed once it is set,
	// so that copies of the record may share it.
	DNS *DNS
}

// Endpoint is one side of a connection: its transport address and what is known of who has it.
type Endpoint struct {
	Addr netip.Addr
	Port uint16
	Identity
	// Process owns the socket at this end, where that is on the reporting node. It is empty for Dst: what answers is
	// Backend.
	Process Process
}

// Process is the owner of a socket, as it was when it connected or first read from what it had accepted. Empty fields
// are unknown, or not there: a process outside any container has no Container.
type Process struct {
	// PID is the process's number in the host's process namespace; 0 is unknown.
	PID uint32
	// Name is the command's name, of at most 15 bytes (comm of proc(5)).
	Name string
	// Container is the identifier that the container's Runtime gave it.
	Container string
	Runtime   Runtime
	// PodUID is the identifier of the Kubernetes pod that the container is part of.
	PodUID string
	// Unit is the systemd unit, such as "sshd.service", of processes that are in no container.
	Unit string
}

// TCPHealth is what sockets and packets tell of a TCP connection beside its volume. Durations are in microseconds; zero
// is unknown.
type TCPHealth struct {
	// State is the state of the socket on the reporting node, the client's if both are.
	State TCPState
	// RTT and MinRTT are the socket's smoothed and smallest round-trip times.
	RTT, MinRTT uint32
	// Handshake is from the first SYN to the ACK that ends the handshake, repetitions included.
	Handshake uint32
	// Lifetime is from the begin of the handshake to the end of the connection; it is there once that has come.
	Lifetime uint64
	// Resets counts RST segments, ResetBy says who sent them.
	Resets  uint32
	ResetBy ResetBy
	// Connect is how the attempt to connect ended, in the interval in which it did.
	Connect Connect
	// ListenDrops counts SYNs and final ACKs of the handshake that the server turned away as its queue was full.
	ListenDrops uint32
}

// Drop is a reason for dropping packets, as the kernel calls it, and the function of the kernel that did.
type Drop struct{ Reason, Function string }

// Faults counts what went wrong in one direction of a connection.
type Faults struct {
	// Retransmits are segments that the sending socket sent again, as far as it is on the reporting node.
	Retransmits uint64
	// DropPackets and DropBytes are what the reporting node's kernel dropped.
	DropPackets, DropBytes uint64
	// ZeroWindows are segments by which the sender said that it takes no more data for now.
	ZeroWindows uint64
	// OutOfOrder are segments that reached the receiving socket out of order, as far as it is on the reporting node.
	OutOfOrder uint64
}

// Identity names the object behind an address. Empty fields are unknown.
type Identity struct {
	Kind      Kind
	Namespace string
	Name      string
	Workload  Workload
	Node      string
	Zone      string
	Region    string
	Service   string
	App       string
	Image     string
	// Labels are those that were asked for, as "key=value,key=value" in the order of the keys.
	Labels string
	Subnet string
	// DNSName is the name that the client had the address from; see package dns.
	DNSName    string
	ResolvedBy Resolution
}

// Workload is the top controller of a pod, such as a Deployment.
type Workload struct{ Kind, Name string }

// Volume counts one direction of a connection. Bytes are link-layer bytes as the interface counts them;
// packets are wire segments, so a segmentation-offload super-packet counts its segments.
type Volume struct{ Bytes, Packets uint64 }

// ICMP holds the fields that take the place of ports: ID is the identifier of an echo (and kindred) query, 0 otherwise.
type ICMP struct {
	Type, Code uint8
	ID         uint16
}

// AddrPort returns the endpoint's address and port as one value.
func (e Endpoint) AddrPort() netip.AddrPort { return netip.AddrPortFrom(e.Addr, e.Port) }
