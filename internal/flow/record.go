package flow

import "net/netip"

// Record is one connection during one interval, as one node saw it, oriented from client to server.
// It is a plain value: it holds no pointer into the kernel's or another record's memory, and copying it copies all.
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
	// Node is the name of the node whose agent made the record, Iface the interface whose counters Fwd and Rev are.
	Node, Iface string
	// Reporter is the role of Node in the connection.
	Reporter Reporter
	// Primary marks the one record of the connection and interval that sums count.
	Primary bool
	// Sampling is N where one packet in N was counted; 1 means every packet.
	Sampling uint32
}

// Endpoint is one side of a connection: its transport address and what is known of who has it.
type Endpoint struct {
	Addr netip.Addr
	Port uint16
	Identity
}

// Identity names the object behind an address. Empty fields are unknown.
type Identity struct {
	Kind       Kind
	Namespace  string
	Name       string
	Workload   Workload
	Node       string
	Zone       string
	Service    string
	App        string
	Subnet     string
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
