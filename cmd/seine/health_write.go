package main

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/query"
)

// write writes a report, and in tables the edges below.
func (f *healthFlags) write(ctx context.Context, c *client.Client, r client.HealthRequest, report *api.Health, out io.Writer) error {
	switch f.output {
	case "json":
		return writeFindingLines(out, report.Findings)
	case "csv":
		return writeFindingBlock(f.output, out, report.Findings)
	}
	if err := f.writeFindings(out, report); err != nil {
		return err
	}
	return f.writeEdges(ctx, c, r, report, out)
}

// severityColours are what findings are shown in on a terminal (ECMA-48, SGR).
var severityColours = map[health.Severity]string{health.Critical: "\x1b[1;31m", health.Warning: "\x1b[33m", health.Info: "\x1b[36m"}

// findingIndent is in front of all lines of a finding but the first.
const findingIndent = "          "

func (f *healthFlags) writeFindings(out io.Writer, report *api.Health) error {
	var b strings.Builder
	for i := range report.Findings {
		one := &report.Findings[i]
		severity := fmt.Sprintf("%-8s", printable(string(one.Severity)))
		if f.colour {
			severity = severityColours[one.Severity] + severity + "\x1b[0m"
		}
		lines := wrapped(printable(one.Sentence), max(0, f.width-len(findingIndent)))
		fmt.Fprintf(&b, "%s  %s\n", severity, strings.Join(lines, "\n"+findingIndent))
		if f.output == "wide" {
			fmt.Fprintf(&b, findingIndent+"%s: %s of %s; %s: %s\n", printable(one.Rule), plain(one.Affected), plain(one.Volume),
				printable(one.Dataset), printable(one.Filter))
		}
	}
	if len(report.Findings) == 0 {
		fmt.Fprintf(&b, "healthy: %d edges and %d nodes looked at from %s to %s, by %d rules\n", report.Checked.Edges, report.Checked.Nodes,
			report.From.Local().Format(time.TimeOnly), report.To.Local().Format(time.TimeOnly), report.Checked.Rules)
	}
	_, err := io.WriteString(out, b.String())
	return err
}

func plain(x float64) string { return string((&query.Column{Floats: []float64{x}}).AppendText(nil, 0)) }

// writeFindingLines writes each finding as the API has it, a line each.
func writeFindingLines(out io.Writer, findings []health.Finding) error {
	for i := range findings {
		line, err := json.Marshal(&findings[i])
		if err != nil {
			return err
		}
		if _, err := out.Write(append(escapeControls(line), '\n')); err != nil {
			return err
		}
	}
	return nil
}

// writeFindingBlock writes findings as an answer of the API is written.
func writeFindingBlock(output string, out io.Writer, findings []health.Finding) error {
	b := &query.Block{Rows: len(findings), Columns: []query.Column{
		{Name: "severity", Kind: flow.NameField},
		{Name: "rule", Kind: flow.NameField},
		{Name: "subject", Kind: flow.NameField},
		{Name: "src", Kind: flow.NameField},
		{Name: "dst", Kind: flow.NameField},
		{Name: "since", Kind: flow.TimeField, Null: make([]bool, len(findings))},
		{Name: "unit", Kind: flow.NameField},
		{Name: "value", Kind: flow.CountField},
		{Name: "baseline", Kind: flow.CountField, Null: make([]bool, len(findings))},
		{Name: "affected", Kind: flow.CountField},
		{Name: "volume", Kind: flow.CountField},
		{Name: "sentence", Kind: flow.TextField},
		{Name: "dataset", Kind: flow.NameField},
		{Name: "filter", Kind: flow.TextField},
	}}
	for i := range findings {
		addFinding(b, &findings[i], i)
	}
	w, err := newAnswerWriter(output, out, b.Columns, nil)
	if err != nil {
		return err
	}
	if err := w.Write(b); err != nil {
		return err
	}
	return w.Close()
}

// addFinding appends a finding to the columns of its block.
func addFinding(b *query.Block, f *health.Finding, row int) {
	since, baseline := int64(0), 0.0
	if f.Since != nil {
		since = f.Since.UnixNano()
	}
	if f.Baseline != nil {
		baseline = *f.Baseline
	}
	texts := map[string]string{
		"severity": string(f.Severity), "rule": f.Rule, "subject": f.Subject.Kind, "src": entityText(f.Subject.Src),
		"dst": entityText(f.Subject.Dst), "unit": f.Unit, "sentence": f.Sentence, "dataset": f.Dataset, "filter": f.Filter,
	}
	numbers := map[string]float64{"value": f.Value, "baseline": baseline, "affected": f.Affected, "volume": f.Volume}
	for i := range b.Columns {
		switch c := &b.Columns[i]; c.Name {
		case "since":
			c.Ints, c.Null[row] = append(c.Ints, since), f.Since == nil
		case "baseline":
			c.Floats, c.Null[row] = append(c.Floats, baseline), f.Baseline == nil
		case "value", "affected", "volume":
			c.Floats = append(c.Floats, numbers[c.Name])
		default:
			c.Texts = append(c.Texts, texts[c.Name])
		}
	}
}

func entityText(e *health.Entity) string {
	if e == nil {
		return ""
	}
	return e.String()
}

// writeHealthNotes says what a report lacks.
func writeHealthNotes(to io.Writer, report *api.Health) {
	for _, note := range report.Notes {
		fmt.Fprintf(to, "seine: %s\n", printable(note))
	}
	var lost []string
	for _, reason := range slices.Sorted(maps.Keys(report.Losses)) {
		lost = append(lost, fmt.Sprintf("%s %d", printable(reason), report.Losses[reason]))
	}
	if len(lost) > 0 {
		fmt.Fprintf(to, "seine: records lack, since the server's start: %s\n", strings.Join(lost, ", "))
	}
}

// turn shows a page in place of the one before.
func (f *healthFlags) turn(out io.Writer, page string) error {
	if f.colour {
		page = "\x1b[H\x1b[2J" + page
	}
	_, err := io.WriteString(out, page)
	return err
}
