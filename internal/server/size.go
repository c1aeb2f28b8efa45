package server

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/memory"
)

// sizeOf returns the bytes of memory that a batch holds.
func sizeOf(rows arrow.RecordBatch) int64 {
	var sum int64
	seen := make(map[*memory.Buffer]bool)
	for _, column := range rows.Columns() {
		sum += sizeOfData(column.Data(), seen)
	}
	return sum
}

// sizeOfData counts buffers that columns share once.
func sizeOfData(data arrow.ArrayData, seen map[*memory.Buffer]bool) int64 {
	var sum int64
	for _, buffer := range data.Buffers() {
		if buffer != nil && !seen[buffer] {
			seen[buffer] = true
			sum += int64(buffer.Len())
		}
	}
	// Only a dictionary array has one; for others this is a typed nil.
	if data.DataType().ID() == arrow.DICTIONARY {
		sum += sizeOfData(data.Dictionary(), seen)
	}
	return sum
}
