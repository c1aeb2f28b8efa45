package flow

import (
	"fmt"
	"slices"
	"strings"
)

var (
	fieldsByName = index(fields, func(f *Field) string { return f.Name })
	fieldsByID   = index(fields, func(f *Field) FieldID { return f.ID })
)

// Fields returns the fields of all datasets in the order in which they are listed. The slice is the caller's.
func Fields() []*Field { return slices.Clone(fields) }

// FieldsOf returns the fields of a dataset in the order in which they are listed. The slice is the caller's.
func FieldsOf(d Dataset) []*Field {
	return slices.DeleteFunc(Fields(), func(f *Field) bool { return !f.In(d) })
}

// DefaultFields returns the fields that a record of a dataset is written with when the user names none:
// all but those that are OnRequest.
func DefaultFields(d Dataset) []*Field {
	return slices.DeleteFunc(FieldsOf(d), func(f *Field) bool { return f.OnRequest })
}

// ShownFields returns the fields that a table of a dataset's records has when the user names none.
func ShownFields(d Dataset) []*Field {
	return slices.DeleteFunc(FieldsOf(d), func(f *Field) bool { return !f.Shown })
}

// FieldByName returns the field with an API name such as "src.addr".
func FieldByName(name string) (*Field, bool) {
	f, ok := fieldsByName[name]
	return f, ok
}

// FieldByID returns the field with a stable number.
func FieldByID(id FieldID) (*Field, bool) {
	f, ok := fieldsByID[id]
	return f, ok
}

// SelectFields returns the named fields in the order given. The error for an unknown name suggests the nearest one.
func SelectFields(names []string) ([]*Field, error) {
	selected := make([]*Field, len(names))
	for i, name := range names {
		f, ok := fieldsByName[name]
		if !ok {
			return nil, fmt.Errorf("select field %q: unknown; %sseine fields lists all", name, DidYouMean(fields, name))
		}
		selected[i] = f
	}
	return selected, nil
}

// DidYouMean asks whether the nearest name of a field was meant, with a space at its end; it is empty where none is near.
func DidYouMean(fields []*Field, name string) string {
	if near := NearestName(fields, name); near != "" {
		return fmt.Sprintf("did you mean %q? ", near)
	}
	return ""
}

// NearestName returns the name of one of the fields that a mistyped name is likely for: with one letter in three wrong at
// most, else one that holds the name. It is empty where there is none.
func NearestName(fields []*Field, name string) string {
	best := slices.MinFunc(fields, func(a, b *Field) int {
		return editDistance(a.Name, name) - editDistance(b.Name, name)
	})
	if editDistance(best.Name, name) <= min(len(name), maxName)/3 {
		return best.Name
	}
	for _, f := range fields {
		if len(name) > 2 && strings.Contains(f.Name, name) {
			return f.Name
		}
	}
	return ""
}

// maxName is as much of a name as is compared.
const maxName = 64

// editDistance is the Levenshtein distance in bytes. Names beyond maxName count as that long,
// so that the work is bounded whatever a user sends.
func editDistance(a, b string) int {
	b = b[:min(len(b), maxName)]
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		diagonal := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := diagonal
			if a[i] != b[j] {
				substitute++
			}
			diagonal = row[j+1]
			row[j+1] = min(substitute, row[j]+1, diagonal+1)
		}
	}
	return row[len(b)]
}
