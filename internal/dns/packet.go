package dns

import (
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// Packet is a packet from or to a resolver's port, on one interface.
type Packet struct {
	Src, Dst  nat.Point
	Proto     flow.Proto
	Interface uint32
	// Out tells that the packet left by the interface.
	Out  bool
	Time flow.Time
	// Seq is the sequence number of the payload's first byte, Flags those of TCP.
	Seq   uint32
	Flags flow.TCPFlags
	// Payload is what was captured of Length bytes. It is valid during the call.
	Payload []byte
	Length  int
}

// hop is where on the node a packet passed.
type hop struct {
	index uint32
	out   bool
}

func (p *Packet) hop() hop { return hop{p.Interface, p.Out} }

// Stats counts what a Tracker did and lost.
type Stats struct {
	// Messages are those taken, on each interface; Rows are the records made.
	Messages, Rows uint64
	// Pending are the exchanges under way, Streams the directions of TCP connections, Names the addresses with a name.
	Pending, Streams, Names int
	// Malformed are messages that are none of DNS, or cut so short that they cannot be read.
	Malformed uint64
	// Unmatched are answers to no query that was seen, or that came too late.
	Unmatched uint64
	// Refused are queries that found no room.
	Refused uint64
	// Unfinished are queries that were still waiting at the end.
	Unfinished uint64
	// Broken are TCP streams in which bytes are missing, or that hold no DNS: the rest of them is not read.
	Broken uint64
	// StreamsRefused are TCP streams that found no room.
	StreamsRefused uint64
	// NamesEvicted are names forgotten before their time, as there were too many.
	NamesEvicted uint64
}
