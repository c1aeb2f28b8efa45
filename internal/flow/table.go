package flow

import (
	"bytes"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// Column is a column of a terminal table. Append appends a cell's text, which Table pads to Width characters.
type Column struct {
	Title  string
	Width  int
	Right  bool
	Append func(dst []byte, r *Record) []byte
}

// Table writes records as lines of aligned text, each as it comes. Widths are fixed beforehand, so that lines stay
// aligned however many follow; a longer cell is written whole and shifts the rest of its line. A Table may be
// shared by goroutines.
type Table struct{ columns []Column }

// NewTable returns an encoder of the columns.
func NewTable(columns []Column) *Table { return &Table{columns} }

// ConnectionColumns returns the columns that show a connection at a glance. The path comes last, since its
// length varies most.
func ConnectionColumns() []Column { return slices.Clone(connectionColumns) }

var connectionColumns = []Column{
	{"TIME", 12, false, func(dst []byte, r *Record) []byte { return appendClock(dst, r.End) }},
	{"PROTO", 6, false, func(dst []byte, r *Record) []byte { return r.Proto.appendText(dst) }},
	{"SENT", 10, true, func(dst []byte, r *Record) []byte { return appendBytes(dst, r.Fwd.Bytes) }},
	{"RECEIVED", 10, true, func(dst []byte, r *Record) []byte { return appendBytes(dst, r.Rev.Bytes) }},
	{"PACKETS", 11, true, appendPackets},
	{"NAT", 9, false, func(dst []byte, r *Record) []byte { return append(dst, r.NAT.String()...) }},
	{"NODE", 16, false, func(dst []byte, r *Record) []byte { return append(dst, r.Node...) }},
	{"IFACE", 15, false, func(dst []byte, r *Record) []byte { return append(dst, r.Iface...) }},
	{"CONNECTION", 0, false, appendPath},
}

// QueryColumns returns the columns that show a DNS query at a glance.
func QueryColumns() []Column { return slices.Clone(queryColumns) }

var queryColumns = []Column{
	{"TIME", 12, false, func(dst []byte, r *Record) []byte { return appendClock(dst, r.End) }},
	{"TYPE", 6, false, func(dst []byte, r *Record) []byte { return append(dst, r.query().Type...) }},
	{"RESULT", 9, false, func(dst []byte, r *Record) []byte { return append(dst, r.query().RCode...) }},
	{"LATENCY", 9, true, appendLatency},
	{"RETRIES", 7, true, func(dst []byte, r *Record) []byte { return strconv.AppendUint(dst, uint64(r.query().Retries), 10) }},
	{"NAME", 40, false, func(dst []byte, r *Record) []byte { return append(dst, r.query().Name...) }},
	{"CLIENT → RESOLVER", 0, false, appendPath},
}

func appendLatency(dst []byte, r *Record) []byte {
	if r.query().Latency == 0 {
		return append(dst, '-')
	}
	return appendMicroseconds(dst, r.query().Latency)
}

// FieldColumns returns a column for each field, with its name in capitals as the title.
func FieldColumns(fields []*Field) []Column {
	columns := make([]Column, len(fields))
	for i, f := range fields {
		title := strings.ToUpper(f.Name)
		columns[i] = Column{title, max(len(title), kinds[f.Kind].width), f.Kind.RightAligned(), f.appendCell}
	}
	return columns
}

// appendCell appends the value for people: clock times and byte units in place of CSV's exact texts.
func (f *Field) appendCell(dst []byte, r *Record) []byte {
	switch f.Kind {
	case TimeField:
		return appendClock(dst, Time(f.Uint(r)))
	case BytesField:
		return appendBytes(dst, f.Uint(r))
	case MoneyField:
		return appendMoney(dst, f.Uint(r))
	case DurationField:
		if f.Present(r) {
			return appendMicroseconds(dst, f.Uint(r))
		}
	}
	return f.AppendText(dst, r)
}

// appendClock appends the local time of day in milliseconds.
func appendClock(dst []byte, t Time) []byte {
	return time.Unix(0, int64(t)).AppendFormat(dst, "15:04:05.000")
}

// appendPackets appends the packets of both directions, forward first.
func appendPackets(dst []byte, r *Record) []byte {
	dst = append(strconv.AppendUint(dst, r.Fwd.Packets, 10), '/')
	return strconv.AppendUint(dst, r.Rev.Packets, 10)
}

// AppendHeader appends the line with the titles.
func (t *Table) AppendHeader(dst []byte) []byte {
	return t.appendLine(dst, func(dst []byte, c *Column) []byte { return append(dst, c.Title...) })
}

// Append appends the record's line.
func (t *Table) Append(dst []byte, r *Record) []byte {
	return t.appendLine(dst, func(dst []byte, c *Column) []byte { return c.Append(dst, r) })
}

func (t *Table) appendLine(dst []byte, cell func([]byte, *Column) []byte) []byte {
	for i := range t.columns {
		c := &t.columns[i]
		start := len(dst)
		dst = printable(cell(dst, c), start)
		if !c.Right && i == len(t.columns)-1 {
			break // Nothing follows, so that padding would only be trailing space.
		}
		dst = pad(dst, start, c.Width, c.Right)
		if i < len(t.columns)-1 {
			dst = append(dst, "  "...)
		}
	}
	return append(dst, '\n')
}

// pad fills the text from start up to a width in characters.
func pad(dst []byte, start, width int, right bool) []byte {
	missing := width - utf8.RuneCount(dst[start:])
	for range missing {
		dst = append(dst, ' ')
	}
	if right && missing > 0 {
		copy(dst[start+missing:], dst[start:len(dst)-missing])
		for i := range missing {
			dst[start+i] = ' '
		}
	}
	return dst
}

// printable replaces the characters from start that a terminal would obey instead of show. Names of interfaces
// and of hosts outside come from others and may hold any byte.
func printable(dst []byte, start int) []byte {
	if !bytes.ContainsFunc(dst[start:], unprintable) {
		return dst
	}
	text := bytes.Map(func(r rune) rune {
		if unprintable(r) {
			return unicode.ReplacementChar
		}
		return r
	}, dst[start:])
	return append(dst[:start], text...)
}

func unprintable(r rune) bool { return !unicode.IsPrint(r) }
