package part

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

// The examples follow the Parquet format's Encodings.md: a header of count<<1 is a run, of groups<<1|1 packed values.
func TestDecodeIndices(t *testing.T) {
	f := func(name string, data []byte, limit int, want ...int32) {
		t.Helper()
		got := make([]int32, len(want))
		if err := decodeIndices(got, data, limit); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (- want, + got):\n%s", name, diff)
		}
	}
	f("run", []byte{2, 3 << 1, 2}, 4, 2, 2, 2)
	f("packed", []byte{3, 1<<1 | 1, 0x88, 0xc6, 0xfa}, 8, 0, 1, 2, 3, 4, 5, 6, 7)
	f("run of two bytes", []byte{9, 2 << 1, 0x01, 0x01}, 300, 257, 257)
	f("both", []byte{1, 1<<1 | 1, 0xf0, 2 << 1, 1}, 2, 0, 0, 0, 0, 1, 1, 1, 1, 1, 1)
	f("no bits", []byte{0, 3 << 1}, 1, 0, 0, 0)
	bad := func(name string, data []byte, limit int) {
		t.Helper()
		if err := decodeIndices(make([]int32, 3), data, limit); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	bad("empty", nil, 1)
	bad("short", []byte{2, 2 << 1, 1}, 4)
	bad("beyond the dictionary", []byte{2, 3 << 1, 3}, 3)
	bad("packed beyond the dictionary", []byte{3, 1<<1 | 1, 0xff, 0xff, 0xff}, 7)
	bad("wide", []byte{33, 3 << 1, 0}, 1)
	bad("cut off", []byte{8, 1<<1 | 1, 1, 2}, 256)
	bad("run of none", []byte{1, 0, 0}, 2)
}

// Damaged pages give an error or indices of the dictionary.
func FuzzDecodeIndices(f *testing.F) {
	f.Add([]byte{3, 1<<1 | 1, 0x88, 0xc6, 0xfa, 4 << 1, 2}, 12, 8)
	f.Add([]byte{0, 255, 255, 255, 255, 255, 255, 255, 255, 255, 1}, 9, 1)
	f.Fuzz(func(t *testing.T, data []byte, rows, limit int) {
		indices := make([]int32, min(max(rows, 0), 1000))
		if decodeIndices(indices, data, limit) != nil {
			return
		}
		for _, index := range indices {
			if index < 0 || int(index) >= limit {
				t.Fatalf("index %d of a dictionary of %d", index, limit)
			}
		}
	})
}
