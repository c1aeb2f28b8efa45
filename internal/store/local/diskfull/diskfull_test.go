// Package diskfull tests the local store on a file system that is full. It is a package of its own since it mounts one,
// which needs root.
package diskfull

import (
	"errors"
	"log/slog"
	"os"
	"path/filepath"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

func open(t *testing.T, dir string) *local.Store {
	t.Helper()
	s, err := local.Open(local.Config{Dir: dir, FlushRows: 2000}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// appendRecords appends a batch of 1,000 records.
func appendRecords(t *testing.T, s *local.Store, seed uint64) error {
	t.Helper()
	return s.Append(t.Context(), store.Batch{Dataset: "flows", Rows: storetest.Batch(t, querytest.RandomRecords(seed, 1000))})
}

// A full disk: batches are refused, queries go on, and when there is room all goes on by itself.
func TestDiskFull(t *testing.T) {
	if os.Getuid() != 0 {
		t.Fatal("this test mounts a file system, which needs root")
	}
	dir := t.TempDir()
	if err := unix.Mount("tmpfs", dir, "tmpfs", 0, "size=3m"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = unix.Unmount(dir, unix.MNT_DETACH) })
	s := open(t, dir)
	defer s.Close()
	if err := appendRecords(t, s, 1); err != nil {
		t.Fatal(err)
	}
	ballast := filepath.Join(dir, "ballast")
	fillDisk(t, ballast)
	kept := int64(1000)
	var refused error
	for seed := uint64(2); refused == nil && seed < 100; seed++ {
		refused = appendRecords(t, s, seed)
		if refused == nil {
			kept += 1000
		}
	}
	if !errors.Is(refused, store.ErrFull) {
		t.Fatalf("got %v, want %v", refused, store.ErrFull)
	}
	if n := storetest.CountAll(t, s); n != kept {
		t.Errorf("while the disk is full: got %d rows, want %d", n, kept)
	}
	if stats := s.Stats(); stats.Losses["refused_full"] == 0 || len(stats.Notes) == 0 {
		t.Errorf("got %+v, want the refusal counted and noted", stats)
	}
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the store takes batches again", func() bool {
		return appendRecords(t, s, 200) == nil
	})
	if n := storetest.CountAll(t, s); n != kept+1000 {
		t.Errorf("with room again: got %d rows, want %d", n, kept+1000)
	}
	eventually(t, "the note is gone", func() bool { return len(s.Stats().Notes) == 0 })
}

// fillDisk writes until nothing more fits.
func fillDisk(t *testing.T, path string) {
	t.Helper()
	file, err := os.Create(path)
	if err != nil {
		t.Fatal(err)
	}
	defer file.Close()
	for {
		if _, err := file.Write(make([]byte, 4096)); err != nil {
			return
		}
	}
}

func eventually(t *testing.T, what string, holds func() bool) {
	t.Helper()
	for deadline := time.Now().Add(20 * time.Second); time.Now().Before(deadline); time.Sleep(50 * time.Millisecond) {
		if holds() {
			return
		}
	}
	t.Errorf("not within 20 s: %s", what)
}
