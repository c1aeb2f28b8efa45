package nat

import (
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// Locality tells what the node knows of addresses.
type Locality interface {
	// Interface returns the host side interface that leads to the address alone (a pod's), 0 where there is none,
	// and whether the address is on this node at all.
	Interface(addr netip.Addr) (index uint32, local bool)
	// Watched tells whether another node's agent reports connections of the address.
	Watched(addr netip.Addr) bool
	// InterfaceName returns the name of an interface, "" if it was never known.
	InterfaceName(index uint32) string
}

// Config is what a Table needs to know. The zero value of a limit means its default.
type Config struct {
	Node     string
	Locality Locality
	// MaxConnections bounds the connections remembered; default 262144. Beyond it the ones not seen for longest go,
	// then new ones are forgotten at the end of their interval.
	MaxConnections int
	// Idle is the number of intervals after which a connection without packets is forgotten; default 60.
	Idle uint64
	// Hold is how long before an interval's end a connection must have begun to be reported untranslated: a younger
	// one waits an interval for its translation. Default 200 ms; negative: none waits.
	Hold flow.Time
	// NetNS is the number of the node's own network namespace; 0 takes facts from all.
	NetNS uint32
	// PodSpaces are the numbers of its pods' network namespaces, where these are known; nil tells pods' by their addresses,
	// which takes pods of another cluster on this kernel with the same addresses for its own.
	PodSpaces []uint32
	// TellsEnds says that whoever learns translations from ctnetlink also learns when they end.
	TellsEnds bool
}

// Stats counts what a Table did.
type Stats struct {
	// Connections is the number remembered now.
	Connections int
	// Forgotten counts connections that had to go because the table was full.
	Forgotten uint64
	// Refused counts translations that were not taken because the table was full.
	Refused uint64
	// Held counts observations that waited an interval for their translation.
	Held uint64
	// FactsDropped counts facts that were not taken because there were too many.
	FactsDropped uint64
	// FactsForeign counts facts from network namespaces that are not this node's.
	FactsForeign uint64
	// ListensUnassigned counts segments that a listener turned away, of which no connection is known.
	ListensUnassigned uint64
}

// Table joins observations and translations to connections. It is not safe for concurrent use.
type Table struct {
	config   Config
	byFace   index
	count    int
	interval uint64
	active   []*connection
	// pending are the interval's observations without an entry, held those of the one before that still wait, and resolved
	// those whose entry came with them. Young are those of pending that wait for the next interval.
	pending, held, resolved waiting
	young                   []*sighting
	pool                    pool
	// facts are the interval's, and those of the one before that still wait; those after youngFact may wait for the next.
	facts     []link[Fact]
	youngFact flow.Time
	// listens are the interval's facts of listening sockets.
	listens []listening
	spaces  spaces
	// turned are the segments that listeners turned away.
	turned  map[*connection][]turnedAway
	present present
	// datagrams are the sockets of UDP.
	datagrams datagrams
	records   []flow.Record
	stats     Stats
}

// NewTable returns an empty table.
func NewTable(c Config) *Table {
	if c.MaxConnections == 0 {
		c.MaxConnections = 262144
	}
	if c.Idle == 0 {
		c.Idle = 60
	}
	if c.Hold == 0 {
		c.Hold = 200e6
	}
	t := &Table{
		config: c, byFace: newIndex(), spaces: make(spaces), turned: make(map[*connection][]turnedAway),
		datagrams: datagrams{bySpeech: make(map[speech][]datagram)},
	}
	t.pending.pool, t.held.pool, t.resolved.pool = &t.pool, &t.pool, &t.pool
	return t
}

// Stats returns the counters.
func (t *Table) Stats() Stats {
	s := t.stats
	s.Connections = t.count
	return s
}

// Learn takes translations from a source outside the flow map.
func (t *Table) Learn(batch []Translation) {
	for i := range batch {
		tr := &batch[i]
		e := entryOf(tr)
		if c := t.find(&e); c != nil {
			c.confirm()
			t.relearn(c, tr)
			continue
		}
		if t.count >= t.config.MaxConnections {
			t.stats.Refused++
			continue
		}
		c := t.insert(&e)
		c.start, c.end = tr.Start, tr.End
		c.pinned = t.config.TellsEnds && tr.Source == flow.CTNetlink && tr.End == 0
	}
}

// relearn notes what is new about a known entry: a birth after its death is a new life of the same tuples.
func (t *Table) relearn(c *connection, tr *Translation) {
	if tr.Start != 0 && tr.Start > c.start {
		c.start, c.end = tr.Start, 0
		c.pinned = t.config.TellsEnds && tr.Source == flow.CTNetlink
	}
	if tr.End != 0 {
		c.end, c.pinned = tr.End, false
	}
	c.seen = max(c.seen, t.interval)
}

// Add takes observations of the present interval. It keeps no reference to the slice, nor to the entries.
func (t *Table) Add(batch []Observation) {
	for i := range batch {
		o := &batch[i]
		if o.Entry == nil {
			t.pending.add(o)
			continue
		}
		c := t.find(o.Entry)
		if c == nil {
			c = t.insert(o.Entry)
		}
		c.confirm()
		t.gather(c, t.resolved.add(o))
	}
}

// find returns the tracked connection of an entry.
func (t *Table) find(e *Entry) *connection {
	for c := range t.byFace.of(faceOf(e.OrigSrc, e.OrigDst, e.Proto)) {
		if c.tracked && c.entry.same(e) {
			return c
		}
	}
	return nil
}

// insert adds a tracked connection under its faces. What was gathered without its entry under the same addresses
// becomes part of it.
func (t *Table) insert(e *Entry) *connection {
	c := &connection{entry: *e, tracked: true, orientedBy: flow.ByConntrack, seen: t.interval}
	for f := range e.distinctFaces {
		t.absorb(f)
		t.byFace.link(f, c)
	}
	t.count++
	return c
}

// absorb forgets the untracked connection of a face that turns out to be tracked.
func (t *Table) absorb(f face) {
	for c := range t.byFace.of(f) {
		if !c.tracked && c.sightings.isEmpty() {
			t.byFace.unlink(f, c)
			t.count--
			return
		}
	}
}

// gather adds an observation to a connection and the connection to the interval's.
func (t *Table) gather(c *connection, s *sighting) {
	t.activate(c)
	c.seen = t.interval
	c.sightings.add(s)
}

// activate makes a connection one of the interval's.
func (t *Table) activate(c *connection) {
	if c.sightings.isEmpty() && c.facts.isEmpty() {
		t.active = append(t.active, c)
	}
}

// lookup finds the connection of an observation that the kernel side did not resolve.
func (t *Table) lookup(o *Observation) *connection {
	var best *connection
	for c := range t.byFace.of(o.face()) {
		if best == nil || c.fits(o, best) {
			best = c
		}
	}
	return best
}

// fits tells whether c is a better home for an observation than d: tracked before untracked, then the one whose opening
// packet it has, then the one whose own addresses these are rather than half translated ones (see Entry.faces), then the
// one of its zone whose opening packet came last before it, then the one that was counted on this interface before, then by
// the lives that their sources told, which may be late. An opening packet belongs to the entry born nearest to it; other
// packets to the youngest that lived when the first of them passed, or where none did, to the one born nearest.
func (c *connection) fits(o *Observation, d *connection) bool {
	if c.tracked != d.tracked {
		return c.tracked
	}
	if mine, its := c.sentOpening(o), d.sentOpening(o); mine != its {
		return mine
	}
	if mine, its := c.bears(o), d.bears(o); mine != its && c.lived(o.First) == d.lived(o.First) {
		return mine
	}
	opens := o.Opened[Up] || o.Opened[Down]
	if mine, its := c.openedBefore(o.First), d.openedBefore(o.First); !opens && c.entry.Zone == d.entry.Zone && mine.precedes(its) != its.precedes(mine) {
		return its.precedes(mine)
	}
	if mine, its := c.countedAt(o), d.countedAt(o); !opens && mine != its && c.lived(o.First) && d.lived(o.First) {
		return mine
	}
	if alive := c.lived(o.First); !opens && (alive || d.lived(o.First)) {
		return alive && (!d.lived(o.First) || c.start > d.start)
	}
	return distance(c.start, o.First) < distance(d.start, o.First)
}

// lived tells whether the entry was there at a time, as far as its source told.
func (c *connection) lived(at flow.Time) bool {
	return c.start <= at && (c.end == 0 || c.end >= at)
}

// sentOpening tells whether the observation's opening packet was seen of the connection elsewhere in the interval.
func (c *connection) sentOpening(o *Observation) bool {
	if !o.Opened[Up] && !o.Opened[Down] {
		return false
	}
	for s := range c.sightings.all() {
		reversed, _ := c.against(s)
		opened, isn := c.opens(s, reversed)
		if opened && (o.Opened[Up] && o.ISN[Up] == isn || o.Opened[Down] && o.ISN[Down] == isn) {
			return true
		}
	}
	return false
}

// opening is when a use opened, 0 where that is not known, and its sequence number.
type opening struct {
	at  flow.Time
	isn uint32
}

// precedes tells whether two uses are known, and this one is the earlier.
func (a opening) precedes(b opening) bool { return a.at != 0 && a.at < b.at && a.isn != b.isn }

// openedBefore is the latest opening up to a time.
func (c *connection) openedBefore(at flow.Time) (latest opening) {
	if c.opened <= at {
		latest = opening{c.opened, c.isn}
	}
	for s := range c.sightings.all() {
		reversed, _ := c.against(s)
		if opened, isn := c.opens(s, reversed); opened && s.First <= at && s.First > latest.at {
			latest = opening{s.First, isn}
		}
	}
	return latest
}

// mayBeUsedAgain tells whether the observation opens a use of the connection's tuple that may have an entry of its own: no
// packet of this interval, and none before, has shown that its opening packet is the connection's. Where births are told
// that is so in front of the translation alone, and for what opens at another time than that of the last birth.
func (c *connection) mayBeUsedAgain(o *Observation) bool {
	if !c.tracked || !o.Opened[Up] && !o.Opened[Down] || c.sentOpening(o) {
		return false
	}
	if c.start != 0 && (c.translates(o) || distance(c.start, o.First) <= apart) {
		return false
	}
	for s := range c.sightings.all() {
		reversed, _ := c.against(s)
		if opened, _ := c.opens(s, reversed); !opened {
			return false
		}
	}
	again := o.Opened[Up] && o.ISN[Up] == c.isn || o.Opened[Down] && o.ISN[Down] == c.isn
	return c.opened != 0 && !again || !c.sightings.isEmpty()
}

// translates tells whether an observation bears the connection's addresses behind its translation, which are seldom another
// connection's too.
func (c *connection) translates(o *Observation) bool {
	return c != nil && c.tracked && o.face() != faceOf(c.entry.OrigSrc, c.entry.OrigDst, o.Proto)
}

// countedAt tells whether the connection's counters came from the observation's interface before.
func (c *connection) countedAt(o *Observation) bool { return c.chosen.index == o.Interface }

// bears tells whether the observation's addresses are those of the connection at one of its ends.
func (c *connection) bears(o *Observation) bool {
	e, f := &c.entry, faceOf(o.Low, o.High, o.Proto)
	return f == faceOf(e.OrigSrc, e.OrigDst, e.Proto) || f == faceOf(e.ReplyDst, e.ReplySrc, e.Proto)
}

func distance(a, b flow.Time) flow.Time { return max(a-b, b-a) }

// track makes an untracked connection for an observation of which nothing is known. An ICMP error tells of the
// connection that it quotes.
func (t *Table) track(o *Observation) *connection {
	proto, src, dst := o.Proto, o.Low, o.High
	if o.QuotedProto != 0 {
		proto = o.QuotedProto
		src, dst = o.quoted()
	}
	c := &connection{seen: t.interval, entry: Entry{
		Proto: proto, OrigSrc: src, OrigDst: dst, ReplySrc: dst, ReplyDst: src,
	}}
	t.byFace.link(faceOf(src, dst, proto), c)
	t.count++
	return c
}

// Question is a connection whose translation is not known, as its packets bear it.
type Question struct {
	Proto flow.Proto
	Tuple Tuple
}

// Unresolved returns at most limit of the connections in this interval that nothing told the entry of, and how many
// more there are. ICMP errors and connections without ports are not among them.
func (t *Table) Unresolved(limit int) (questions []Question, more int) {
	asked := make(map[face]bool)
	for _, list := range []*waiting{&t.held, &t.pending} {
		for s := range list.all() {
			o := &s.value
			f := faceOf(o.Low, o.High, o.Proto)
			if !o.canBeAsked() || asked[f] {
				continue
			}
			if c := t.lookup(o); c != nil && c.tracked {
				continue
			}
			asked[f] = true
			if len(questions) == limit {
				more++
				continue
			}
			questions = append(questions, Question{o.Proto, Tuple{Src: o.Low.AddrPort(), Dst: o.High.AddrPort()}})
		}
	}
	return questions, more
}

func (o *Observation) canBeAsked() bool {
	return o.QuotedProto == 0 && o.Low.Port != 0 && o.High.Port != 0 && !isMulticast(o.Low.Addr) && !isMulticast(o.High.Addr)
}
