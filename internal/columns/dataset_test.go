package columns

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// A dataset has only the fields that it was made of, whatever else the field table holds.
func TestNewDataset(t *testing.T) {
	fields, err := flow.SelectFields([]string{"end", "src.addr", "fwd.bytes", "rev.bytes", "total.bytes", "community_id"})
	if err != nil {
		t.Fatal(err)
	}
	d := makeDataset(flow.Connections, fields, []string{"src.addr", "end"})
	if d.End != fields[0] || d.Primary != nil || d.Sampling != nil {
		t.Errorf("end %v, primary %v, sampling %v: want end alone", d.End, d.Primary, d.Sampling)
	}
	if len(d.SortBy) != 2 || d.SortBy[0] != fields[1] || len(d.Fields) != 4 || len(d.Askable()) != 5 {
		t.Errorf("sorted by %v, stored %v, askable %v", d.SortBy, d.Fields, d.Askable())
	}
	f := func(name string, wantKnown, wantStored bool) {
		t.Helper()
		field, _ := flow.FieldByName(name)
		_, known := d.FieldByName(name)
		_, stored := d.StoredByID(field.ID)
		if known != wantKnown || stored != wantStored {
			t.Errorf("%s: known %t, stored %t, want %t and %t", name, known, stored, wantKnown, wantStored)
		}
	}
	f("src.addr", true, true)
	f("total.bytes", true, false)
	f("community_id", true, false)
	f("dst.addr", false, false)
	defer func() {
		if recover() == nil {
			t.Error("a dataset without the field end was made")
		}
	}()
	makeDataset(flow.Connections, fields[1:], nil)
}
