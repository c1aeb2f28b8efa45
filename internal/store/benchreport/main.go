// Command benchreport measures the local store with the records of a large cluster, and SQLite with a part of them,
// and writes the report.
package main

import (
	"context"
	"flag"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime/debug"
	"runtime/pprof"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/internal/store/storetest"
)

const (
	batchRows = 4096
	loadRate  = 20_000
	rounds    = 5
)

var (
	begin = time.Date(2026, 3, 1, 6, 0, 0, 0, time.UTC)
	span  = 6 * time.Hour
)

func main() {
	rows := flag.Int("rows", 10_000_000, "records to store")
	sqliteRows := flag.Int("sqlite-rows", 300_000, "records to store in SQLite")
	output := flag.String("o", "", "file to write; standard output if empty")
	flag.DurationVar(&span, "span", span, "time that the records cover")
	profile := flag.String("cpuprofile", "", "file for a profile of the processor time")
	flag.Parse()
	debug.SetGCPercent(local.GarbagePercent)
	if *profile != "" {
		file, err := os.Create(*profile)
		if err != nil {
			panic(err)
		}
		_ = pprof.StartCPUProfile(file)
		defer pprof.StopCPUProfile()
	}
	if err := run(*rows, *sqliteRows, *output); err != nil {
		fmt.Fprintln(os.Stderr, "benchreport:", err)
		os.Exit(1)
	}
}

func run(rows, sqliteRows int, output string) error {
	b, err := newBench(rows)
	if err != nil {
		return err
	}
	defer os.RemoveAll(b.dir)
	for _, step := range []func() error{b.ingest, b.idle, b.loaded, b.close} {
		if err := step(); err != nil {
			return err
		}
	}
	if err := b.sqlite(sqliteRows); err != nil {
		return err
	}
	if output == "" {
		fmt.Print(b.report())
		return nil
	}
	return os.WriteFile(output, []byte(b.report()), 0o644)
}

// bench is the state of a run.
type bench struct {
	rows    int
	dir     string
	traffic *storetest.Traffic
	clock   atomic.Int64
	store   *local.Store
	lines   []line
	// machineLoad is the average of five minutes when all was stored.
	machineLoad string
}

// line is a line of the report.
type line struct{ what, measured, target string }

func (b *bench) add(what, target, format string, args ...any) {
	l := line{what, fmt.Sprintf(format, args...), target}
	fmt.Fprintln(os.Stderr, l.what, l.measured)
	b.lines = append(b.lines, l)
}

func newBench(rows int) (*bench, error) {
	dir, err := os.MkdirTemp("", "seine-bench-store-")
	if err != nil {
		return nil, err
	}
	b := &bench{rows: rows, dir: dir, traffic: storetest.NewTraffic(1, begin, float64(rows)/span.Seconds())}
	b.setClock(begin)
	now := func() time.Time { return time.Unix(0, b.clock.Load()) }
	b.store, err = local.Open(local.Config{Dir: dir + "/store", Now: now}, slog.New(slog.NewTextHandler(os.Stderr, nil)))
	return b, err
}

func (b *bench) setClock(t time.Time) { b.clock.Store(t.UnixNano()) }

// cpu returns the processor time that the process has used.
func cpu() time.Duration {
	var usage syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &usage) // Cannot fail for the own process.
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// peak returns the largest resident memory so far, in MiB.
func peak() int {
	status, _ := os.ReadFile("/proc/self/status")
	for text := range strings.Lines(string(status)) {
		if rest, ok := strings.CutPrefix(text, "VmHWM:"); ok {
			kib, _ := strconv.Atoi(strings.Fields(rest)[0])
			return kib / 1024
		}
	}
	return 0
}

// loadAverage returns how many tasks of the machine ran or wanted to, over five minutes (proc_loadavg(5)).
func loadAverage() string {
	text, _ := os.ReadFile("/proc/loadavg")
	if averages := strings.Fields(string(text)); len(averages) > 1 {
		return averages[1]
	}
	return "unknown"
}

// generatorCost is the processor time of making so many records, which is not the store's.
func generatorCost(rows int) time.Duration {
	records := make([]flow.Record, batchRows)
	traffic := storetest.NewTraffic(2, begin, 1000)
	const sample = 100 * batchRows
	before := cpu()
	for range sample / batchRows {
		traffic.Fill(records)
	}
	return (cpu() - before) * time.Duration(rows) / sample
}

