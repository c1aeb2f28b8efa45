package local_test

import (
	"path/filepath"
	"testing"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

func TestDbg2(t *testing.T) {
	dir := t.TempDir()
	e := mustOpen(t, dir, local.Config{})
	b := storetest.Batch(t, querytest.RandomRecords(uint64(3500), 50))
	if err := e.Append(t.Context(), store.Batch{Dataset: "flows", Rows: b}); err != nil {
		t.Fatal(err)
	}
	e.Close()
	m, _ := filepath.Glob(dir + "/flows/*/*")
	for _, p := range m {
		r, err := file.OpenParquetFile(p, false)
		if err != nil {
			t.Fatal(err)
		}
		for i := range r.MetaData().Schema.NumColumns() {
			c, _ := r.MetaData().RowGroup(0).ColumnChunk(i)
			t.Log(c.PathInSchema(), c.Encodings(), c.EncodingStats(), c.TotalCompressedSize())
		}
		break
	}
}
