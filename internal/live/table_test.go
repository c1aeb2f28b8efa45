package live

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/flow"
)

// simple returns a connection from a port of one client to one server, as a node reports it.
func simple(now time.Time, node string, primary bool, port uint16, bytes uint64) flow.Record {
	client, server := endpoint("10.0.0.1:0", flow.Identity{}), endpoint("10.0.0.2:80", flow.Identity{})
	client.Port = port
	r := record(now, flow.TCP, client, server, server, bytes, 0)
	r.Node, r.Primary = node, primary
	return r
}

func TestOnlyOneReporterCounts(t *testing.T) {
	type report struct {
		node    string
		primary bool
		bytes   uint64
	}
	f := func(name string, reports []report, want uint64) {
		t.Run(name, func(t *testing.T) {
			table, now := newTable(10), noon
			for _, r := range reports {
				now = now.Add(time.Second)
				table.add(now, []flow.Record{simple(now, r.node, r.primary, 1, r.bytes)})
			}
			rows := table.copyRows(nil, now, false)
			if len(rows) != 1 || rows[0].sent.Bytes != want {
				t.Errorf("got %d rows, the first with %d bytes; want 1 with %d", len(rows), rows[0].sent.Bytes, want)
			}
			single := table.copyRows(nil, now, true)
			if len(single) != 1 || single[0].sent.Bytes != want {
				t.Errorf("got %d connections, the first with %d bytes; want 1 with %d", len(single), single[0].sent.Bytes, want)
			}
		})
	}
	f("primary alone", []report{{"a", true, 10}, {"a", true, 20}}, 30)
	f("others do not count beside it", []report{{"a", true, 10}, {"b", false, 100}}, 10)
	f("primary replaces what another counted", []report{{"b", false, 100}, {"a", true, 10}, {"b", false, 100}}, 10)
	f("without primary the first reporter counts", []report{{"b", false, 100}, {"c", false, 1000}, {"b", false, 100}}, 200)
	f("a reporter that becomes primary goes on", []report{{"b", false, 100}, {"b", true, 10}}, 110)
}

func TestRates(t *testing.T) {
	table, now := newTable(10), noon
	rate := func() float64 { return table.copyRows(nil, now, false)[0].total() }
	step := func(d time.Duration, want float64, batch ...flow.Record) {
		t.Helper()
		now = now.Add(d)
		for i := range batch {
			batch[i].Start, batch[i].End = flow.Time(now.UnixNano()), flow.Time(now.UnixNano())
		}
		table.add(now, batch)
		if got := rate(); got != want {
			t.Errorf("%v after the start: rate is %v, want %v", now.Sub(noon), got, want)
		}
	}
	one := func(bytes uint64) flow.Record { return simple(now, "a", true, 1, bytes) }
	step(0, 1000, one(1000))                                             // The first interval is taken for a second.
	step(5*time.Second, 2000, one(10_000))                               // Five seconds.
	step(5*time.Second, 800, one(3000), simple(now, "a", true, 2, 1000)) // Two connections in one row.
	step(200*time.Millisecond, 800, one(500))                            // Too short to tell: the last interval's.
	step(800*time.Millisecond, 1500, one(1000))                          // A whole second of two parts.
	step(2*time.Second, 0)                                               // An interval without records.
	step(2*time.Second, 100, one(200))
	now = now.Add(time.Minute / 2)
	if got := rate(); got != 0 {
		t.Errorf("rate of a source that fell silent is %v, want 0", got)
	}
}

func TestSamplingIsScaled(t *testing.T) {
	table := newTable(10)
	r := simple(noon, "a", true, 1, 1000)
	r.Sampling = 50
	table.add(noon, []flow.Record{r})
	if got := table.copyRows(nil, noon, false)[0]; got.sent.Bytes != 50_000 || !got.estimated() {
		t.Errorf("sent %d, estimated %v; want 50000, true", got.sent.Bytes, got.estimated())
	}
}

func TestRowsPutConnectionsTogether(t *testing.T) {
	table := newTable(100)
	for n := range 10 {
		now := noon.Add(time.Duration(n) * time.Second)
		table.add(now, []flow.Record{simple(now, "a", true, uint16(n/2), 10)})
	}
	now := noon.Add(9 * time.Second)
	rows, single := table.copyRows(nil, now, false), table.copyRows(nil, now, true)
	if len(rows) != 1 || rows[0].conns != 5 || rows[0].sent.Bytes != 100 || len(single) != 5 {
		t.Errorf("%d rows with %d connections and %d bytes, %d single; want 1 with 5 and 100, 5 single",
			len(rows), rows[0].conns, rows[0].sent.Bytes, len(single))
	}
}

