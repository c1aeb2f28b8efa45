package columns_test

import (
	"fmt"
	"math"
	"math/rand/v2"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/apache/arrow-go/v18/arrow/array"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query/querytest"
)

// build returns the records as one batch.
func build(t testing.TB, records []flow.Record) arrow.RecordBatch {
	t.Helper()
	b := columns.NewBuilder(columns.Flows(), columns.MaxRows)
	if n := b.Append(records); n != len(records) {
		t.Fatalf("builder took %d of %d records", n, len(records))
	}
	return b.NewBatch()
}

// cells returns what a batch has of each field, as text.
func cells(batch arrow.RecordBatch, row int) map[string]string {
	all := make(map[string]string)
	for _, f := range flow.DefaultFields(flow.Connections) {
		if columns.IsText(f) {
			all[f.Name] = columns.TextsOf(batch, f).Value(row)
		} else if numbers := columns.NumbersOf(batch, f); numbers.IsNull(row) {
			all[f.Name] = "null"
		} else {
			all[f.Name] = fmt.Sprint(numbers.Values[row])
		}
	}
	return all
}

// wanted returns the same from the record itself.
func wanted(r *flow.Record) map[string]string {
	all := make(map[string]string)
	for _, f := range flow.DefaultFields(flow.Connections) {
		switch {
		case f.Addr != nil:
			all[f.Name] = addrText(f.Addr(r))
		case columns.IsText(f):
			all[f.Name] = strings.ToValidUTF8(string(f.AppendText(nil, r)), "\uFFFD")
		case !f.Present(r):
			all[f.Name] = "null"
		default:
			all[f.Name] = fmt.Sprint(min(f.Uint(r), math.MaxInt64))
		}
	}
	all["total.bytes"] = fmt.Sprint(saturating(r.Fwd.Bytes, r.Rev.Bytes))
	all["total.packets"] = fmt.Sprint(saturating(r.Fwd.Packets, r.Rev.Packets))
	return all
}

func addrText(a netip.Addr) string {
	if !a.IsValid() {
		return ""
	}
	return a.Unmap().String()
}

func saturating(a, b uint64) uint64 {
	a, b = min(a, math.MaxInt64), min(b, math.MaxInt64)
	return min(a+b, math.MaxInt64)
}

// Every value of every field comes back, through batches of any size, encoded and decoded.
func TestRoundTrip(t *testing.T) {
	records := querytest.RandomRecords(1, 3000)
	rng := rand.New(rand.NewPCG(2, 0))
	for done := 0; done < len(records); {
		size := 1 + rng.IntN(500)
		b := columns.NewBuilder(columns.Flows(), size)
		part := records[done:min(done+200, len(records))]
		taken := b.Append(part)
		if want := min(size, len(part)); taken != want || b.Len() != want {
			t.Fatalf("builder of %d rows took %d of %d records and has %d", size, taken, len(part), b.Len())
		}
		batch := b.NewBatch()
		decoded := decode(t, encode(t, batch))
		if !array.RecordEqual(batch, decoded) {
			t.Fatal("batch differs once encoded and decoded")
		}
		for i := range taken {
			if diff := cmp.Diff(wanted(&part[i]), cells(decoded, i)); diff != "" {
				t.Fatalf("record %d differs (-want +got):\n%s", done+i, diff)
			}
		}
		done += taken
	}
}

// A builder that is used again begins with nothing of the batch before, which stays as it is.
func TestBatchesAreIndependent(t *testing.T) {
	first, second := querytest.RandomRecords(1, 50), querytest.RandomRecords(2, 70)
	b := columns.NewBuilder(columns.Flows(), 100)
	b.Append(first)
	one := b.NewBatch()
	b.Append(second)
	two := b.NewBatch()
	for _, c := range []struct {
		batch   arrow.RecordBatch
		records []flow.Record
	}{{one, first}, {two, second}} {
		if !array.RecordEqual(c.batch, build(t, c.records)) {
			t.Errorf("batch of %d records depends on what the builder had before or after", len(c.records))
		}
	}
	if empty := b.NewBatch(); empty.NumRows() != 0 {
		t.Errorf("empty batch has %d rows", empty.NumRows())
	} else if got := decode(t, encode(t, empty)); got.NumRows() != 0 {
		t.Errorf("empty batch has %d rows once decoded", got.NumRows())
	}
}

// A text stands in a dictionary once, whatever values it comes from.
func TestDictionariesHaveNoRepeats(t *testing.T) {
	records := make([]flow.Record, 4)
	v4 := netip.MustParseAddr("10.0.0.1")
	for i, iface := range []string{"a\xff", "a\uFFFD", "a\xfe", "b"} {
		records[i].Iface = iface
		records[i].Src.Addr = v4
	}
	records[1].Src.Addr = netip.AddrFrom16(v4.As16())
	batch := build(t, records)
	f := func(name string, want ...string) {
		t.Helper()
		field, _ := flow.FieldByName(name)
		texts := columns.TextsOf(batch, field)
		var got []string
		for i := range texts.Dictionary.Len() {
			got = append(got, texts.Dictionary.Value(i))
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("dictionary of %s (-want +got):\n%s", name, diff)
		}
	}
	f("iface", "a\uFFFD", "b")
	f("src.addr", "10.0.0.1")
}

