package flow

import (
	"flag"
	"fmt"
	"net/netip"
	"os"
	"reflect"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

var update = flag.Bool("update", false, "add new fields to testdata/fields.golden")

// Stored and transmitted columns rely on numbers, names and kinds: what was once declared stays.
func TestFieldsAreOnlyAdded(t *testing.T) {
	const file = "testdata/fields.golden"
	golden := strings.Split(strings.TrimSpace(readFile(t, file)), "\n")
	var declared []string
	for _, f := range fields {
		declared = append(declared, fmt.Sprintf("%03d %s %s", f.ID, f.Name, f.Kind))
	}
	slices.Sort(declared)
	if *update {
		golden = slices.Compact(slices.Sorted(slices.Values(append(golden, declared...))))
		if err := os.WriteFile(file, []byte(strings.Join(golden, "\n")+"\n"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if diff := cmp.Diff(golden, declared); diff != "" {
		t.Errorf("fields differ from %s; lines with - must stay, for lines with + run go test -update:\n%s", file, diff)
	}
}

func TestFieldsAreComplete(t *testing.T) {
	if len(fieldsByID) != len(fields) || len(fieldsByName) != len(fields) {
		t.Errorf("%d fields have %d numbers and %d names", len(fields), len(fieldsByID), len(fieldsByName))
	}
	for _, f := range fields {
		accessors := map[Storage]bool{UintStorage: f.Uint != nil, TextStorage: f.Text != nil, AddrStorage: f.Addr != nil}
		for storage, set := range accessors {
			if set != (storage == f.Kind.Storage()) {
				t.Errorf("%s: accessor for storage %d set: %t", f.Name, storage, set)
			}
		}
		if (f.Kind == EnumField) != (f.Enum != nil) {
			t.Errorf("%s: kind %s with %d enumeration values", f.Name, f.Kind, len(f.Enum))
		}
		if !strings.HasSuffix(f.Doc, ".") || strings.Contains(f.Doc, "%") {
			t.Errorf("%s: doc %q is not a sentence", f.Name, f.Doc)
		}
		if f.ID == 0 || f.Origin == "" || f.Role == "" || f.Aggregate == "" || f.Cardinality == "" {
			t.Errorf("%s: incomplete: %+v", f.Name, f)
		}
		if !slices.Contains(groups, f.Group) {
			t.Errorf("%s: group %q is not documented", f.Name, f.Group)
		}
	}
}

func TestFieldExamplesAreValues(t *testing.T) {
	for _, f := range fields {
		var err error
		switch f.Kind.Storage() {
		case UintStorage:
			_, err = f.ParseUint(f.Example)
		case AddrStorage:
			_, err = netip.ParseAddr(f.Example)
		case TextStorage:
			if f.Example == "" {
				err = fmt.Errorf("no example")
			}
		}
		if err != nil {
			t.Errorf("%s: %v", f.Name, err)
		}
	}
}

func TestFieldMirrors(t *testing.T) {
	f := func(name, want string) {
		t.Helper()
		field, _ := FieldByName(name)
		got := ""
		if mirror, ok := FieldByID(field.Mirror); ok {
			got = mirror.Name
		}
		if got != want {
			t.Errorf("mirror of %s is %q, want %q", name, got, want)
		}
	}
	f("src.addr", "dst.addr")
	f("dst.workload.name", "src.workload.name")
	f("fwd.bytes", "rev.bytes")
	f("snat.port", "backend.port")
	f("backend.addr", "snat.addr")
	f("backend.name", "")
	f("node", "")
	f("total.bytes", "")
	for _, field := range fields {
		if m, ok := FieldByID(field.Mirror); ok && (m.Mirror != field.ID || m.Kind != field.Kind) {
			t.Errorf("%s and its mirror %s do not match", field.Name, m.Name)
		}
	}
}

// Each member of Record, set alone, must change what some field reads.
func TestEveryMemberHasAField(t *testing.T) {
	var zero, r Record
	members := 0
	eachMember(reflect.ValueOf(&r).Elem(), "Record", func(path string, member reflect.Value) {
		if strings.HasPrefix(path, "Record.Dst.Process.") {
			return // Empty by definition.
		}
		members++
		setDistinct(t, path, member)
		if !slices.ContainsFunc(fields, func(f *Field) bool { return readsMember(f) && raw(f, &r) != raw(f, &zero) }) {
			t.Errorf("no field reads %s", path)
		}
		member.SetZero()
	})
	if members < 50 {
		t.Errorf("only %d members were visited", members)
	}
}

// readsMember excludes the fields that are computed from others.
func readsMember(f *Field) bool { return !strings.HasPrefix(f.Name, "total.") && !f.OnRequest }

// eachMember calls visit for each member that is a value of its own.
func eachMember(v reflect.Value, path string, visit func(string, reflect.Value)) {
	switch v.Interface().(type) {
	case netip.Addr, netip.AddrPort:
		visit(path, v)
		return
	}
	if v.Kind() == reflect.Pointer {
		v.Set(reflect.New(v.Type().Elem()))
		v = v.Elem()
	}
	if v.Kind() != reflect.Struct {
		visit(path, v)
		return
	}
	for i := range v.NumField() {
		eachMember(v.Field(i), path+"."+v.Type().Field(i).Name, visit)
	}
}

func setDistinct(t *testing.T, path string, v reflect.Value) {
	t.Helper()
	addr := netip.MustParseAddr("192.0.2.77")
	switch {
	case v.Type() == reflect.TypeFor[netip.Addr]():
		v.Set(reflect.ValueOf(addr))
	case v.Type() == reflect.TypeFor[netip.AddrPort]():
		v.Set(reflect.ValueOf(netip.AddrPortFrom(addr, 77)))
	case v.CanUint():
		v.SetUint(1)
	case v.CanInt():
		v.SetInt(1)
	case v.Kind() == reflect.String:
		v.SetString("x")
	case v.Kind() == reflect.Bool:
		v.SetBool(true)
	default:
		t.Fatalf("%s has a type that this test cannot set: %s", path, v.Type())
	}
}

// raw returns the stored value of a field, whether or not the record would be written with it.
func raw(f *Field, r *Record) any {
	switch f.Kind.Storage() {
	case TextStorage:
		return f.Text(r)
	case AddrStorage:
		return f.Addr(r)
	}
	return f.Uint(r)
}

func TestFieldPresence(t *testing.T) {
	tcp, ping, snat := sampleTCP(), samplePing(), sampleSNAT()
	f := func(name string, r *Record, want bool) {
		t.Helper()
		field, _ := FieldByName(name)
		if got := field.Present(r); got != want {
			t.Errorf("%s of %s present: %t", name, r.Proto, got)
		}
	}
	f("tcp.flags", &tcp, true)
	f("tcp.flags", &snat, false)
	f("icmp.code", &ping, true)
	f("icmp.code", &tcp, false)
	f("src.port", &tcp, true)
	f("src.port", &ping, false)
	f("src.name", &tcp, true)
	f("src.name", &ping, false)
	f("src.kind", &ping, false)
	f("src.kind", &snat, true)
	f("ct_zone", &tcp, true)
}

func TestSelectFields(t *testing.T) {
	selected, err := SelectFields([]string{"dst.addr", "proto"})
	if err != nil || selected[0].Name != "dst.addr" || selected[1].Name != "proto" {
		t.Errorf("got %v, %v", selected, err)
	}
	f := func(name, nearest string) {
		t.Helper()
		_, err := SelectFields([]string{"proto", name})
		if err == nil || !strings.Contains(err.Error(), fmt.Sprintf("%q", name)) || !strings.Contains(err.Error(), fmt.Sprintf("%q", nearest)) {
			t.Errorf("select %q: %v, want a suggestion of %q", name, err, nearest)
		}
	}
	f("src.adr", "src.addr")
	f("namespace", "src.namespace")
	f("dst.workloadname", "dst.workload.name")
	f("flags", "tcp.flags")
	f("Node", "node")
}

func TestFieldSets(t *testing.T) {
	names := func(fields []*Field) string {
		var names []string
		for _, f := range fields {
			names = append(names, f.Name)
		}
		return strings.Join(names, " ")
	}
	if got := names(DefaultFields(Connections)); strings.Contains(got, "community_id") || !strings.Contains(got, "total.bytes") {
		t.Errorf("default fields: %s", got)
	}
	const shown = "end proto src.namespace src.name dst.namespace dst.name nat fwd.bytes rev.bytes"
	if got := names(ShownFields(Connections)); got != shown {
		t.Errorf("shown fields: %s, want %s", got, shown)
	}
	Fields()[0] = nil
	if fields[0] == nil {
		t.Error("the caller of Fields changed the table")
	}
}

func readFile(t *testing.T, name string) string {
	t.Helper()
	b, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

// Who stores the parts must be able to compute the sum.
func TestSums(t *testing.T) {
	r := sampleTroubled()
	sums := 0
	for _, f := range fields {
		if f.SumOf == nil {
			continue
		}
		sums++
		var total uint64
		for _, id := range f.SumOf {
			part, ok := FieldByID(id)
			if !ok || part.SumOf != nil || part.OnRequest || part.Kind != f.Kind || part.Aggregate != AggSum {
				t.Fatalf("%s is said to be the sum of %d, which is no counter that is stored", f.Name, id)
			}
			total += part.Uint(&r)
		}
		if got := f.Uint(&r); got != total || total == 0 {
			t.Errorf("%s is %d, its parts are %d together", f.Name, got, total)
		}
	}
	if want := len(volumeFields) + len(faultFields); sums != want {
		t.Errorf("%d fields are sums, want %d", sums, want)
	}
}
