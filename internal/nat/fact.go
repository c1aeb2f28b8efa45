package nat

import (
	"math"
	"slices"

	"github.com/seine-net/seine/internal/flow"
)

// Fact is something known of a connection that no interface counted: told by a socket at one of its ends, or from where
// the kernel dropped its packets. It finds its connection by the addresses that it bears, whichever of the connection's
// faces these are: a client's socket has those that it dialled, a server's those that it answers to.
type Fact struct {
	Proto flow.Proto
	// NetNS is the number of the network namespace that the fact is from.
	NetNS uint32
	// Src and Dst are those of a packet in that place. A socket is at Src.
	Src, Dst Point
	// First is when what the fact tells of began (a socket: when it was opened), Last when it last happened.
	First, Last flow.Time
	// Sent is what befell packets from Src to Dst since the fact before, Received those from Dst to Src.
	Sent, Received flow.Faults
	// Socket is what the socket at Src tells, nil for other facts. It is kept, and must not be changed any more. Of UDP, Dst
	// is empty where it has no one peer, and the state is that of a closed one or empty.
	Socket *Socket
	// TurnedAway is how many segments of handshakes the listening socket at Src turned away as a queue was full. Dst is
	// empty then, and so may be Src's address.
	TurnedAway uint32
	// Drop is why packets of Sent were dropped, nil for other facts.
	Drop *flow.Drop
	// Entry is the conntrack entry of dropped packets that was never confirmed, and so went with them: nothing else tells
	// of it. Nil for other facts.
	Entry *Entry
	// Alone asks for a record even where no packet of the connection was counted in the interval, as of a connect whose
	// SYNs were dropped on their way out.
	Alone bool
}

// Socket is what the socket at one end of a connection tells.
type Socket struct {
	// ID tells sockets of UDP apart that had the same port; of TCP it is 0.
	ID   uint64
	Role Role
	// TCP is its State, RTT, MinRTT, Handshake, Lifetime and Connect; the rest is empty.
	TCP flow.TCPHealth
	// ResetsSent and ResetsReceived count RST segments since the fact before.
	ResetsSent, ResetsReceived uint32
	// Process is the socket's owner, nil while unknown.
	Process *flow.Process
}

// Role tells which end of a connection a socket is.
type Role uint8

// The roles; 0 is unknown.
const (
	// Active sockets have connected: they are clients.
	Active Role = iota + 1
	// Passive sockets were accepted.
	Passive
)

// maxFacts bounds the facts of an interval.
const maxFacts = 1 << 18

// AddFacts takes facts of the present interval. It keeps no reference to the slice. Beyond a limit they are dropped,
// and counted.
func (t *Table) AddFacts(batch []Fact) {
	for i := range batch {
		switch {
		case len(t.facts)+len(t.listens) >= maxFacts:
			t.stats.FactsDropped++
		case batch[i].isDatagram():
			t.bind(&batch[i])
		case batch[i].TurnedAway > 0:
			t.listens = append(t.listens, listening{Fact: batch[i]})
		case !t.isOurs(&batch[i]):
			t.stats.FactsForeign++
		default:
			t.learnDying(&batch[i])
			t.facts = append(t.facts, batch[i])
		}
	}
}

// isOurs tells whether a fact is from the node's own network namespace or that of one of its pods: several nodes may
// share a kernel. A pod's namespace is known by its number, where the table was told those, and by its addresses. What a
// listener tells is asked about at the interval's end, when all of these have been told.
func (t *Table) isOurs(f *Fact) bool {
	if t.config.NetNS == 0 || f.NetNS == t.config.NetNS {
		return true
	}
	if t.config.PodSpaces != nil && !slices.Contains(t.config.PodSpaces, f.NetNS) {
		return false
	}
	if f.TurnedAway > 0 {
		return t.spaces[f.NetNS] != nil
	}
	pod, _ := t.config.Locality.Interface(f.Src.AddrPort().Addr())
	if pod != 0 && f.Socket != nil {
		t.spaces.learn(f)
	}
	if pod == 0 && f.Drop != nil { // A packet may be dropped where it came from, or where it goes.
		pod, _ = t.config.Locality.Interface(f.Dst.AddrPort().Addr())
	}
	return pod != 0
}

// joinFacts gives each fact to its connection. One without, that may be about packets after the flow map's swap or
// about a connection that still waits for its translation, waits for the next interval.
func (t *Table) joinFacts(end flow.Time, last bool) {
	waiting := t.facts[:0]
	for i := range t.facts {
		f := &t.facts[i]
		c := t.connectionOf(f)
		switch u := c.useOf(f); {
		case u != nil:
			c.learn(u, f)
		case !last && f.Last > end-max(t.config.Hold, 0):
			waiting = append(waiting, *f)
		case f.Alone:
			t.tellAlone(c, f)
		case c != nil:
			c.meet(f)
		}
	}
	clear(t.facts[len(waiting):])
	t.facts = waiting
}

