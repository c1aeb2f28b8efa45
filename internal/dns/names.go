package dns

import (
	"net/netip"
	"sync"

	"github.com/seine-net/seine/internal/flow"
)

const (
	// maxNames bounds the addresses remembered with a name, and the connections that were named.
	maxNames = 65536
	// nameGrace is how much longer than its TTL a name is taken to be in use: a client connects some time after it had
	// the answer.
	nameGrace = flow.Time(5e9)
	// connectionIdle is how long the name of a silent connection is kept.
	connectionIdle = flow.Time(600e9)
	// evictedAtOnce is how many names go where there is no room for one more.
	evictedAtOnce = maxNames / 64
)

// Names remembers by which name each client had an address, as long as the answer said. A connection that was given a
// name keeps it while it lasts. Any goroutine may use it.
type Names struct {
	// client returns what stands for a client: all addresses of the host stand for one.
	client func(netip.Addr) netip.Addr

	mu          sync.Mutex
	byAddress   map[heldBy]held
	connections map[named]lasting
	evicted     uint64
}

// heldBy is a client and an address that it learnt.
type heldBy struct{ client, address netip.Addr }

type held struct {
	name    string
	expires flow.Time
}

// named is a connection to an address that had a name.
type named struct {
	src, dst netip.AddrPort
	proto    flow.Proto
}

type lasting struct {
	name string
	seen flow.Time
}

func newNames(client func(netip.Addr) netip.Addr) *Names {
	return &Names{client: client, byAddress: make(map[heldBy]held), connections: make(map[named]lasting)}
}

// learn keeps the addresses of an answer for the client.
func (n *Names) learn(client netip.Addr, name string, a *answer, at flow.Time) {
	n.mu.Lock()
	defer n.mu.Unlock()
	client = n.client(client)
	expires := at + flow.Time(a.ttl)*1e9 + nameGrace
	for _, address := range a.addresses {
		key := heldBy{client, address}
		if _, known := n.byAddress[key]; !known && len(n.byAddress) >= maxNames {
			n.evict(at)
		}
		n.byAddress[key] = held{name, expires}
	}
}

// evict makes room: what has expired goes, and where that is nothing, some that has not.
func (n *Names) evict(now flow.Time) {
	n.expire(now)
	for key := range n.byAddress {
		if len(n.byAddress) <= maxNames-evictedAtOnce {
			return
		}
		delete(n.byAddress, key)
		n.evicted++
	}
}

// expire drops what is over.
func (n *Names) expire(now flow.Time) {
	for key, h := range n.byAddress {
		if h.expires < now {
			delete(n.byAddress, key)
		}
	}
	for key, l := range n.connections {
		if l.seen+connectionIdle < now {
			delete(n.connections, key)
		}
	}
}

// Name puts the names that clients had addresses from to the dialled destinations and backends of records.
func (n *Names) Name(records []flow.Record) {
	n.mu.Lock()
	defer n.mu.Unlock()
	if len(n.byAddress) == 0 && len(n.connections) == 0 {
		return
	}
	for i := range records {
		r := &records[i]
		r.Dst.DNSName = n.of(r, &r.Dst)
		if r.Backend.Addr == r.Dst.Addr {
			r.Backend.DNSName = r.Dst.DNSName
		} else {
			r.Backend.DNSName = n.of(r, &r.Backend)
		}
	}
}

// of returns the name of an endpoint that the record's client speaks to.
func (n *Names) of(r *flow.Record, e *flow.Endpoint) string {
	key := named{r.Src.AddrPort(), e.AddrPort(), r.Proto}
	known, ok := n.connections[key]
	if !ok {
		h := n.byAddress[heldBy{n.client(r.Src.Addr), e.Addr}]
		if h.name == "" || h.expires < r.Start {
			return ""
		}
		known.name = h.name
	}
	if ok || len(n.connections) < maxNames {
		n.connections[key] = lasting{known.name, r.End}
	}
	return known.name
}
