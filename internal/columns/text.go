package columns

import (
	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seine-net/seine/internal/flow"
)

// textBuilder collects a column of texts, each of which stands for a value of type K in the record.
type textBuilder[K comparable] struct {
	get func(*flow.Record) K
	// normal returns the one among the values of equal text that the dictionary has, and text its text.
	normal func(K) K
	text   func(K) string
	codes  map[K]int32
	// last is the value of the row before, which is often that of the next as well, and lastCode its index.
	last     K
	lastCode int32
	indices  []int32
	dictionary
}

func newTextBuilder[K comparable](get func(*flow.Record) K, normal func(K) K, text func(K) string) *textBuilder[K] {
	b := &textBuilder[K]{get: get, normal: normal, text: text, codes: make(map[K]int32)}
	b.reset()
	return b
}

func (b *textBuilder[K]) append(records []flow.Record) {
	for i := range records {
		value := b.get(&records[i])
		if value != b.last || b.lastCode < 0 {
			b.last, b.lastCode = value, b.code(value)
		}
		b.indices = append(b.indices, b.lastCode)
	}
}

// code returns the index of a value's text, adding it to the dictionary if it is new.
func (b *textBuilder[K]) code(value K) int32 {
	code, ok := b.codes[value]
	if ok {
		return code
	}
	if normal := b.normal(value); normal != value {
		code = b.code(normal)
	} else {
		code = b.add(b.text(value))
	}
	b.codes[value] = code
	return code
}

func (b *textBuilder[K]) take() arrow.Array {
	indices := fixedWidth(arrow.PrimitiveTypes.Int32, len(b.indices), arrow.Int32Traits.CastToBytes(b.indices))
	defer indices.Release()
	texts := b.array()
	defer texts.Release()
	taken := array.NewDictionaryArray(TextType, indices, texts)
	b.reset()
	return taken
}

// reset forgets all values. The slices are the batch's now; the map is kept, since the next batch is about as large.
func (b *textBuilder[K]) reset() {
	clear(b.codes)
	b.indices = make([]int32, 0, len(b.indices))
	b.lastCode = -1
	b.dictionary = dictionary{offsets: make([]int32, 1, len(b.offsets)+1), bytes: make([]byte, 0, len(b.bytes))}
}

// dictionary holds texts one after the other, as Arrow does.
type dictionary struct {
	offsets []int32
	bytes   []byte
}

// add appends a text and returns its index.
func (d *dictionary) add(text string) int32 {
	d.bytes = append(d.bytes, text...)
	d.offsets = append(d.offsets, int32(len(d.bytes)))
	return int32(len(d.offsets) - 2)
}

func (d *dictionary) array() arrow.Array {
	buffers := []*memory.Buffer{
		nil,
		memory.NewBufferBytes(arrow.Int32Traits.CastToBytes(d.offsets)),
		memory.NewBufferBytes(d.bytes),
	}
	data := array.NewData(arrow.BinaryTypes.String, len(d.offsets)-1, buffers, nil, 0, 0)
	defer data.Release()
	return array.NewStringData(data)
}

// fixedWidth makes an array without nulls.
func fixedWidth(t arrow.DataType, rows int, values []byte) arrow.Array {
	return withNulls(t, rows, values, nil, 0)
}

// withNulls makes an array whose validity bitmap may be nil.
func withNulls(t arrow.DataType, rows int, values, validity []byte, nulls int) arrow.Array {
	buffers := []*memory.Buffer{nil, memory.NewBufferBytes(values)}
	if nulls > 0 {
		buffers[0] = memory.NewBufferBytes(validity)
	}
	data := array.NewData(t, rows, buffers, nil, nulls, 0)
	defer data.Release()
	return array.MakeFromData(data)
}
