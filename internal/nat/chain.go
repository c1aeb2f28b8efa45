package nat

import "iter"

// chain links values that lie elsewhere, in the order in which they were added. It takes one pointer: to the last of them,
// which leads to the first.
type chain[T any] struct{ last *link[T] }

// link is a value that may be in one chain.
type link[T any] struct {
	value T
	next  *link[T]
}

func (c *chain[T]) isEmpty() bool { return c.last == nil }

func (c *chain[T]) add(l *link[T]) {
	if c.last == nil {
		l.next = l
	} else {
		l.next, c.last.next = c.last.next, l
	}
	c.last = l
}

func (c *chain[T]) all() iter.Seq[*T] {
	return func(yield func(*T) bool) {
		if c.last == nil {
			return
		}
		for l := c.last.next; yield(&l.value) && l != c.last; {
			l = l.next
		}
	}
}

// clear unlinks the values, so that none keeps another in memory.
func (c *chain[T]) clear() {
	for c.last != nil {
		l := c.last.next
		if l == c.last {
			c.last = nil
		} else {
			c.last.next = l.next
		}
		l.next = nil
	}
}
