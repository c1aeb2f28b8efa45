package wire

import (
	"context"
	"net/netip"

	"github.com/apache/arrow-go/v18/arrow"
)

// Agent is who is at the other end of a stream, as it said itself.
type Agent struct {
	Node string
	// Origin is one run of one agent: what sequence numbers count for.
	Origin string
	// Version is the agent's release.
	Version string
	// Address is where it connected from, empty in the same process.
	Address string
	// Protocol is the version of the stream that both ends use.
	Protocol uint32
	// OtherFields says that the agent's field table differs from the server's, as it does between releases: the fields
	// that one of them lacks are unknown in its rows.
	OtherFields bool
}

// Delivery is one batch as an agent sent it.
type Delivery struct {
	Sequence uint64
	Dataset  string
	// Rows is valid during the call; a handler that keeps it retains it.
	Rows arrow.RecordBatch
	// Dropped is how many rows of this origin the agent had lost on the way before, all told.
	Dropped uint64
}

// Report is what an agent knows of itself.
type Report struct {
	// Losses are what its records lack, Dropped how many rows it lost on the way to the server, since its start.
	Losses   []Loss
	Features []Feature
	Dropped  uint64
	// Addresses are the node's own by which other nodes may know it.
	Addresses []netip.Addr
	// CountedBytes are those that the watched interfaces counted, AccountedBytes those of them that records account for.
	CountedBytes, AccountedBytes uint64
}

// Loss counts what is missing in records or less exact, by reason.
type Loss struct {
	Reason string `json:"reason"`
	Count  uint64 `json:"count"`
	Detail string `json:"detail"`
}

// Feature is one thing that an agent's kernel gives or not.
type Feature struct {
	Name   string `json:"name"`
	State  string `json:"state"`
	Means  string `json:"means"`
	Detail string `json:"detail"`
}

// Handler takes what agents send. Streams call it concurrently.
type Handler interface {
	// Accept begins a stream; an error refuses it, and is told to the agent, which tries again later.
	Accept(Agent) (Session, error)
}

// Session takes what comes on one stream, one call after the other.
type Session interface {
	// Ingest returns nil once the batch is durable, also if it was so before. After an error the agent delivers the
	// batch again, on a new stream.
	Ingest(context.Context, Delivery) error
	// Report is told what the agent knows of itself. The report is the session's.
	Report(Report)
	// Close ends the stream.
	Close()
}
