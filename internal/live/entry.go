package live

import (
	"net/netip"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// key tells connections apart. The key of a row that puts connections together has client port 0.
type key struct {
	proto                    flow.Proto
	client, dialled, backend netip.AddrPort
}

// keyOf returns a record's key. The identifier of an ICMP query stands in for the client's port, so that two pings
// are two connections.
func keyOf(r *flow.Record) key {
	client := r.Src.AddrPort()
	if r.Proto.IsICMP() {
		client = netip.AddrPortFrom(r.Src.Addr, r.ICMP.ID)
	}
	return key{r.Proto, client, r.Dst.AddrPort(), r.Backend.AddrPort()}
}

// together returns the key of the row that the connection belongs to.
func (k key) together() key {
	k.client = netip.AddrPortFrom(k.client.Addr(), 0)
	return k
}

var overIPv6 = map[flow.Proto]string{flow.TCP: "TCP6", flow.UDP: "UDP6", flow.SCTP: "SCTP6"}

// protocol names the protocol, and as netstat does the IPv6 below it: a client and a server with names that use both
// versions have two rows that would look the same.
func (k *key) protocol() string {
	if a := k.client.Addr(); a.Is6() && !a.Is4In6() {
		if name := overIPv6[k.proto]; name != "" {
			return name
		}
	}
	return k.proto.String()
}

// who has the names of a connection's endpoints. It is never changed, so that entries and rows share it.
type who struct{ client, dialled, backend flow.Identity }

func (w *who) describes(r *flow.Record) bool {
	return w.client == r.Src.Identity && w.dialled == r.Dst.Identity && w.backend == r.Backend.Identity
}

// facts are what the last record said beside names and volumes; flags are those of all records.
type facts struct {
	snat        netip.AddrPort
	nat         flow.NAT
	natSource   flow.NATSource
	orientedBy  flow.Orientation
	reporter    flow.Reporter
	flags       flow.TCPFlags
	zone        uint16
	sampling    uint32
	node, iface string
}

func (f *facts) learn(r *flow.Record) {
	*f = facts{
		snat: r.SNAT, nat: r.NAT, natSource: r.NATSource, orientedBy: r.OrientedBy, reporter: r.Reporter,
		flags: f.flags | r.TCPFlags, zone: r.Zone, sampling: max(r.Sampling, 1), node: r.Node, iface: r.Iface,
	}
}

// row is one line of the view: a connection, or all those of a client to a backend.
type row struct {
	key
	facts
	who *who
	// first and seen are the times of the first and the last packet.
	first, seen flow.Time
	// conns is the number of connections seen.
	conns uint64
	// sent and received are the volumes since first, scaled by the sampling.
	sent, received flow.Volume
	activity       activity
	// rate is in bytes per second, sent and received, over the source's last interval; set as the row is copied.
	rate [2]float64
	// newest is the source's last interval; set as the row is copied.
	newest uint32
}

func (r *row) bytes() uint64   { return r.sent.Bytes + r.received.Bytes }
func (r *row) packets() uint64 { return r.sent.Packets + r.received.Packets }
func (r *row) total() float64  { return r.rate[0] + r.rate[1] }

// estimated tells whether the volumes are computed from a sample.
func (r *row) estimated() bool { return r.sampling > 1 }

func (r *row) idle(now time.Time) time.Duration {
	return max(0, time.Duration(now.UnixNano()-int64(r.seen)))
}

// entry is a row in a table.
type entry struct {
	row
	source       *source
	primary      bool
	newer, older *entry
}

// count adds a record's volumes.
func (e *entry) count(r *flow.Record, s *source) {
	if e.first == 0 || r.Start < e.first {
		e.first = r.Start
	}
	e.seen = max(e.seen, r.End)
	e.learn(r)
	if e.source != s {
		e.source, e.activity = s, activity{} // Intervals of different sources have nothing to do with each other.
	}
	fwd, rev := scaled(r)
	add(&e.sent, fwd)
	add(&e.received, rev)
	e.activity.add(s.seq, fwd.Bytes, rev.Bytes)
}

// scaled returns a record's volumes as they would be without sampling.
func scaled(r *flow.Record) (fwd, rev flow.Volume) {
	n := uint64(max(r.Sampling, 1))
	return flow.Volume{Bytes: r.Fwd.Bytes * n, Packets: r.Fwd.Packets * n},
		flow.Volume{Bytes: r.Rev.Bytes * n, Packets: r.Rev.Packets * n}
}

func add(to *flow.Volume, v flow.Volume) {
	to.Bytes += v.Bytes
	to.Packets += v.Packets
}

// take removes a volume that turned out to be counted by another record, too.
func take(from *flow.Volume, v flow.Volume) {
	from.Bytes -= min(from.Bytes, v.Bytes)
	from.Packets -= min(from.Packets, v.Packets)
}
