package columns

import (
	"slices"
	"strconv"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/flow"
)

// Dataset is a kind of rows: its name, such as "flows", its fields and its columns. Every dataset has the field "end", the
// time that a row is found by. Where it has "primary", sums count the rows that have it set; where it has "sampling",
// counters are multiplied by it. Datasets are shared and must not be changed.
type Dataset struct {
	Name string
	// Rows are what the field table calls the dataset.
	Rows flow.Dataset
	// All are the fields in the order in which they are listed.
	All []*flow.Field
	// Fields are those of All that are stored, in the order of the columns: all fields but those that are sums of others
	// and those that are computed on request.
	Fields []*flow.Field
	// End is the time of a row. Primary and Sampling are nil where the dataset has no such field.
	End, Primary, Sampling *flow.Field
	// SortBy are the fields that rows are sorted by in files, so that equal values lie together.
	SortBy []*flow.Field
	// Schema has a column for each of Fields, by the field's name, with its stable number in the metadata.
	Schema *arrow.Schema

	columns map[flow.FieldID]int
	byName  map[string]*flow.Field
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
	flows = newDataset(flow.Connections,
		"primary", "src.namespace", "src.workload.name", "dst.namespace", "dst.workload.name", "src.name", "src.addr",
		"dst.name", "dst.addr", "dst.port", "backend.name", "backend.addr", "proto", "reporter")
	queries = newDataset(flow.Queries,
		"primary", "src.namespace", "src.workload.name", "dns.name", "dns.type", "dns.rcode", "src.name", "src.addr", "dst.addr")
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

// newDataset makes a dataset of the fields that the table has for it, sorted by those named.
func newDataset(of flow.Dataset, sortBy ...string) *Dataset {
	return makeDataset(of, flow.FieldsOf(of), sortBy)
}

func makeDataset(of flow.Dataset, fields []*flow.Field, sortBy []string) *Dataset {
	d := &Dataset{
		Name: of.String(), Rows: of, All: fields,
		columns: make(map[flow.FieldID]int), byName: make(map[string]*flow.Field),
	}
	var schema []arrow.Field
	for _, f := range fields {
		d.byName[f.Name] = f
		if f.OnRequest || f.SumOf != nil {
			continue
		}
		d.columns[f.ID] = len(d.Fields)
		d.Fields = append(d.Fields, f)
		schema = append(schema, column(f))
	}
	metadata := arrow.NewMetadata([]string{datasetKey}, []string{d.Name})
	d.Schema = arrow.NewSchema(schema, &metadata)
	d.End, d.Primary, d.Sampling = d.byName["end"], d.byName["primary"], d.byName["sampling"]
	for _, field := range sortBy {
		d.SortBy = append(d.SortBy, d.byName[field])
	}
	if d.End == nil || slices.Contains(d.SortBy, nil) {
		panic("BUG: dataset " + d.Name + " lacks the field end or one that it is sorted by")
	}
	return d
}

// FieldByName returns the field with a name, of all that rows of the dataset have.
func (d *Dataset) FieldByName(name string) (*flow.Field, bool) {
	f, ok := d.byName[name]
	return f, ok
}

// StoredByID returns the stored field with a stable number.
func (d *Dataset) StoredByID(id flow.FieldID) (*flow.Field, bool) {
	i, ok := d.columns[id]
	if !ok {
		return nil, false
	}
	return d.Fields[i], true
}

// Askable returns the fields that can be asked for: those that are stored, and those that are sums of such.
func (d *Dataset) Askable() []*flow.Field {
	return slices.DeleteFunc(slices.Clone(d.All), func(f *flow.Field) bool { return len(d.Parts(f)) == 0 })
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
