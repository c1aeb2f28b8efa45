package kafka

import (
	"bytes"
	"fmt"
	"strconv"
	"strings"

	"github.com/twmb/franz-go/pkg/kgo"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/query"
)

// encoder makes messages of rows.
type encoder struct {
	// appendRow appends a row's lines.
	appendRow func(dst []byte, b *query.Block, row int) ([]byte, error)
	key       *key
	headers   []kgo.RecordHeader
}

func newEncoder(c *Config, plan *query.Plan) (*encoder, error) {
	columns := plan.Columns()
	e := &encoder{key: newKey(columns), headers: []kgo.RecordHeader{
		{Key: "content-type", Value: []byte("application/json")},
		{Key: "seine.dataset", Value: []byte(plan.Dataset)},
	}}
	if c.Format == netObservFormat {
		logs, err := format.NewNetObserv(nil, columns)
		if err != nil {
			return nil, fmt.Errorf("format: %q is made of all fields of the dataset flows: leave out fields and dataset", c.Format)
		}
		e.appendRow = logs.AppendRow
		return e, nil
	}
	objects := format.NewNDJSON(nil, columns)
	e.appendRow = func(dst []byte, b *query.Block, row int) ([]byte, error) { return objects.AppendRow(dst, b, row), nil }
	return e, nil
}

// message is one that a row became.
type message struct {
	kgo.Record
	row int
}

// span is where the key and the values of a row are in the buffer: a line each.
type span struct{ key, values, end int }

// encode makes the messages of a block, all in one buffer. Rows that make none for their fault are counted; a row of
// NetObserv's may make none as no packet passed.
func (e *encoder) encode(b *query.Block, size int) (messages []message, refused int) {
	buffer, spans := make([]byte, 0, size), make([]span, b.Rows)
	for row := range b.Rows {
		s := span{key: len(buffer)}
		buffer = e.key.append(buffer, b, row)
		s.values = len(buffer)
		var err error
		if buffer, err = e.appendRow(buffer, b, row); err != nil {
			buffer = buffer[:s.values]
			refused++
		}
		s.end = len(buffer)
		spans[row] = s
	}
	messages = make([]message, 0, b.Rows)
	for row, s := range spans {
		for line := range bytes.Lines(buffer[s.values:s.end]) {
			record := kgo.Record{Value: line[:len(line)-1], Headers: e.headers}
			if s.values > s.key {
				record.Key = buffer[s.key:s.values]
			}
			messages = append(messages, message{record, row})
		}
	}
	return messages, refused
}

// key is made of the protocol and the two ends of the connection as the backend's side has it on the wire, the lesser
// text first: "TCP 10.244.1.7:40000 10.244.2.9:8080". Those are what all who report a connection agree on: the
// node of the backend knows neither what the client dialled nor, where that was rewritten, the client's own address.
type key struct {
	proto, addrA, portA, addrB, portB int
	a, b                              []byte
}

// newKey returns nil if the columns lack what a key is made of: such messages have none, and go to any partition.
func newKey(columns []query.Column) *key {
	k := &key{}
	places := map[string]*int{
		"proto": &k.proto, "snat.addr": &k.addrA, "snat.port": &k.portA, "backend.addr": &k.addrB, "backend.port": &k.portB,
	}
	for i := range columns {
		if place := places[columns[i].Name]; place != nil {
			*place = i
			delete(places, columns[i].Name)
		}
	}
	if len(places) > 0 {
		return nil
	}
	return k
}

func (k *key) append(dst []byte, b *query.Block, row int) []byte {
	if k == nil {
		return dst
	}
	k.a = appendEnd(k.a[:0], &b.Columns[k.addrA], &b.Columns[k.portA], row)
	k.b = appendEnd(k.b[:0], &b.Columns[k.addrB], &b.Columns[k.portB], row)
	first, second := k.a, k.b
	if bytes.Compare(first, second) > 0 {
		first, second = second, first
	}
	dst = append(append(dst, b.Columns[k.proto].Texts[row]...), ' ')
	dst = append(append(dst, first...), ' ')
	return append(dst, second...)
}

// appendEnd appends an address, with its port where the protocol has one; addresses of IPv6 are in brackets then.
func appendEnd(dst []byte, addr, port *query.Column, row int) []byte {
	text := addr.Texts[row]
	if port.Null != nil && port.Null[row] {
		return append(dst, text...)
	}
	if strings.Contains(text, ":") {
		dst = append(append(append(dst, '['), text...), ']')
	} else {
		dst = append(dst, text...)
	}
	return strconv.AppendInt(append(dst, ':'), port.Ints[row], 10)
}
