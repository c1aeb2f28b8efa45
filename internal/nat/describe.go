package nat

import "github.com/seine-net/seine/internal/flow"

// Describe returns a record without volume of the connection whose packets bore the addresses at some time, as they were
// seen on an interface. Where conntrack does not tell, src is the client.
func (t *Table) Describe(proto flow.Proto, src, dst Point, at flow.Time, index uint32) flow.Record {
	c := t.lookup(&Observation{Low: src, High: dst, Proto: proto, First: at, Last: at})
	if c == nil || !c.tracked {
		known := c
		c = &connection{orientedBy: flow.ByFirstPacket, entry: Entry{
			Proto: proto, OrigSrc: src, OrigDst: dst, ReplySrc: dst, ReplyDst: src,
		}}
		if known != nil && known.entry.OrigSrc == src {
			c.owners = known.owners
		}
	}
	return t.record(c, &use{proto: proto, first: at, last: at, sampling: 1}, &interfaceCounts{place: place{index: index}})
}
