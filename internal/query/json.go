package query

import (
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
	Truncated bool
	// Cut says what the answer was truncated by.
	Cut string
	// Primary says that each connection was counted once, by its primary record.
	Primary bool
	// Losses counts by reason what is missing from the data itself.
	Losses map[string]uint64
}

// AppendJSON appends the answer as one JSON object:
//
//	{"columns":[{"field":"src.addr","kind":"addr","unit":"","estimated":false,"values":["10.0.0.1"]}],
//	 "rows":1,"truncated":false,"losses":{}}
//
// "cut" is there if truncated, "scope" is "primary" if each connection was counted once, and "other" lists the places of
// the rows that hold what the limit cut.
func (a *Answer) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"columns":[`...)
	for i := range a.Columns {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = a.Columns[i].appendJSON(dst, a.Rows)
	}
	dst = strconv.AppendInt(append(dst, `],"rows":`...), int64(a.Rows), 10)
	dst = strconv.AppendBool(append(dst, `,"truncated":`...), a.Truncated)
	if a.Truncated {
		dst = flow.AppendJSONString(append(dst, `,"cut":`...), a.Cut)
	}
	if a.Primary {
		dst = append(dst, `,"scope":"primary"`...)
	}
	dst = a.appendOther(dst)
	return append(appendLosses(dst, a.Losses), '}')
}

func (a *Answer) appendOther(dst []byte) []byte {
	between := `,"other":[`
	for i, other := range a.Other {
		if other {
			dst = strconv.AppendInt(append(dst, between...), int64(i), 10)
			between = ","
		}
	}
	if between == "," {
		dst = append(dst, ']')
	}
	return dst
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

func (c *Column) appendJSON(dst []byte, rows int) []byte {
	dst = flow.AppendJSONString(append(dst, `{"field":`...), c.Name)
	dst = flow.AppendJSONString(append(dst, `,"kind":`...), c.Kind.String())
	dst = flow.AppendJSONString(append(dst, `,"unit":`...), c.Unit)
	dst = strconv.AppendBool(append(dst, `,"estimated":`...), c.Estimated)
	dst = append(dst, `,"values":[`...)
	for i := range rows {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = c.AppendJSON(dst, i)
	}
	return append(dst, "]}"...)
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
