package wal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"
)

func newLog(t *testing.T, dir string, origins Origins) *Log {
	t.Helper()
	l := New(Options{Dir: dir, Next: 1, Origins: func() Origins { return origins }})
	t.Cleanup(func() { _ = l.Close() })
	return l
}

func batch(text string) *Frame {
	return &Frame{Kind: BatchFrame, Dataset: "flows", Origin: "a", Sequence: 7, Payload: []byte(text)}
}

func mustAppend(t *testing.T, l *Log, text string) (segment uint64) {
	t.Helper()
	if err := l.Append(batch(text), func(s uint64) { segment = s }); err != nil {
		t.Fatal(err)
	}
	return segment
}

// readAll returns the payloads of a segment's batches, its origins, and how many ranges are damaged.
func readAll(t *testing.T, path string) (payloads []string, origins Origins, damages int) {
	t.Helper()
	err := Read(path, func(f Frame) error {
		if f.Kind == BatchFrame {
			payloads = append(payloads, string(f.Payload))
			return nil
		}
		var err error
		origins, err = ParseOrigins(f.Payload)
		return err
	}, func(Damage) { damages++ })
	if err != nil {
		t.Fatal(err)
	}
	return payloads, origins, damages
}

func TestRotation(t *testing.T) {
	dir, origins := t.TempDir(), Origins{"a": 7, "b": 1 << 60}
	l := newLog(t, dir, origins)
	if s := mustAppend(t, l, "one"); s != 1 {
		t.Errorf("got segment %d, want 1", s)
	}
	sealed, err := l.Rotate()
	if err != nil || sealed != 1 {
		t.Errorf("got %d, %v, want 1", sealed, err)
	}
	if s := mustAppend(t, l, "two"); s != 2 {
		t.Errorf("got segment %d, want 2", s)
	}
	payloads, known, damages := readAll(t, Path(dir, 2))
	if diff := cmp.Diff([]string{"two"}, payloads) + cmp.Diff(origins, known); diff != "" || damages != 0 {
		t.Errorf("segment 2 (- want, + got):\n%s%d ranges are damaged", diff, damages)
	}
	if err := l.Remove(1); err != nil {
		t.Error(err)
	}
	segments, err := Segments(dir)
	if diff := cmp.Diff([]uint64{2}, segments); diff != "" || err != nil {
		t.Errorf("segments %s, %v", diff, err)
	}
}

// Each of many that append at a time gets its frame written, once.
func TestGroupCommit(t *testing.T) {
	dir := t.TempDir()
	l := newLog(t, dir, nil)
	var group sync.WaitGroup
	var want []string
	for i := range 200 {
		text := fmt.Sprintf("%03d", i)
		want = append(want, text)
		group.Go(func() {
			if err := l.Append(batch(text), func(uint64) {}); err != nil {
				t.Error(err)
			}
		})
	}
	group.Wait()
	got, _, _ := readAll(t, Path(dir, 1))
	slices.Sort(got)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(- want, + got):\n%s", diff)
	}
}

func TestRefusals(t *testing.T) {
	l := newLog(t, t.TempDir(), nil)
	f := func(name string, frame *Frame) {
		t.Helper()
		if err := l.Append(frame, func(uint64) { t.Errorf("%s: committed", name) }); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	f("too large", &Frame{Payload: make([]byte, MaxFrame)})
	f("long origin", &Frame{Origin: string(make([]byte, maxName+1))})
	mustAppend(t, l, "still works")
	if err := l.Close(); err != nil {
		t.Error(err)
	}
	f("closed", batch("late"))
}

// A folder that vanishes fails the appends, and not those after it is back.
func TestWriteFailure(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "wal")
	l := newLog(t, dir, nil)
	if err := l.Append(batch("lost"), func(uint64) { t.Error("committed") }); err == nil {
		t.Error("no error without a folder")
	}
	if err := os.Mkdir(dir, 0o750); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, l, "kept")
}

// Whatever a segment holds, reading ends, and every byte is in a frame or in a range of damage.
func FuzzRead(f *testing.F) {
	whole, err := appendFrame(nil, batch("payload"))
	if err != nil {
		f.Fatal(err)
	}
	whole, err = appendFrame(whole, (Origins{"a": 1}).frame())
	if err != nil {
		f.Fatal(err)
	}
	f.Add(whole)
	f.Add(whole[:len(whole)-3])
	f.Add(append(bytes.Repeat([]byte{0}, 40), whole...))
	f.Fuzz(func(t *testing.T, data []byte) {
		path := filepath.Join(t.TempDir(), "segment")
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		seen := 0
		err := Read(path, func(frame Frame) error {
			if frame.Kind == OriginsFrame {
				_, _ = ParseOrigins(frame.Payload) // Must not panic.
			}
			encoded, err := appendFrame(nil, &frame)
			if err == nil && len(encoded) > len(data) {
				t.Errorf("a frame of %d bytes was read from %d", len(encoded), len(data))
			}
			return nil
		}, func(d Damage) { seen += len(d.Bytes) })
		if err != nil || seen > len(data) {
			t.Errorf("got %v and %d damaged bytes of %d", err, seen, len(data))
		}
	})
}
