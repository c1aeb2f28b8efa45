package capture

import (
	"encoding/binary"
	"fmt"
	"reflect"
	"slices"
	"testing"

	"github.com/cilium/ebpf/btf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/nat"
)

// internalMembers are the members of the C structures that no Observation shows, and why.
var internalMembers = map[string]string{
	"flow_key.pad1":        "padding",
	"flow_key.pad2":        "padding",
	"flow_key.gen":         "keeps the uses of a tuple apart; each becomes an Observation of its own",
	"flow_value.pad":       "padding",
	"flow_value.nat_means": "says whether flow_value.nat is set",
	"flow_value.nat_tries": "bounds the look-ups of the programs",
	"flow_value.newest":    "leads the programs to the newest use of a tuple",
	"nat_info.pad":         "padding",
	"nat_info.status":      "the programs take confirmed entries alone",
	"tuple.pad":            "padding",
}

// member is one member of a C structure, or an element of an array, down to integers and addresses.
type member struct {
	// name is the structure's name and the member's.
	name         string
	offset, size uint32
}

// members lists what a structure is made of, in order.
func members(t *testing.T, at uint32, s *btf.Struct) []member {
	t.Helper()
	var out []member
	var sum uint32
	for _, m := range s.Members {
		size, err := btf.Sizeof(m.Type)
		if err != nil {
			t.Fatal(err)
		}
		if m.Offset.Bytes() != sum {
			t.Errorf("struct %s has hidden padding in front of %s", s.Name, m.Name)
		}
		sum += uint32(size)
		out = append(out, parts(t, s.Name+"."+m.Name, at+m.Offset.Bytes(), m.Type)...)
	}
	if sum != s.Size {
		t.Errorf("struct %s has %d bytes, its members %d: want no hidden padding", s.Name, s.Size, sum)
	}
	return out
}

func parts(t *testing.T, name string, at uint32, typ btf.Type) []member {
	t.Helper()
	switch kind := btf.UnderlyingType(typ).(type) {
	case *btf.Struct:
		if kind.Name == "addr" {
			return []member{{name, at, kind.Size}}
		}
		return members(t, at, kind)
	case *btf.Array:
		size, err := btf.Sizeof(kind.Type)
		if err != nil {
			t.Fatal(err)
		}
		var out []member
		for i := range kind.Nelems {
			out = append(out, parts(t, name, at+i*uint32(size), kind.Type)...)
		}
		return out
	case *btf.Int:
		return []member{{name, at, kind.Size}}
	}
	t.Fatalf("%s has a type that this test does not know: %v", name, typ)
	return nil
}

// TestBinding changes one member of the C structures after the other and wants each change to show in the Observation,
// but for the internal ones, which must not show. A member that is added to C fails it until it is read or listed.
func TestBinding(t *testing.T) {
	spec, err := bpf.LoadCapture()
	if err != nil {
		t.Fatal(err)
	}
	seen := make(map[string]bool)
	for _, name := range []string{"flow_key", "flow_value"} {
		var s *btf.Struct
		if err := spec.Types.TypeByName(name, &s); err != nil {
			t.Fatal(err)
		}
		if goSize := map[string]int{"flow_key": binary.Size(bpf.FlowKey{}), "flow_value": binary.Size(bpf.FlowValue{})}[name]; goSize != int(s.Size) {
			t.Errorf("struct %s has %d bytes, its Go type %d", name, s.Size, goSize)
		}
		shown := make(map[string]member)
		for _, m := range members(t, 0, s) {
			seen[m.name] = true
			base, changed := observed(t, name, member{}), observed(t, name, m)
			shows := changed != base
			_, internal := internalMembers[m.name]
			if shows == internal {
				t.Errorf("%s at %d: shows in the Observation: %t; listed as internal: %t; want one of both", m.name, m.offset, shows, internal)
			}
			if other, taken := shown[fmt.Sprintf("%+v", changed)]; shows && taken {
				t.Errorf("%s at %d and %s at %d show alike: want each in a field of its own", m.name, m.offset, other.name, other.offset)
			}
			shown[fmt.Sprintf("%+v", changed)] = m
		}
	}
	for name := range internalMembers {
		if !seen[name] {
			t.Errorf("%s is listed as internal and is not there", name)
		}
	}
}

// observed makes the Observation of a zero key and value, of which one member of one structure is set to a value that
// is not 0 in any byte.
func observed(t *testing.T, name string, m member) sighting {
	t.Helper()
	var key bpf.FlowKey
	var value bpf.FlowValue
	raw := make([]byte, max(binary.Size(key), binary.Size(value)))
	copy(raw[m.offset:m.offset+m.size], slices.Repeat([]byte{0x5a}, int(m.size)))
	var err error
	if name == "flow_key" {
		_, err = binary.Decode(raw, binary.NativeEndian, &key)
	} else {
		_, err = binary.Decode(raw, binary.NativeEndian, &value)
	}
	if err != nil {
		t.Fatal(err)
	}
	// Without means the entry is not read at all.
	if value.NatMeans == 0 {
		value.NatMeans = uint8(bpf.CaptureNatMeansNAT_BY_SKB)
	}
	var s sighting
	observe(&s.Observation, &s.entry, &key, &value, clock{})
	s.Entry = nil
	return s
}

// sighting is an Observation with its entry, to be compared.
type sighting struct {
	nat.Observation
	entry nat.Entry
}

// TestBindingComplete sets every field of an Observation: one that no member of the C structures reaches stays zero.
func TestBindingComplete(t *testing.T) {
	var key bpf.FlowKey
	var value bpf.FlowValue
	for _, into := range []any{&key, &value} {
		if _, err := binary.Decode(slices.Repeat([]byte{0x5a}, binary.Size(into)), binary.NativeEndian, into); err != nil {
			t.Fatal(err)
		}
	}
	var o nat.Observation
	observe(&o, new(nat.Entry), &key, &value, clock{})
	var zero func(path string, v reflect.Value)
	zero = func(path string, v reflect.Value) {
		switch v.Kind() {
		case reflect.Struct:
			for i := range v.NumField() {
				zero(path+"."+v.Type().Field(i).Name, v.Field(i))
			}
		case reflect.Pointer:
			zero(path, v.Elem())
		case reflect.Array:
			for i := range v.Len() {
				zero(fmt.Sprintf("%s[%d]", path, i), v.Index(i))
			}
		default:
			if v.IsZero() {
				t.Errorf("%s is not set", path)
			}
		}
	}
	zero("Observation", reflect.ValueOf(o))
}

// TestBindingEnums wants the Go side's names of reasons for every number that C has, and an explanation of each error.
func TestBindingEnums(t *testing.T) {
	spec, err := bpf.LoadCapture()
	if err != nil {
		t.Fatal(err)
	}
	for _, e := range []struct {
		name, prefix string
		count        int
	}{
		{"error", "ERROR_", int(bpf.CaptureErrorERROR_MAX)}, {"uncounted", "UNCOUNTED_", int(bpf.CaptureUncountedUNCOUNTED_MAX)},
	} {
		names := enumNames(spec, e.name, e.prefix)
		if len(names) != e.count {
			t.Errorf("enum %s has the names %v: want %d, counted from 0", e.name, names, e.count)
		}
		for _, n := range names {
			if e.name == "error" && errorDetails[n] == "" {
				t.Errorf("error %s has no explanation in errorDetails", n)
			}
		}
	}
	if !slices.Contains(enumNames(spec, "uncounted", "UNCOUNTED_"), reasonLost) {
		t.Errorf("enum uncounted has no %q, which coverage does not count as accounted for", reasonLost)
	}
}
