package metrics

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/prometheus/client_golang/prometheus"
)

const docsBegin = `<!-- Made by go generate in internal/metrics from its tables. Do not edit. -->
# Metrics

` + "`seine run`, `seine demo` and `seine server` answer `GET /metrics`" + ` on the API's listener, to whoever may see all namespaces, in
Prometheus' text format, as OpenMetrics or as protocol buffers. How to scrape them, with rules and a dashboard, is in
[the guide](../how-to/prometheus.md).

## Sums of records

Counters begin at 0 with the server and count each connection once, by its primary record, as sums of the API do; those marked
*all reports* count what each node sees of its own sockets and its own kernel. Counters of sampled packets are multiplied by the
sampling. No label has an address, a port or the name of a pod.

Each table below has at most ` + "`--metrics-max-edges`" + ` keys (10,000 unless it says otherwise). What comes with a new key
beyond that goes under one key whose labels are all ` + "`other`" + `, and ` + "`seine_metrics_other_rows_total`" + ` counts the rows. A key that
nothing was added to for an hour is forgotten, and begins at 0 when it comes again. A series is there from its first event on; where
*whole* is written, all values of the last label are there once one is, so that a rate sees the first of each.
`

// WriteDocs writes the reference page of the metrics in Markdown.
func WriteDocs(w io.Writer) error {
	var b strings.Builder
	b.WriteString(docsBegin)
	for _, g := range groupings {
		g.describe(&b)
	}
	fmt.Fprintf(&b, "\nBuckets of the histograms end at %s seconds, and are classic ones, which every backend reads.\n", bounds())
	b.WriteString("\n## Seine itself\n\n| metric | type | labels | meaning |\n|---|---|---|---|\n")
	for i := range owns {
		o := &owns[i]
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s |\n", o.name, kindOf(o.kind), inCode(labelNames(o.labels)), o.help)
	}
	b.WriteString("\nBeside these there are the `go_…` and `process_…` metrics of Prometheus' own client library.\n\n")
	describeOwnLabels(&b)
	_, err := io.WriteString(w, b.String())
	return err
}

// describe writes a grouping with its labels and families.
func (g *grouping) describe(b *strings.Builder) {
	fmt.Fprintf(b, "\n### %s: by %s\n\n", g.name, g.doc)
	b.WriteString("| metric | type | last label | counted | meaning | of |\n|---|---|---|---|---|---|\n")
	most := 0
	for i := range families {
		f := &families[i]
		if f.by != g {
			continue
		}
		most += f.series()
		fmt.Fprintf(b, "| `%s` | %s | %s | %s | %s | %s |\n", f.name, f.kind(), f.lastLabel(), f.counted(), f.help, f.of())
	}
	fmt.Fprintf(b, "\nAt most %d series for each key.\n\n", most)
	describeLabels(b, g.labels)
	describeLabels(b, g.familyLabels())
}

// familyLabels are the labels of the families of a grouping, each once.
func (g *grouping) familyLabels() (all []label) {
	for i := range families {
		if f := &families[i]; f.by == g && f.label.name != "" && !slices.Contains(all, f.label) {
			all = append(all, f.label)
		}
	}
	return all
}

// describeOwnLabels tells of each label once, and of which metric it is if of one alone.
func describeOwnLabels(b *strings.Builder) {
	told := append([]label{nodeLabel, datasetLabel, tableLabel}, exporterLabels...)
	describeLabels(b, told)
	for i := range owns {
		for _, l := range owns[i].labels {
			if !slices.Contains(told, l) {
				fmt.Fprintf(b, "- `%s` of `%s`: %s\n", l.name, owns[i].name, l.doc)
			}
		}
	}
}

func describeLabels(b *strings.Builder, labels []label) {
	for _, l := range labels {
		fmt.Fprintf(b, "- `%s`: %s\n", l.name, l.doc)
	}
}

// series is how many series a key may have.
func (f *family) series() int {
	if f.isHistogram() {
		return len(f.buckets) + 3
	}
	return max(1, len(f.allValues()))
}

func (f *family) kind() string {
	if f.isHistogram() {
		return "histogram"
	}
	return "counter"
}

func kindOf(k prometheus.ValueType) string {
	if k == prometheus.CounterValue {
		return "counter"
	}
	return "gauge"
}

func (f *family) lastLabel() string {
	if f.label.name == "" {
		return ""
	}
	return "`" + f.label.name + "`: " + strings.Join(f.allValues(), ", ")
}

func (f *family) counted() string {
	words := []string{"primary"}
	if f.allReports {
		words[0] = "all reports"
	}
	if f.whole {
		words = append(words, "whole")
	}
	return strings.Join(words, ", ")
}

// of tells which fields the metric is made of.
func (f *family) of() string {
	switch {
	case len(f.fields) == 0:
		return "rows with `" + f.split + "`"
	case f.split != "":
		return inCode(f.fields) + " by `" + f.split + "`"
	}
	return inCode(f.fields)
}

func inCode(names []string) string {
	if len(names) == 0 {
		return ""
	}
	return "`" + strings.Join(names, "`, `") + "`"
}

func bounds() string {
	var all []string
	for _, bound := range latencies {
		all = append(all, fmt.Sprint(float64(bound)/microseconds))
	}
	return strings.Join(all, ", ")
}