func TestDataset(t *testing.T) {
	d := columns.Flows()
	if got, ok := columns.ByName("flows"); !ok || got != d {
		t.Error("flows is not found by its name")
	}
	if _, ok := columns.ByName("other"); ok {
		t.Error("a dataset is found that does not exist")
	}
	parts := func(name string, want ...string) {
		t.Helper()
		f, _ := flow.FieldByName(name)
		var got []string
		for _, part := range d.Parts(f) {
			got = append(got, part.Name)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("parts of %s (-want +got):\n%s", name, diff)
		}
	}
	parts("src.addr", "src.addr")
	parts("total.bytes", "fwd.bytes", "rev.bytes")
	parts("community_id")
	for _, f := range flow.Fields() {
		i, stored := d.Column(f)
		if stored != slices.Contains(d.Fields, f) || stored && d.Schema.Field(i).Name != f.Name {
			t.Errorf("%s: column %d, stored %t", f.Name, i, stored)
		}
		if stored == (f.OnRequest || f.SumOf != nil || !f.In(flow.Connections)) {
			t.Errorf("%s: stored %t", f.Name, stored)
		}
	}
}

// selectColumns returns a batch of some of the columns, in another order, as another version would make it.
func selectColumns(batch arrow.RecordBatch, places ...int) arrow.RecordBatch {
	var fields []arrow.Field
	var arrays []arrow.Array
	for _, i := range places {
		fields = append(fields, batch.Schema().Field(i))
		arrays = append(arrays, batch.Column(i))
	}
	metadata := batch.Schema().Metadata()
	return array.NewRecordBatch(arrow.NewSchema(fields, &metadata), arrays, batch.NumRows())
}

// withColumn returns the batch with a further column, or one exchanged if the place is not negative.
func withColumn(batch arrow.RecordBatch, place int, field arrow.Field, values arrow.Array) arrow.RecordBatch {
	fields := slices.Clone(batch.Schema().Fields())
	arrays := slices.Clone(batch.Columns())
	if place < 0 {
		fields, arrays = append(fields, field), append(arrays, values)
	} else {
		fields[place], arrays[place] = field, values
	}
	metadata := batch.Schema().Metadata()
	return array.NewRecordBatch(arrow.NewSchema(fields, &metadata), arrays, batch.NumRows())
}

// Batches of versions with fewer, more or renamed columns in any order are read by the numbers of the fields.
func TestOtherVersions(t *testing.T) {
	records := querytest.RandomRecords(3, 20)
	batch := build(t, records)
	names := func(except ...string) []int {
		var places []int
		for i, f := range batch.Schema().Fields() {
			if !slices.Contains(except, f.Name) {
				places = append(places, i)
			}
		}
		slices.Reverse(places)
		return places
	}
	missing := []string{"src.namespace", "fwd.bytes", "primary", "tcp.flags", "end", "src.addr"}
	older := decode(t, encode(t, selectColumns(batch, names(missing...)...)))
	if !older.Schema().Equal(columns.Flows().Schema) {
		t.Fatalf("schema is %v", older.Schema())
	}
	for i := range records {
		want := wanted(&records[i])
		for _, name := range missing {
			f, _ := flow.FieldByName(name)
			want[name] = "null"
			if columns.IsText(f) {
				want[name] = ""
			}
		}
		want["total.bytes"] = want["rev.bytes"] // A sum is of the parts that are there.
		if diff := cmp.Diff(want, cells(older, i)); diff != "" {
			t.Fatalf("record %d of an older version (-want +got):\n%s", i, diff)
		}
	}

	place := batch.Schema().FieldIndices("node")[0]
	renamed := batch.Schema().Field(place)
	renamed.Name = "agent.node"
	newer := withColumn(withColumn(batch, place, renamed, batch.Column(place)), -1, arrow.Field{
		Name: "later", Type: arrow.PrimitiveTypes.Int8, Metadata: arrow.NewMetadata([]string{"seine.id"}, []string{"60000"}),
	}, nulls(arrow.PrimitiveTypes.Int8, 20))
	if got := decode(t, encode(t, newer)); !array.RecordEqual(got, batch) {
		t.Error("batch of a newer version differs")
	}
}

// Batches that lack a column read as if its values were unknown.
func TestReadWithoutColumns(t *testing.T) {
	batch := selectColumns(build(t, querytest.RandomRecords(4, 5)))
	for name, got := range cells(batch, 4) {
		f, _ := flow.FieldByName(name)
		if want := map[bool]string{true: "", false: "null"}[columns.IsText(f)]; got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
}