// Tables stay within their limit, the oldest leave, and those that were still shown are counted.
func TestGrowthIsBounded(t *testing.T) {
	const limit = 100
	table, now := newTable(limit), noon
	for n := range 50 {
		now = now.Add(time.Second)
		var batch []flow.Record
		for i := range 40 {
			r := simple(now, "a", true, uint16(n), 1)
			r.Dst.Port = uint16(40*n + i)
			r.Backend = r.Dst
			batch = append(batch, r)
		}
		table.add(now, batch)
	}
	for name, r := range map[string]*recent{"rows": table.rows, "connections": table.conns} {
		linked := 0
		r.each(func(*entry) { linked++ })
		if len(r.index) != limit || linked != limit {
			t.Errorf("%s: %d in the index, %d linked; want %d", name, len(r.index), linked, limit)
		}
	}
	if want := uint64(2 * (50*40 - limit)); table.left != want {
		t.Errorf("%d left, want %d", table.left, want)
	}
	newest := table.copyRows(nil, now, false)[0]
	if newest.dialled.Port() != 40*50-1 {
		t.Errorf("the newest row is of port %d, want %d", newest.dialled.Port(), 40*50-1)
	}
}

func TestSourcesAreBounded(t *testing.T) {
	table := newTable(10)
	for n := range 2 * maxSources {
		table.add(noon, []flow.Record{simple(noon, "node-"+formatCount(uint64(n)), true, 1, 1)})
	}
	if got := len(table.sources); got > maxSources+1 {
		t.Errorf("%d sources, want at most %d", got, maxSources+1)
	}
}

// Idle rows go from the screen, and go on counting when they come back.
func TestIdleRowsGoAndComeBack(t *testing.T) {
	table := newTable(10)
	table.add(noon, []flow.Record{simple(noon, "a", true, 1, 10)})
	later := noon.Add(goneAfter + time.Second)
	if rows := table.copyRows(nil, later, false); len(rows) != 0 {
		t.Errorf("%d rows are shown after %v, want none", len(rows), goneAfter)
	}
	table.add(later, []flow.Record{simple(later, "a", true, 1, 10)})
	if rows := table.copyRows(nil, later, false); len(rows) != 1 || rows[0].sent.Bytes != 20 || rows[0].conns != 1 {
		t.Errorf("got %+v, want one row with 20 bytes of one connection", rows)
	}
}

// The batch belongs to the caller, who uses it again.
func TestBatchIsCopied(t *testing.T) {
	table := newTable(10)
	batch := []flow.Record{simple(noon, "a", true, 1, 10)}
	table.add(noon, batch)
	before := table.copyRows(nil, noon, false)[0]
	clear(batch)
	after := table.copyRows(nil, noon, false)[0]
	if diff := cmp.Diff(before.sent, after.sent); diff != "" || before.key != after.key || after.node != "a" {
		t.Errorf("the row changed with the batch: %+v", after)
	}
}

func TestAddBesideTheView(t *testing.T) {
	s := newStage(t, healthy)
	s.size(120, 40)
	var adding sync.WaitGroup
	for range 4 {
		adding.Go(func() {
			for n := range 50 {
				s.view.Add(shop(noon, n))
			}
		})
	}
	for range 50 {
		s.model.refresh()
		s.press("e", "j", "s", "n")
	}
	adding.Wait()
	s.model.refresh()
	if got, want := s.model.totals.batches, uint64(4*50); got != want {
		t.Errorf("%d batches arrived, want %d", got, want)
	}
}

// The header's rates are of all that was counted, whether there is room for its rows or not.
func TestTotalsOfAFullTable(t *testing.T) {
	table := newTable(10)
	var batch []flow.Record
	for i := range 40 {
		batch = append(batch, simple(noon, "a", true, uint16(i), 100))
	}
	table.add(noon, batch)
	got := table.totals(noon)
	if want := [2]float64{4000, 0}; got.rate != want || !got.full || got.active != 10 {
		t.Errorf("rate %v, full %v, active %d; want %v, true, 10", got.rate, got.full, got.active, want)
	}
}
