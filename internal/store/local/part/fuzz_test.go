package part_test

import (
	"bytes"
	"context"
	"os"
	"path/filepath"
	"runtime"
	"testing"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store/local/memory"
	"github.com/seine-net/seine/internal/store/local/part"
	"github.com/seine-net/seine/internal/store/storetest"
)

const fuzzRows = 200

// wholeFile is a part of random records.
func wholeFile(t testing.TB) []byte {
	t.Helper()
	d := columns.Flows()
	table := memory.New(d)
	rows := make([]int32, fuzzRows)
	for i := range rows {
		rows[i] = int32(i)
	}
	table.Add(storetest.Batch(t, querytest.RandomRecords(1, fuzzRows)), rows)
	inputs := []part.Input{table.Snapshot()}
	order, err := part.Order(d, inputs, 0, 1<<63-1)
	if err != nil {
		t.Fatal(err)
	}
	var b bytes.Buffer
	if _, err := part.Write(context.Background(), &b, d, inputs, order, map[string]string{"note": "text"}); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A file with bytes changed and perhaps cut off gives errors or values, whatever they are, and takes no more memory than
// is to be expected.
func FuzzFile(f *testing.F) {
	whole := wholeFile(f)
	f.Add(uint32(0), byte(0), uint32(0), byte(0), uint32(0))
	f.Add(uint32(5), byte(0x5a), uint32(len(whole)-20), byte(1), uint32(0))
	f.Add(uint32(len(whole)-9), byte(0x80), uint32(len(whole)-3000), byte(0x7f), uint32(0))
	f.Add(uint32(200), byte(0xff), uint32(1000), byte(0xff), uint32(100))
	path := filepath.Join(f.TempDir(), "part")
	f.Fuzz(func(t *testing.T, at uint32, change byte, also uint32, changed byte, cut uint32) {
		data := bytes.Clone(whole)
		data[int(at)%len(data)] ^= change
		data[int(also)%len(data)] ^= changed
		data = data[:len(data)-int(cut)%len(data)]
		if err := os.WriteFile(path, data, 0o600); err != nil {
			t.Fatal(err)
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		readFile(t, path)
		runtime.ReadMemStats(&after)
		if allocated := after.TotalAlloc - before.TotalAlloc; allocated > 256<<20 {
			t.Errorf("reading %d bytes allocated %d", len(data), allocated)
		}
	})
}

func readFile(t *testing.T, path string) {
	file, err := part.Open(path, columns.Flows())
	if err != nil {
		return
	}
	defer file.Close()
	file.Note("note")
	for i := range file.Groups() {
		bounds, err := file.Bounds(i)
		if err != nil || bounds.Rows > 10*fuzzRows {
			continue
		}
		group := file.Group(i)
		for _, f := range columns.Flows().Fields {
			readColumn(t, group, f)
		}
	}
}

func readColumn(t *testing.T, group *part.Group, f *flow.Field) {
	group.Lacks(f)
	if !columns.IsText(f) {
		_, _, _ = group.Numbers(f)
		return
	}
	dictionary, codes, err := group.Texts(f)
	if err != nil {
		return
	}
	for _, code := range codes {
		if code < 0 || int(code) >= len(dictionary) {
			t.Fatalf("%s: code %d of a dictionary of %d", f.Name, code, len(dictionary))
		}
	}
}
