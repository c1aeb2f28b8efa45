package nat

import (
	"net/netip"
	"slices"

	"github.com/seine-net/seine/internal/flow"
)

// recordBlock is the number of records that are given on at a time, which bounds their memory.
const recordBlock = 4096

// Finish ends an interval that the flow map was swapped at the time given for, and gives its records to the sink, in
// blocks that are valid during the call; the last may be empty. With last set nothing waits for a further interval.
// After an error of the sink, which is returned, the rest of the interval's records is lost.
func (t *Table) Finish(end flow.Time, last bool, sink func([]flow.Record) error) error {
	t.join(end, last)
	for _, c := range t.active {
		c.settle()
	}
	t.joinFacts(end, last)
	t.assignListens(last)
	var err error
	for _, c := range t.active {
		t.records = t.emit(c, t.records)
		c.uses = c.uses[:0]
		if len(t.records) >= recordBlock && err == nil {
			err = t.give(sink)
		}
	}
	if err == nil {
		err = t.give(sink)
	}
	clear(t.active)
	t.active = t.active[:0]
	t.interval++
	t.forget()
	t.forgetDatagrams(end)
	return err
}

func (t *Table) give(sink func([]flow.Record) error) error {
	err := sink(t.records)
	clear(t.records)
	t.records = t.records[:0]
	return err
}

// join finds homes for the observations that came without a conntrack entry. Those that several connections may have
// come after those that one may have, whose opening packets tell which is which. The young come last, as a connection
// that was seen in time on one interface waits on none; but not what was seen behind a translation, which is one
// connection's alone.
func (t *Table) join(end flow.Time, last bool) {
	var disputed, young []*Observation
	house := func(o *Observation) {
		if s := t.byFace[o.face()]; len(s.more) == 0 {
			t.house(o, s.first)
		} else {
			disputed = append(disputed, o)
		}
	}
	for o := range t.held.all() {
		house(o)
	}
	for o := range t.pending.all() {
		if last || o.First <= end-t.config.Hold {
			house(o)
		} else if c := t.lookup(o); c.translates(o) && !c.mayBeUsedAgain(o) {
			t.gather(c, o)
		} else {
			young = append(young, o)
		}
	}
	for _, o := range disputed {
		t.house(o, t.lookup(o))
	}
	t.held.clear()
	for _, o := range young {
		t.welcome(o)
	}
	t.pending.clear()
}

// welcome gathers a young observation where its connection is known; else it waits an interval. That may also be where its
// tuple's last use is known alone.
func (t *Table) welcome(o *Observation) {
	if c := t.lookup(o); c != nil && !c.mayBeUsedAgain(o) {
		t.gather(c, o)
		return
	}
	t.held.add(o)
	t.stats.Held++
}

// house gathers an observation in its connection, an untracked one where none is known.
func (t *Table) house(o *Observation, c *connection) {
	if c == nil {
		c = t.track(o)
	}
	t.gather(c, o)
}

// emit appends the records of a connection: one for each use of its tuple.
func (t *Table) emit(c *connection, to []flow.Record) []flow.Record {
	for i := range c.uses {
		u := &c.uses[i]
		if !c.tracked {
			c.orient(u)
		}
		c.noteEnd(u)
		if len(u.interfaces) == 0 {
			to = append(to, t.record(c, u, &interfaceCounts{}))
			continue
		}
		counts := t.choose(c, u)
		if counts != nil && !u.isError {
			c.countOnce(counts)
		}
		if counts == nil || counts.packets() == 0 {
			continue
		}
		to = append(to, t.record(c, u, counts))
	}
	c.remember()
	return to
}

// remember keeps how the youngest use opened for the next interval.
func (c *connection) remember() {
	for i := range c.uses {
		if u := &c.uses[i]; u.opened && u.first >= c.opened {
			c.opened, c.isn = u.first, u.isn
		}
	}
}

// isNew tells whether a use opened in this interval.
func (c *connection) isNew(u *use) bool { return u.opened && (c.opened == 0 || c.isn != u.isn) }

// choose picks the observation whose counters are the connection's: the client's own interface if it was seen, else,
// where addresses are rewritten, the fullest that bears the addresses the client sent, else the server's own
// interface, else the fullest. The choice is kept while it is seen. Where the chosen interface saw nothing the use
// waits one interval: a packet on its way when the flow map was swapped is in both intervals, on different
// interfaces, and must count once. Many packets are not on their way: they have found a new one.
func (t *Table) choose(c *connection, u *use) *interfaceCounts {
	best := t.preferred(c, u)
	if u.isError {
		return best // An ICMP error takes its own way.
	}
	if c.chosen == (place{}) || c.chosen.index != best.index && t.owns(c, best.index) {
		c.chosen, c.stash = best.place, nil
		return best
	}
	if k := u.find(c.chosen); k != nil {
		c.stash = nil
		return k
	}
	if c.stash == nil && !c.isNew(u) && best.packets() <= straddling {
		kept := *u
		kept.interfaces = slices.Clone(u.interfaces)
		c.stash = &kept
		return nil
	}
	if c.stash != nil {
		u.merge(c.stash)
		best = t.preferred(c, u)
	}
	c.chosen, c.stash = best.place, nil
	return best
}

