package format_test

import (
	"bytes"
	"encoding/csv"
	"errors"
	"io"
	"testing"

	"github.com/parquet-go/parquet-go"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

func TestCSVQuotes(t *testing.T) {
	texts := []string{"", "plain", "a,b", `say "x"`, "two\nlines", "\x1b[2J", ",", `"`}
	b := &query.Block{Rows: len(texts), Columns: []query.Column{
		{Name: `odd,"name"`, Kind: flow.TextField, Texts: texts},
		{Name: "n", Kind: flow.CountField, Ints: make([]int64, len(texts))},
	}}
	var out bytes.Buffer
	w, err := format.NewCSV(&out, b.Columns)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(w.Write(b), w.Close()); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != len(texts)+1 || lines[0][0] != `odd,"name"` {
		t.Fatalf("got %q: %v", lines, err)
	}
	for i, text := range texts {
		if lines[i+1][0] != text {
			t.Errorf("got %q, want %q", lines[i+1][0], text)
		}
	}
}

func TestNDJSONLeavesOut(t *testing.T) {
	b := &query.Block{Rows: 2, Columns: []query.Column{
		{Name: "src.name", Kind: flow.NameField, Texts: []string{"a", ""}},
		{Name: "src.port", Kind: flow.PortField, Ints: []int64{1, 0}, Null: []bool{false, true}},
		{Name: "avg(total.bytes)", Kind: flow.BytesField, Floats: []float64{1.5, 0}, Null: []bool{false, true}},
		{Name: "primary", Kind: flow.BoolField, Ints: []int64{1, 0}},
	}}
	var out bytes.Buffer
	w := format.NewNDJSON(&out, b.Columns)
	if err := errors.Join(w.Write(b), w.Close()); err != nil {
		t.Fatal(err)
	}
	const want = `{"src":{"name":"a","port":1},"avg(total.bytes)":1.5,"primary":true}` + "\n" + `{"primary":false}` + "\n"
	if out.String() != want {
		t.Errorf("got %s, want %s", out.String(), want)
	}
}

// TestParquetRowGroups writes more than a row group, in blocks that do not fit its size, and reads the rows back.
func TestParquetRowGroups(t *testing.T) {
	field, _ := flow.FieldByName("total.packets")
	var out bytes.Buffer
	w, err := format.NewParquet(&out, []*flow.Field{field})
	if err != nil {
		t.Fatal(err)
	}
	const blocks, rows = 15, 10_000
	for i := range blocks {
		b := &query.Block{Rows: rows, Columns: []query.Column{{Name: field.Name, Kind: field.Kind, Ints: make([]int64, rows)}}}
		for j := range rows {
			b.Columns[0].Ints[j] = int64(i*rows + j)
		}
		if err := w.Write(b); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file, err := parquet.OpenFile(bytes.NewReader(out.Bytes()), int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	if len(file.RowGroups()) != 3 || file.NumRows() != blocks*rows {
		t.Errorf("%d row groups and %d rows, want 3 and %d", len(file.RowGroups()), file.NumRows(), blocks*rows)
	}
	reader := parquet.NewReader(file)
	defer reader.Close()
	read := make([]parquet.Row, 1000)
	next := int64(0)
	for {
		n, err := reader.ReadRows(read)
		for _, row := range read[:n] {
			if row[0].Int64() != next {
				t.Fatalf("got %d, want %d", row[0].Int64(), next)
			}
			next++
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if next != blocks*rows {
		t.Errorf("%d rows", next)
	}
}

// TestWriteErrors expects an error of what is written to to come out.
func TestWriteErrors(t *testing.T) {
	field, _ := flow.FieldByName("total.packets")
	b := &query.Block{Rows: 100_000, Columns: []query.Column{{Name: field.Name, Kind: field.Kind, Ints: make([]int64, 100_000)}}}
	csvWriter, err := format.NewCSV(full{}, b.Columns)
	if err != nil {
		t.Fatal(err)
	}
	if err := csvWriter.Write(b); !errors.Is(err, errFull) {
		t.Errorf("csv: %v", err)
	}
	if err := format.NewNDJSON(full{}, b.Columns).Write(b); !errors.Is(err, errFull) {
		t.Errorf("ndjson: %v", err)
	}
	if w, err := format.NewParquet(full{}, []*flow.Field{field}); err == nil {
		if err := errors.Join(w.Write(b), w.Close()); err == nil {
			t.Error("parquet: no error")
		}
	}
}

var errFull = errors.New("full")

// full takes nothing.
type full struct{}

// Write refuses.
func (full) Write([]byte) (int, error) { return 0, errFull }
