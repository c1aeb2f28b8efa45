package nat

import "github.com/seine-net/seine/internal/flow"

// A listening socket counts what it turned away as its queue was full, but not whom. The connections tell themselves:
// by SYNs that nobody answered, or by a handshake after which there is no socket.

// spaces are the addresses of sockets by their network namespace, as a listener mostly has none of its own.
type spaces map[uint32]map[[16]byte]struct{}

// maxSpaces bounds the network namespaces and the addresses of each; with more, all are forgotten and learnt anew.
const maxSpaces = 4096

func (s spaces) learn(f *Fact) {
	known, ok := s[f.NetNS]
	if !ok {
		if len(s) >= maxSpaces {
			clear(s)
		}
		known = make(map[[16]byte]struct{}, 1)
		s[f.NetNS] = known
	}
	if len(known) < maxSpaces {
		known[f.Src.Addr] = struct{}{}
	}
}

// listening is what a listener turned away. It may be told before its packets are counted, which are the next interval's
// when they came after the flow map's swap, and may wait one more for their translation.
type listening struct {
	Fact
	waited int
}

// listenWaits is the number of intervals that a listening fact waits.
const listenWaits = 2

// assignListens gives what listeners turned away to the interval's connections. What finds none is counted.
func (t *Table) assignListens(last bool) {
	waiting := t.listens[:0]
	for i := range t.listens {
		f := &t.listens[i]
		ours := t.isOurs(&f.Fact)
		if ours {
			t.assignListen(&f.Fact)
		}
		switch {
		case f.TurnedAway > 0 && f.waited < listenWaits && !last:
			f.waited++
			waiting = append(waiting, *f)
		case ours:
			t.stats.ListensUnassigned += uint64(f.TurnedAway)
		default:
			t.stats.FactsForeign++
		}
	}
	clear(t.listens[len(waiting):])
	t.listens = waiting
}

// assignListen takes from a listener's fact what it gives to connections: first to those whose SYN nobody answered.
func (t *Table) assignListen(f *Fact) {
	for _, halfOpen := range []bool{false, true} {
		for _, c := range t.active {
			if f.TurnedAway > 0 && t.listensFor(f, c) {
				f.TurnedAway -= c.turnAway(f.TurnedAway, halfOpen)
			}
		}
	}
}

// listensFor tells whether a connection is to a listener.
func (t *Table) listensFor(f *Fact, c *connection) bool {
	server := c.backend()
	if server.Port != f.Src.Port || c.entry.Proto != f.Proto {
		return false
	}
	if !f.Src.AddrPort().Addr().IsUnspecified() {
		return server.Addr == f.Src.Addr
	}
	if f.NetNS == t.config.NetNS {
		pod, local := t.config.Locality.Interface(server.AddrPort().Addr())
		return local && pod == 0
	}
	_, ok := t.spaces[f.NetNS][server.Addr]
	return ok
}

// turnAway adds at most limit segments that were turned away to the connection, and returns how many.
func (c *connection) turnAway(limit uint32, halfOpen bool) (n uint32) {
	for i := range c.uses {
		u := &c.uses[i]
		answered := u.flags[Down]&flow.SYN != 0
		if u.isError || u.flags[Down]&flow.RST != 0 || u.flags[Up]&flow.SYN == 0 && !answered ||
			answered != halfOpen || u.health.sockets[Down] != nil {
			continue
		}
		one := min(limit-n, u.sentUp())
		u.health.listenDrops += one
		n += one
	}
	return n
}

// sentUp is how many packets the client sent, as the interface that saw most of them counts.
func (u *use) sentUp() (n uint32) {
	for i := range u.interfaces {
		n = max(n, uint32(u.interfaces[i].volume(Up).Packets))
	}
	return n
}
