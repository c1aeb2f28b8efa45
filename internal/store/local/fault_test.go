package local_test

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

func mustAppend(t testing.TB, s *local.Store, records []flow.Record) {
	t.Helper()
	if err := s.Append(context.Background(), store.Batch{Dataset: "flows", Rows: storetest.Batch(t, records)}); err != nil {
		t.Fatal(err)
	}
}

func mustClose(t testing.TB, s *local.Store) {
	t.Helper()
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
}

// The second process is told who has the folder.
func TestTwoProcesses(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir, childEnv+"_FIRST=1")
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	defer func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	}()
	if _, err := out.Read(make([]byte, 1)); err != nil { // It has the folder once it has acknowledged a batch.
		t.Fatal(err)
	}
	_, err = local.Open(local.Config{Dir: dir}, slog.New(slog.DiscardHandler))
	if want := fmt.Sprintf("process %d uses it", cmd.Process.Pid); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("got %v, want %q", err, want)
	}
}

// oneHour returns records that end in one hour.
func oneHour(seed uint64, n int) []flow.Record {
	records := querytest.RandomRecords(seed, n)
	for i := range records {
		records[i].End = flow.Time(querytest.Begin.UnixNano()) + flow.Time(i)
	}
	return records
}

// threeFiles returns a folder with a file of 100 rows from each of three runs.
func threeFiles(t *testing.T) (dir string, files []string) {
	t.Helper()
	dir = t.TempDir()
	for seed := range uint64(3) {
		s := mustOpen(t, dir, local.Config{})
		mustAppend(t, s, oneHour(seed, 100))
		mustClose(t, s)
	}
	return dir, partFiles(t, dir)
}

func partFiles(t testing.TB, dir string) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(dir, "flows", "*", "*.parquet"))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(files)
	return files
}

// A damaged file is named and set aside, and the others are served.
func TestDamagedFiles(t *testing.T) {
	f := func(name string, least uint64, damage func(data []byte) []byte) {
		t.Run(name, func(t *testing.T) {
			dir, files := threeFiles(t)
			if len(files) != 3 {
				t.Fatalf("got %d files, want 3", len(files))
			}
			data, err := os.ReadFile(files[1])
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(files[1], damage(data), 0o640); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, dir, local.Config{})
			defer mustClose(t, s)
			wantRows(t, s, 200)
			notes := s.Stats().Notes
			if len(notes) != 1 || !strings.Contains(notes[0], filepath.Base(files[1])) {
				t.Errorf("got notes %q, want one that names %s", notes, files[1])
			}
			if lost := s.Stats().Losses["damaged"]; lost < least || lost > 150 {
				t.Errorf("%d rows are counted as lost, want %d to 150", lost, least)
			}
			if _, err := os.Stat(files[1]); !os.IsNotExist(err) {
				t.Errorf("the file was not moved: %v", err)
			}
		})
	}
	flip := func(at func(size int) int) func([]byte) []byte {
		return func(data []byte) []byte { data[at(len(data))] ^= 0x5a; return data }
	}
	f("Empty", 1, func([]byte) []byte { return nil })
	f("Short", 40, func(data []byte) []byte { return data[:len(data)/2] })
	f("Garbage", 80, func(data []byte) []byte { return slices.Repeat([]byte{0xa5}, len(data)) })
	f("Footer", 80, flip(func(size int) int { return size - 20 }))
	f("FirstPageHeader", 100, flip(func(int) int { return 5 }))
	f("FirstPage", 100, flip(func(int) int { return 200 }))
	f("MiddlePage", 100, func(data []byte) []byte {
		for i := 1000; i < 3000; i++ {
			data[i] = 0
		}
		return data
	})
}

// wantRows reads all columns of all rows.
func wantRows(t *testing.T, s *local.Store, want int) {
	t.Helper()
	block, _, err := storetest.Collect(s, allRows())
	if err != nil {
		t.Fatal(err)
	}
	if block.Rows != want {
		t.Errorf("got %d rows, want %d", block.Rows, want)
	}
}

func allRows() *query.Plan {
	return &query.Plan{
		Dataset: "flows", Fields: flow.DefaultFields(flow.Connections),
		From: flow.Time(querytest.Begin.UnixNano()), To: flow.Time(querytest.Begin.Add(querytest.Span).UnixNano()),
	}
}

// logOf returns a folder whose log has frames of 100 rows, as a killed process leaves it, and the log's file.
func logOf(t *testing.T, frames int) (dir, file string) {
	t.Helper()
	running := t.TempDir()
	s := mustOpen(t, running, local.Config{})
	defer mustClose(t, s)
	for seed := range uint64(frames) {
		mustAppend(t, s, oneHour(seed, 100))
	}
	dir = t.TempDir()
	if err := os.CopyFS(dir, os.DirFS(running)); err != nil {
		t.Fatal(err)
	}
	files, err := filepath.Glob(filepath.Join(dir, "wal", "*.log"))
	if err != nil || len(files) != 1 {
		t.Fatalf("got %v, %v, want one segment", files, err)
	}
	return dir, files[0]
}

