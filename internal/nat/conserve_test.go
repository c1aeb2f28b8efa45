package nat

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// dice decides by bytes; where they end, always the same.
type dice struct{ data []byte }

func (d *dice) roll(n int) int {
	if len(d.data) == 0 {
		return 0
	}
	b := d.data[0]
	d.data = d.data[1:]
	return int(b) % n
}

// hop is an interface on the way of a connection and the addresses of its packets there, the client's side first.
type hop struct {
	index    uint32
	from, to string
}

// wire is a connection whose packets pass each of its hops exactly once.
type wire struct {
	entry Entry
	hops  []hop
	// isn is the present use's; uses how many there were.
	isn  uint32
	uses int
	// told says that the table knows the entry; seen that it was shown packets.
	told, seen bool
	sent       [2]uint64
	// late are passages that were on their way when the flow map was swapped.
	late []passage
	// lateOnly says that the last interval with packets had none that was not on its way at one of its ends.
	lateOnly bool
}

// passage is a packet at a hop.
type passage struct {
	hop  int
	dir  Dir
	syn  bool
	isn  uint32
	size uint64
}

// flowKey is the key of the kernel's flow map: a tuple used again has a generation of its own.
type flowKey struct {
	hop, gen int
}

// half is a half of the flow map, for one wire.
type half struct {
	w     *wire
	flows map[flowKey]*sight
	gens  map[int]int
	order []flowKey
}

func newHalf(w *wire) *half {
	return &half{w: w, flows: make(map[flowKey]*sight), gens: make(map[int]int)}
}

// pass counts a packet at a time.
func (h *half) pass(p passage, at flow.Time) {
	k := flowKey{p.hop, h.gens[p.hop]}
	s := h.flows[k]
	if s != nil && p.syn && !(s.o.Opened[s.up] && s.o.ISN[s.up] == p.isn) {
		h.gens[p.hop]++
		k.gen++
		s = nil
	}
	if s == nil {
		made := seen(h.w.hops[p.hop].from, h.w.hops[p.hop].to).on(h.w.hops[p.hop].index)
		made.o.Proto, made.o.First = h.w.entry.Proto, at
		if p.dir == Down {
			made = made.gotFirst()
		}
		s = &made
		h.flows[k] = s
		h.order = append(h.order, k)
	}
	s.o.Last = at
	d := s.up
	if p.dir == Down {
		d = d.other()
	}
	v := &s.o.Counts[d][0]
	v.Packets += p.size
	v.Bytes += p.size * packetBytes
	if p.syn {
		*s = s.syn(p.isn)
	}
}

// interval lets packets pass and shows the table what the flow map holds at its end.
func (w *wire) interval(d *dice, table *Table, now flow.Time, last bool) {
	h := newHalf(w)
	at := now
	tick := func() flow.Time { at += millisecond; return at }
	for _, p := range w.late {
		h.pass(p, tick())
	}
	w.late = w.late[:0]
	whole := d.roll(4)
	for range whole {
		for _, p := range w.packet(d, true) {
			h.pass(p, tick())
		}
	}
	// At the end of an interval packets are on their way and connections too young. Of two such intervals in a row one
	// has other packets, too: else the table takes it for a change of route (see Table.choose).
	at = now + 990*millisecond
	if !last && (whole > 0 || !w.lateOnly) && d.roll(2) == 1 {
		passages := w.packet(d, false)
		cut := 1 + d.roll(len(passages))
		for i, p := range passages {
			if i < cut {
				h.pass(p, tick())
			} else {
				w.late = append(w.late, p)
			}
		}
	}
	if len(h.order) > 0 {
		w.lateOnly = whole == 0
		w.show(d, h, table, now, last)
	} else if w.seen && !w.told && w.entry.Source != flow.NoSource {
		learnt(w.entry).tell(table, now)
		w.told = true
	}
}

// packet makes a packet and its passages in their order. The client speaks first. Only the first opening packet may be
// one on its way, as a later one moves the choice while others are.
func (w *wire) packet(d *dice, reuse bool) []passage {
	p := passage{isn: w.isn, size: uint64(1 + d.roll(3))}
	switch {
	case w.uses == 0 || reuse && w.entry.Proto == flow.TCP && d.roll(8) == 7:
		w.uses++
		w.isn += 1000
		p.syn, p.isn = w.entry.Proto == flow.TCP, w.isn
	case w.seen || w.sent[Up] > 0:
		p.dir = Dir(d.roll(2))
	}
	w.sent[p.dir] += p.size
	var out []passage
	for i := range w.hops {
		p.hop = i
		if p.dir == Down {
			p.hop = len(w.hops) - 1 - i
		}
		out = append(out, p)
	}
	return out
}

