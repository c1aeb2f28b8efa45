package nat

import (
	"cmp"
	"slices"

	"github.com/seine-net/seine/internal/flow"
)

// present is a connection in the present interval: the uses that its observations and facts make. It is built when they are
// needed, one connection at a time, as all of them at once would take as much memory again as the observations.
type present struct {
	*connection
	uses []use
}

// build makes what a connection is in the present interval. The result is valid until the next call. Calls for the same
// connection give the same uses.
func (t *Table) build(c *connection) *present {
	p := &t.present
	p.connection, p.uses = c, recycled(p.uses)
	for o := range c.sightings.all() {
		p.add(o)
	}
	p.settle()
	for f := range c.facts.all() {
		t.apply(p, f)
	}
	for _, a := range t.turned[c] {
		p.uses[a.use].noted().listenDrops += a.segments
	}
	return p
}

// recycled empties uses whose memory is to be used again.
func recycled(uses []use) []use {
	for i := range uses {
		uses[i].recycle()
	}
	return uses[:0]
}

func (u *use) recycle() {
	if h := u.health; h != nil {
		*h = health{drops: h.drops[:0]}
	}
}

// add counts an observation of the connection.
func (p *present) add(o *Observation) {
	reversed, dialed := p.against(o)
	opened, isn := p.opens(o, reversed)
	firstDir := o.FirstDir
	if reversed {
		firstDir = firstDir.other()
	}
	p.useFor(o, opened, isn, firstDir).add(o, reversed, dialed)
}

// useFor returns the use that an observation belongs to, a new one if need be.
func (p *present) useFor(o *Observation, opened bool, isn uint32, firstDir Dir) *use {
	for i := range p.uses {
		if p.uses[i].same(o.Proto, o.ICMPType, o.ICMPCode, opened, isn) {
			return &p.uses[i]
		}
	}
	return p.begin(use{
		isn: isn, opened: opened, isError: o.QuotedProto != 0, proto: o.Proto, icmpType: o.ICMPType, icmpCode: o.ICMPCode,
		sampling: o.Sampling, first: o.First, last: o.Last, firstDir: firstDir,
	})
}

// begin adds a use, in the memory of an earlier one if there is any.
func (p *present) begin(u use) *use {
	n := len(p.uses)
	if n == cap(p.uses) {
		p.uses = append(p.uses, u)
		return &p.uses[n]
	}
	p.uses = p.uses[:n+1]
	old := &p.uses[n]
	u.interfaces, u.health = old.interfaces[:0], old.health
	*old = u
	return old
}

// settle joins the uses without an opening packet to the one they belong to: a tuple's use in this interval began at
// an earlier one, or its opening packet was seen on another interface only. Then it puts the uses in their order: what a
// new one chooses must not count for those before it.
func (p *present) settle() {
	for i := 0; i < len(p.uses); i++ {
		loose := &p.uses[i]
		if loose.opened {
			continue
		}
		if j := p.opening(loose); j >= 0 {
			p.uses[j].merge(loose)
			p.drop(i)
			i--
		}
	}
	slices.SortStableFunc(p.uses, func(a, b use) int { return cmp.Compare(a.first, b.first) })
}

// drop takes a use away, whose memory the next one has.
func (p *present) drop(i int) {
	gone := p.uses[i]
	gone.recycle()
	last := len(p.uses) - 1
	copy(p.uses[i:], p.uses[i+1:])
	p.uses[last] = gone
	p.uses = p.uses[:last]
}

// opening finds the opened use that a loose one belongs to: the latest that opened before it, else the first that
// overlaps it; -1 where it lies before all, as the end of a connection from an earlier interval does.
func (p *present) opening(loose *use) int {
	best := -1
	for i := range p.uses {
		u := &p.uses[i]
		if !u.opened || u.proto != loose.proto || u.icmpType != loose.icmpType || u.icmpCode != loose.icmpCode {
			continue
		}
		if u.first > loose.last {
			continue
		}
		if best < 0 || u.opensNearer(&p.uses[best], loose.first) {
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
