package flow

import "bytes"

// CSV writes records as comma-separated values with a header line, quoted as RFC 4180 has it. Lines end in LF,
// as tools on Linux expect and every reader of RFC 4180 accepts. A CSV may be shared by goroutines.
type CSV struct{ fields []*Field }

// NewCSV returns an encoder of the fields, a column each.
func NewCSV(fields []*Field) *CSV { return &CSV{fields} }

// AppendHeader appends the line with the field names.
func (c *CSV) AppendHeader(dst []byte) []byte {
	for i, f := range c.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		dst = append(dst, f.Name...)
	}
	return append(dst, '\n')
}

// Append appends the record's line. A field that the record does not have is an empty value.
func (c *CSV) Append(dst []byte, r *Record) []byte {
	for i, f := range c.fields {
		if i > 0 {
			dst = append(dst, ',')
		}
		start := len(dst)
		dst = f.AppendText(dst, r)
		if f.Kind.Storage() == TextStorage {
			dst = quoteCSV(dst, start)
		}
	}
	return append(dst, '\n')
}

// quoteCSV puts the value that begins at start into quotation marks if it holds a character that needs it,
// and doubles the marks inside. Values of other storages than text never hold one.
func quoteCSV(dst []byte, start int) []byte {
	value := dst[start:]
	if !bytes.ContainsAny(value, ",\"\r\n") {
		return dst
	}
	value = bytes.ReplaceAll(value, []byte(`"`), []byte(`""`))
	dst = append(dst[:start], '"')
	dst = append(dst, value...)
	return append(dst, '"')
}
