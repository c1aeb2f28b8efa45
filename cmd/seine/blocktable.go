package main

import (
	"io"
	"os"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// widest is up to where a column is made wide for a long value; longer ones shift the rest of their line.
const widest = 60

// blockTable writes blocks as aligned text. Columns are as wide as the first block needs.
type blockTable struct {
	to      io.Writer
	columns []blockColumn
	begun   bool
	bold    bool
}

// gap is between two columns.
const gap = "  "

// blockColumn is a column of a table: how a row's value is shown to people.
type blockColumn struct {
	title string
	right bool
	width int
	text  func(b *query.Block, row int) string
}

func newBlockTable(to io.Writer, columns []blockColumn) *blockTable {
	return &blockTable{to: to, columns: columns, bold: isTerminal(to) && os.Getenv("NO_COLOR") == ""}
}

// needs is how wide a column is for the rows of a block.
func (c *blockColumn) needs(b *query.Block) int {
	width := max(c.width, utf8.RuneCountInString(c.title))
	for row := range b.Rows {
		width = max(width, utf8.RuneCountInString(printable(c.text(b, row))))
	}
	return width
}

// Write writes the rows of a block, and before the first the titles.
func (t *blockTable) Write(b *query.Block) error {
	cells := make([][]string, b.Rows)
	for row := range cells {
		for i := range t.columns {
			cells[row] = append(cells[row], printable(t.columns[i].text(b, row)))
		}
	}
	var out []byte
	if !t.begun {
		t.begun = true
		out = t.titles(cells)
	}
	for _, line := range cells {
		out = t.appendLine(out, line)
	}
	_, err := t.to.Write(out)
	return err
}

// Close does nothing: every line is written.
func (t *blockTable) Close() error { return nil }

func (t *blockTable) titles(cells [][]string) []byte {
	titles := make([]string, len(t.columns))
	for i := range t.columns {
		c := &t.columns[i]
		titles[i] = c.title
		c.width = max(c.width, utf8.RuneCountInString(c.title))
		for _, line := range cells {
			c.width = max(c.width, min(widest, utf8.RuneCountInString(line[i])))
		}
	}
	line := t.appendLine(nil, titles)
	if t.bold {
		return append(append([]byte("\x1b[1m"), line[:len(line)-1]...), "\x1b[0m\n"...)
	}
	return line
}

func (t *blockTable) appendLine(dst []byte, cells []string) []byte {
	start := len(dst)
	for i, cell := range cells {
		space := strings.Repeat(" ", max(0, t.columns[i].width-utf8.RuneCountInString(cell)))
		if t.columns[i].right {
			dst = append(append(dst, space...), cell...)
		} else {
			dst = append(append(dst, cell...), space...)
		}
		dst = append(dst, gap...)
	}
	trimmed := strings.TrimRight(string(dst[start:]), " ")
	return append(append(dst[:start], trimmed...), '\n')
}

// columnsOf shows the columns of an answer: exactly, or as people read them.
func columnsOf(columns []query.Column, exact bool) []blockColumn {
	shown := make([]blockColumn, len(columns))
	for i := range columns {
		c := &columns[i]
		title := c.Name
		if c.Unit != "" && !strings.Contains(c.Name, c.Unit) && (exact || c.Kind != flow.BytesField && c.Kind != flow.DurationField && c.Kind != flow.MoneyField) {
			title += " (" + c.Unit + ")"
		}
		if c.Estimated {
			title += " ~"
		}
		text := valueText
		if exact {
			text = exactText
		}
		shown[i] = blockColumn{title: strings.ToUpper(title), right: c.Kind.RightAligned(), text: func(b *query.Block, row int) string {
			return text(b, i, row)
		}}
	}
	return shown
}

func exactText(b *query.Block, i, row int) string {
	if b.Other != nil && b.Other[row] && i == 0 {
		return "(other)"
	}
	return string(b.Columns[i].AppendText(nil, row))
}

// valueText shows a value in the unit that people like.
func valueText(b *query.Block, i, row int) string {
	c := &b.Columns[i]
	switch {
	case b.Other != nil && b.Other[row] && i == 0:
		return "(other)"
	case c.Null != nil && c.Null[row]:
		return "-"
	case c.Kind == flow.TimeField && c.Ints != nil:
		return clock(c.Ints, row)
	case c.Kind == flow.BytesField:
		return amountText(c, row, flow.FormatBytes) + perSecond(c)
	case c.Kind == flow.DurationField:
		return amountText(c, row, flow.FormatMicroseconds)
	case c.Kind == flow.MoneyField:
		return amountText(c, row, flow.FormatMoney)
	case c.Floats != nil:
		return strconv.FormatFloat(c.Floats[row], 'f', 2, 64)
	}
	return string(c.AppendText(nil, row))
}

// perSecond is what follows an amount that is a rate.
func perSecond(c *query.Column) string {
	if strings.HasSuffix(c.Unit, "/s") {
		return "/s"
	}
	return ""
}

func amountText(c *query.Column, row int, format func(uint64) string) string {
	n := int64(0)
	if c.Floats != nil {
		n = int64(c.Floats[row])
	} else {
		n = c.Ints[row]
	}
	if n < 0 {
		return "-" + format(uint64(-n))
	}
	return format(uint64(n))
}

// clock shows times of today by the clock. Where the first or the last of them is of another day, all have their day.
func clock(nanoseconds []int64, row int) string {
	t := time.Unix(0, nanoseconds[row])
	if isToday(t) && isToday(time.Unix(0, nanoseconds[0])) && isToday(time.Unix(0, nanoseconds[len(nanoseconds)-1])) {
		return t.Format("15:04:05.000")
	}
	return t.Format("2006-01-02 15:04:05")
}

func isToday(t time.Time) bool {
	now := time.Now()
	return t.YearDay() == now.YearDay() && t.Year() == now.Year()
}
