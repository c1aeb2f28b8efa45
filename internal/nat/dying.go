package nat

// learnDying takes the conntrack entry of packets that were dropped before it was confirmed, if it translates. The next
// packet of the connection gets an entry of its own, perhaps with another backend.
func (t *Table) learnDying(f *Fact) {
	if f.Entry == nil || f.Entry.nat() == 0 || !f.isOfEntry() {
		return
	}
	c := t.find(f.Entry)
	if c == nil {
		if t.count >= t.config.MaxConnections {
			t.stats.Refused++
			return
		}
		c = t.insert(f.Entry)
		c.dying = true
	}
	if c.dying {
		c.start, c.end = f.First-apart, f.Last
	}
	c.seen = t.interval
}

// isOfEntry tells whether the dropped packets are those that made their entry. An ICMP error or redirect bears the entry of
// the packet that it is about, which may go on.
func (f *Fact) isOfEntry() bool {
	return f.Proto == f.Entry.Proto && (f.Src == f.Entry.OrigSrc || f.Src == f.Entry.ReplyDst)
}

// confirm notes that another source knows the entry: a later packet got the same one, and was not dropped.
func (c *connection) confirm() {
	if c.dying {
		c.dying, c.start, c.end = false, 0, 0
	}
}

// twinOf finds the connection that a fact of a dying one is about: each SYN of one connect that is dropped may have been led
// to another backend, and all belong to the entry that has the packets of this interval.
func (t *Table) twinOf(c *connection, f *Fact) *connection {
	e := &c.entry
	for twin := range t.byFace[faceOf(e.OrigSrc, e.OrigDst, e.Proto)].all() {
		if twin.entry.Zone == e.Zone && twin.useOf(f) != nil {
			return twin
		}
	}
	return c
}
