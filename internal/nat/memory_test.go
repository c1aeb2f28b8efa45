package nat

import (
	"cmp"
	"runtime"
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// TestMemory holds the bytes that a connection takes against a budget: while an interval's records are made, with all
// observations of which those without an entry had to wait, and when it has been silent for some intervals.
func TestMemory(t *testing.T) {
	const n = 50000
	f := func(name string, batch []Observation, busy, idle uint64) {
		t.Run(name, func(t *testing.T) {
			table := NewTable(Config{Locality: nowhere{}, Hold: -1})
			before := heap()
			var most uint64
			for end := range flow.Time(2) {
				table.Add(batch)
				most = 0
				err := table.Finish(end, false, func([]flow.Record) error { most = cmp.Or(most, heap()); return nil })
				if err != nil {
					t.Fatal(err)
				}
			}
			for end := range flow.Time(10) {
				finish(t, table, end+2, false)
			}
			busyGot, idleGot := (most-before)/n, (heap()-before)/n
			t.Logf("%d bytes a connection, %d once silent", busyGot, idleGot)
			if table.Stats().Connections != n {
				t.Fatalf("%d connections, want %d", table.Stats().Connections, n)
			}
			if busyGot > busy || idleGot > idle {
				t.Errorf("a connection takes %d bytes, %d once silent, want at most %d and %d", busyGot, idleGot, busy, idle)
			}
			runtime.KeepAlive(batch)
		})
	}
	all := observations(n)
	var translated, plain []Observation
	for i, o := range all {
		if i%4 == 3 {
			plain = append(plain, o)
		} else {
			translated = append(translated, o)
		}
	}
	f("plain, on one interface", plain, 560, 320)
	f("translated, on three interfaces", translated, 1080, 370)
}

// heap is the memory in use.
func heap() uint64 {
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}
