package kube

import (
	"net/netip"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

const (
	// always is the end of a span that has none yet.
	always = flow.Time(1<<63 - 1)
	// retention is how long an address's earlier holders are remembered: records may wait that long for a server.
	retention = flow.Time(2 * time.Hour)
	// maxPast bounds the spans that are over, of all addresses together; maxSpans those of one address.
	maxPast  = 100_000
	maxSpans = 16
)

// span is who had an address, from one time until before another.
type span struct {
	from, to flow.Time
	object   *object
}

func (s *span) open() bool { return s.to == always }

// place is who had one address.
type place struct {
	// spans are by their beginning.
	spans []span
	// backings are the Slices that have the address.
	backings []backing
	// The first of each are here, in the same lines of the cache: most addresses have no more.
	span    [1]span
	backing [1]backing
}

// isOne says whether there is one object that has the address now, and nobody else had it of late: then it has one
// identity, a node's aside, unless it is behind several Services.
func (p *place) isOne() bool {
	if p == nil || len(p.spans) != 1 || !p.spans[0].open() {
		return false
	}
	return len(p.backings) <= 1 || p.spans[0].object.Kind == flow.Node
}

// placeOf returns the place of an address that is about to change.
func (x *Index) placeOf(a netip.Addr) *place {
	x.known.forget(a)
	p := x.places[a]
	if p == nil {
		p = &place{}
		p.spans, p.backings = p.span[:0], p.backing[:0]
		x.places[a] = p
	}
	return p
}

// backing is one Slice's use of an address.
type backing struct {
	slice        *Slice
	service, pod string
}

// past is a span that is over, in the order of the ends.
type past struct {
	addr netip.Addr
	to   flow.Time
}

// history bounds the spans that are over.
type history struct {
	queue []past
	head  int
	// forgotten counts the spans that had to go before their time.
	forgotten uint64
}

func (h *history) len() int { return len(h.queue) - h.head }

func (h *history) push(p past) {
	if h.head > len(h.queue)/2 && h.head > 1024 {
		h.queue = append(h.queue[:0], h.queue[h.head:]...)
		h.head = 0
	}
	h.queue = append(h.queue, p)
}

func (h *history) pop() past {
	p := h.queue[h.head]
	h.head++
	return p
}

// begin gives an address to an object from a time on. Another object of the same kind that had it until now, as far as is
// known, has lost it: its end was not told yet.
func (x *Index) begin(a netip.Addr, o *object, from flow.Time) {
	p := x.placeOf(a)
	for i := range p.spans {
		if s := &p.spans[i]; s.object.Kind == o.Kind && o.Kind == flow.Pod && s.to > from {
			x.closeSpan(a, s, from)
		}
	}
	at, _ := slices.BinarySearchFunc(p.spans, from, func(s span, t flow.Time) int {
		if s.from <= t {
			return -1
		}
		return 1
	})
	p.spans = slices.Insert(p.spans, at, span{from, always, o})
	if len(p.spans) > maxSpans {
		x.dropOldest(p)
	}
}

// end takes an address from an object at a time.
func (x *Index) end(a netip.Addr, o *object, at flow.Time) {
	p := x.places[a]
	if p == nil {
		return
	}
	for i := range p.spans {
		if s := &p.spans[i]; s.object == o && s.open() {
			x.closeSpan(a, s, at)
		}
	}
}

// closeSpan ends a span, and keeps it for a while.
func (x *Index) closeSpan(a netip.Addr, s *span, at flow.Time) {
	x.known.forget(a)
	if s.open() {
		x.past.push(past{a, at})
	}
	s.to = max(at, s.from)
	for x.past.len() > x.maxPast {
		x.past.forgotten++
		x.drop(x.past.pop())
	}
}

// dropOldest drops a span of an address that has too many.
func (x *Index) dropOldest(p *place) {
	for i := range p.spans {
		if !p.spans[i].open() {
			p.spans = slices.Delete(p.spans, i, i+1)
			x.past.forgotten++
			return
		}
	}
}

// expire drops what was over long before a time.
func (x *Index) expire(now flow.Time) {
	for x.past.len() > 0 && x.past.queue[x.past.head].to < now-retention {
		x.drop(x.past.pop())
	}
}

func (x *Index) drop(d past) {
	p := x.places[d.addr]
	if p == nil {
		return
	}
	p.spans = slices.DeleteFunc(p.spans, func(s span) bool { return s.to <= d.to })
	x.vacate(d.addr, p)
}

// vacate forgets an address of which nothing is known any more.
func (x *Index) vacate(a netip.Addr, p *place) {
	if len(p.spans) == 0 && len(p.backings) == 0 {
		delete(x.places, a)
	}
}
