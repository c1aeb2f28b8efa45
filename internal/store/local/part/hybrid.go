package part

import (
	"encoding/binary"
	"errors"
)

var errIndices = errors.New("dictionary indices are damaged")

// decodeIndices reads the values of a data page of dictionary indices: a byte with their width in bits, then runs of
// equal values and of packed ones (Parquet format, Encodings.md, "RLE_DICTIONARY"). All must be below the limit.
func decodeIndices(indices []int32, data []byte, limit int) error {
	if len(data) == 0 || data[0] > 32 {
		return errIndices
	}
	width := int(data[0])
	data = data[1:]
	for len(indices) > 0 {
		header, n := binary.Uvarint(data)
		if n <= 0 {
			return errIndices
		}
		data = data[n:]
		var taken, used int
		var ok bool
		if header&1 == 0 {
			taken, used, ok = decodeRun(indices, data, width, header>>1, limit)
		} else {
			taken, used, ok = decodePacked(indices, data, width, header>>1, limit)
		}
		if !ok || taken == 0 {
			return errIndices
		}
		indices, data = indices[taken:], data[used:]
	}
	return nil
}

func decodeRun(indices []int32, data []byte, width int, count uint64, limit int) (taken, used int, ok bool) {
	used = (width + 7) / 8
	if len(data) < used {
		return 0, 0, false
	}
	var value uint32
	for i := range used {
		value |= uint32(data[i]) << (8 * i)
	}
	taken = int(min(count, uint64(len(indices))))
	run := indices[:taken]
	for i := range run {
		run[i] = int32(value)
	}
	return taken, used, uint64(value) < uint64(limit)
}

func decodePacked(indices []int32, data []byte, width int, eights uint64, limit int) (taken, used int, ok bool) {
	if width > 0 && eights > uint64(len(data)/width) {
		return 0, 0, false
	}
	used = int(eights) * width
	taken = int(min(eights*8, uint64(len(indices))))
	return taken, used, unpack(indices[:taken], data[:used], width) < uint64(limit)
}

// unpack reads values of a width and returns the largest.
func unpack(values []int32, data []byte, width int) uint64 {
	mask := uint64(1)<<width - 1
	var largest uint64
	for i := range values {
		bit := i * width
		rest := data[bit/8:]
		var word uint64
		if len(rest) >= 8 {
			word = binary.LittleEndian.Uint64(rest)
		} else {
			word = lastWord(rest)
		}
		value := word >> (bit % 8) & mask
		largest = max(largest, value)
		values[i] = int32(value)
	}
	return largest
}

func lastWord(data []byte) uint64 {
	var word [8]byte
	copy(word[:], data)
	return binary.LittleEndian.Uint64(word[:])
}
