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
	byFace   map[face]slot
	count    int
	interval uint64
	active   []*connection
	// pending are the interval's observations without an entry, held those of the one before that still wait.
	pending, held waiting
	// facts are the interval's, and those of the one before that still wait.
	facts []Fact
	// listens are the interval's facts of listening sockets.
	listens []listening
	spaces  spaces
	// datagrams are the sockets of UDP.
	datagrams datagrams
	records   []flow.Record
	stats     Stats
}

// slot holds the connections of a face: more than one where a tuple was used again or lies in several zones.
type slot struct {
	first *connection
	more  []*connection
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
	return &Table{config: c, byFace: make(map[face]slot), spaces: make(spaces), datagrams: datagrams{bySpeech: make(map[speech][]datagram)}}
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
		t.gather(c, o)
	}
}

// find returns the tracked connection of an entry.
func (t *Table) find(e *Entry) *connection {
	s := t.byFace[faceOf(e.OrigSrc, e.OrigDst, e.Proto)]
	for c := range s.all() {
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
	faces := e.faces()
	for i, f := range faces {
		if i > 0 && f == faces[0] || i > 1 && f == faces[1] {
			continue
		}
		t.absorb(f)
		t.link(f, c)
	}
	t.count++
	return c
}

// absorb forgets the untracked connection of a face that turns out to be tracked.
func (t *Table) absorb(f face) {
	s := t.byFace[f]
	for c := range s.all() {
		if !c.tracked && len(c.uses) == 0 {
			t.unlink(f, c)
			t.count--
			return
		}
	}
}

func (t *Table) link(f face, c *connection) {
	s := t.byFace[f]
	if s.first == nil {
		s.first = c
	} else {
		s.more = append(s.more, c)
	}
	t.byFace[f] = s
}

func (t *Table) unlink(f face, c *connection) {
	s := t.byFace[f]
	var kept slot
	for k := range s.all() {
		if k == c {
			continue
		}
		if kept.first == nil {
			kept.first = k
		} else {
			kept.more = append(kept.more, k)
		}
	}
	if kept.first == nil {
		delete(t.byFace, f)
	} else {
		t.byFace[f] = kept
	}
}

func (s slot) all() func(yield func(*connection) bool) {
	return func(yield func(*connection) bool) {
		if s.first == nil || !yield(s.first) {
			return
		}
		for _, c := range s.more {
			if !yield(c) {
				return
			}
		}
	}
}

// gather adds an observation to a connection and the connection to the interval's.
func (t *Table) gather(c *connection, o *Observation) {
	if len(c.uses) == 0 {
		t.active = append(t.active, c)
	}
	c.seen = t.interval
	c.add(o)
}

// lookup finds the connection of an observation that the kernel side did not resolve.
func (t *Table) lookup(o *Observation) *connection {
	var best *connection
	for c := range t.byFace[o.face()].all() {
		if best == nil || c.fits(o, best) {
			best = c
		}
	}
	return best
}

// fits tells whether c is a better home for an observation than d: tracked before untracked, then the one whose opening
// packet it has, then the one whose own addresses these are rather than half translated ones (see Entry.faces), then the
// one that was counted on this interface before, then by the lives that their sources told. An opening packet belongs to the entry born nearest to it; other packets to the
// youngest that lived when the first of them passed, or where none did, to the one born nearest.
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
	for i := range c.uses {
		u := &c.uses[i]
		if u.opened && (o.Opened[Up] && o.ISN[Up] == u.isn || o.Opened[Down] && o.ISN[Down] == u.isn) {
			return true
		}
	}
	return false
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
	for i := range c.uses {
		if !c.uses[i].opened {
			return false
		}
	}
	again := o.Opened[Up] && o.ISN[Up] == c.isn || o.Opened[Down] && o.ISN[Down] == c.isn
	return c.opened != 0 && !again || len(c.uses) > 0
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
	t.link(faceOf(src, dst, proto), c)
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
		for o := range list.all() {
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