// connectionOf finds the connection that a fact is about, nil where none is known.
func (t *Table) connectionOf(f *Fact) *connection {
	c := t.lookup(f.observation())
	if c != nil && c.dying && c.useOf(f) == nil {
		return t.twinOf(c, f)
	}
	return c
}

// observation is what an interface would have told of the fact's packets, had it counted any.
func (f *Fact) observation() *Observation {
	return &Observation{Low: f.Src, High: f.Dst, Proto: f.Proto, First: f.First, Last: f.Last}
}

// tellAlone makes a use without packets for a fact. c may be nil.
func (t *Table) tellAlone(c *connection, f *Fact) {
	if c == nil {
		c = t.track(f.observation())
	}
	if len(c.uses) == 0 {
		t.active = append(t.active, c)
	}
	c.seen = t.interval
	u := c.nextUse()
	*u = use{proto: f.Proto, sampling: 1, first: f.Last, last: f.Last, interfaces: u.interfaces[:0]}
	c.learn(u, f)
}

// apart is how far the times of a fact and of its packets may lie apart: of a socket that is established by the last
// packet of a use, on a busy machine.
const apart = flow.Time(5e6)

// isOf tells whether a fact may be about a use: tuples are used again, and what a socket tells of the next use may be told
// before its packets are counted. A packet is dropped after it was counted, however busy the machine is.
func (f *Fact) isOf(u *use) bool {
	ended := f.Socket != nil && f.Socket.TCP.State == flow.TCPClose
	return (f.Socket == nil || f.First <= u.last+apart) && (!ended || f.Last >= u.first-apart)
}

// useOf returns the use of the tuple that a fact is about, nil where there was none in this interval: for a socket the
// one that began nearest to it, else the latest that began before.
func (c *connection) useOf(f *Fact) *use {
	if c == nil {
		return nil
	}
	var best *use
	for i := range c.uses {
		u := &c.uses[i]
		switch {
		case u.isError || !f.isOf(u):
		case best == nil,
			f.Socket != nil && distance(u.first, f.First) < distance(best.first, f.First),
			f.Socket == nil && u.first <= f.Last:
			best = u
		}
	}
	return best
}

// endOf tells at which end of the connection a fact's Src is: Up the client's, Down the server's.
func (c *connection) endOf(f *Fact) Dir {
	if reversed, _ := c.lies(f.Src, f.Dst); reversed {
		return Down
	}
	return Up
}

// learn adds a fact to a use of the connection.
func (c *connection) learn(u *use, f *Fact) {
	at := c.endOf(f)
	h := &u.health
	h.faults[at] = h.faults[at].Plus(f.Sent)
	h.faults[at.other()] = h.faults[at.other()].Plus(f.Received)
	if f.Drop != nil {
		h.addDrop(*f.Drop, f.Sent.DropPackets)
	}
	if f.Socket == nil {
		return
	}
	h.sockets[at] = f.Socket
	if f.Socket.Process != nil {
		h.owners[at] = f.Socket.Process
	}
	h.resets[at][at] += f.Socket.ResetsSent
	h.resets[at][at.other()] += f.Socket.ResetsReceived
	switch f.Socket.Role {
	case Active:
		u.openedBy[at] = true
	case Passive:
		u.openedBy[at.other()] = true
	}
}

// meet remembers who is at the fact's end of the connection, of which no packet was counted in the interval.
func (c *connection) meet(f *Fact) {
	if f.Socket != nil && f.Socket.Process != nil {
		c.owners[c.endOf(f)] = f.Socket.Process
	}
}

// tellOwners writes who is at the ends into a use's record. Of earlier uses of the tuple nobody is left.
func (t *Table) tellOwners(c *connection, u *use, r *flow.Record) {
	switch {
	case u.proto == flow.UDP:
		c.owners[Up] = t.ownerOf(c.client(), c.dialed(), u.first, u.last)
		c.owners[Down] = t.ownerOf(c.backend(), c.snat(), u.first, u.last)
	case c.isNew(u):
		c.owners = [2]*flow.Process{}
	}
	for d, p := range u.health.owners {
		if p != nil {
			c.owners[d] = p
		}
	}
	if p := c.owners[Up]; p != nil {
		r.Src.Process = *p
	}
	if p := c.owners[Down]; p != nil {
		r.Backend.Process = *p
	}
}

// health is what facts tell of a use, by direction or by end: Up is the client's.
type health struct {
	faults [2]flow.Faults
	// resets are by the end that tells, then by the one that sent them: both ends may tell the same.
	resets  [2][2]uint32
	sockets [2]*Socket
	owners  [2]*flow.Process
	// listenDrops is what the server's listening socket turned away.
	listenDrops uint32
	// drops counts dropped packets by why and where.
	drops []dropCount
}

