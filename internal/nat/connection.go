package nat

import (
	"cmp"
	"slices"

	"github.com/seine-net/seine/internal/flow"
)

// connection is what the table remembers of one connection across intervals, and what it gathers in the present one.
type connection struct {
	entry Entry
	// tracked tells that entry is conntrack's; else it holds the packets' own endpoints, client first once known.
	tracked    bool
	orientedBy flow.Orientation
	// start and end bound the conntrack entry's life where its source told; zero is unknown.
	start, end flow.Time
	// dying tells that the entry is known from dropped packets alone: see learnDying. It stays for what the client's socket
	// tells later, so that end does not make it over.
	dying bool
	// pinned tells that the entry's source will also tell its end: until then it is only forgotten where the table is
	// full, as some entries end untold (those from before the first listener, where nf_conntrack_events is 2).
	pinned bool
	// chosen is where the connection's counters come from; zero until that was chosen.
	chosen place
	// entered tells of each direction whether its packets come in by enteredAt: see countOnce.
	entered   [2]bool
	enteredAt place
	// seen is the last interval in which a packet came; ended tells which sides of TCP have said that they are done.
	seen  uint64
	ended [2]bool
	uses  []use
	// opened is when the youngest use of earlier intervals opened, isn its sequence number: the same packet on another
	// interface opens nothing. Zero is never.
	opened flow.Time
	isn    uint32
	// owners are the processes at the client's and the server's end, as far as sockets told.
	owners [2]*flow.Process
	// stash holds a use that the chosen interface did not see: see Table.choose.
	stash *use
}

// use is one life of the connection's tuple within an interval: usually the only one. An ICMP error about the
// connection is a use of its own.
type use struct {
	isn    uint32
	opened bool
	// isError tells of an ICMP error about the connection, which is no packet of its own.
	isError     bool
	proto       flow.Proto
	icmpType    uint8
	icmpCode    uint8
	sampling    uint32
	flags       [2]flow.TCPFlags
	openedBy    [2]bool
	firstDir    Dir
	first, last flow.Time
	// acked is when the handshake's last ACK passed first, 0 where it was not seen.
	acked      flow.Time
	interfaces []interfaceCounts
	health     health
}

// place is an interface, and whether the packets there bore the addresses that the client sent.
type place struct {
	index  uint32
	dialed bool
}

// interfaceCounts is what was counted of a use in one place. Up is client to server where the connection is tracked.
type interfaceCounts struct {
	place
	counts Counts
	marks  [2][2]Marks
}

// loopback is the index of every network namespace's loopback interface (LOOPBACK_IFINDEX of include/net/flow.h).
const loopback = 1

// volume returns a direction's volume. Where both hooks see the same packets, one counts: on loopback always the
// receiving one, since a packet between the two when the flow map was swapped is in both intervals.
func (c *interfaceCounts) volume(d Dir) flow.Volume {
	in, out := c.counts[d][0], c.counts[d][1]
	if c.index != loopback && out.Packets > in.Packets {
		return out
	}
	return in
}

// countOnce drops what went out of a place by which the same direction comes in: a bridge in hairpin mode or a router
// with one link sent the same packets back. One of them may go out after the flow map was swapped, when none came in.
func (c *connection) countOnce(k *interfaceCounts) {
	if c.enteredAt != k.place {
		c.enteredAt, c.entered = k.place, [2]bool{}
	}
	for d := range k.counts {
		if c.entered[d] = c.entered[d] || k.counts[d][0].Packets > 0; c.entered[d] {
			k.counts[d][1] = flow.Volume{}
		}
	}
}

func (c *interfaceCounts) packets() uint64 { return c.volume(Up).Packets + c.volume(Down).Packets }

// marked returns a direction's marks.
func (c *interfaceCounts) marked(d Dir) Marks { return c.marks[d][0].most(c.marks[d][1]) }

func (c *interfaceCounts) add(o *Counts, marks *[2][2]Marks, reversed bool) {
	for d := range o {
		to := d
		if reversed {
			to = 1 - d
		}
		for h := range o[d] {
			c.counts[to][h].Bytes += o[d][h].Bytes
			c.counts[to][h].Packets += o[d][h].Packets
			c.marks[to][h].Resets += marks[d][h].Resets
			c.marks[to][h].ZeroWindows += marks[d][h].ZeroWindows
		}
	}
}

// sameUse tells whether an observation belongs to the use.
func (u *use) same(proto flow.Proto, icmpType, icmpCode uint8, opened bool, isn uint32) bool {
	return u.proto == proto && u.icmpType == icmpType && u.icmpCode == icmpCode && u.opened == opened && u.isn == isn
}

// add counts an observation. reversed tells that its Up is the connection's Down.
func (u *use) add(o *Observation, reversed, dialed bool) {
	u.first, u.last = min(u.first, o.First), max(u.last, o.Last)
	u.acked = earlier(u.acked, o.Acked)
	for d := range Dir(2) {
		to := d
		if reversed {
			to = d.other()
		}
		u.flags[to] |= o.TCPFlags[d]
		u.openedBy[to] = u.openedBy[to] || o.Opened[d]
	}
	u.at(place{o.Interface, dialed}).add(&o.Counts, &o.Marks, reversed)
}

// earlier returns the earlier of two times, of which 0 is none.
func earlier(a, b flow.Time) flow.Time {
	if a == 0 || b != 0 && b < a {
		return b
	}
	return a
}

// find returns the counts of a place, nil if nothing was counted there.
func (u *use) find(p place) *interfaceCounts {
	for i := range u.interfaces {
		if u.interfaces[i].place == p {
			return &u.interfaces[i]
		}
	}
	return nil
}

