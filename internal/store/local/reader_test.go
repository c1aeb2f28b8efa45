package local_test

import (
	"math"
	"os"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/parquet-go/parquet-go"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store/local"
)

// A reader that shares no code with the writer finds the same values: the files are open to others.
func TestIndependentReader(t *testing.T) {
	dir := t.TempDir()
	records := querytest.RandomRecords(5, 500)
	s := mustOpen(t, dir, local.Config{})
	mustAppend(t, s, records)
	mustClose(t, s)
	got := make(map[string]int)
	for _, path := range partFiles(t, dir) {
		for _, row := range readParquet(t, path) {
			got[row]++
		}
	}
	want := make(map[string]int)
	for i := range records {
		want[recordText(&records[i])]++
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("rows differ (- records, + files):\n%s", diff)
	}
}

// readFields are compared: one of each way of storing.
var readFields = []string{
	"end", "proto", "src.addr", "src.port", "src.namespace", "icmp.type", "tcp.flags", "tcp.rtt", "fwd.bytes", "rev.packets", "primary", "nat",
}

func recordText(r *flow.Record) string {
	text := ""
	for _, name := range readFields {
		f, _ := flow.FieldByName(name)
		switch {
		case f.Kind == flow.AddrField && !f.Addr(r).IsValid():
		case f.Kind == flow.AddrField:
			text += f.Addr(r).Unmap().String()
		case columns.IsText(f):
			text += string(f.AppendText(nil, r))
		case f.Present(r):
			text += parquet.ValueOf(int64(min(f.Uint(r), math.MaxInt64))).String()
		}
		text += "|"
	}
	return text
}

func readParquet(t *testing.T, path string) (rows []string) {
	t.Helper()
	handle, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	defer handle.Close()
	info, err := handle.Stat()
	if err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(handle, info.Size())
	if err != nil {
		t.Fatal(err)
	}
	places := make([]int, len(readFields))
	for i, name := range readFields {
		column, ok := file.Schema().Lookup(name)
		if !ok {
			t.Fatalf("no column %s", name)
		}
		places[i] = column.ColumnIndex
	}
	reader := parquet.NewReader(file)
	defer reader.Close()
	buffer := make([]parquet.Row, 1)
	for {
		n, err := reader.ReadRows(buffer)
		if n == 0 {
			return rows
		}
		if err != nil && n == 0 {
			t.Fatal(err)
		}
		rows = append(rows, rowText(buffer[0], places))
	}
}

func rowText(row parquet.Row, places []int) string {
	text := ""
	for _, place := range places {
		value := row[place]
		switch {
		case value.IsNull():
		case value.Kind() == parquet.Boolean && value.Boolean():
			text += "1"
		case value.Kind() == parquet.Boolean:
			text += "0"
		default:
			text += value.String()
		}
		text += "|"
	}
	return text
}