// columnsCost is the processor time of building the columns of a record.
func columnsCost() time.Duration {
	records := make([]flow.Record, batchRows)
	builder := columns.NewBuilder(columns.Flows(), batchRows)
	traffic := storetest.NewTraffic(2, begin, 1000)
	const rounds = 50
	var used time.Duration
	for range rounds {
		traffic.Fill(records)
		before := cpu()
		builder.Append(records)
		builder.NewBatch().Release()
		used += cpu() - before
	}
	return used / (rounds * batchRows)
}

func (b *bench) ingest() error {
	generator := generatorCost(b.rows)
	start, before := time.Now(), cpu()
	builder := columns.NewBuilder(columns.Flows(), batchRows)
	records := make([]flow.Record, batchRows)
	for left := b.rows; left > 0; left -= batchRows {
		part := records[:min(batchRows, left)]
		if err := b.append(builder, part); err != nil {
			return err
		}
	}
	used, wall := cpu()-before-generator, time.Since(start)
	b.machineLoad = loadAverage()
	merging := cpu()
	b.setClock(begin.Add(span + time.Hour))
	if err := b.store.Maintain(context.Background()); err != nil {
		return err
	}
	used += cpu() - merging
	stats := b.store.Stats()
	perCore := float64(b.rows) / used.Seconds()
	b.add("records", "", "%d", stats.Rows)
	b.add("records stored a second of one processor, with columns, log, files and merging", "at least 60,000", "%.0f", perCore)
	building := columnsCost()
	b.add("the same without building columns, as agents do that", "", "%.0f", float64(b.rows)/(used-time.Duration(b.rows)*building).Seconds())
	b.add("records stored a second by the clock, with generator", "", "%.0f", float64(b.rows)/wall.Seconds())
	bytes, err := diskUse(b.dir)
	if err != nil {
		return err
	}
	b.add("bytes a record on disk, with the log", "at most 50", "%.1f", float64(bytes)/float64(stats.Rows))
	b.add("resident at most while storing, MiB", "at most 400", "%d", peak())
	return nil
}

// diskUse returns the size of all files in a folder.
func diskUse(dir string) (bytes int64, err error) {
	err = filepath.WalkDir(dir, func(_ string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		info, err := entry.Info()
		if err == nil {
			bytes += info.Size()
		}
		return err
	})
	return bytes, err
}

func (b *bench) append(builder *columns.Builder, records []flow.Record) error {
	b.traffic.Fill(records)
	b.setClock(b.traffic.Time())
	builder.Append(records)
	batch := builder.NewBatch()
	defer batch.Release()
	return b.store.Append(context.Background(), store.Batch{Dataset: "flows", Rows: batch})
}

// question is a plan with its targets in seconds, idle and under load.
type question struct {
	name         string
	plan         func(now time.Time) *query.Plan
	idle, loaded string
}

var questions = []question{
	{"newest 100 of a namespace", newest, "at most 0.1", ""},
	{"top 50 workload pairs of 6 h", topPairs, "at most 1.2", "at most 2.5"},
	{"namespace pairs of 1 h", namespaceMap, "at most 0.25", ""},
	{"newest 100 of one address and port", needle, "", ""},
	{"bytes of each namespace over all, in 84 steps", series, "", ""},
}

func field(name string) *flow.Field {
	f, ok := flow.FieldByName(name)
	if !ok {
		panic("BUG: no field " + name)
	}
	return f
}

func fields(names ...string) (all []*flow.Field) {
	for _, name := range names {
		all = append(all, field(name))
	}
	return all
}

func past(now time.Time, d time.Duration) (from, to flow.Time) {
	return flow.Time(now.Add(-d).UnixNano()), flow.Time(now.UnixNano())
}

var primary = &query.Expr{Operator: query.Equal, Field: field("primary"), Numbers: []int64{1}}

func topPairs(now time.Time) *query.Plan {
	p := &query.Plan{
		Dataset: "flows", Filter: primary, Limit: 50, Other: true,
		GroupBy:  fields("src.namespace", "src.workload.name", "dst.namespace", "dst.workload.name"),
		Measures: []query.Measure{{Name: "sum(total.bytes)", Aggregation: query.Sum, Field: field("total.bytes")}},
		Order:    []query.Order{{Column: "sum(total.bytes)", Descending: true}},
	}
	p.From, p.To = past(now, span)
	return p
}

