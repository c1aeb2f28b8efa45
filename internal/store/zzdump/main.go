package main

import (
	"context"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sort"
	"time"

	"github.com/apache/arrow-go/v18/parquet/file"
	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

func main() {
	dir := "/tmp/zzstore"
	os.RemoveAll(dir)
	begin := time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	n := 400000
	tr := storetest.NewTraffic(1, begin, 463)
	s, err := local.Open(local.Config{Dir: dir, Now: tr.Time}, slog.Default())
	if err != nil {
		panic(err)
	}
	b := columns.NewBuilder(columns.Flows(), 4096)
	recs := make([]flow.Record, 4096)
	for i := 0; i < n; i += 4096 {
		tr.Fill(recs)
		b.Append(recs)
		batch := b.NewBatch()
		if err := s.Append(context.Background(), store.Batch{Dataset: "flows", Rows: batch}); err != nil {
			panic(err)
		}
		batch.Release()
	}
	s.Close()
	paths, _ := filepath.Glob(dir + "/flows/*/*")
	sizes := map[string]int64{}
	var rows, total int64
	for _, p := range paths {
		r, err := file.OpenParquetFile(p, false)
		if err != nil {
			panic(err)
		}
		st, _ := os.Stat(p)
		total += st.Size()
		rows += r.NumRows()
		for g := range r.NumRowGroups() {
			for i := range r.MetaData().Schema.NumColumns() {
				c, _ := r.MetaData().RowGroup(g).ColumnChunk(i)
				sizes[c.PathInSchema().String()] += c.TotalCompressedSize()
			}
		}
	}
	var names []string
	for k := range sizes {
		names = append(names, k)
	}
	sort.Slice(names, func(i, j int) bool { return sizes[names[i]] > sizes[names[j]] })
	fmt.Println(len(paths), rows, float64(total)/float64(rows))
	for _, k := range names {
		fmt.Printf("%-24s %.2f\n", k, float64(sizes[k])/float64(rows))
	}
}
