package columns

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/flow"
)

// Dataset is a kind of rows: its name, such as "flows", and its columns. Datasets are shared and must not be changed.
type Dataset struct {
	Name string
	// Rows are what the field table calls the dataset.
	Rows flow.Dataset
	// Fields are what is stored, in the order of the columns: all fields but those that are sums of others and those
	// that are computed on request.
	Fields []*flow.Field
	// Schema has a column for each of Fields, by the field's name, with its stable number in the metadata.
	Schema *arrow.Schema

	columns map[flow.FieldID]int
}

// The keys of the metadata: of the schema the dataset's name, of a column the field's stable number.
const (
	datasetKey = "seine.dataset"
	idKey      = "seine.id"
)

// TextType is the type of the columns that hold texts.
var TextType = &arrow.DictionaryType{IndexType: arrow.PrimitiveTypes.Int32, ValueType: arrow.BinaryTypes.String}

// types has the type of the column for each kind of field. Text columns never hold null.
var types = map[flow.FieldKind]arrow.DataType{
	flow.TimeField:     arrow.FixedWidthTypes.Timestamp_ns,
	flow.BytesField:    arrow.PrimitiveTypes.Int64,
	flow.CountField:    arrow.PrimitiveTypes.Int64,
	flow.DurationField: arrow.PrimitiveTypes.Int64,
	flow.MoneyField:    arrow.PrimitiveTypes.Int64,
	flow.PortField:     arrow.PrimitiveTypes.Uint16,
	flow.IDField:       arrow.PrimitiveTypes.Uint32,
	flow.BoolField:     arrow.FixedWidthTypes.Boolean,
	flow.FlagsField:    arrow.PrimitiveTypes.Uint8,
	flow.ProtoField:    TextType,
	flow.EnumField:     TextType,
	flow.AddrField:     TextType,
	flow.NameField:     TextType,
	flow.TextField:     TextType,
}

// IsText says whether a field's column holds texts; all others hold numbers.
func IsText(f *flow.Field) bool { return IsTextKind(f.Kind) }

// IsTextKind says whether columns of a kind hold texts.
func IsTextKind(k flow.FieldKind) bool { return types[k] == TextType }

var (
	flows    = newDataset(flow.Connections)
	queries  = newDataset(flow.Queries)
	datasets = []*Dataset{flows, queries}
)

// Flows returns the dataset of connection records.
func Flows() *Dataset { return flows }

// Queries returns the dataset of DNS queries.
func Queries() *Dataset { return queries }

// Datasets returns all datasets.
func Datasets() []*Dataset { return slices.Clone(datasets) }

// Names returns the names of all datasets, joined by "or".
func Names() string {
	var names []string
	for _, d := range datasets {
		names = append(names, d.Name)
	}
	return strings.Join(names, " or ")
}

// ByName returns the dataset with a name.
func ByName(name string) (*Dataset, bool) {
	i := slices.IndexFunc(datasets, func(d *Dataset) bool { return d.Name == name })
	if i < 0 {
		return nil, false
	}
	return datasets[i], true
}

func newDataset(of flow.Dataset) *Dataset {
	d := &Dataset{Name: of.String(), Rows: of, columns: make(map[flow.FieldID]int)}
	var schema []arrow.Field
	for _, f := range flow.FieldsOf(of) {
		if f.OnRequest || f.SumOf != nil {
			continue
		}
		d.columns[f.ID] = len(d.Fields)
		d.Fields = append(d.Fields, f)
		schema = append(schema, column(f))
	}
	metadata := arrow.NewMetadata([]string{datasetKey}, []string{d.Name})
	d.Schema = arrow.NewSchema(schema, &metadata)
	return d
}

// column describes a field's column. Any number may be null, since a batch of another version may lack its column.
func column(f *flow.Field) arrow.Field {
	id := strconv.FormatUint(uint64(f.ID), 10)
	return arrow.Field{
		Name:     f.Name,
		Type:     types[f.Kind],
		Nullable: !IsText(f),
		Metadata: arrow.NewMetadata([]string{idKey}, []string{id}),
	}
}

// Column returns the place of a field's column in the schema; false for a field that is not stored.
func (d *Dataset) Column(f *flow.Field) (int, bool) {
	i, ok := d.columns[f.ID]
	return i, ok
}

// Parts returns the stored fields whose sum a field is: the field itself if it is stored, none if it cannot be
// computed from what is stored.
func (d *Dataset) Parts(f *flow.Field) []*flow.Field {
	if _, ok := d.columns[f.ID]; ok {
		return []*flow.Field{f}
	}
	var parts []*flow.Field
	for _, id := range f.SumOf {
		if i, ok := d.columns[id]; ok {
			parts = append(parts, d.Fields[i])
		}
	}
	return parts
}
