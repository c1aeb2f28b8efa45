package nat

import "github.com/seine-net/seine/internal/flow"

// ephemeral is the lowest port that Linux gives to clients by default (net.ipv4.ip_local_port_range).
const ephemeral = 32768

// orient tells client from server where conntrack does not, by the best evidence there is or was: who opened, else
// the ports, else who spoke first. It turns the connection and its use so that the client is Up.
func (c *connection) orient(u *use) {
	by, clientUp := c.evidence(u)
	if c.orientedBy != 0 && c.orientedBy <= by {
		by, clientUp = c.orientedBy, true
	}
	c.orientedBy = by
	if clientUp {
		return
	}
	e := &c.entry
	e.OrigSrc, e.OrigDst, e.ReplySrc, e.ReplyDst = e.OrigDst, e.OrigSrc, e.ReplyDst, e.ReplySrc
	c.entered[0], c.entered[1] = c.entered[1], c.entered[0]
	c.owners[0], c.owners[1] = c.owners[1], c.owners[0]
	for i := range c.uses {
		c.uses[i].turn()
	}
	if c.stash != nil {
		c.stash.turn()
	}
}

// turn swaps the directions.
func (u *use) turn() {
	u.flags[0], u.flags[1] = u.flags[1], u.flags[0]
	u.openedBy[0], u.openedBy[1] = u.openedBy[1], u.openedBy[0]
	u.firstDir = u.firstDir.other()
	u.health.turn()
	for i := range u.interfaces {
		k := &u.interfaces[i]
		k.counts[0], k.counts[1] = k.counts[1], k.counts[0]
		k.marks[0], k.marks[1] = k.marks[1], k.marks[0]
	}
}

func (c *connection) evidence(u *use) (by flow.Orientation, clientUp bool) {
	if u.openedBy[Up] != u.openedBy[Down] {
		return flow.BySYN, u.openedBy[Up]
	}
	if u.flags[Up]&flow.SYN != u.flags[Down]&flow.SYN {
		// Nobody opened, so the only SYN is a SYN-ACK, which the server sends.
		return flow.BySYN, u.flags[Up]&flow.SYN == 0
	}
	src, dst := c.entry.OrigSrc, c.entry.OrigDst
	if isMulticast(dst.Addr) != isMulticast(src.Addr) {
		return flow.ByFirstPacket, isMulticast(dst.Addr)
	}
	if (src.Port >= ephemeral) != (dst.Port >= ephemeral) {
		return flow.ByPort, src.Port >= ephemeral
	}
	// An error goes to who spoke first.
	return flow.ByFirstPacket, (u.firstDir == Up) != u.isError
}