type dropCount struct {
	flow.Drop
	packets uint64
}

func (h *health) addDrop(d flow.Drop, packets uint64) {
	for i := range h.drops {
		if h.drops[i].Drop == d {
			h.drops[i].packets += packets
			return
		}
	}
	h.drops = append(h.drops, dropCount{d, packets})
}

// mostDropped returns why and where most packets were dropped: the first told among equals.
func (h *health) mostDropped() (most flow.Drop) {
	var packets uint64
	for _, d := range h.drops {
		if d.packets > packets {
			most, packets = d.Drop, d.packets
		}
	}
	return most
}

func (h *health) turn() {
	h.faults[0], h.faults[1] = h.faults[1], h.faults[0]
	r := h.resets
	h.resets = [2][2]uint32{{r[1][1], r[1][0]}, {r[0][1], r[0][0]}}
	h.sockets[0], h.sockets[1] = h.sockets[1], h.sockets[0]
	h.owners[0], h.owners[1] = h.owners[1], h.owners[0]
}

func (h *health) merge(o *health) {
	h.listenDrops += o.listenDrops
	for _, d := range o.drops {
		h.addDrop(d.Drop, d.packets)
	}
	for d := range h.faults {
		h.faults[d] = h.faults[d].Plus(o.faults[d])
		h.resets[d][Up] += o.resets[d][Up]
		h.resets[d][Down] += o.resets[d][Down]
		if h.sockets[d] == nil {
			h.sockets[d] = o.sockets[d]
		}
		if h.owners[d] == nil {
			h.owners[d] = o.owners[d]
		}
	}
}

// tellPackets adds what the packets themselves tell. Sockets tell the same resets: also of packets that were not
// counted, as of sampled ones.
func (c *connection) tellPackets(u *use, k *interfaceCounts, r *flow.Record) {
	if u.proto != flow.TCP {
		return
	}
	up, down := k.marked(Up), k.marked(Down)
	r.FwdFaults.ZeroWindows, r.RevFaults.ZeroWindows = uint64(up.ZeroWindows), uint64(down.ZeroWindows)
	told := &u.health.resets
	byClient, byServer := max(up.Resets, told[Up][Up], told[Down][Up]), max(down.Resets, told[Up][Down], told[Down][Down])
	r.TCP.Resets = byClient + byServer
	if byClient > 0 {
		r.TCP.ResetBy |= flow.ResetByClient
	}
	if byServer > 0 {
		r.TCP.ResetBy |= flow.ResetByServer
	}
	if opened := c.openedAt(u); u.acked > opened && opened != 0 {
		r.TCP.Handshake = uint32(min((u.acked-opened)/1000, math.MaxUint32))
	}
	switch {
	case r.TCP.Connect != 0 && r.TCP.Connect != flow.ConnectAborted:
	case u.acked != 0:
		r.TCP.Connect = flow.ConnectOK
	case (u.opened || r.TCP.Connect == flow.ConnectAborted) && c.isUnreachable():
		r.TCP.Connect = flow.ConnectUnreachable
	case u.opened && down.Resets > 0 && u.flags[Down]&flow.SYN == 0:
		r.TCP.Connect = flow.ConnectRefused
	}
}

// The ICMP messages by which a packet's destination cannot be reached (RFC 792, RFC 4443).
const (
	unreachableV4 = 3
	unreachableV6 = 1
)

// isUnreachable tells whether an ICMP error in the interval said that the connection's packets do not arrive.
func (c *connection) isUnreachable() bool {
	for i := range c.uses {
		u := &c.uses[i]
		if u.isError && (u.proto == flow.ICMPv4 && u.icmpType == unreachableV4 || u.proto == flow.ICMPv6 && u.icmpType == unreachableV6) {
			return true
		}
	}
	return false
}

// openedAt is when a use's first SYN passed, 0 where that was not seen.
func (c *connection) openedAt(u *use) flow.Time {
	if c.isNew(u) {
		return u.first
	}
	return c.opened
}

// tell writes what is known of the use's health into its record.
func (h *health) tell(r *flow.Record) {
	r.FwdFaults, r.RevFaults, r.Drop = h.faults[Up], h.faults[Down], h.mostDropped()
	r.TCP.ListenDrops = h.listenDrops
	s := h.sockets[Up]
	if s == nil {
		s = h.sockets[Down]
	}
	if s == nil {
		return
	}
	r.TCP.State, r.TCP.RTT, r.TCP.MinRTT = s.TCP.State, s.TCP.RTT, s.TCP.MinRTT
	r.TCP.Handshake, r.TCP.Lifetime, r.TCP.Connect = s.TCP.Handshake, s.TCP.Lifetime, s.TCP.Connect
}
