package columns

import (
	"bytes"
	"fmt"
	"runtime"
	"sync"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Limits bound what Decode takes.
type Limits struct {
	// Bytes is the largest size of a batch once decompressed. Decode allocates at most about three times as much.
	Bytes int
	// Rows is the largest number of rows.
	Rows int
}

// DefaultLimits fit what Encode makes of MaxRows rows of flows with plenty to spare.
var DefaultLimits = Limits{Bytes: 64 << 20, Rows: MaxRows}

// Encode appends a batch to dst as an Arrow IPC stream (schema, dictionaries, one record batch) within a zstd frame
// that bears the size of its content. Several goroutines may encode at once.
func Encode(dst []byte, batch arrow.RecordBatch) ([]byte, error) {
	stream, err := streamOf(batch)
	if err != nil {
		return dst, err
	}
	defer streams.Put(stream)
	return compressor.EncodeAll(stream.Bytes(), dst), nil
}

// EncodeQuick encodes a batch as Encode does, but as an S2 block, which takes a third of the time and half as many bytes
// again. It writes to dst, whatever is in it, if that has room.
func EncodeQuick(dst []byte, batch arrow.RecordBatch) ([]byte, error) {
	stream, err := streamOf(batch)
	if err != nil {
		return nil, err
	}
	defer streams.Put(stream)
	return s2.Encode(dst, stream.Bytes()), nil
}

// streams are buffers that are used again.
var streams = sync.Pool{New: func() any { return new(bytes.Buffer) }}

// streamOf returns the Arrow IPC stream of a batch in a buffer that is to be given back.
func streamOf(batch arrow.RecordBatch) (*bytes.Buffer, error) {
	stream := streams.Get().(*bytes.Buffer)
	stream.Reset()
	stream.Grow(streamSize(batch))
	w := ipc.NewWriter(stream, ipc.WithSchema(batch.Schema()))
	if err := w.Write(batch); err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	if err := w.Close(); err != nil {
		return nil, fmt.Errorf("encode batch: %w", err)
	}
	return stream, nil
}

// streamSize is about how large the stream of a batch becomes: its values, and the metadata of messages and schema.
func streamSize(batch arrow.RecordBatch) int {
	size := 512 * int(batch.NumCols())
	for _, column := range batch.Columns() {
		size += int(column.Data().SizeInBytes())
	}
	return size
}

// compressor is used by EncodeAll alone, which is safe for several goroutines.
var compressor = mustCompressor()

func mustCompressor() *zstd.Encoder {
	const most = 4 // Each of so many at once keeps some hundred KiB of tables.
	e, err := zstd.NewWriter(nil, zstd.WithEncoderLevel(zstd.SpeedFastest),
		zstd.WithEncoderConcurrency(min(most, runtime.GOMAXPROCS(0))))
	if err != nil {
		panic("BUG: zstd refuses its own options: " + err.Error())
	}
	return e
}
