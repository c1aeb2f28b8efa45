package query

import (
	"bufio"
	"maps"
	"math"
	"slices"
	"strconv"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// Answer is what a user gets for a request.
type Answer struct {
	*Block
	// More are blocks with the rows that follow those of Block, as large answers that are written have them.
	More      []*Block
	Truncated bool
	// Cut says what the answer was truncated by.
	Cut string
	// Primary says that each connection was counted once, by its primary record.
	Primary bool
	// Losses counts by reason what is missing from the data itself.
	Losses map[string]uint64
}

// WriteJSON writes the answer as one JSON object:
//
//	{"columns":[{"field":"src.addr","kind":"addr","unit":"","estimated":false,"values":["10.0.0.1"]}],
//	 "rows":1,"truncated":false,"losses":{}}
//
// "cut" is there if truncated, "scope" is "primary" if each connection was counted once, and "other" lists the places of
// the rows that hold what the limit cut. The text goes out as the buffer fills, so that it is never whole in memory; the
// caller flushes the rest. The error is the writer's.
func (a *Answer) WriteJSON(w *bufio.Writer) error {
	blocks := append([]*Block{a.Block}, a.More...)
	if _, err := w.WriteString(`{"columns":[`); err != nil {
		return err
	}
	for i := range a.Columns {
		if err := writeColumn(w, blocks, i); err != nil {
			return err
		}
	}
	rows := 0
	for _, b := range blocks {
		rows += b.Rows
	}
	dst := strconv.AppendInt(append(w.AvailableBuffer(), `],"rows":`...), int64(rows), 10)
	dst = strconv.AppendBool(append(dst, `,"truncated":`...), a.Truncated)
	if a.Truncated {
		dst = flow.AppendJSONString(append(dst, `,"cut":`...), a.Cut)
	}
	if a.Primary {
		dst = append(dst, `,"scope":"primary"`...)
	}
	if _, err := w.Write(dst); err != nil {
		return err
	}
	if err := writeOther(w, blocks); err != nil {
		return err
	}
	_, err := w.Write(append(appendLosses(w.AvailableBuffer(), a.Losses), '}'))
	return err
}

// writeColumn writes one column of all blocks.
func writeColumn(w *bufio.Writer, blocks []*Block, i int) error {
	dst := w.AvailableBuffer()
	if i > 0 {
		dst = append(dst, ',')
	}
	if _, err := w.Write(appendHead(dst, blocks, i)); err != nil {
		return err
	}
	between := ""
	for _, b := range blocks {
		for row := range b.Rows {
			dst := append(w.AvailableBuffer(), between...)
			if _, err := w.Write(b.Columns[i].AppendJSON(dst, row)); err != nil {
				return err
			}
			between = ","
		}
	}
	_, err := w.WriteString("]}")
	return err
}

// appendHead appends what comes before a column's values.
func appendHead(dst []byte, blocks []*Block, i int) []byte {
	c := &blocks[0].Columns[i]
	estimated := slices.ContainsFunc(blocks, func(b *Block) bool { return b.Columns[i].Estimated })
	dst = flow.AppendJSONString(append(dst, `{"field":`...), c.Name)
	dst = flow.AppendJSONString(append(dst, `,"kind":`...), c.Kind.String())
	dst = flow.AppendJSONString(append(dst, `,"unit":`...), c.Unit)
	dst = strconv.AppendBool(append(dst, `,"estimated":`...), estimated)
	return append(dst, `,"values":[`...)
}

// writeOther writes which rows are of the group of others, if any is.
func writeOther(w *bufio.Writer, blocks []*Block) error {
	before, between := 0, `,"other":[`
	for _, b := range blocks {
		for i, other := range b.Other {
			if !other {
				continue
			}
			dst := append(w.AvailableBuffer(), between...)
			if _, err := w.Write(strconv.AppendInt(dst, int64(before+i), 10)); err != nil {
				return err
			}
			between = ","
		}
		before += b.Rows
	}
	if between != "," {
		return nil
	}
	return w.WriteByte(']')
}

func appendLosses(dst []byte, losses map[string]uint64) []byte {
	dst = append(dst, `,"losses":{`...)
	for i, reason := range slices.Sorted(maps.Keys(losses)) {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(flow.AppendJSONString(dst, reason), ':')
		dst = strconv.AppendUint(dst, losses[reason], 10)
	}
	return append(dst, '}')
}

// AppendJSON appends the value of a row as the JSON of records has it: times in RFC 3339, flags as an array of names,
// null for what is not there.
func (c *Column) AppendJSON(dst []byte, row int) []byte {
	switch {
	case c.Null != nil && c.Null[row]:
		return append(dst, "null"...)
	case c.Floats != nil:
		return appendFloat(dst, c.Floats[row])
	case columns.IsTextKind(c.Kind):
		return flow.AppendJSONString(dst, c.Texts[row])
	case c.Kind == flow.TimeField:
		return flow.AppendJSONString(dst, flow.Time(c.Ints[row]).String())
	case c.Kind == flow.FlagsField:
		return flow.TCPFlags(c.Ints[row]).AppendJSON(dst)
	case c.Kind == flow.BoolField:
		return strconv.AppendBool(dst, c.Ints[row] != 0)
	}
	return strconv.AppendInt(dst, c.Ints[row], 10)
}

// AppendText appends the value of a row as CSV of records has it, before any quoting; nothing for what is not there.
func (c *Column) AppendText(dst []byte, row int) []byte {
	switch {
	case c.Null != nil && c.Null[row]:
		return dst
	case c.Floats != nil:
		return appendFloat(dst, c.Floats[row])
	case columns.IsTextKind(c.Kind):
		return append(dst, c.Texts[row]...)
	case c.Kind == flow.TimeField:
		return append(dst, flow.Time(c.Ints[row]).String()...)
	case c.Kind == flow.FlagsField:
		return append(dst, flow.TCPFlags(c.Ints[row]).String()...)
	case c.Kind == flow.BoolField:
		return strconv.AppendBool(dst, c.Ints[row] != 0)
	}
	return strconv.AppendInt(dst, c.Ints[row], 10)
}

// appendFloat appends a number with as many digits as it needs, without an exponent where it is of usual size.
func appendFloat(dst []byte, value float64) []byte {
	format := byte('f')
	if size := math.Abs(value); size >= 1e15 || size > 0 && size < 1e-6 {
		format = 'g'
	}
	return strconv.AppendFloat(dst, value, format, -1, 64)
}
