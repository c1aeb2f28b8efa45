package columns

import (
	"fmt"
	"strconv"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/apache/arrow-go/v18/arrow/memory"

	"github.com/seine-net/seine/internal/flow"
)

// Conform returns the rows of a batch with the dataset's schema. Columns are found by the stable number of their
// field, so a batch of an older or newer version may have others: those it lacks are filled with null and "", those
// that this version does not know are left out. The error names a column of another type than the field's.
// The result shares the batch's memory and is the caller's to release.
func (d *Dataset) Conform(batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	if batch.Schema().Equal(d.Schema) {
		batch.Retain()
		return batch, nil
	}
	places, err := d.places(batch.Schema())
	if err != nil {
		return nil, err
	}
	rows := int(batch.NumRows())
	arrays := make([]arrow.Array, len(d.Fields))
	for i, f := range d.Fields {
		if place, ok := places[f.ID]; ok {
			arrays[i] = batch.Column(place)
			continue
		}
		arrays[i] = unknown(f, rows)
		defer arrays[i].Release()
	}
	return array.NewRecordBatch(d.Schema, arrays, int64(rows)), nil
}

// places returns where a schema has the fields of the dataset.
func (d *Dataset) places(schema *arrow.Schema) (map[flow.FieldID]int, error) {
	places := make(map[flow.FieldID]int)
	for place, column := range schema.Fields() {
		text, _ := column.Metadata.GetValue(idKey)
		id, err := strconv.ParseUint(text, 10, 16)
		if err != nil {
			return nil, fmt.Errorf("read column %q: %s %q is not the number of a field", column.Name, idKey, text)
		}
		own, ok := d.columns[flow.FieldID(id)]
		if !ok {
			continue
		}
		if want := d.Schema.Field(own).Type; !arrow.TypeEqual(column.Type, want) {
			return nil, fmt.Errorf("read column %q: type is %s, want %s", column.Name, column.Type, want)
		}
		if _, twice := places[flow.FieldID(id)]; twice {
			return nil, fmt.Errorf("read column %q: field %d has two columns", column.Name, id)
		}
		places[flow.FieldID(id)] = place
	}
	return places, nil
}

// unknown returns a column without values.
func unknown(f *flow.Field, rows int) arrow.Array {
	if !IsText(f) {
		return array.MakeArrayOfNull(memory.DefaultAllocator, types[f.Kind], rows)
	}
	indices := fixedWidth(arrow.PrimitiveTypes.Int32, rows, make([]byte, arrow.Int32SizeBytes*rows))
	defer indices.Release()
	texts := dictionary{offsets: []int32{0}}
	texts.add("")
	values := texts.array()
	defer values.Release()
	return array.NewDictionaryArray(TextType, indices, values)
}
