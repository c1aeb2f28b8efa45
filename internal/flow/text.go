package flow

import (
	"strconv"
	"time"
)

// AppendText appends the field's value as CSV shows it: times in RFC 3339 and UTC, names of enumerations,
// numbers in digits. A field that the record does not have is the empty text.
func (f *Field) AppendText(dst []byte, r *Record) []byte {
	if !f.Present(r) {
		return dst
	}
	switch f.Kind.Storage() {
	case TextStorage:
		return append(dst, f.Text(r)...)
	case AddrStorage:
		return f.Addr(r).AppendTo(dst)
	}
	return f.appendUint(dst, f.Uint(r))
}

func (f *Field) appendUint(dst []byte, n uint64) []byte {
	switch f.Kind {
	case TimeField:
		return Time(n).appendText(dst)
	case BoolField:
		return strconv.AppendBool(dst, n != 0)
	case ProtoField:
		return Proto(n).appendText(dst)
	case FlagsField:
		return TCPFlags(n).appendText(dst)
	case EnumField:
		return append(dst, f.Enum.Name(n)...)
	}
	return strconv.AppendUint(dst, n, 10)
}

// appendText appends the time in RFC 3339 and UTC, with as many decimals as it needs.
func (t Time) appendText(dst []byte) []byte {
	return t.Std().AppendFormat(dst, time.RFC3339Nano)
}

// Std returns the time as the standard library's type, in UTC.
func (t Time) Std() time.Time { return time.Unix(0, int64(t)).UTC() }

// String returns the time in RFC 3339 and UTC.
func (t Time) String() string { return string(t.appendText(nil)) }
