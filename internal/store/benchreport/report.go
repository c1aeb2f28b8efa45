package main

import (
	"fmt"
	"runtime"
	"strings"
	"time"
)

// report returns the report in Markdown.
func (b *bench) report() string {
	var text strings.Builder
	fmt.Fprintf(&text, `# Benchmarks of the store

Written by `+"`make bench-store`"+` on %s: %d processors, %s, %s. The records are those of a cluster of 500 nodes, 10,000
pods and 1,000 services over %s: pairs by Zipf, 60 %% translated, 10 %% DNS, 2 %% dropped packets, 2 %% resets, with
health, socket owners, names, labels and costs as agents and server fill them in (package internal/store/storetest, the
same in each run). Processor time counts both the store's and the runtime's work, and
leaves out the generator's. Times of queries are the median of %d. SQLite is modernc.org/sqlite with the same columns,
an index on the time, and a commit for each batch of %d records. The machine's load was %s while records were stored,
which is about 2 where nothing else runs; other work makes processor time longer, too.

| what | measured | target |
|---|---|---|
`, time.Now().UTC().Format(time.DateOnly), runtime.NumCPU(), runtime.GOARCH, runtime.Version(), span, rounds, batchRows, b.machineLoad)
	for _, l := range b.lines {
		fmt.Fprintf(&text, "| %s | %s | %s |\n", l.what, l.measured, l.target)
	}
	return text.String()
}
