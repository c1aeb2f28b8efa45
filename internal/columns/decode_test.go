package columns_test

import (
	"bytes"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/ipc"
	"github.com/apache/arrow-go/v18/arrow/memory"
	"github.com/klauspost/compress/zstd"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
)

func encode(t testing.TB, batch arrow.RecordBatch) []byte {
	t.Helper()
	encoded, err := columns.Encode([]byte("before"), batch)
	if err != nil {
		t.Fatal(err)
	}
	return bytes.TrimPrefix(encoded, []byte("before"))
}

func decode(t testing.TB, encoded []byte) arrow.RecordBatch {
	t.Helper()
	batch, err := columns.Decode(columns.Flows(), encoded, columns.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	return batch
}

func nulls(t arrow.DataType, rows int) arrow.Array {
	return array.MakeArrayOfNull(memory.DefaultAllocator, t, rows)
}

// compress makes a frame as Encode does, of any bytes.
// compressor is used by EncodeAll alone. To make one takes far longer than to use it.
var compressor = sync.OnceValue(func() *zstd.Encoder {
	encoder, err := zstd.NewWriter(nil)
	if err != nil {
		panic(err)
	}
	return encoder
})

func compress(stream []byte) []byte { return compressor().EncodeAll(stream, nil) }

func decompress(t testing.TB, encoded []byte) []byte {
	t.Helper()
	decoder, err := zstd.NewReader(nil)
	if err != nil {
		t.Fatal(err)
	}
	defer decoder.Close()
	stream, err := decoder.DecodeAll(encoded, nil)
	if err != nil {
		t.Fatal(err)
	}
	return stream
}

// stream writes a batch as Arrow does.
func stream(t testing.TB, batch arrow.RecordBatch, options ...ipc.Option) []byte {
	t.Helper()
	var b bytes.Buffer
	w := ipc.NewWriter(&b, append(options, ipc.WithSchema(batch.Schema()))...)
	if err := w.Write(batch); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

func TestDecodeRefuses(t *testing.T) {
	batch := build(t, querytest.RandomRecords(1, 10))
	place := func(name string) int { return batch.Schema().FieldIndices(name)[0] }
	exchanged := func(name string, values arrow.Array) []byte {
		field := batch.Schema().Field(place(name))
		field.Type = values.DataType()
		return compress(stream(t, withColumn(batch, place(name), field, values)))
	}
	text := func(rows int, dictionary string) arrow.Array {
		return fromJSON(t, columns.TextType.ValueType, dictionary, rows)
	}
	f := func(what string, encoded []byte, limits columns.Limits, want string) {
		t.Helper()
		got, err := columns.Decode(columns.Flows(), encoded, limits)
		if err == nil {
			t.Errorf("%s: decoded to %d rows", what, got.NumRows())
		} else if !strings.Contains(err.Error(), want) {
			t.Errorf("%s: error is %q, want %q in it", what, err, want)
		}
	}
	limits := columns.DefaultLimits
	good := encode(t, batch)
	f("nothing", nil, limits, "zstd")
	f("no zstd", []byte("neither zstd nor Arrow"), limits, "zstd")
	f("no stream", compress(bytes.Repeat([]byte("zstd, but not Arrow"), 20)), limits, "no message")
	f("empty stream", compress(nil), limits, "EOF")
	f("no batch", compress(append([]byte{0xff, 0xff, 0xff, 0xff}, make([]byte, 300)...)), limits, "EOF")
	f("too many bytes", good, columns.Limits{Bytes: 1000, Rows: 10}, "want 1 to 1000")
	f("too many rows", good, columns.Limits{Bytes: 1 << 20, Rows: 9}, "10 rows, want at most 9")
	f("size unsaid", unsized(t, good), limits, "0 is unsaid")
	f("a second frame", append(bytes.Clone(good), good...), limits, "")
	f("compressed buffers", compress(stream(t, batch, ipc.WithZstd())), limits, "buffers are compressed")
	f("nested type", exchanged("node", nulls(arrow.ListOf(arrow.PrimitiveTypes.Int8), 10)), limits, "nested")
	f("another type", exchanged("node", nulls(arrow.PrimitiveTypes.Int64, 10)), limits, `column "node": type is int64`)
	f("negative bytes", exchanged("fwd.bytes", fromJSON(t, arrow.PrimitiveTypes.Int64, "[-1]", 10)), limits, "-1 is negative")
	f("text null", exchanged("node", nulls(columns.TextType, 10)), limits, "may not be null")
	f("text twice", exchanged("node", text(10, `["a","a"]`)), limits, "twice")
	twice := withColumn(batch, place("node"), batch.Schema().Field(place("iface")), batch.Column(place("iface")))
	f("field twice", compress(stream(t, twice)), limits, "two columns")
	other := arrow.NewMetadata([]string{"seine.dataset"}, []string{"dns"})
	foreign := array.NewRecordBatch(arrow.NewSchema(batch.Schema().Fields(), &other), batch.Columns(), 10)
	f("another dataset", encode(t, foreign), limits, `dataset is "dns", want "flows"`)
}

// fromJSON makes an array: of texts the dictionary with its first for each row, else the first value in each row.
func fromJSON(t testing.TB, dataType arrow.DataType, values string, rows int) arrow.Array {
	t.Helper()
	array1, _, err := array.FromJSON(memory.DefaultAllocator, dataType, strings.NewReader(values))
	if err != nil {
		t.Fatal(err)
	}
	if dataType.ID() == arrow.STRING {
		indices := fromJSON(t, arrow.PrimitiveTypes.Int32, "[0]", rows)
		return array.NewDictionaryArray(columns.TextType, indices, array1)
	}
	parts := make([]arrow.Array, rows)
	for i := range parts {
		parts[i] = array1
	}
	repeated, err := array.Concatenate(parts, memory.DefaultAllocator)
	if err != nil {
		t.Fatal(err)
	}
	return repeated
}

// unsized returns the frame anew, without the size of its content.
func unsized(t testing.TB, encoded []byte) []byte {
	t.Helper()
	var b bytes.Buffer
	w, err := zstd.NewWriter(&b)
	if err != nil {
		t.Fatal(err)
	}
	content := decompress(t, encoded)
	for _, part := range [][]byte{content[:100], content[100:]} {
		if _, err := w.Write(part); err != nil {
			t.Fatal(err)
		}
		if err := w.Flush(); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	return b.Bytes()
}

// A stream that ends anywhere is refused, and one with any byte changed is refused or readable.
func TestDecodeDamaged(t *testing.T) {
	whole := stream(t, build(t, querytest.RandomRecords(1, 3)))
	for size := 0; size < len(whole)-8; size += 101 {
		if _, err := columns.Decode(columns.Flows(), compress(whole[:size]), columns.DefaultLimits); err == nil {
			t.Fatalf("stream of %d bytes is decoded from its first %d", len(whole), size)
		}
	}
	for i := 0; i < len(whole); i += 11 {
		damaged := bytes.Clone(whole)
		damaged[i] ^= []byte{0x01, 0x80, 0xff}[i%3]
		checkDecode(t, compress(damaged))
	}
}

// checkDecode holds what Decode promises of any bytes.
func checkDecode(t testing.TB, encoded []byte) {
	t.Helper()
	limits := columns.Limits{Bytes: 1 << 20, Rows: 1000}
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	batch, err := columns.Decode(columns.Flows(), encoded, limits)
	runtime.ReadMemStats(&after)
	// Beside three times the limit there is the batch's own overhead: columns, schema, and dictionaries that are checked.
	if most := uint64(3*limits.Bytes + 8<<20); after.TotalAlloc-before.TotalAlloc > most {
		t.Errorf("decoding %d bytes allocated %d, want at most %d", len(encoded), after.TotalAlloc-before.TotalAlloc, most)
	}
	if err != nil {
		if batch != nil {
			t.Error("an error comes with a batch")
		}
		return
	}
	if batch.NumRows() > int64(limits.Rows) {
		t.Errorf("batch has %d rows", batch.NumRows())
	}
	for row := range int(batch.NumRows()) {
		cells(batch, row)
	}
	if _, err := columns.Encode(nil, batch); err != nil {
		t.Errorf("what was decoded cannot be encoded: %v", err)
	}
	batch.Release()
}

// FuzzDecode takes the input as what is received, and as the content of a frame, where damage goes deeper.
func FuzzDecode(f *testing.F) {
	for n := range 3 {
		batch := build(f, querytest.RandomRecords(uint64(n), n))
		f.Add(stream(f, batch))
		f.Add(encode(f, batch))
		f.Add(stream(f, selectColumns(batch, 0, 1, 5, 20, 50)))
		f.Add(stream(f, selectColumns(batch, 10), ipc.WithLZ4()))
	}
	f.Add(stream(f, build(f, []flow.Record{{}})))
	f.Fuzz(func(t *testing.T, input []byte) {
		checkDecode(t, input)
		checkDecode(t, compress(input))
	})
}

func TestQuick(t *testing.T) {
	batch := build(t, querytest.RandomRecords(3, 500))
	encoded, err := columns.EncodeQuick(make([]byte, 7), batch)
	if err != nil {
		t.Fatal(err)
	}
	decoded, err := columns.DecodeQuick(columns.Flows(), encoded, columns.DefaultLimits)
	if err != nil {
		t.Fatal(err)
	}
	defer decoded.Release()
	if !array.RecordEqual(batch, decoded) {
		t.Error("batch differs once encoded and decoded")
	}
	f := func(what string, encoded []byte, limits columns.Limits) {
		t.Helper()
		if got, err := columns.DecodeQuick(columns.Flows(), encoded, limits); err == nil {
			t.Errorf("%s: decoded to %d rows", what, got.NumRows())
		}
	}
	f("nothing", nil, columns.DefaultLimits)
	f("cut off", encoded[:len(encoded)-9], columns.DefaultLimits)
	f("too large", encoded, columns.Limits{Bytes: 100, Rows: 1000})
	f("too many rows", encoded, columns.Limits{Bytes: 1 << 20, Rows: 499})
}