func namespaceMap(now time.Time) *query.Plan {
	p := &query.Plan{
		Dataset: "flows", Filter: primary, GroupBy: fields("src.namespace", "dst.namespace"),
		Measures: []query.Measure{
			{Name: "sum(total.bytes)", Aggregation: query.Sum, Field: field("total.bytes")},
			{Name: "count()", Aggregation: query.Count},
		},
	}
	p.From, p.To = past(now, time.Hour)
	return p
}

func series(now time.Time) *query.Plan {
	p := namespaceMap(now)
	p.GroupBy, p.Step = p.GroupBy[:1], span/84
	p.From, p.To = past(now, span)
	return p
}

func newest(now time.Time) *query.Plan {
	p := &query.Plan{Dataset: "flows", Limit: 100, Filter: &query.Expr{Operator: query.And, Args: []*query.Expr{
		primary, {Operator: query.Equal, Field: field("src.namespace"), Texts: []string{"team-07"}},
	}}}
	for _, f := range columns.Flows().Fields {
		if f.Shown {
			p.Fields = append(p.Fields, f)
		}
	}
	p.From, p.To = past(now, span)
	return p
}

func needle(now time.Time) *query.Plan {
	p := newest(now)
	p.Filter = &query.Expr{Operator: query.And, Args: []*query.Expr{
		{Operator: query.Equal, Field: field("dst.addr"), Texts: []string{"203.19.100.101"}},
		{Operator: query.Equal, Field: field("src.port"), Numbers: []int64{40000}},
	}}
	return p
}

// ask returns the median time of a question, and the rows that were looked at.
func (b *bench) ask(q question) (median, used time.Duration, scanned int64, err error) {
	var times, uses []time.Duration
	for range rounds {
		start, before := time.Now(), cpu()
		summary, err := b.store.Query(context.Background(), q.plan(time.Unix(0, b.clock.Load())), func(*query.Block) error { return nil })
		if err != nil {
			return 0, 0, 0, err
		}
		times, uses = append(times, time.Since(start)), append(uses, cpu()-before)
		scanned = summary.Scanned
	}
	slices.Sort(times)
	slices.Sort(uses)
	return times[rounds/2], uses[rounds/2], scanned, nil
}

func (b *bench) idle() error {
	b.setClock(b.traffic.Time().Add(5 * time.Second))
	for _, q := range questions {
		wall, used, scanned, err := b.ask(q)
		if err != nil {
			return err
		}
		b.add(q.name+", s", q.idle, "%.3f (processor %.3f, %d rows looked at)", wall.Seconds(), used.Seconds(), scanned)
	}
	return nil
}

// loaded asks while records arrive.
func (b *bench) loaded() error {
	ctx, cancel := context.WithCancel(context.Background())
	var arrived int64
	var group sync.WaitGroup
	var failure error
	start := time.Now()
	group.Go(func() { arrived, failure = b.load(ctx) })
	for _, q := range questions {
		wall, _, _, err := b.ask(q)
		if err != nil {
			cancel()
			return err
		}
		b.add(q.name+", while records arrive, s", q.loaded, "%.3f", wall.Seconds())
	}
	cancel()
	group.Wait()
	b.add("records that arrived a second meanwhile", strconv.Itoa(loadRate), "%.0f", float64(arrived)/time.Since(start).Seconds())
	b.add("resident at most in all, MiB", "at most 400", "%d", peak())
	return failure
}

// load appends records at the rate until the context ends.
func (b *bench) load(ctx context.Context) (arrived int64, err error) {
	builder := columns.NewBuilder(columns.Flows(), batchRows)
	records := make([]flow.Record, batchRows)
	b.traffic = storetest.NewTraffic(3, b.traffic.Time(), loadRate)
	tick := time.NewTicker(time.Second * batchRows / loadRate)
	defer tick.Stop()
	for {
		select {
		case <-ctx.Done():
			return arrived, nil
		case <-tick.C:
		}
		if err := b.append(builder, records); err != nil {
			return arrived, err
		}
		arrived += batchRows
	}
}

func (b *bench) close() error { return b.store.Close() }
