package dns

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// Config is what a Tracker needs to know. The zero value of a limit means its default.
type Config struct {
	// Ports are those of resolvers.
	Ports []uint16
	// Timeout is how long an answer is waited for; default DefaultTimeout.
	Timeout time.Duration
	// MaxPending bounds the exchanges under way; default 65536.
	MaxPending int
	// Client returns what stands for a client in the memory of names; nil takes each address for a client.
	Client func(netip.Addr) netip.Addr
}

// DefaultTimeout is how long resolvers wait by default (resolv.conf(5), RES_TIMEOUT).
const DefaultTimeout = 5 * time.Second

const (
	// settle is how long after an answer its exchange is open, for the same answer on further interfaces.
	settle = flow.Time(100e6)
	// maxHops bounds the places that are remembered of a query; on more it is taken for the same one still.
	maxHops = 8
)

// key is an exchange under the addresses that its packets bear in some place.
type key struct {
	client, server nat.Point
	id             uint16
	proto          flow.Proto
}

// exchange is a query and its answer.
type exchange struct {
	key      key
	question *question
	// first is when the query was first seen, asked when the last try of it was, answered when the answer was last.
	first, asked, answered flow.Time
	retries                uint32
	// index is the interface that the query was first seen on, hops are the places that the last try passed.
	index  uint32
	hops   []hop
	answer *answer
}

// Tracker makes exchanges of packets. Any goroutine may use it.
type Tracker struct {
	config  Config
	timeout flow.Time
	names   *Names

	mu        sync.Mutex
	pending   map[key]*exchange
	over      []*exchange
	streams   map[streamKey]*stream
	questions map[string]*question
	// told and toldBefore are the translated exchanges of this interval and the one before that became records.
	told, toldBefore map[key]flow.Time
	records          []flow.Record
	stats            Stats
}

// NewTracker returns a tracker that has seen nothing.
func NewTracker(c Config) *Tracker {
	if c.Timeout == 0 {
		c.Timeout = DefaultTimeout
	}
	if c.MaxPending == 0 {
		c.MaxPending = 65536
	}
	if c.Client == nil {
		c.Client = func(a netip.Addr) netip.Addr { return a }
	}
	return &Tracker{
		config: c, timeout: flow.Time(c.Timeout), names: newNames(c.Client),
		pending: make(map[key]*exchange), streams: make(map[streamKey]*stream), questions: make(map[string]*question),
		told: make(map[key]flow.Time), toldBefore: make(map[key]flow.Time),
	}
}

// Names returns the memory of names.
func (t *Tracker) Names() *Names { return t.names }

// Stats returns the counters.
func (t *Tracker) Stats() Stats {
	t.mu.Lock()
	defer t.mu.Unlock()
	s := t.stats
	s.Pending, s.Streams = len(t.pending), len(t.streams)
	t.names.mu.Lock()
	defer t.names.mu.Unlock()
	s.Names, s.NamesEvicted = len(t.names.byAddress), t.names.evicted
	return s
}

// Take takes a packet, and keeps nothing of its memory.
func (t *Tracker) Take(p *Packet) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Proto == flow.TCP {
		t.takeTCP(p)
		return
	}
	t.message(p, p.Payload, p.Length)
}

// message takes a message that a packet brought, or ended.
func (t *Tracker) message(p *Packet, message []byte, length int) {
	t.stats.Messages++
	h, err := readHeader(message)
	if err != nil {
		t.stats.Malformed++
		return
	}
	k := key{client: p.Src, server: p.Dst, id: h.id, proto: p.Proto}
	if h.response {
		k.client, k.server = p.Dst, p.Src
	}
	if !slices.Contains(t.config.Ports, k.server.Port) || h.opcode != 0 {
		return // It is a client on a resolver's port, or no question but an update or the like.
	}
	if h.response {
		err = t.response(p, k, &h, message, len(message) < length)
	} else {
		err = t.query(p, k, message)
	}
	if err != nil {
		t.stats.Malformed++
	}
}

// query opens an exchange, or finds that the query is known.
func (t *Tracker) query(p *Packet, k key, message []byte) error {
	q, err := t.questionOf(message)
	if err != nil {
		return err
	}
	e := t.pending[k]
	if e != nil && t.again(e, q, p) {
		return nil
	}
	if e != nil {
		t.finish(e)
	}
	if len(t.pending) >= t.config.MaxPending {
		t.stats.Refused++
		return nil
	}
	t.pending[k] = &exchange{
		key: k, question: q, first: p.Time, asked: p.Time, index: p.Interface, hops: append(make([]hop, 0, 4), p.hop()),
	}
	return nil
}

// again tells whether a query belongs to an exchange: the same packet in another place, or a retry.
func (t *Tracker) again(e *exchange, q *question, p *Packet) bool {
	if e.question.wire != q.wire {
		return false
	}
	if !slices.Contains(e.hops, p.hop()) && p.Time-e.asked < t.timeout {
		if len(e.hops) < maxHops {
			e.hops = append(e.hops, p.hop())
		}
		e.first = min(e.first, p.Time)
		return true
	}
	if e.answer != nil || p.Time-e.asked >= t.timeout {
		return false
	}
	e.retries++
	e.asked = p.Time
	e.hops = append(e.hops[:0], p.hop())
	return true
}

// response closes an exchange. The same answer in a further place only moves the time.
func (t *Tracker) response(p *Packet, k key, h *header, message []byte, cut bool) error {
	e := t.pending[k]
	if e == nil || p.Time-e.asked >= t.timeout {
		t.stats.Unmatched++
		return nil
	}
	if e.answer != nil {
		if p.Time-e.answered < settle {
			e.answered = max(e.answered, p.Time)
		}
		return nil
	}
	if h.questions > 0 {
		wire, err := questionBytes(message)
		if err != nil {
			return err
		}
		if string(wire) != e.question.wire {
			t.stats.Unmatched++
			return nil
		}
	}
	a, err := readAnswer(message, cut)
	if err != nil {
		return err
	}
	e.answer, e.answered = a, p.Time
	if len(a.addresses) > 0 {
		t.names.learn(k.client.AddrPort().Addr(), e.question.name, a, p.Time)
	}
	return nil
}

// finish takes an exchange out of those under way.
func (t *Tracker) finish(e *exchange) {
	delete(t.pending, e.key)
	t.over = append(t.over, e)
}
