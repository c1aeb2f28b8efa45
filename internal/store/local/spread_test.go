package local_test

import (
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

// spread returns records whose ends are so far apart, the last at the begin of random records.
func spread(seed uint64, n int, apart time.Duration) []flow.Record {
	records := querytest.RandomRecords(seed, n)
	for i := range records {
		records[i].End = flow.Time(querytest.Begin.Add(-time.Duration(n-1-i) * apart).UnixNano())
	}
	return records
}

// countedByHour returns how many rows are found between two times, hour by hour.
func countedByHour(t *testing.T, s *local.Store, from, to time.Time) (rows, hours int64) {
	t.Helper()
	plan := &query.Plan{
		Dataset: "flows", From: flow.Time(from.UnixNano()), To: flow.Time(to.UnixNano()), Step: time.Hour,
		Measures: []query.Measure{{Name: "count()", Aggregation: query.Count}},
	}
	block, _, err := storetest.Collect(s, plan)
	if err != nil {
		t.Fatal(err)
	}
	for _, n := range block.Columns[1].Ints {
		rows += n
	}
	return rows, int64(block.Rows)
}

// Rows that come from everywhere in time make few files; each is found once, in any part of the time, also after a
// restart and when files are merged.
func TestSpreadRows(t *testing.T) {
	f := func(name string, n int, apart time.Duration, most int) {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			last := querytest.Begin.Add(time.Second)
			first, middle := last.Add(-time.Duration(n)*apart), last.Add(-time.Duration(n/2)*apart)
			check := func(s *local.Store, times int64) {
				t.Helper()
				whole, hours := countedByHour(t, s, first, last)
				early, _ := countedByHour(t, s, first, middle)
				late, _ := countedByHour(t, s, middle, last)
				if whole != times*int64(n) || hours != int64(n) || early+late != whole || late < times*int64(n/2) {
					t.Errorf("%d rows in %d hours, %d before and %d after the middle: want %d in %d", whole, hours, early, late, times*int64(n), n)
				}
			}
			for round := range int64(2) {
				s := mustOpen(t, dir, local.Config{})
				mustAppend(t, s, spread(uint64(round), n, apart))
				mustClose(t, s)
				if files := len(partFiles(t, dir)); files > most*int(round+1) {
					t.Errorf("round %d: %d files, want at most %d", round, files, most*int(round+1))
				}
				s = mustOpen(t, dir, local.Config{})
				check(s, round+1)
				mustClose(t, s)
			}
			s := mustOpen(t, dir, local.Config{})
			defer mustClose(t, s)
			if err := s.Maintain(t.Context()); err != nil {
				t.Fatal(err)
			}
			if files := len(partFiles(t, dir)); files > most {
				t.Errorf("merged: %d files, want at most %d", files, most)
			}
			check(s, 2)
		})
	}
	f("few hours", 20, time.Hour, 20)
	f("two weeks", 336, time.Hour, 24+14)
	f("years", 1000, 15*24*time.Hour, 24+64)
}
