package local_test

import (
	"os"
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/local/wal"
	"github.com/seine-net/seine/internal/store/storetest"
)

// columnsOf returns the names of a file's columns.
func columnsOf(t *testing.T, path string) map[string]bool {
	t.Helper()
	handle, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	r, err := file.NewParquetReader(handle)
	if err != nil {
		t.Fatal(err)
	}
	names := make(map[string]bool)
	for i := range r.MetaData().Schema.NumColumns() {
		names[r.MetaData().Schema.Column(i).Path()] = true
	}
	return names
}

// A file has no column for what none of its rows has, whether it was flushed or merged, and is read as if it had.
func TestEmptyColumns(t *testing.T) {
	dir := t.TempDir()
	records := querytest.RandomRecords(1, 50)
	for i := range records {
		records[i].Proto, records[i].ICMP, records[i].Src.Subnet = flow.TCP, flow.ICMP{}, ""
		records[i].TCP.ListenDrops = 0
	}
	for range 2 {
		s := mustOpen(t, dir, local.Config{})
		mustAppend(t, s, records)
		mustClose(t, s)
	}
	check := func() {
		t.Helper()
		for _, path := range partFiles(t, dir) {
			names := columnsOf(t, path)
			for _, name := range []string{"icmp.type", "src.subnet", "tcp.listen_drops"} {
				if names[name] {
					t.Errorf("%s has a column %s", path, name)
				}
			}
			if !names["end"] || !names["fwd.bytes"] {
				t.Errorf("%s lacks columns: %v", path, names)
			}
		}
	}
	check()
	s := mustOpen(t, dir, local.Config{})
	defer mustClose(t, s)
	wantNone(t, s, 100)
	if err := s.Maintain(t.Context()); err != nil {
		t.Fatal(err)
	}
	check()
	wantNone(t, s, 100)
}

// wantNone wants so many rows without a subnet and listen drops.
func wantNone(t *testing.T, s *local.Store, want int64) {
	t.Helper()
	plan := allRows()
	plan.Fields, plan.GroupBy = nil, []*flow.Field{field(t, "src.subnet")}
	plan.Measures = []query.Measure{
		{Name: "count()", Aggregation: query.Count}, {Name: "max", Aggregation: query.Max, Field: field(t, "tcp.listen_drops")},
	}
	block, _, err := storetest.Collect(s, plan)
	if err != nil {
		t.Fatal(err)
	}
	if block.Rows != 1 || block.Columns[0].Texts[0] != "" || block.Columns[1].Ints[0] != want || !block.Columns[2].Null[0] {
		t.Errorf("got %+v, want %d rows without values", block, want)
	}
}

// What an earlier version left in the log is read.
func TestEarlierLog(t *testing.T) {
	dir := t.TempDir()
	if err := os.Mkdir(filepath.Join(dir, "wal"), 0o750); err != nil {
		t.Fatal(err)
	}
	payload, err := columns.Encode(nil, storetest.Batch(t, oneHour(1, 100)))
	if err != nil {
		t.Fatal(err)
	}
	l := wal.New(wal.Options{Dir: filepath.Join(dir, "wal"), Next: 1, Origins: func() wal.Origins { return nil }})
	f := &wal.Frame{Kind: wal.BatchFrame, Dataset: "flows", Origin: "a", Sequence: 1, Payload: payload}
	if err := l.Append(f, func(uint64) {}); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(); err != nil {
		t.Fatal(err)
	}
	s := mustOpen(t, dir, local.Config{})
	defer mustClose(t, s)
	wantRows(t, s, 100)
}
