package live

import (
	"sync"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

const (
	// maxRows bounds the connections, and the rows that put them together.
	maxRows = 10_000
	// fadeAfter is how long a row has been idle when it fades, goneAfter when it is not shown any more. It stays in the
	// table, as long as there is room, and goes on counting where it stopped.
	fadeAfter = 30 * time.Second
	goneAfter = 60 * time.Second
)

// table sums records by connection and by row.
type table struct {
	mu      sync.Mutex
	conns   *recent
	rows    *recent
	sources map[string]*source
	// batches counts calls of add, left the rows that had to leave while they were still shown.
	batches, left uint64
}

func newTable(limit int) *table {
	return &table{conns: newRecent(limit), rows: newRecent(limit), sources: make(map[string]*source)}
}

func (t *table) add(now time.Time, batch []flow.Record) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.batches++
	if len(batch) == 0 && len(t.sources) == 1 { // It can only be from that one.
		for _, s := range t.sources {
			s.advance(now)
		}
	}
	var node string
	var from *source
	for i := range batch {
		r := &batch[i]
		if from == nil || r.Node != node {
			node, from = r.Node, t.source(r.Node, now, batch)
			from.advance(now)
		}
		t.ingest(r, from, now)
	}
}

// source returns a node's intervals. Where the first one began is not known: its packets tell.
func (t *table) source(node string, now time.Time, batch []flow.Record) *source {
	if len(t.sources) >= maxSources && t.sources[node] == nil {
		node = ""
	}
	s := t.sources[node]
	if s == nil {
		start, end := batch[0].Start, batch[0].End
		for i := range batch {
			start, end = min(start, batch[i].Start), max(end, batch[i].End)
		}
		s = &source{start: now.Add(-max(time.Duration(end-start), shortest)), end: now, last: now, seq: 1}
		t.sources[node] = s
	}
	return s
}

func (t *table) ingest(r *flow.Record, from *source, now time.Time) {
	k := keyOf(r)
	c := t.conns.index[k]
	if c != nil && !c.counts(r, from, now) {
		return
	}
	g := t.row(k.together(), now)
	if c == nil {
		c = t.open(k, g, now)
	} else if r.Primary && !c.primary && c.source != from {
		take(&g.sent, c.sent)
		take(&g.received, c.received)
		c.sent, c.received = flow.Volume{}, flow.Volume{}
	}
	if g.who == nil || !g.who.describes(r) {
		g.who = &who{r.Src.Identity, r.Dst.Identity, r.Backend.Identity}
	}
	c.who = g.who
	c.primary = r.Primary
	t.conns.use(c)
	t.rows.use(g)
	c.count(r, from)
	g.count(r, from)
	fwd, rev := scaled(r)
	from.all.add(from.seq, fwd.Bytes, rev.Bytes)
}

// counts tells whether a record's volumes count. Those of the primary one do; without one, those of the first node
// that reported the connection.
func (e *entry) counts(r *flow.Record, from *source, now time.Time) bool {
	if r.Primary || e.idle(now) > goneAfter {
		return true
	}
	return !e.primary && e.source == from
}

func (t *table) row(k key, now time.Time) *entry {
	if g := t.rows.index[k]; g != nil {
		return g
	}
	g, left := t.rows.insert(k)
	t.miss(&left, now)
	return g
}

func (t *table) open(k key, g *entry, now time.Time) *entry {
	c, left := t.conns.insert(k)
	t.miss(&left, now)
	c.conns = 1
	g.conns++
	return c
}

func (t *table) miss(left *row, now time.Time) {
	if left.who != nil && left.idle(now) < goneAfter {
		t.left++
	}
}

// totals are of all connections, whatever is shown of them.
type totals struct {
	batches, left uint64
	// rows is the number of rows, active that of connections with packets in the last interval, translated how many
	// of these conntrack rewrote. The table does not hold more active ones than its limit: then full is set.
	rows, active, translated int
	full                     bool
	// rate is in bytes per second, sent and received.
	rate [2]float64
}

// copyRows appends the rows to be shown, each connection in one of its own if single.
func (t *table) copyRows(dst []row, now time.Time, single bool) []row {
	t.mu.Lock()
	defer t.mu.Unlock()
	from := t.rows
	if single {
		from = t.conns
	}
	from.each(func(e *entry) {
		if e.idle(now) > goneAfter {
			return
		}
		dst = append(dst, e.row)
		r := &dst[len(dst)-1]
		r.rate, r.newest = e.source.rate(&e.activity, now)
	})
	return dst
}

func (t *table) totals(now time.Time) totals {
	t.mu.Lock()
	defer t.mu.Unlock()
	sum := totals{batches: t.batches, left: t.left, rows: len(t.rows.index)}
	for _, s := range t.sources {
		rate, _ := s.rate(&s.all, now)
		sum.rate[0] += rate[0]
		sum.rate[1] += rate[1]
	}
	t.conns.each(func(e *entry) {
		if newest, _ := e.source.newest(); e.activity.last < newest || e.source.silent(now) {
			return
		}
		sum.active++
		if e.nat != 0 {
			sum.translated++
		}
	})
	sum.full = sum.active >= t.conns.limit
	return sum
}

// changes counts the calls of add: while it stands still, so does the table.
func (t *table) changes() uint64 {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.batches
}
