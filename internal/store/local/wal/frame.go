package wal

import (
	"bytes"
	"encoding/binary"
	"errors"
	"fmt"
	"hash/crc32"
)

// Kind says what a frame carries.
type Kind uint8

// The kinds: a batch as columns.Encode has it, as earlier versions wrote; the sequence numbers of all origins at the time
// that the segment was begun; a batch as columns.EncodeQuick has it.
const (
	BatchFrame Kind = iota + 1
	OriginsFrame
	QuickFrame
)

// Frame is a unit of the log, written and read whole.
type Frame struct {
	Kind Kind
	// Dataset, Origin and Sequence are those of the batch.
	Dataset, Origin string
	Sequence        uint64
	// Payload is the batch's encoding. In a frame that was read it is valid during the call that gives it.
	Payload []byte
}

// A frame is the marker, the length of its body and a checksum of length and body, each four bytes in little-endian
// order, and the body. The marker is there to find the next frame behind a damaged one.
const (
	headerSize = 12
	// MaxFrame bounds a body, so that a damaged length cannot make the reader allocate without limit.
	MaxFrame = 64 << 20
	maxName  = 1 << 10
)

var (
	marker     = []byte{0x8b, 'S', 'W', 'F'}
	castagnoli = crc32.MakeTable(crc32.Castagnoli)
)

// appendFrame appends the frame's bytes.
func appendFrame(dst []byte, f *Frame) ([]byte, error) {
	if len(f.Dataset) > maxName || len(f.Origin) > maxName {
		return dst, fmt.Errorf("dataset and origin of %d and %d bytes: at most %d are accepted", len(f.Dataset), len(f.Origin), maxName)
	}
	start := len(dst)
	dst = append(dst, make([]byte, headerSize)...)
	dst = append(dst, byte(f.Kind))
	dst = appendName(dst, f.Dataset)
	dst = appendName(dst, f.Origin)
	dst = binary.AppendUvarint(dst, f.Sequence)
	dst = append(dst, f.Payload...)
	size := len(dst) - start - headerSize
	if size > MaxFrame {
		return dst[:start], fmt.Errorf("batch of %d bytes: at most %d are accepted", size, MaxFrame)
	}
	header := dst[start:]
	copy(header, marker)
	binary.LittleEndian.PutUint32(header[4:], uint32(size))
	binary.LittleEndian.PutUint32(header[8:], checksum(header))
	return dst, nil
}

func appendName(dst []byte, name string) []byte {
	return append(binary.AppendUvarint(dst, uint64(len(name))), name...)
}

// checksum is of the length and the body, which follows the header.
func checksum(frame []byte) uint32 {
	crc := crc32.Update(0, castagnoli, frame[4:8])
	return crc32.Update(crc, castagnoli, frame[headerSize:])
}

var errDamaged = errors.New("damaged frame")

// cutFrame reads the frame at the beginning of data and returns its size. The second result says that the frame is
// not whole, as a write that was cut off leaves it.
func cutFrame(data []byte) (f Frame, size int, torn bool, err error) {
	if len(data) < headerSize {
		return f, 0, true, errDamaged
	}
	if !bytes.Equal(data[:4], marker) {
		return f, 0, isZero(data), errDamaged
	}
	body := binary.LittleEndian.Uint32(data[4:])
	if body > MaxFrame {
		return f, 0, false, errDamaged
	}
	size = headerSize + int(body)
	if size > len(data) {
		return f, 0, true, errDamaged
	}
	if checksum(data[:size]) != binary.LittleEndian.Uint32(data[8:]) {
		return f, 0, false, errDamaged
	}
	f, err = parseBody(data[headerSize:size])
	return f, size, false, err
}

func parseBody(body []byte) (Frame, error) {
	if len(body) == 0 {
		return Frame{}, errDamaged
	}
	f := Frame{Kind: Kind(body[0])}
	r := body[1:]
	var ok [2]bool
	f.Dataset, r, ok[0] = cutName(r)
	f.Origin, r, ok[1] = cutName(r)
	sequence, n := binary.Uvarint(r)
	if !ok[0] || !ok[1] || n <= 0 {
		return Frame{}, errDamaged
	}
	f.Sequence, f.Payload = sequence, r[n:]
	return f, nil
}

func cutName(r []byte) (string, []byte, bool) {
	size, n := binary.Uvarint(r)
	if n <= 0 || size > maxName || size > uint64(len(r)-n) {
		return "", r, false
	}
	r = r[n:]
	return string(r[:size]), r[size:], true
}

func isZero(data []byte) bool {
	for _, b := range data {
		if b != 0 {
			return false
		}
	}
	return true
}
