package local_test

import (
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store/local"
)

// everyHour keeps a row for each of so many hours, the last at the begin of random records, in files of their own.
func everyHour(t *testing.T, dir string, hours int) {
	t.Helper()
	records := spread(1, hours, time.Hour)
	for i := range records {
		s := mustOpen(t, dir, local.Config{})
		mustAppend(t, s, records[i:i+1])
		mustClose(t, s)
	}
}

func contents(t *testing.T, paths []string) map[string][]byte {
	t.Helper()
	all := make(map[string][]byte)
	for _, path := range paths {
		data, err := os.ReadFile(path)
		if err != nil {
			t.Fatal(err)
		}
		all[path] = data
	}
	return all
}

func wantHours(t *testing.T, s *local.Store, want int64) {
	t.Helper()
	last := querytest.Begin.Add(time.Second)
	if rows, hours := countedByHour(t, s, last.Add(-time.Duration(want)*time.Hour), last); rows != want || hours != want {
		t.Errorf("%d rows in %d hours, want %d in as many", rows, hours, want)
	}
}

// The small files of days that are over become one for each day, also when that is cut off, and when rows come later.
func TestDays(t *testing.T) {
	const hours = 60
	dir := t.TempDir()
	everyHour(t, dir, hours)
	before := contents(t, partFiles(t, dir))
	if len(before) != hours {
		t.Fatalf("%d files, want %d", len(before), hours)
	}
	merge := func() []string {
		t.Helper()
		s := mustOpen(t, dir, local.Config{})
		if err := s.Maintain(t.Context()); err != nil {
			t.Fatal(err)
		}
		wantHours(t, s, hours)
		mustClose(t, s)
		return partFiles(t, dir)
	}
	days := merge()
	if n := len(days); n < 3 || n > 4 {
		t.Errorf("files %v, want one for each day", days)
	}
	for path, data := range before { // As if the process had ended before it removed them.
		if err := os.MkdirAll(filepath.Dir(path), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if again := merge(); !slices.Equal(again, days) {
		t.Errorf("files %v, want %v", again, days)
	}
	s := mustOpen(t, dir, local.Config{})
	mustAppend(t, s, spread(2, 30, time.Hour))
	mustClose(t, s)
	s = mustOpen(t, dir, local.Config{})
	defer mustClose(t, s)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	later := slices.Collect(maps.Keys(contents(t, partFiles(t, dir))))
	if len(later) != len(days) || s.Stats().Rows != hours+30 {
		t.Errorf("%d rows in files %v, want %d in %d files", s.Stats().Rows, later, hours+30, len(days))
	}
}

// A day that is not over keeps its files by hours.
func TestDayNotOver(t *testing.T) {
	dir := t.TempDir()
	everyHour(t, dir, 5)
	s := mustOpen(t, dir, local.Config{Now: func() time.Time { return querytest.Begin.Add(time.Minute) }})
	defer mustClose(t, s)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if files := partFiles(t, dir); len(files) != 5 {
		t.Errorf("files %v, want 5", files)
	}
}

// Rows that are too old are not found, though their file has younger ones.
func TestAgeWithinFile(t *testing.T) {
	dir := t.TempDir()
	everyHour(t, dir, 24)
	now := querytest.Begin.Add(24 * time.Hour)
	s := mustOpen(t, dir, local.Config{Now: func() time.Time { return now }})
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	age := 24*time.Hour + 90*time.Minute
	s = mustOpen(t, dir, local.Config{MaxAge: age, Now: func() time.Time { return now }})
	defer mustClose(t, s)
	last := querytest.Begin.Add(time.Second)
	if rows, _ := countedByHour(t, s, last.Add(-24*time.Hour), last); rows != 2 {
		t.Errorf("%d rows, want 2", rows)
	}
	if oldest := flow.Time(s.Stats().Oldest); oldest != flow.Time(now.Add(-age).UnixNano()) {
		t.Errorf("the oldest row is of %s, want %s", oldest, now.Add(-age))
	}
}
