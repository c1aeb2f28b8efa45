package ipfix

import (
	"bytes"
	"crypto/tls"
	"encoding/binary"
	"errors"
	"io"
	"net"
	"testing"
	"time"

	"github.com/netsampler/goflow2/v2/decoders/netflow"
)

// received is a message, and the number of the connection or of the socket that it came by, from 0 on.
type received struct {
	session int
	raw     []byte
}

// collector takes messages and decodes them by the library of another collector.
type collector struct {
	*testing.T
	address  string
	messages chan received
	// templates are those of each session.
	templates map[int]netflow.NetFlowTemplateSystem
}

func newCollector(t *testing.T) *collector {
	return &collector{T: t, messages: make(chan received, 10000), templates: map[int]netflow.NetFlowTemplateSystem{}}
}

// collectTCP takes messages of connections; each is given to hold first, where a test may close it, read nothing or do
// as it likes.
func collectTCP(t *testing.T, secure *tls.Config, hold func(session int, conn net.Conn)) *collector {
	t.Helper()
	c := newCollector(t)
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	if secure != nil {
		listener = tls.NewListener(listener, secure)
	}
	c.address = listener.Addr().String()
	t.Cleanup(func() { _ = listener.Close() })
	go func() {
		for session := 0; ; session++ {
			conn, err := listener.Accept()
			if err != nil {
				return
			}
			t.Cleanup(func() { _ = conn.Close() })
			go func() {
				if hold != nil {
					hold(session, conn)
				}
				c.read(session, conn)
			}()
		}
	}()
	return c
}

// read cuts a connection into messages by their lengths.
func (c *collector) read(session int, conn net.Conn) {
	defer conn.Close()
	for {
		header := make([]byte, 4)
		if _, err := io.ReadFull(conn, header); err != nil {
			return
		}
		rest := make([]byte, int(binary.BigEndian.Uint16(header[2:]))-len(header))
		if _, err := io.ReadFull(conn, rest); err != nil {
			return
		}
		c.messages <- received{session, append(header, rest...)}
	}
}

// collectUDP takes messages as datagrams; each sender is a session.
func collectUDP(t *testing.T) *collector {
	t.Helper()
	c := newCollector(t)
	conn, err := net.ListenPacket("udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	c.address = conn.LocalAddr().String()
	t.Cleanup(func() { _ = conn.Close() })
	go func() {
		sessions := map[string]int{}
		for buffer := make([]byte, 1<<16); ; {
			n, from, err := conn.ReadFrom(buffer)
			if err != nil {
				return
			}
			if _, known := sessions[from.String()]; !known {
				sessions[from.String()] = len(sessions)
			}
			c.messages <- received{sessions[from.String()], bytes.Clone(buffer[:n])}
		}
	}()
	return c
}

// next returns the next message.
func (c *collector) next() received {
	c.Helper()
	select {
	case m := <-c.messages:
		return m
	case <-time.After(10 * time.Second):
		c.Fatal("no message came within 10 seconds")
		return received{}
	}
}

// decode decodes a message with the templates of its session so far.
func (c *collector) decode(m received) netflow.IPFIXPacket {
	c.Helper()
	if c.templates[m.session] == nil {
		c.templates[m.session] = netflow.CreateTemplateSystem()
	}
	var packet netflow.IPFIXPacket
	if err := netflow.DecodeMessageVersion(bytes.NewBuffer(m.raw), c.templates[m.session], nil, &packet); err != nil {
		c.Fatal(err)
	}
	if int(packet.Length) != len(m.raw) {
		c.Fatalf("message says it has %d bytes, and has %d", packet.Length, len(m.raw))
	}
	return packet
}

// key is the number of an element.
type key struct {
	enterprise uint32
	number     uint16
}

// decoded is a record: its template's number, and the bytes of its values.
type decoded struct {
	template uint16
	values   map[key][]byte
}

// records returns the records of a message.
func (c *collector) records(packet netflow.IPFIXPacket) []decoded {
	c.Helper()
	var all []decoded
	for _, set := range packet.FlowSets {
		data, ok := set.(netflow.DataFlowSet)
		if !ok {
			continue
		}
		for _, record := range data.Records {
			d := decoded{data.Id, map[key][]byte{}}
			for _, v := range record.Values {
				k := key{v.Pen, v.Type}
				if _, twice := d.values[k]; twice {
					c.Fatalf("element %v is in a record twice", k)
				}
				d.values[k] = v.Value.([]byte)
			}
			all = append(all, d)
		}
	}
	return all
}

// announced returns the numbers of the templates of a message.
func announced(packet netflow.IPFIXPacket) []uint16 {
	var all []uint16
	for _, set := range packet.FlowSets {
		if templates, ok := set.(netflow.TemplateFlowSet); ok {
			for _, r := range templates.Records {
				all = append(all, r.TemplateId)
			}
		}
	}
	return all
}

// take decodes messages until so many records came.
func (c *collector) take(count int) []decoded {
	c.Helper()
	var all []decoded
	for len(all) < count {
		all = append(all, c.records(c.decode(c.next()))...)
	}
	if len(all) != count {
		c.Fatalf("%d records came, want %d", len(all), count)
	}
	return all
}

var errNoLength = errors.New("value has a length that its type has not")

// number reads an unsigned number.
func number(raw []byte) (uint64, error) {
	switch len(raw) {
	case 1:
		return uint64(raw[0]), nil
	case 2:
		return uint64(binary.BigEndian.Uint16(raw)), nil
	case 4:
		return uint64(binary.BigEndian.Uint32(raw)), nil
	case 8:
		return binary.BigEndian.Uint64(raw), nil
	}
	return 0, errNoLength
}
