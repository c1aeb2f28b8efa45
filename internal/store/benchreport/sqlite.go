package main

import (
	"database/sql"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	_ "modernc.org/sqlite" // The driver that is compared with.

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store/storetest"
)

// sqlite stores the first records in SQLite and asks it for the top pairs.
func (b *bench) sqlite(rows int) error {
	path := filepath.Join(b.dir, "sqlite.db")
	db, err := sql.Open("sqlite", path+"?_pragma=journal_mode(WAL)&_pragma=synchronous(FULL)")
	if err != nil {
		return err
	}
	defer db.Close()
	generator := generatorCost(rows)
	before := cpu()
	if err := fillSQLite(db, rows); err != nil {
		return err
	}
	used := cpu() - before - generator
	b.add("SQLite: records", "", "%d", rows)
	b.add("SQLite: records stored a second of one processor", "", "%.0f", float64(rows)/used.Seconds())
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	b.add("SQLite: bytes a record on disk", "", "%.0f", float64(info.Size())/float64(rows))
	return b.askSQLite(db, rows)
}

func fillSQLite(db *sql.DB, rows int) error {
	fields := columns.Flows().Fields
	names := make([]string, len(fields))
	for i, f := range fields {
		names[i] = `"` + f.Name + `"`
	}
	if _, err := db.Exec("CREATE TABLE flows (" + strings.Join(names, ", ") + `); CREATE INDEX byEnd ON flows("end")`); err != nil {
		return err
	}
	insert := "INSERT INTO flows VALUES (" + strings.Join(slices.Repeat([]string{"?"}, len(fields)), ", ") + ")"
	traffic := storetest.NewTraffic(1, begin, float64(rows)/span.Seconds())
	records := make([]flow.Record, batchRows)
	for left := rows; left > 0; left -= batchRows {
		part := records[:min(batchRows, left)]
		traffic.Fill(part)
		if err := insertBatch(db, insert, fields, part); err != nil {
			return err
		}
	}
	return nil
}

func insertBatch(db *sql.DB, insert string, fields []*flow.Field, records []flow.Record) error {
	tx, err := db.Begin()
	if err != nil {
		return err
	}
	statement, err := tx.Prepare(insert)
	if err != nil {
		return err
	}
	defer statement.Close()
	values := make([]any, len(fields))
	for i := range records {
		for column, f := range fields {
			values[column] = sqlValue(f, &records[i])
		}
		if _, err := statement.Exec(values...); err != nil {
			return err
		}
	}
	return tx.Commit()
}

func sqlValue(f *flow.Field, r *flow.Record) any {
	switch {
	case columns.IsText(f):
		return string(f.AppendText(nil, r))
	case !f.Present(r):
		return nil
	}
	return int64(f.Uint(r))
}

func (b *bench) askSQLite(db *sql.DB, rows int) error {
	for _, q := range []struct{ name, text string }{
		{"top 50 workload pairs", `SELECT "src.namespace", "src.workload.name", "dst.namespace", "dst.workload.name",
			sum("fwd.bytes" + "rev.bytes") FROM flows WHERE "primary" GROUP BY 1, 2, 3, 4 ORDER BY 5 DESC LIMIT 50`},
		{"newest 100 of a namespace", `SELECT * FROM flows WHERE "primary" AND "src.namespace" = 'team-07' ORDER BY "end" DESC LIMIT 100`},
	} {
		start := time.Now()
		result, err := db.Query(q.text)
		if err != nil {
			return err
		}
		n := 0
		for result.Next() {
			n++
		}
		if err := result.Close(); err != nil {
			return err
		}
		if n == 0 {
			return fmt.Errorf("sqlite: no rows for %s", q.name)
		}
		b.add(fmt.Sprintf("SQLite: %s, all %d records, s", q.name, rows), "", "%.3f", time.Since(start).Seconds())
	}
	return nil
}
