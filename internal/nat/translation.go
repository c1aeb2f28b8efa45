package nat

import (
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// Tuple is one direction of a conntrack entry. For ICMP queries both ports are the query's identifier.
type Tuple struct {
	Src, Dst netip.AddrPort
}

// Reverse returns the tuple of packets that travel the other way.
func (t Tuple) Reverse() Tuple { return Tuple{Src: t.Dst, Dst: t.Src} }

// Translation is what conntrack knows of one connection (struct nf_conn of the kernel): Orig as the client sent it,
// Reply as the backend answers it, before conntrack turns the answer back.
type Translation struct {
	Proto       flow.Proto
	Orig, Reply Tuple
	Zone        uint16
	Source      flow.NATSource
	// Start and End bound the entry's life as far as its source saw it; zero is unknown.
	Start, End flow.Time
}

// NAT says what the translation rewrites: DNAT where the backend is not what was dialled, SNAT where the backend
// answers to another address than the client's.
func (t *Translation) NAT() flow.NAT {
	e := entryOf(t)
	return e.nat()
}
