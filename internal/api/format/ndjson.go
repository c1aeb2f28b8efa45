package format

import (
	"io"
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// NDJSON writes a JSON object a row, nested at the dots of field names as records are. What a row does not have is left
// out; measures have their name as they are.
type NDJSON struct {
	to     io.Writer
	root   []member
	buffer []byte
}

// member is a value, or an object where it has members.
type member struct {
	name, key string
	column    int
	members   []member
}

// NewNDJSON returns a writer of blocks with the given columns.
func NewNDJSON(to io.Writer, columns []query.Column) *NDJSON {
	n := &NDJSON{to: to}
	for i := range columns {
		path := []string{columns[i].Name}
		if isField := !strings.Contains(columns[i].Name, "("); isField {
			path = strings.Split(columns[i].Name, ".")
		}
		n.root = insert(n.root, path, i)
	}
	return n
}

func insert(members []member, path []string, column int) []member {
	i := 0
	for i < len(members) && members[i].name != path[0] {
		i++
	}
	if i == len(members) {
		key := string(append(flow.AppendJSONString(nil, path[0]), ':'))
		members = append(members, member{name: path[0], key: key, column: column})
	}
	if len(path) > 1 {
		members[i].members = insert(members[i].members, path[1:], column)
	}
	return members
}

// Write writes the rows of a block, a line each.
func (n *NDJSON) Write(b *query.Block) error {
	for row := range b.Rows {
		n.buffer = n.AppendRow(n.buffer, b, row)
		if len(n.buffer) >= flushAt {
			if err := n.flush(); err != nil {
				return err
			}
		}
	}
	return nil
}

// AppendRow appends a row's line.
func (n *NDJSON) AppendRow(dst []byte, b *query.Block, row int) []byte {
	dst, _ = appendMembers(append(dst, '{'), n.root, b, row)
	return append(dst, '}', '\n')
}

// Close writes what is gathered.
func (n *NDJSON) Close() error { return n.flush() }

func (n *NDJSON) flush() error {
	_, err := n.to.Write(n.buffer)
	n.buffer = n.buffer[:0]
	return err
}

// appendMembers appends the members that the row has, and says whether there was any.
func appendMembers(dst []byte, members []member, b *query.Block, row int) ([]byte, bool) {
	start := len(dst)
	for i := range members {
		dst = members[i].append(dst, b, row)
	}
	if len(dst) == start {
		return dst, false
	}
	return dst[:len(dst)-1], true // Each member ends in a comma, the last one's is too many.
}

func (m *member) append(dst []byte, b *query.Block, row int) []byte {
	start := len(dst)
	dst = append(dst, m.key...)
	if m.members == nil {
		c := &b.Columns[m.column]
		if isMissing(c, row) {
			return dst[:start]
		}
		return append(c.AppendJSON(dst, row), ',')
	}
	dst, written := appendMembers(append(dst, '{'), m.members, b, row)
	if !written {
		return dst[:start]
	}
	return append(dst, '}', ',')
}

// isMissing says whether a row does not have a value: null, or the text that stands for unknown.
func isMissing(c *query.Column, row int) bool {
	if c.Null != nil && c.Null[row] {
		return true
	}
	return columns.IsTextKind(c.Kind) && c.Texts != nil && c.Texts[row] == ""
}
