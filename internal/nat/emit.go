package nat

import (
	"net/netip"
	"slices"

	"github.com/seine-net/seine/internal/flow"
)

// recordBlock is the number of records that are given on at a time, which bounds their memory.
const recordBlock = 2048

// Finish ends an interval that the flow map was swapped at the time given for, and gives its records to the sink, in
// blocks that are valid during the call; the last may be empty. With last set nothing waits for a further interval.
// After an error of the sink, which is returned, the rest of the interval's records is lost.
func (t *Table) Finish(end flow.Time, last bool, sink func([]flow.Record) error) error {
	t.join(end, last)
	t.joinFacts(end, last)
	t.assignListens(last)
	err := t.tell(sink)
	t.clear()
	t.interval++
	t.forget()
	t.forgetDatagrams(end)
	return err
}

// tell gives the records of all connections of the interval to the sink.
func (t *Table) tell(sink func([]flow.Record) error) (err error) {
	for _, c := range t.active {
		t.emit(t.build(c))
		c.sightings.clear()
		c.facts.clear()
		if len(t.records) >= recordBlock && err == nil {
			err = t.give(sink)
		}
	}
	if err == nil {
		err = t.give(sink)
	}
	return err
}

// clear forgets what the interval was told, but for what waits for the next.
func (t *Table) clear() {
	clear(t.active)
	t.active = t.active[:0]
	clear(t.turned)
	used := len(t.resolved.blocks) + len(t.held.blocks) + len(t.pending.blocks)
	t.resolved.keep(nil)
	t.held.keep(nil)
	t.pending.keep(t.young)
	t.pool.trim(used)
	t.stats.Held += uint64(t.pending.used)
	t.held, t.pending = t.pending, t.held
	clear(t.young)
	t.young = t.young[:0]
	t.facts = slices.DeleteFunc(t.facts, func(f link[Fact]) bool { return !f.value.waits })
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
	var disputed []*sighting
	house := func(s *sighting) {
		if c, sole := t.byFace.only(s.value.face()); sole {
			t.house(s, c)
		} else {
			disputed = append(disputed, s)
		}
	}
	for s := range t.held.all() {
		house(s)
	}
	for s := range t.pending.all() {
		o := &s.value
		if last || o.First <= end-t.config.Hold {
			house(s)
		} else if c := t.lookup(o); c.translates(o) && !c.mayBeUsedAgain(o) {
			t.gather(c, s)
		} else {
			t.young = append(t.young, s)
		}
	}
	for _, s := range disputed {
		t.house(s, t.lookup(&s.value))
	}
	t.young = slices.DeleteFunc(t.young, t.welcome)
}

// welcome gathers a young observation where its connection is known; else it waits an interval. That may also be where its
// tuple's last use is known alone.
func (t *Table) welcome(s *sighting) bool {
	c := t.lookup(&s.value)
	if c == nil || c.mayBeUsedAgain(&s.value) {
		return false
	}
	t.gather(c, s)
	return true
}

// house gathers an observation in its connection, an untracked one where none is known.
func (t *Table) house(s *sighting, c *connection) {
	if c == nil {
		c = t.track(&s.value)
	}
	t.gather(c, s)
}

// emit makes the records of a connection: one for each use of its tuple.
func (t *Table) emit(p *present) {
	for i := range p.uses {
		u := &p.uses[i]
		if !p.tracked {
			p.orient(u)
		}
		p.noteEnd(u)
		if len(u.interfaces) == 0 {
			t.records = append(t.records, t.record(p, u, &interfaceCounts{}))
			continue
		}
		counts := t.choose(p.connection, u)
		if counts != nil && !u.isError {
			p.countOnce(counts)
		}
		if counts == nil || counts.packets() == 0 {
			continue
		}
		t.records = append(t.records, t.record(p, u, counts))
	}
	p.remember()
}

// remember keeps how the youngest use opened for the next interval.
func (p *present) remember() {
	for i := range p.uses {
		if u := &p.uses[i]; u.opened && u.first >= p.opened {
			p.opened, p.isn = u.first, u.isn
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
		c.stash = u.copy()
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

func (t *Table) record(p *present, u *use, k *interfaceCounts) flow.Record {
	c, fwd, rev := p.connection, Up, Down
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
		u.known().tell(&r)
		p.tellPackets(u, k, &r)
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
	for _, s := range t.byFace.slots {
		for c := range s.all() {
			if (!c.pinned || full) && c.seen+idle < t.interval || c.isOver() && c.seen+2 < t.interval {
				t.drop(c, full)
			}
		}
	}
}

func (t *Table) drop(c *connection, full bool) {
	for f := range c.entry.distinctFaces {
		t.byFace.unlink(f, c)
	}
	t.count--
	if full {
		t.stats.Forgotten++
	}
}