// straddling is the most packets of a connection that are on their way through a node when the flow map is swapped:
// more than a device's budget at a time in each direction. A use with more of them took another way.
const straddling = 128

// owns tells whether an interface is the client's own.
func (t *Table) owns(c *connection, index uint32) bool {
	own, _ := t.config.Locality.Interface(c.client().AddrPort().Addr())
	return own != 0 && own == index
}

func (t *Table) preferred(c *connection, u *use) *interfaceCounts {
	client, _ := t.config.Locality.Interface(c.client().AddrPort().Addr())
	server, _ := t.config.Locality.Interface(c.backend().AddrPort().Addr())
	rewritten := c.entry.nat() != 0
	var best *interfaceCounts
	var bestRank int
	for i := range u.interfaces {
		k := &u.interfaces[i]
		r := rank(k, client, server, rewritten)
		if best == nil || r > bestRank || r == bestRank && k.packets() > best.packets() {
			best, bestRank = k, r
		}
	}
	return best
}

func rank(k *interfaceCounts, client, server uint32, rewritten bool) int {
	switch {
	case client != 0 && k.index == client && k.dialed:
		return 4
	case client != 0 && k.index == client:
		return 3
	case rewritten && k.dialed:
		return 2
	case server != 0 && k.index == server:
		return 1
	}
	return 0
}

func (c *connection) client() Point  { return c.entry.OrigSrc }
func (c *connection) dialed() Point  { return c.entry.OrigDst }
func (c *connection) backend() Point { return c.entry.ReplySrc }
func (c *connection) snat() Point    { return c.entry.ReplyDst }

func (t *Table) record(c *connection, u *use, k *interfaceCounts) flow.Record {
	fwd, rev := Up, Down
	r := flow.Record{
		Start: u.first, End: u.last, Proto: u.proto,
		NAT: c.entry.nat(), Zone: c.entry.Zone, NATSource: c.entry.Source, OrientedBy: c.orientedBy,
		Fwd: k.volume(fwd), Rev: k.volume(rev), TCPFlags: u.flags[0] | u.flags[1],
		Node: t.config.Node, Iface: t.config.Locality.InterfaceName(k.index), Sampling: u.sampling,
	}
	setPoint(&r.Src, c.client())
	setPoint(&r.Dst, c.dialed())
	setPoint(&r.Backend, c.backend())
	r.SNAT = c.snat().AddrPort()
	if !u.isError {
		t.tellOwners(c, u, &r)
		u.health.tell(&r)
		c.tellPackets(u, k, &r)
	}
	if u.proto == flow.ICMPv4 || u.proto == flow.ICMPv6 {
		r.ICMP = flow.ICMP{Type: u.icmpType, Code: u.icmpCode}
	}
	if c.entry.Proto == flow.ICMPv4 || c.entry.Proto == flow.ICMPv6 {
		identify(&r)
	}
	t.assign(&r)
	return r
}

// identify moves an ICMP query's identifier from where ports are.
func identify(r *flow.Record) {
	r.ICMP.ID = r.Src.Port
	r.Src.Port, r.Dst.Port, r.Backend.Port = 0, 0, 0
	r.SNAT = netip.AddrPortFrom(r.SNAT.Addr(), 0)
}

func setPoint(e *flow.Endpoint, p Point) {
	a := p.AddrPort()
	e.Addr, e.Port = a.Addr(), a.Port()
}

// assign tells the node's role and whether this record is the one that counts: the client's node's, or where nobody
// watches the client, the node that the client's address reaches last.
func (t *Table) assign(r *flow.Record) {
	l := t.config.Locality
	_, client := l.Interface(r.Src.Addr)
	_, server := l.Interface(r.Backend.Addr)
	switch {
	case client:
		r.Reporter, r.Primary = flow.Client, true
	case server:
		r.Reporter, r.Primary = flow.Server, !l.Watched(r.Src.Addr)
	default:
		r.Reporter = flow.Transit
		r.Primary = !l.Watched(r.Src.Addr) && (r.NAT&flow.SNAT != 0 || !l.Watched(r.Backend.Addr))
	}
}

// forget drops connections that are over or were not seen for long, and where there are too many, those not seen just
// now.
func (t *Table) forget() {
	idle := t.config.Idle
	full := t.count > t.config.MaxConnections
	if !full && t.interval%8 != 0 {
		return
	}
	if full {
		idle = 1
	}
	for f, s := range t.byFace {
		for c := range s.all() {
			if (!c.pinned || full) && c.seen+idle < t.interval || c.isOver() && c.seen+2 < t.interval {
				t.drop(f, c, full)
			}
		}
	}
}

func (t *Table) drop(f face, c *connection, full bool) {
	t.unlink(f, c)
	if f != faceOf(c.entry.OrigSrc, c.entry.OrigDst, c.entry.Proto) {
		return
	}
	t.count--
	if full {
		t.stats.Forgotten++
	}
}
