package nat

import "github.com/seine-net/seine/internal/flow"

// A socket of UDP has no connection: it is bound to a port, to one or all addresses of its network namespace, and perhaps
// to one peer. So it is not joined as other facts are, but looked up when a record of its port is made.

// datagrams are the sockets of UDP that are open, or were a short time ago.
type datagrams struct {
	bySpeech map[speech][]datagram
	count    int
}

// speech is a socket's port and its peer, which is empty where it has no one.
type speech struct {
	port uint16
	peer Point
}

type datagram struct {
	Fact
	// seen is the last interval in which the socket was told.
	seen uint64
}

const (
	// maxDatagrams bounds the sockets remembered; those beyond are not, and counted.
	maxDatagrams = 65536
	// datagramKept is how long one is remembered that was closed, or whose end was missed: what is told of its queries may
	// come later than it.
	datagramKept = flow.Time(10e9)
)

func (f *Fact) isDatagram() bool { return f.Proto == flow.UDP && f.Socket != nil }

// bind takes what a socket of UDP tells. Of one that is bound to all addresses it is asked when records are made whether
// it is in a namespace of ours.
func (t *Table) bind(f *Fact) {
	unspecified := f.Src.AddrPort().Addr().IsUnspecified()
	if f.Socket.Process == nil || !unspecified && !t.isOurs(f) {
		return
	}
	key := speech{f.Src.Port, f.Dst}
	all := t.datagrams.bySpeech[key]
	for i := range all {
		d := &all[i]
		if d.NetNS == f.NetNS && d.Socket.ID == f.Socket.ID && d.Src == f.Src && d.Socket.Process.PID == f.Socket.Process.PID {
			*d = datagram{*f, t.interval}
			return
		}
	}
	if t.datagrams.count >= maxDatagrams {
		t.stats.FactsDropped++
		return
	}
	t.datagrams.bySpeech[key] = append(all, datagram{*f, t.interval})
	t.datagrams.count++
}

// forgetDatagrams drops those that were not told for long.
func (t *Table) forgetDatagrams(now flow.Time) {
	for key, all := range t.datagrams.bySpeech {
		kept := all[:0]
		for _, d := range all {
			if d.seen+2 >= t.interval || d.Last+datagramKept >= now {
				kept = append(kept, d)
			}
		}
		clear(all[len(kept):])
		t.datagrams.count -= len(all) - len(kept)
		if len(kept) == 0 {
			delete(t.datagrams.bySpeech, key)
		} else {
			t.datagrams.bySpeech[key] = kept
		}
	}
}

// ownerOf returns the process whose socket had the packets between two endpoints in a time, nil where none is known, or
// where it may be one of several. As in the kernel, a socket with a peer goes before those that take packets from all, and
// one with an address before those without (net/ipv4/udp.c, compute_score).
func (t *Table) ownerOf(local, peer Point, first, last flow.Time) *flow.Process {
	for _, key := range []speech{{local.Port, peer}, {local.Port, Point{}}} {
		all := t.datagrams.bySpeech[key]
		for _, everywhere := range []bool{false, true} {
			if owner, found := t.onlyOwner(all, local, everywhere, first, last); found {
				return owner
			}
		}
	}
	return nil
}

// onlyOwner returns the process of the sockets at an address, or of those that are bound to all addresses; nil where that
// is not one.
func (t *Table) onlyOwner(all []datagram, local Point, everywhere bool, first, last flow.Time) (owner *flow.Process, found bool) {
	for i := range all {
		d := &all[i]
		if !d.lived(first, last) || everywhere && !t.isEverywhere(d, local) || !everywhere && d.Src.Addr != local.Addr {
			continue
		}
		if found && (owner == nil || owner.PID != d.Socket.Process.PID) {
			return nil, true
		}
		owner, found = d.Socket.Process, true
	}
	return owner, found
}

// lived tells whether the socket was there at some time between two.
func (d *datagram) lived(first, last flow.Time) bool {
	return d.First <= last+apart && (d.Socket.TCP.State != flow.TCPClose || d.Last >= first-apart)
}

// isEverywhere tells whether the socket is bound to all addresses of a namespace, of which one is given.
func (t *Table) isEverywhere(d *datagram, local Point) bool {
	own := d.Src.AddrPort().Addr()
	return own.IsUnspecified() && (own.Is6() || local.AddrPort().Addr().Is4()) && t.isHome(d.NetNS, local)
}

// isHome tells whether an address is one of a network namespace's, as far as is known.
func (t *Table) isHome(netns uint32, at Point) bool {
	pod, local := t.config.Locality.Interface(at.AddrPort().Addr())
	if netns == t.config.NetNS || t.config.NetNS == 0 {
		return local && pod == 0
	}
	_, ok := t.spaces[netns][at.Addr]
	return ok
}
