package query

import (
	"fmt"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// findField returns the field with a name if the dataset can be asked for it.
func findField(d *columns.Dataset, member, name string) (*flow.Field, error) {
	f, ok := flow.FieldByName(name)
	if !ok {
		return nil, refuse(UnknownName, member, didYouMean(d, name), "no field is called %q", shortened(name))
	}
	if !f.In(d.Rows) {
		return nil, refuse(UnknownName, member, otherDataset(f, d), "rows of %s have no field %s", d.Name, name)
	}
	if len(d.Parts(f)) == 0 {
		return nil, refuse(UnsupportedError, member, "it is made of proto, src.addr, src.port, dst.addr and dst.port: ask for these",
			"field %s is not stored", name)
	}
	return f, nil
}

// findKeys returns the keys with names: fields, and those that first(…) makes of several.
func findKeys(d *columns.Dataset, names []string) ([]*flow.Field, error) {
	var keys []*flow.Field
	for i, name := range names {
		key, err := findKey(d, name)
		if err != nil {
			return nil, err
		}
		if slices.Contains(names[:i], name) {
			return nil, refuse(ValueError, "group_by", "", "field %s is named twice", shortened(name))
		}
		keys = append(keys, key)
	}
	return keys, nil
}

func findKey(d *columns.Dataset, name string) (*flow.Field, error) {
	inside, ok := strings.CutPrefix(name, "first(")
	inside, closed := strings.CutSuffix(inside, ")")
	if !ok || !closed {
		f, err := findField(d, "group_by", name)
		if err == nil && !isKey(f) {
			err = refuse(TypeError, "group_by", "measure it, or filter by it", "rows are not grouped by %s, which is a measure", f.Name)
		}
		return f, err
	}
	first := &flow.Field{Name: name, Kind: flow.NameField, Role: flow.RoleKey, Aggregate: flow.AggNone}
	for part := range strings.SplitSeq(inside, ",") {
		f, err := findField(d, "group_by", strings.TrimSpace(part))
		if err != nil {
			return nil, err
		}
		if !columns.IsText(f) {
			return nil, refuse(TypeError, "group_by", "name fields of names, addresses or enumerations", "first takes texts, which %s is not", f.Name)
		}
		first.FirstOf = append(first.FirstOf, f)
	}
	if n := len(first.FirstOf); n > maxFirst {
		return nil, refuse(TooLargeError, "group_by", "", "first has %d fields, want at most %d", n, maxFirst)
	}
	return first, nil
}

// maxFirst is how many fields first takes.
const maxFirst = 8

func findFields(d *columns.Dataset, member string, names []string) ([]*flow.Field, error) {
	var fields []*flow.Field
	seen := make(map[string]bool)
	for _, name := range names {
		f, err := findField(d, member, name)
		if err != nil {
			return nil, err
		}
		if seen[name] {
			return nil, refuse(ValueError, member, "", "field %s is named twice", name)
		}
		seen[name] = true
		fields = append(fields, f)
	}
	return fields, nil
}

func didYouMean(d *columns.Dataset, name string) string {
	return flow.DidYouMean(d.All, name) + "/api/v1/fields and seine fields list all"
}

// otherDataset says where a field is that the dataset does not have.
func otherDataset(f *flow.Field, d *columns.Dataset) string {
	return fmt.Sprintf("it is of dataset %s; /api/v1/fields?dataset=%s lists those of %s", f.Datasets, d.Name, d.Name)
}

// shortened cuts a text of the user's for an error message.
func shortened(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
