package format

import (
	"bytes"
	"io"

	"github.com/seine-net/seine/internal/query"
)

// flushAt is how much is gathered before it is written, in bytes.
const flushAt = 64 << 10

// CSV writes comma-separated values with a header line, quoted as RFC 4180 has it, with LF at the ends of lines.
type CSV struct {
	to     io.Writer
	buffer []byte
}

// NewCSV returns a writer of blocks with the given columns.
func NewCSV(to io.Writer, columns []query.Column) (*CSV, error) {
	c := &CSV{to: to}
	for i := range columns {
		c.value(i, func(dst []byte) []byte { return append(dst, columns[i].Name...) })
	}
	c.buffer = append(c.buffer, '\n')
	return c, nil
}

// Write writes the rows of a block, a line each.
func (c *CSV) Write(b *query.Block) error {
	for row := range b.Rows {
		for i := range b.Columns {
			c.value(i, func(dst []byte) []byte { return b.Columns[i].AppendText(dst, row) })
		}
		c.buffer = append(c.buffer, '\n')
		if len(c.buffer) >= flushAt {
			if err := c.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// Close writes what is gathered.
func (c *CSV) Close() error { return c.flush() }

func (c *CSV) flush() error {
	_, err := c.to.Write(c.buffer)
	c.buffer = c.buffer[:0]
	return err
}

// value appends a value, in quotation marks if it holds what needs them.
func (c *CSV) value(i int, appendText func([]byte) []byte) {
	if i > 0 {
		c.buffer = append(c.buffer, ',')
	}
	start := len(c.buffer)
	c.buffer = appendText(c.buffer)
	text := c.buffer[start:]
	if bytes.ContainsAny(text, ",\"\r\n") {
		quoted := bytes.ReplaceAll(text, []byte(`"`), []byte(`""`))
		c.buffer = append(append(append(c.buffer[:start], '"'), quoted...), '"')
	}
}
