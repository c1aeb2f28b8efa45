package live

import (
	"cmp"
	"net/netip"
	"os"
	"slices"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/seine-net/seine/internal/flow"
)

const (
	// perSecond is the load that the view must bear at a few percent of a core.
	perSecond = 10_000
	// perRow is the number of connections to a row.
	perRow = 5
)

// load returns a second's records; churn gives each its own connection.
func load(now time.Time, n int, churn bool) []flow.Record {
	batch := make([]flow.Record, perSecond)
	who := pod("front-7d9f")
	for i := range batch {
		row := i / perRow
		client := flow.Endpoint{Addr: netip.AddrFrom4([4]byte{10, 0, byte(row >> 8), byte(row)}), Port: uint16(i % perRow), Identity: who}
		if churn {
			client.Port += uint16(n * perRow)
		}
		batch[i] = record(now, flow.TCP, client, endpoint("10.96.0.20:80", service("shop", "cart")),
			endpoint("10.244.2.9:8080", pod("cart-5c6d8")), uint64(i), 1000)
	}
	return batch
}

// BenchmarkAdd reports what a record costs, the share of a core that 10,000 a second take, and the ratio to the floor
// of any such table, measured in the same run: finding the connection and its row in a map each, and adding volumes.
func BenchmarkAdd(b *testing.B) {
	for _, c := range []struct {
		name  string
		churn bool
	}{{"known", false}, {"churn", true}} {
		b.Run(c.name, func(b *testing.B) {
			table := newTable(maxRows)
			now := noon
			batches := make([][]flow.Record, 4)
			for i := range batches {
				batches[i] = load(now, i, c.churn)
			}
			sums := make(map[key]*[2]flow.Volume)
			for _, batch := range batches {
				addToFloor(sums, batch)
				table.add(now, batch)
			}
			var floor, ours time.Duration
			b.ReportAllocs()
			for n := 0; b.Loop(); n++ {
				batch := batches[n%len(batches)]
				now = now.Add(time.Second)
				start := time.Now()
				addToFloor(sums, batch)
				between := time.Now()
				table.add(now, batch)
				floor += between.Sub(start)
				ours += time.Since(between)
			}
			report(b, ours, floor, perSecond)
		})
	}
}

func addToFloor(sums map[key]*[2]flow.Volume, batch []flow.Record) {
	for i := range batch {
		r := &batch[i]
		k := keyOf(r)
		for _, k := range [...]key{k, k.together()} {
			sum := sums[k]
			if sum == nil {
				sum = new([2]flow.Volume)
				sums[k] = sum
			}
			add(&sum[0], r.Fwd)
			add(&sum[1], r.Rev)
		}
	}
}

func report(b *testing.B, ours, floor time.Duration, perSecond float64) {
	each := float64(ours.Nanoseconds()) / float64(b.N)
	b.ReportMetric(each/perSecond, "ns/record")
	b.ReportMetric(100*each/1e9, "%-of-a-core")
	b.ReportMetric(float64(ours)/float64(floor), "x-floor")
}

// BenchmarkView reports what a redraw costs with a full table, the share of a core that four a second take, and the
// ratio to the floor of any sorted view: copying the rows, and sorting their rates.
func BenchmarkView(b *testing.B) {
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		b.Fatal(err)
	}
	defer null.Close()
	for _, c := range []struct{ name, keys string }{{"rows", ""}, {"single", "e"}, {"single-filtered", "e/shop"}} {
		b.Run(c.name, func(b *testing.B) {
			v := New(Options{Title: "bench", Output: null, Input: null})
			v.now = func() time.Time { return noon }
			v.Add(load(noon, 0, false))
			m := newModel(v)
			m.Update(tea.WindowSizeMsg{Width: 200, Height: 50})
			for _, k := range c.keys {
				m.Update(keyMsg(string(k)))
			}
			var copied []row
			var rates []float64
			var floor, ours time.Duration
			b.ReportAllocs()
			for b.Loop() {
				start := time.Now()
				copied = v.table.copyRows(copied[:0], noon, m.single)
				rates = rates[:0]
				for i := range copied {
					rates = append(rates, copied[i].total())
				}
				slices.SortFunc(rates, func(a, b float64) int { return cmp.Compare(b, a) })
				between := time.Now()
				m.refresh()
				m.draw()
				floor += between.Sub(start)
				ours += time.Since(between)
			}
			each := float64(ours.Nanoseconds()) / float64(b.N)
			b.ReportMetric(each/1e6, "ms/redraw")
			b.ReportMetric(100*4*each/1e9, "%-of-a-core")
			b.ReportMetric(float64(ours)/float64(floor), "x-floor")
		})
	}
}
