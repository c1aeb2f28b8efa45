package query

import (
	"fmt"

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
