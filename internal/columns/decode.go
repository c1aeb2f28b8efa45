package columns

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"slices"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/klauspost/compress/s2"
	"github.com/klauspost/compress/zstd"
)

// Decode reads what Encode wrote, possibly of another version, and gives it the dataset's schema. The bytes may come
// from anyone: whatever they are, the result is an error or a batch all of whose values can be read, and the limits
// hold. The batch does not refer to the bytes and is the caller's to release.
func Decode(d *Dataset, encoded []byte, limits Limits) (arrow.RecordBatch, error) {
	stream, err := decompress(encoded, limits.Bytes)
	if err != nil {
		return nil, fmt.Errorf("decode batch: %w", err)
	}
	return decodeStream(d, stream, limits)
}

// DecodeQuick reads what EncodeQuick wrote, as Decode does what Encode wrote.
func DecodeQuick(d *Dataset, encoded []byte, limits Limits) (arrow.RecordBatch, error) {
	size, err := s2.DecodedLen(encoded)
	if err != nil {
		return nil, fmt.Errorf("decode batch: %w", err)
	}
	if size > limits.Bytes {
		return nil, fmt.Errorf("decode batch: S2 block says %d bytes of content, want at most %d", size, limits.Bytes)
	}
	stream, err := s2.Decode(nil, encoded)
	if err != nil {
		return nil, fmt.Errorf("decode batch: %w", err)
	}
	return decodeStream(d, stream, limits)
}

// decompress opens one zstd frame. The frame must say how large its content is, which bounds what is allocated.
func decompress(encoded []byte, limit int) ([]byte, error) {
	var header zstd.Header
	if err := header.Decode(encoded); err != nil {
		return nil, fmt.Errorf("read zstd frame: %w", err)
	}
	if !header.HasFCS || header.FrameContentSize > uint64(limit) {
		return nil, fmt.Errorf("zstd frame says %d bytes of content (0 is unsaid), want 1 to %d", header.FrameContentSize, limit)
	}
	return decompressor.DecodeAll(encoded, make([]byte, 0, header.FrameContentSize))
}

// decompressor is used by DecodeAll alone, which is safe for several goroutines and never grows the slice it is given.
var decompressor = mustDecompressor()

func mustDecompressor() *zstd.Decoder {
	d, err := zstd.NewReader(nil, zstd.WithDecodeAllCapLimit(true), zstd.WithDecoderConcurrency(0))
	if err != nil {
		panic("BUG: zstd refuses its own options: " + err.Error())
	}
	return d
}

// decodeStream turns panics into errors, since Arrow's reader and its checks panic about some malformed input.
func decodeStream(d *Dataset, stream []byte, limits Limits) (batch arrow.RecordBatch, err error) {
	defer func() {
		if cause := recover(); cause != nil {
			batch, err = nil, fmt.Errorf("stream is malformed: %v", cause)
		}
		if err != nil {
			batch, err = nil, fmt.Errorf("decode batch: %w", err)
		}
	}()
	if err := checkStream(stream); err != nil {
		return nil, err
	}
	foreign, err := readBatch(stream)
	if err != nil {
		return nil, err
	}
	defer foreign.Release()
	if name, _ := foreign.Schema().Metadata().GetValue(datasetKey); name != d.Name {
		return nil, fmt.Errorf("dataset is %q, want %q", name, d.Name)
	}
	if rows := foreign.NumRows(); rows < 0 || rows > int64(limits.Rows) {
		return nil, fmt.Errorf("batch has %d rows, want at most %d", rows, limits.Rows)
	}
	batch, err = d.Conform(foreign)
	if err != nil {
		return nil, err
	}
	return batch, checkValues(batch, limits)
}

// readBatch reads the one batch of a stream. Arrow turns what it panics about into errors.
func readBatch(stream []byte) (arrow.RecordBatch, error) {
	messages := ipc.NewMessageReader(bytes.NewReader(stream), ipc.WithBodySizeLimit(int64(len(stream))))
	reader, err := ipc.NewReaderFromMessageReader(messages)
	if err != nil {
		return nil, err
	}
	defer reader.Release()
	batch, err := reader.Read()
	if errors.Is(err, io.EOF) {
		return nil, errors.New("stream has no batch")
	}
	if err != nil {
		return nil, err
	}
	batch.Retain()
	return batch, nil
}

// checkValues makes sure that every value can be read and is one that a Builder could have made. Columns may not share
// memory, or checking them would take longer than the size of the stream lets expect.
func checkValues(batch arrow.RecordBatch, limits Limits) error {
	var size uint64
	for _, column := range batch.Columns() {
		size += column.Data().SizeInBytes()
	}
	if size > 2*uint64(limits.Bytes) {
		return fmt.Errorf("columns claim %d bytes", size)
	}
	for i, column := range batch.Columns() {
		name := batch.ColumnName(i)
		if int64(column.Len()) != batch.NumRows() {
			return fmt.Errorf("column %q has %d rows, want %d", name, column.Len(), batch.NumRows())
		}
		if err := array.ValidateFull(column); err != nil {
			return fmt.Errorf("column %q: %w", name, err)
		}
		if err := checkColumn(column, limits); err != nil {
			return fmt.Errorf("column %q: %w", name, err)
		}
	}
	return nil
}

func checkColumn(column arrow.Array, limits Limits) error {
	switch column := column.(type) {
	case *array.Dictionary:
		return checkTexts(column, limits)
	case *array.Int64:
		return checkNotNegative(column.Int64Values())
	case *array.Timestamp:
		return checkNotNegative(column.TimestampValues())
	}
	return nil
}

func isSet(b byte) bool { return b != 0 }

func checkNotNegative[T ~int64](values []T) error {
	for _, value := range values {
		if value < 0 {
			return fmt.Errorf("value %d is negative", value)
		}
	}
	return nil
}

// checkTexts makes sure that a text stands in the dictionary once, as those rely on who group by its index.
func checkTexts(column *array.Dictionary, limits Limits) error {
	texts, ok := column.Dictionary().(*array.String)
	if !ok || column.NullN() > 0 || texts.NullN() > 0 {
		return errors.New("texts may not be null")
	}
	if offsets := texts.Data().Buffers()[1]; texts.Len() == 0 && offsets != nil && slices.ContainsFunc(offsets.Bytes(), isSet) {
		return errors.New("dictionary without texts begins elsewhere than at 0") // Arrow checks offsets of texts alone.
	}
	if texts.Len() > limits.Rows+1 {
		return fmt.Errorf("dictionary has %d texts, want at most %d", texts.Len(), limits.Rows+1)
	}
	seen := make(map[string]struct{}, texts.Len())
	for i := range texts.Len() {
		seen[texts.Value(i)] = struct{}{}
	}
	if len(seen) < texts.Len() {
		return errors.New("dictionary has a text twice")
	}
	return nil
}
