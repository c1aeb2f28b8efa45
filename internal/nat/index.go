package nat

import (
	"hash/maphash"
	"iter"
)

// index finds connections by their faces. It holds hashes of these, as the faces themselves can be told from the
// connection: that takes a third of the memory.
type index struct {
	seed  maphash.Seed
	slots map[uint64]slot
}

// slot holds the connections of a hash, oldest first: more than one where a tuple was used again or lies in several zones,
// and, hardly ever, where two faces have one hash.
type slot struct {
	c    *connection
	next *slot
}

func newIndex() index { return index{maphash.MakeSeed(), make(map[uint64]slot)} }

func (x *index) hash(f face) uint64 { return maphash.Comparable(x.seed, f) }

// of yields the connections that have a face.
func (x *index) of(f face) iter.Seq[*connection] {
	return func(yield func(*connection) bool) {
		for c := range x.slots[x.hash(f)].all() {
			if c.has(f) && !yield(c) {
				return
			}
		}
	}
}

// only returns the connection that has a face, nil where there is none; sole is false where there may be several.
func (x *index) only(f face) (c *connection, sole bool) {
	s := x.slots[x.hash(f)]
	if s.next != nil {
		return nil, false
	}
	if s.c == nil || !s.c.has(f) {
		return nil, true
	}
	return s.c, true
}

func (s slot) all() iter.Seq[*connection] {
	return func(yield func(*connection) bool) {
		if s.c == nil || !yield(s.c) {
			return
		}
		for at := s.next; at != nil; at = at.next {
			if !yield(at.c) {
				return
			}
		}
	}
}

func (x *index) link(f face, c *connection) {
	h := x.hash(f)
	s := x.slots[h]
	if s.c == nil {
		x.slots[h] = slot{c: c}
		return
	}
	last := &s
	for last.next != nil {
		last = last.next
	}
	last.next = &slot{c: c}
	x.slots[h] = s
}

func (x *index) unlink(f face, c *connection) {
	h := x.hash(f)
	s := x.slots[h]
	switch {
	case s.c != c:
		for at := &s; at.next != nil; at = at.next {
			if at.next.c == c {
				at.next = at.next.next
				break
			}
		}
		x.slots[h] = s
	case s.next != nil:
		x.slots[h] = *s.next
	default:
		delete(x.slots, h)
	}
}

// has tells whether packets of the connection may bear a face.
func (c *connection) has(f face) bool {
	e := &c.entry
	return f.proto == e.Proto && (f.joins(&e.OrigSrc, &e.OrigDst) || f.joins(&e.ReplyDst, &e.ReplySrc) || f.joins(&e.OrigSrc, &e.ReplySrc))
}

func (f *face) joins(p, q *Point) bool { return f.isAt(p, q) || f.isAt(q, p) }

func (f *face) isAt(p, q *Point) bool {
	return f.aPort == p.Port && f.bPort == q.Port && f.a == p.Addr && f.b == q.Addr
}