// A torn tail is cut, since it was never acknowledged; damage in the middle is named and set aside.
func TestDamagedLog(t *testing.T) {
	f := func(name string, rows, notes int, damage func(data []byte) []byte) {
		t.Run(name, func(t *testing.T) {
			dir, file := logOf(t, 4)
			data, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(file, damage(data), 0o640); err != nil {
				t.Fatal(err)
			}
			s := mustOpen(t, dir, local.Config{})
			defer mustClose(t, s)
			wantRows(t, s, rows)
			stats := s.Stats()
			if len(stats.Notes) != notes || notes > 0 && !strings.Contains(stats.Notes[0], filepath.Base(file)) {
				t.Errorf("got notes %q, want %d that name %s", stats.Notes, notes, file)
			}
			// Frames have 100 rows; of damage in the middle of one, that frame's are lost.
			if lost := stats.Losses["damaged"]; notes > 0 && (lost < 80 || lost > 120) || notes == 0 && lost > 0 {
				t.Errorf("%d rows are counted as lost, want about %d", lost, 100*notes)
			}
			aside, _ := os.ReadDir(filepath.Join(dir, "set-aside"))
			if len(aside) != notes {
				t.Errorf("%d files were set aside, want %d", len(aside), notes)
			}
		})
	}
	f("Whole", 400, 0, func(data []byte) []byte { return data })
	f("TornTail", 300, 0, func(data []byte) []byte { return data[:len(data)-10] })
	f("TornHeader", 400, 0, func(data []byte) []byte { return append(data, 0x8b, 'S') })
	f("ZeroTail", 400, 0, func(data []byte) []byte { return append(data, make([]byte, 4096)...) })
	f("Middle", 300, 1, func(data []byte) []byte { data[len(data)/2] ^= 1; return data })
	f("LastFrame", 300, 1, func(data []byte) []byte { data[len(data)-1] ^= 1; return data })
	f("Empty", 0, 0, func([]byte) []byte { return nil })
}

// Times beyond the clock are set back, and times beyond MaxAge refused; both are counted.
func TestClockJumps(t *testing.T) {
	now := querytest.Begin
	s := mustOpen(t, t.TempDir(), local.Config{
		MaxAge: time.Hour, MaxAhead: time.Minute, Now: func() time.Time { return now },
	})
	defer mustClose(t, s)
	records := oneHour(1, 3)
	records[0].End = flow.Time(now.Add(1000 * time.Hour).UnixNano())
	records[0].Start = records[0].End - 5
	records[1].End = flow.Time(now.Add(-2 * time.Hour).UnixNano())
	mustAppend(t, s, records)
	if stats := s.Stats(); stats.Moved != 1 || stats.Losses["expired"] != 1 || stats.Rows != 2 {
		t.Errorf("got %+v, want one row moved and one expired", stats)
	}
	block, _, err := storetest.Collect(s, allRows())
	if err != nil {
		t.Fatal(err)
	}
	i := slices.IndexFunc(block.Columns, func(c query.Column) bool { return c.Name == "end" })
	if got, want := block.Columns[i].Ints[0], now.Add(time.Minute).UnixNano(); got != want {
		t.Errorf("the newest row ends at %d, want %d", got, want)
	}
}

// Files beyond the limits of age and size are removed, oldest first.
func TestRetention(t *testing.T) {
	now := querytest.Begin.Add(querytest.Span)
	config := local.Config{Now: func() time.Time { return now }}
	dir := t.TempDir()
	s := mustOpen(t, dir, config)
	mustAppend(t, s, querytest.RandomRecords(1, 3000))
	mustClose(t, s)
	files := len(partFiles(t, dir))
	config.MaxAge = time.Hour
	s = mustOpen(t, dir, config)
	if err := s.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if left := len(partFiles(t, dir)); left >= files || left == 0 {
		t.Errorf("by age: %d files of %d are left", left, files)
	}
	mustClose(t, s)
	config.MaxAge, config.MaxBytes = 0, 1
	s = mustOpen(t, dir, config)
	defer mustClose(t, s)
	before := s.Stats().Rows
	if err := s.Maintain(t.Context()); err != nil {
		t.Error(err)
	}
	if stats := s.Stats(); stats.Rows != 0 || stats.Losses["removed_max_bytes"] != uint64(before) {
		t.Errorf("by size: got %+v, want %d rows removed", stats, before)
	}
}

// Merging keeps the rows, and queries that run meanwhile see each once.
func TestMerge(t *testing.T) {
	dir, files := threeFiles(t)
	s := mustOpen(t, dir, local.Config{})
	done := make(chan error)
	go func() { done <- s.Maintain(t.Context()) }()
	for range 20 {
		wantRows(t, s, 300)
	}
	if err := <-done; err != nil {
		t.Fatal(err)
	}
	merged := partFiles(t, dir)
	if len(merged) != 1 {
		t.Errorf("got files %v, want one in place of %v", merged, files)
	}
	wantRows(t, s, 300)
	mustClose(t, s)
	s = mustOpen(t, dir, local.Config{})
	defer mustClose(t, s)
	wantRows(t, s, 300)
}

// A damaged file is set aside when it is merged, and the others are merged.
func TestMergeDamaged(t *testing.T) {
	dir, files := threeFiles(t)
	data, err := os.ReadFile(files[1])
	if err != nil {
		t.Fatal(err)
	}
	data[200] ^= 0x5a
	if err := os.WriteFile(files[1], data, 0o640); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, local.Config{})
	defer mustClose(t, s)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	if left := partFiles(t, dir); len(left) != 1 || len(s.Stats().Notes) != 1 {
		t.Errorf("got files %v and notes %q, want one of each", left, s.Stats().Notes)
	}
	wantRows(t, s, 200)
}

// A process that ends between giving a merged file its name and removing those it replaces leaves both.
func TestMergeCutOff(t *testing.T) {
	dir, files := threeFiles(t)
	copies := make(map[string][]byte)
	for _, file := range files {
		data, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		copies[file] = data
	}
	s := mustOpen(t, dir, local.Config{})
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	mustClose(t, s)
	for file, data := range copies {
		if err := os.MkdirAll(filepath.Dir(file), 0o750); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, data, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	s = mustOpen(t, dir, local.Config{})
	defer mustClose(t, s)
	wantRows(t, s, 300)
}
