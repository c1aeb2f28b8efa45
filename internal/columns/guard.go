package columns

import (
	"encoding/binary"
	"errors"
	"fmt"

	flatbuffers "github.com/google/flatbuffers/go"
)

// The bounds of a stream's metadata. Today's schema takes some 10 KiB.
const (
	maxMetadata = 1 << 20
	maxColumns  = 1024
)

// checkStream refuses what Encode never writes and Arrow's reader would follow without a bound: nested types, which it
// descends into by recursion; compressed buffers, for which it allocates what they claim; and texts of the schema, of
// which it copies as many as are claimed, though they may all be at the same place. It looks at the messages' metadata
// alone. It panics where that is malformed.
//
// Layout: https://arrow.apache.org/docs/format/Columnar.html#serialization-and-interprocess-communication-ipc, and
// Message.fbs and Schema.fbs in the Arrow repository, whose numbers of members and of union types are used here.
func checkStream(stream []byte) error {
	for len(stream) > 0 {
		if len(stream) < 8 || binary.LittleEndian.Uint32(stream) != 0xFFFFFFFF {
			return errors.New("stream has no message where one should begin")
		}
		size := int(binary.LittleEndian.Uint32(stream[4:]))
		stream = stream[8:]
		if size == 0 {
			return nil
		}
		if size > min(maxMetadata, len(stream)) {
			return fmt.Errorf("message has %d bytes of metadata, want at most %d", size, min(maxMetadata, len(stream)))
		}
		m := root(stream[:size])
		body := m.int64(3)
		stream = stream[size:]
		if body < 0 || body > int64(len(stream)) {
			return fmt.Errorf("message has a body of %d bytes, want at most %d", body, len(stream))
		}
		stream = stream[body:]
		if err := checkMessage(m); err != nil {
			return err
		}
	}
	return nil
}

// The types of messages.
const (
	schemaMessage     = 1
	dictionaryMessage = 2
	batchMessage      = 3
)

func checkMessage(m table) error {
	header := m.table(2)
	if m.metadataSize(4) > maxMetadata {
		return errTooMuchMetadata
	}
	switch kind := m.byte(1); kind {
	case schemaMessage:
		return checkSchema(header)
	case dictionaryMessage:
		if header.byte(2) != 0 {
			return errors.New("dictionary is sent in parts")
		}
		return checkUncompressed(header.table(1))
	case batchMessage:
		return checkUncompressed(header)
	default:
		return fmt.Errorf("message is of type %d, want a schema, dictionary or record batch", kind)
	}
}

var errTooMuchMetadata = fmt.Errorf("texts of the metadata have more than %d bytes", maxMetadata)

func checkUncompressed(batch table) error {
	if batch.has(3) {
		return errors.New("buffers are compressed, want only the whole stream to be")
	}
	return nil
}

// flatTypes are the types of columns that are not nested: integers, texts, truth values and timestamps.
var flatTypes = map[byte]bool{2: true, 5: true, 6: true, timestampType: true}

const timestampType = 10

func checkSchema(schema table) error {
	if schema.byte(0) != 0 {
		return errors.New("numbers are big-endian")
	}
	columns := schema.length(1)
	if columns > maxColumns {
		return fmt.Errorf("schema has %d columns, want at most %d", columns, maxColumns)
	}
	size := schema.metadataSize(2)
	for i := range columns {
		column := schema.element(1, i)
		kind := column.byte(2)
		if !flatTypes[kind] || column.length(5) > 0 {
			return fmt.Errorf("column %d is nested or of type %d, want an integer, text, truth value or timestamp", i, kind)
		}
		size += column.length(0) + column.metadataSize(6)
		if kind == timestampType {
			size += column.table(3).length(1)
		}
		if size > maxMetadata {
			return errTooMuchMetadata
		}
	}
	return nil
}

// metadataSize returns about how much memory a vector of keys and values takes; it stops counting beyond maxMetadata.
func (t table) metadataSize(member int) int {
	const pair = 32
	size := pair * t.length(member)
	for i := 0; size <= maxMetadata && i < t.length(member); i++ {
		entry := t.element(member, i)
		size += entry.length(0) + entry.length(1)
	}
	return size
}

// table reads members of a flatbuffer's table by their number. A member that is not there reads as 0. Reading outside
// of the buffer panics.
type table struct{ flatbuffers.Table }

func root(buffer []byte) table {
	return table{flatbuffers.Table{Bytes: buffer, Pos: flatbuffers.GetUOffsetT(buffer)}}
}

// place returns where a member is, 0 if it is not there.
func (t table) place(member int) flatbuffers.UOffsetT {
	offset := flatbuffers.UOffsetT(t.Offset(flatbuffers.VOffsetT(4 + 2*member)))
	if offset == 0 {
		return 0
	}
	return offset + t.Pos
}

func (t table) has(member int) bool { return t.place(member) != 0 }

func (t table) byte(member int) byte {
	if !t.has(member) {
		return 0
	}
	return t.GetByte(t.place(member))
}

func (t table) int64(member int) int64 {
	if !t.has(member) {
		return 0
	}
	return t.GetInt64(t.place(member))
}

func (t table) table(member int) table {
	if !t.has(member) {
		panic("a part of a message is missing")
	}
	return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(t.place(member))}}
}

// length returns the number of elements of a vector.
func (t table) length(member int) int {
	if !t.has(member) {
		return 0
	}
	return t.VectorLen(t.place(member) - t.Pos)
}

// element returns an element of a vector of tables.
func (t table) element(member, i int) table {
	start := t.Vector(t.place(member) - t.Pos)
	return table{flatbuffers.Table{Bytes: t.Bytes, Pos: t.Indirect(start + flatbuffers.UOffsetT(4*i))}}
}