// at returns the counts of a place, new ones if need be.
func (u *use) at(p place) *interfaceCounts {
	if c := u.find(p); c != nil {
		return c
	}
	u.interfaces = append(u.interfaces, interfaceCounts{place: p})
	return &u.interfaces[len(u.interfaces)-1]
}

// merge adds another use of the same tuple, in the same orientation.
func (u *use) merge(o *use) {
	u.first, u.last = min(u.first, o.first), max(u.last, o.last)
	u.acked = earlier(u.acked, o.acked)
	for d := range o.flags {
		u.flags[d] |= o.flags[d]
		u.openedBy[d] = u.openedBy[d] || o.openedBy[d]
	}
	for i := range o.interfaces {
		c := &o.interfaces[i]
		u.at(c.place).add(&c.counts, &c.marks, false)
	}
	u.health.merge(&o.health)
}

// useFor returns the use that an observation belongs to, a new one if need be.
func (c *connection) useFor(o *Observation, opened bool, isn uint32, firstDir Dir) *use {
	for i := range c.uses {
		if c.uses[i].same(o.Proto, o.ICMPType, o.ICMPCode, opened, isn) {
			return &c.uses[i]
		}
	}
	u := c.nextUse()
	*u = use{
		isn: isn, opened: opened, isError: o.QuotedProto != 0, proto: o.Proto, icmpType: o.ICMPType, icmpCode: o.ICMPCode,
		sampling: o.Sampling, first: o.First, last: o.Last, firstDir: firstDir, interfaces: u.interfaces[:0],
	}
	return u
}

// nextUse makes room for a use, with the memory of one from an earlier interval if there is any.
func (c *connection) nextUse() *use {
	if n := len(c.uses); n < cap(c.uses) {
		c.uses = c.uses[:n+1]
	} else {
		c.uses = append(c.uses, use{})
	}
	return &c.uses[len(c.uses)-1]
}

// add gathers an observation of the connection.
func (c *connection) add(o *Observation) {
	reversed, dialed := c.against(o)
	opener := Up
	if reversed {
		opener = Down
	}
	if !o.Opened[opener] && o.Opened[opener.other()] && !c.tracked {
		opener = opener.other()
	}
	firstDir := o.FirstDir
	if reversed {
		firstDir = firstDir.other()
	}
	c.useFor(o, o.Opened[opener], o.ISN[opener], firstDir).add(o, reversed, dialed)
}

// against tells how an observation lies against the connection: whether its Low end is the server's, and whether it
// bears the addresses that the client sent.
func (c *connection) against(o *Observation) (reversed, dialed bool) {
	low, high := o.Low, o.High
	if o.QuotedProto != 0 {
		src, dst := o.quoted()
		low, high = dst, src
		if o.FirstDir == Down {
			low, high = src, dst
		}
	}
	return c.lies(low, high)
}

// lies tells how a pair of endpoints lies against the connection: whether the first is the server's, and whether they
// are the addresses that the client sent.
func (c *connection) lies(low, high Point) (reversed, dialed bool) {
	e := &c.entry
	switch {
	case low == e.OrigSrc && high == e.OrigDst:
		return false, true
	case low == e.OrigDst && high == e.OrigSrc:
		return true, true
	case low == e.ReplyDst || low == e.OrigSrc:
		return false, false
	}
	return true, false
}

// noteEnd keeps what a use tells of TCP's end: a FIN ends its side, a reset both.
func (c *connection) noteEnd(u *use) {
	if u.opened {
		c.ended = [2]bool{}
	}
	reset := (u.flags[Up]|u.flags[Down])&flow.RST != 0
	for d := range c.ended {
		c.ended[d] = c.ended[d] || reset || u.flags[d]&flow.FIN != 0
	}
}

// isOver tells whether no more packets are to come, but for stragglers.
func (c *connection) isOver() bool { return c.end != 0 && !c.dying || c.ended == [2]bool{true, true} }

// settle joins the uses without an opening packet to the one they belong to: a tuple's use in this interval began at
// an earlier one, or its opening packet was seen on another interface only. Then it puts the uses in their order: what a
// new one chooses must not count for those before it.
func (c *connection) settle() {
	for i := 0; i < len(c.uses); i++ {
		loose := &c.uses[i]
		if loose.opened {
			continue
		}
		if j := c.opening(loose); j >= 0 {
			c.uses[j].merge(loose)
			c.uses = slices.Delete(c.uses, i, i+1)
			i--
		}
	}
	slices.SortStableFunc(c.uses, func(a, b use) int { return cmp.Compare(a.first, b.first) })
}

// opening finds the opened use that a loose one belongs to: the latest that opened before it, else the first that
// overlaps it; -1 where it lies before all, as the end of a connection from an earlier interval does.
func (c *connection) opening(loose *use) int {
	best := -1
	for i := range c.uses {
		u := &c.uses[i]
		if !u.opened || u.proto != loose.proto || u.icmpType != loose.icmpType || u.icmpCode != loose.icmpCode {
			continue
		}
		if u.first > loose.last {
			continue
		}
		if best < 0 || u.opensNearer(&c.uses[best], loose.first) {
			best = i
		}
	}
	return best
}

// opensNearer tells whether a use opened nearer to a time than another: before it and latest, else after it and first.
func (u *use) opensNearer(o *use, at flow.Time) bool {
	before := u.first <= at
	if before != (o.first <= at) {
		return before
	}
	return (u.first > o.first) == before
}
