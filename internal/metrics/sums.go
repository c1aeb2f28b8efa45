package metrics

import (
	"slices"
	"time"

	dto "github.com/prometheus/client_model/go"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// group is a grouping with its keys and the sums of its families.
type group struct {
	*grouping
	keys keys
	// order has the places of the labels by their names.
	order    []int
	fields   []*flow.Field
	families []*sums
	// wanted, slots and known are of one batch, texts and names of one key; their memory is kept for the next.
	wanted []bool
	slots  []int32
	known  map[tuple]int32
	texts  []string
	names  []string
}

// sums are the numbers of one family: for each place of a key as many as the label has values, or for a histogram one for
// each bucket, one for what is beyond them, and the sum.
type sums struct {
	*family
	fields []*flow.Field
	split  *flow.Field
	known  map[string]int32
	empty  int32
	width  int
	// own are the label with each of its values; none where there is no label.
	own []*dto.LabelPair
	// totals has the numbers of all places, one after the other. They stop at the largest number.
	totals []int64
	parts  []part
}

func newGroup(g *grouping, limit int) *group {
	all := &group{grouping: g, keys: newKeys(limit, len(g.labels)), fields: fieldsOf(g.fields), known: make(map[tuple]int32), order: sortedByName(g.labels)}
	for i := range families {
		if families[i].by == g {
			all.families = append(all.families, newSums(&families[i]))
		}
	}
	return all
}

func newSums(f *family) *sums {
	s := &sums{family: f, fields: fieldsOf(f.fields), width: max(1, len(f.allValues())), empty: -1, known: make(map[string]int32)}
	if f.isHistogram() {
		s.width = len(f.buckets) + 2
	}
	if f.split != "" {
		s.split = field(f.split)
	}
	for i, v := range f.allValues() {
		s.known[v] = int32(i)
		s.own = append(s.own, &dto.LabelPair{Name: &f.label.name, Value: new(v)})
		if v == f.unknown && v != "" {
			s.empty = int32(i)
		}
	}
	s.parts = make([]part, max(1, len(s.fields)))
	s.totals = make([]int64, s.width)
	return s
}

// add adds a batch.
func (g *group) add(b *batch, now time.Time) {
	g.wanted = slices.Grow(g.wanted[:0], b.size)[:b.size]
	clear(g.wanted)
	for _, f := range g.families {
		f.read(b)
		for i := range f.parts {
			mark(g.wanted, f.parts[i].amounts)
		}
	}
	g.find(b, now)
	for _, f := range g.families {
		f.grow(len(g.keys.labels))
		for i := range f.parts {
			f.take(&f.parts[i], g.slots)
		}
	}
}

func mark(wanted []bool, amounts []int64) {
	for i, amount := range amounts {
		if amount != 0 {
			wanted[i] = true
		}
	}
}

// read reads what the family adds from a batch.
func (s *sums) read(b *batch) {
	for i := range s.parts {
		p := &s.parts[i]
		p.amounts = slices.Grow(p.amounts[:0], b.size)[:b.size]
		p.value = int32(i)
		if len(s.fields) == 0 {
			b.count(s.allReports, p.amounts)
		} else {
			b.sum(s.fields[i], s.allReports, p.amounts)
		}
		if s.split != nil {
			p.values = slices.Grow(p.values[:0], b.size)[:b.size]
			b.choose(s.split, s.known, s.empty, p)
		}
	}
}

// find looks up the places of the wanted rows' keys. Rows of a batch whose columns have the same codes have the same key.
func (g *group) find(b *batch, now time.Time) {
	texts := b.textsOf(g.fields)
	g.slots = slices.Grow(g.slots[:0], b.size)[:b.size]
	clear(g.known)
	var last tuple
	slot := int32(-1)
	for i := range g.slots {
		if !g.wanted[i] {
			continue
		}
		if codes := codesOf(texts, i); slot < 0 || codes != last {
			last = codes
			slot = g.slotOf(codes, texts, i)
			g.keys.last[slot] = now
		}
		g.slots[i] = slot
		if slot == otherSlot {
			g.keys.others++
		}
	}
}

func (g *group) slotOf(codes tuple, texts []columns.Texts, row int) int32 {
	if slot, ok := g.known[codes]; ok {
		return slot
	}
	g.texts = g.texts[:0]
	for i := range texts {
		g.texts = append(g.texts, texts[i].Value(row))
	}
	g.names = g.key(g.names[:0], g.texts)
	slot := g.keys.slot(g.names)
	g.known[codes] = slot
	return slot
}

// grow makes room for the numbers of as many places.
func (s *sums) grow(places int) {
	if missing := places*s.width - len(s.totals); missing > 0 {
		s.totals = append(s.totals, make([]int64, missing)...)
	}
}

// take adds a part to the sums.
func (s *sums) take(p *part, slots []int32) {
	for i, amount := range p.amounts {
		if amount == 0 {
			continue
		}
		place := int(slots[i]) * s.width
		if s.isHistogram() {
			s.observe(s.totals[place:place+s.width], amount)
			continue
		}
		total := &s.totals[place+int(p.valueOf(i))]
		*total = columns.AddSaturating(*total, amount)
	}
}

// observe adds to a histogram.
func (s *sums) observe(totals []int64, amount int64) {
	bucket, _ := slices.BinarySearch(s.buckets, amount)
	totals[bucket]++
	last := len(totals) - 1
	totals[last] = columns.AddSaturating(totals[last], amount)
}

// expire forgets the keys that nothing was added to for long.
func (g *group) expire(now time.Time) {
	for _, slot := range g.keys.expire(now) {
		for _, f := range g.families {
			clear(f.totals[int(slot)*f.width : int(slot+1)*f.width])
		}
	}
}

// snapshot copies what changes with the next batch.
func (g *group) snapshot() *group {
	copied := &group{grouping: g.grouping, order: g.order, keys: keys{labels: slices.Clone(g.keys.labels)}}
	for _, f := range g.families {
		copied.families = append(copied.families, &sums{family: f.family, own: f.own, width: f.width, totals: slices.Clone(f.totals)})
	}
	return copied
}
