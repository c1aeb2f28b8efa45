package main

import (
	"context"
	"fmt"
	"io"
	"strconv"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// The measures of the table of edges. Segments that are sent again are counted by the report of the node that sends them.
const (
	edgeConnects    = `count(primary && known(tcp.connect))`
	edgeFailed      = `count(primary && tcp.connect in ["refused", "timeout", "unreachable"])`
	edgeRetransmits = `sum(total.retransmits)`
	edgeSegments    = `sum(total.packets, primary && proto == "TCP")`
	edgeBytes       = `sum(total.bytes, primary)`
)

// edgeMeasures are all that are asked for, those of time and the columns that show them.
var edgeMeasures = []string{
	edgeFailed, edgeConnects, edgeRetransmits, edgeSegments, edgeBytes,
	"p50(tcp.rtt, primary)", "p99(tcp.rtt, primary)", "p50(tcp.handshake, primary)", "p99(tcp.handshake, primary)",
}

var edgeKeys = []string{
	"src.kind", "src.namespace", "src.workload.name", "dst.kind", "dst.namespace", "dst.service",
	"backend.kind", "backend.namespace", "backend.workload.name",
}

// writeEdges writes the edges of a period as a table: those with most failed connects first, then by traffic.
func (f *healthFlags) writeEdges(ctx context.Context, c *client.Client, r client.HealthRequest, report *api.Health, out io.Writer) error {
	if f.edges == 0 {
		return nil
	}
	const most = 1000
	a, err := c.Query(ctx, &query.Request{
		From: written(report.From), To: written(report.To), Filter: r.Filter, GroupBy: edgeKeys, Measures: edgeMeasures,
		Order: "-" + edgeFailed + ",-" + edgeBytes, Limit: most,
	})
	if err != nil || a.Rows == 0 {
		return err
	}
	if _, err := fmt.Fprintln(out); err != nil {
		return err
	}
	shown := firstRows(a.Block, f.edges)
	columns := edgeColumns(shown, recordedSeconds(ctx, c, report))
	fit := columns
	if f.output == "table" {
		fit = fitting(columns, shown, f.width)
	}
	if err := newBlockTable(out, fit).Write(shown); err != nil {
		return err
	}
	if left := len(columns) - len(fit); left > 0 {
		if _, err := fmt.Fprintf(out, "%d columns more have no room; -o wide shows them\n", left); err != nil {
			return err
		}
	}
	if shown.Rows == a.Rows {
		return nil
	}
	more := ""
	if a.Truncated {
		more = "more than "
	}
	_, err = fmt.Fprintf(out, "%d of %s%d edges; --edges N lists more\n", shown.Rows, more, a.Rows)
	return err
}

func firstRows(b *query.Block, n int) *query.Block {
	var rows []int
	for row := range min(n, b.Rows) {
		rows = append(rows, row)
	}
	return rowsOf(b, rows)
}

// recordedSeconds is the part of a report's period that records can be of: recording may have begun within it. A server
// that does not tell counts as one that has recorded all along.
func recordedSeconds(ctx context.Context, c *client.Client, report *api.Health) float64 {
	from := report.From
	if s, err := c.Status(ctx); err == nil && s.Store.Oldest != nil && s.Store.Oldest.After(from) && s.Store.Oldest.Before(report.To) {
		from = *s.Store.Oldest
	}
	return max(1, report.To.Sub(from).Seconds())
}

// edgeColumns are the columns of the table of edges.
func edgeColumns(b *query.Block, seconds float64) []blockColumn {
	number := func(name string) func(*query.Block, int) float64 {
		c := &b.Columns[indexOf(b, name)]
		return func(_ *query.Block, row int) float64 { return numberAt(c, row) }
	}
	rate := func(title, name string, text func(float64) string) blockColumn {
		return blockColumn{title: title, right: true, text: func(b *query.Block, row int) string { return text(number(name)(b, row) / seconds) }}
	}
	share := func(title, part, of string) blockColumn {
		return blockColumn{title: title, right: true, text: func(b *query.Block, row int) string {
			return percent(number(part)(b, row), number(of)(b, row))
		}}
	}
	columns := []blockColumn{
		{title: "CLIENT", text: func(b *query.Block, row int) string { return endText(b, "src", row) }},
		{title: "SERVER", text: serverText},
		rate("CONNECTS/S", edgeConnects, func(x float64) string { return strconv.FormatFloat(x, 'f', 2, 64) }),
		share("FAILED", edgeFailed, edgeConnects),
		share("SENT AGAIN", edgeRetransmits, edgeSegments),
		rate("TRAFFIC/S", edgeBytes, func(x float64) string { return flow.FormatBytes(uint64(x)) }),
	}
	for i, title := range []string{"RTT P50", "RTT P99", "CONNECT P50", "CONNECT P99"} {
		name := edgeMeasures[len(edgeMeasures)-4+i]
		columns = append(columns, blockColumn{title: title, right: true, text: func(b *query.Block, row int) string {
			return valueText(b, indexOf(b, name), row)
		}})
	}
	return columns
}

func numberAt(c *query.Column, row int) float64 {
	switch {
	case c.Null != nil && c.Null[row]:
		return 0
	case c.Floats != nil:
		return c.Floats[row]
	}
	return float64(c.Ints[row])
}

// percent is a share, "-" of nothing.
func percent(part, of float64) string {
	if of <= 0 {
		return "-"
	}
	return strconv.FormatFloat(100*part/of, 'f', 1, 64) + " %"
}

// serverText is the Service that was dialled, else who answered.
func serverText(b *query.Block, row int) string {
	if at(b, "dst.kind", row) == flow.Service.String() {
		return at(b, "dst.namespace", row) + "/" + at(b, "dst.service", row)
	}
	return endText(b, "backend", row)
}

// endText is a workload, else the kind of an end.
func endText(b *query.Block, end string, row int) string {
	switch name, kind := at(b, end+".workload.name", row), at(b, end+".kind", row); {
	case name != "":
		return at(b, end+".namespace", row) + "/" + name
	case kind != "":
		return kind
	}
	return unknown
}

func at(b *query.Block, name string, row int) string { return b.Columns[indexOf(b, name)].Texts[row] }