// show tells the table of the interval. Of a translated connection somebody knows the entry once the flow map is
// drained: at least one of the interfaces, or conntrack's events; of a young connection perhaps an interval later.
func (w *wire) show(d *dice, h *half, table *Table, now flow.Time, last bool) {
	young := !w.seen
	for _, k := range h.order {
		young = young && h.flows[k].o.First > now+800*millisecond
	}
	w.seen = true
	mayWait := young && !last || w.entry.Source == flow.NoSource
	resolved := -1
	if !w.told && !mayWait {
		if d.roll(2) == 0 {
			resolved = d.roll(len(h.order))
		} else {
			learnt(w.entry).tell(table, now)
		}
		w.told = true
	}
	first := d.roll(len(h.order))
	for i := range h.order {
		i = (i + first) % len(h.order)
		o := h.flows[h.order[i]].o
		if w.entry.Source != flow.NoSource && (i == resolved || w.told && d.roll(2) == 0) {
			o.Entry = &w.entry
		}
		table.Add([]Observation{o})
	}
}

// wires are connections of every kind on a node, the n-th of each set with addresses of its own.
func wires(d *dice, n int) []*wire {
	var out []*wire
	for i := range n {
		c := fmt.Sprintf("10.0.1.%d:40000", i+1)
		m := fmt.Sprintf("192.0.2.%d:40000", i+1)
		w := &wire{}
		switch d.roll(5) {
		case 0:
			w.entry = entry(c, backend, "", "")
			w.entry.Source = flow.NoSource
			w.hops = []hop{{vethC, c, backend}, {br0, c, backend}, {eth0, c, backend}}
		case 1:
			w.entry = entry(c, backend, "", m)
			w.hops = []hop{{vethC, c, backend}, {br0, c, backend}, {eth0, m, backend}}
		case 2:
			w.entry = entry(c, service, backend, "")
			w.hops = []hop{{vethC, c, service}, {br0, c, service}, {vethS, c, backend}}
		case 3:
			w.entry = entry(c, service, backend, m)
			w.hops = []hop{{eth1, c, service}, {br0, c, service}, {br0, c, backend}, {eth0, m, backend}}
		case 4:
			own := strings.Replace(c, ":40000", ":8080", 1)
			w.entry = entry(c, service, own, m)
			w.hops = []hop{{vethC, c, service}, {br0, c, service}, {br0, m, own}, {vethC, m, own}}
		}
		if d.roll(3) == 0 {
			w.entry.Proto = flow.UDP
		}
		out = append(out, w)
	}
	return out
}

// conserve plays intervals of several connections and compares what was sent with the sum of the records.
func conserve(t *testing.T, data []byte) {
	t.Helper()
	d := &dice{data}
	h := host{own: make(map[string]uint32)}
	set := wires(d, 1+d.roll(3))
	for i, w := range set {
		if w.hops[0].index == vethC && d.roll(2) == 0 {
			h.own[fmt.Sprintf("10.0.1.%d", i+1)] = vethC
		}
	}
	if d.roll(2) == 0 {
		h.own["10.0.2.1"] = vethS
	}
	table := NewTable(Config{Locality: h})
	var records []flow.Record
	intervals := 1 + d.roll(8)
	for k := range intervals {
		now := epoch + flow.Time(k)*second
		for _, w := range set {
			w.interval(d, table, now, k == intervals-1)
		}
		records = append(records, finish(t, table, now+second, k == intervals-1)...)
	}
	checkIndex(t, table)
	for _, w := range set {
		w.check(t, records)
	}
	if extra := finish(t, table, epoch+100*second, true); len(extra) != 0 {
		t.Errorf("%d records after the last interval", len(extra))
	}
}

// check compares a connection's volume with that of its records.
func (w *wire) check(t *testing.T, records []flow.Record) {
	t.Helper()
	var got [2]uint64
	var lines []string
	for i := range records {
		r := &records[i]
		if !slices.Contains([]string{w.entry.OrigSrc.AddrPort().String(), w.entry.ReplyDst.AddrPort().String()}, r.Src.AddrPort().String()) {
			continue
		}
		got[Up], got[Down] = got[Up]+r.Fwd.Packets, got[Down]+r.Rev.Packets
		line := show(t, r)
		lines = append(lines, fmt.Sprintf("%v to %v: %s", r.Start-epoch, r.End-epoch, line))
		if r.NAT != w.entry.nat() {
			t.Errorf("%s: NAT %v, want %v", line, r.NAT, w.entry.nat())
		}
	}
	if got != w.sent {
		t.Errorf("sent %d, recorded %d packets:\n%s", w.sent, got, strings.Join(lines, "\n"))
	}
}

// TestVolumeIsConserved plays random interleavings of interfaces and intervals, the same ones each time.
func TestVolumeIsConserved(t *testing.T) {
	for seed := range uint64(3000) {
		r := rand.New(rand.NewPCG(seed, 1))
		data := make([]byte, 400)
		for i := range data {
			data[i] = byte(r.Uint32())
		}
		conserve(t, data)
		if t.Failed() {
			t.Fatalf("seed %d", seed)
		}
	}
}

func FuzzVolumeIsConserved(f *testing.F) {
	f.Add([]byte{})
	f.Add([]byte("a connection of three hops, on its way"))
	f.Fuzz(conserve)
}
