package flow

import (
	"fmt"
	"net/netip"
)

// endpointField is a field of any endpoint, with one accessor set.
type endpointField struct {
	Field
	uint func(*Endpoint) uint64
	text func(*Endpoint) string
	addr func(*Endpoint) netip.Addr
}

// sides are the endpoints of a record. The addresses of the backend are a matter of translation; those of
// the others are the connection's own tuple.
var sides = []struct {
	name, noun string
	base       FieldID
	shown      bool
	of         func(*Record) *Endpoint
}{
	{"src", "the client", 100, true, func(r *Record) *Endpoint { return &r.Src }},
	{"dst", "the dialled destination", 200, true, func(r *Record) *Endpoint { return &r.Dst }},
	{"backend", "the backend", 300, false, func(r *Record) *Endpoint { return &r.Backend }},
}

// endpoints returns the fields of all sides.
func endpoints() []Field {
	var all []Field
	for _, s := range sides {
		for _, e := range endpointFields {
			f := e.on(s.of)
			f.ID += s.base
			f.Name = s.name + "." + f.Name
			f.Doc = fmt.Sprintf(f.Doc, s.noun)
			f.Shown = f.Shown && s.shown
			f.Datasets, f.Role, f.Aggregate = everywhere, RoleKey, AggNone
			all = append(all, f.grouped(s.name))
		}
	}
	return all
}

// on returns the field with accessors that read the endpoint of a record.
func (e endpointField) on(of func(*Record) *Endpoint) Field {
	f, number, text, addr := e.Field, e.uint, e.text, e.addr
	switch {
	case number != nil:
		f.Uint = func(r *Record) uint64 { return number(of(r)) }
	case text != nil:
		f.Text = func(r *Record) string { return text(of(r)) }
	default:
		f.Addr = func(r *Record) netip.Addr { return addr(of(r)) }
	}
	return f
}

// grouped fills in what the identity fields have in common, and what differs for the backend's address.
func (f Field) grouped(side string) Field {
	if f.Group == "" {
		f.Group, f.Origin, f.Presence = groupIdentity, OriginNames, IfKnown
	} else if side == "backend" {
		f.Group, f.Origin = groupTranslation, OriginNAT
	}
	return f
}

// directions are the volumes of a record; sumOf has the bases of the directions that one is the sum of.
var directions = []struct {
	name, noun string
	base       FieldID
	sumOf      []FieldID
	origin     Origin
	of         func(*Record) Volume
	faults     func(*Record) Faults
}{
	{
		"fwd", "from client to server", 40, nil, OriginKernel,
		func(r *Record) Volume { return r.Fwd }, func(r *Record) Faults { return r.FwdFaults },
	},
	{
		"rev", "from server to client", 50, nil, OriginKernel,
		func(r *Record) Volume { return r.Rev }, func(r *Record) Faults { return r.RevFaults },
	},
	{"total", "in both directions", 60, []FieldID{40, 50}, OriginDerived, (*Record).Total, (*Record).TotalFaults},
}

// Total returns the volume of both directions.
func (r *Record) Total() Volume {
	return Volume{Bytes: r.Fwd.Bytes + r.Rev.Bytes, Packets: r.Fwd.Packets + r.Rev.Packets}
}

// TotalFaults returns the faults of both directions.
func (r *Record) TotalFaults() Faults { return r.FwdFaults.Plus(r.RevFaults) }

// Plus returns the sum of both.
func (f Faults) Plus(o Faults) Faults {
	return Faults{
		Retransmits: f.Retransmits + o.Retransmits,
		DropPackets: f.DropPackets + o.DropPackets, DropBytes: f.DropBytes + o.DropBytes,
		ZeroWindows: f.ZeroWindows + o.ZeroWindows, OutOfOrder: f.OutOfOrder + o.OutOfOrder,
	}
}

// volumes returns the fields of all directions.
func volumes() []Field {
	var all []Field
	for _, d := range directions {
		of, faults := d.of, d.faults
		add := func(f Field, read func(*Record) uint64) {
			for _, base := range d.sumOf {
				f.SumOf = append(f.SumOf, base+f.ID)
			}
			f.ID += d.base
			f.Name = d.name + "." + f.Name
			f.Doc = fmt.Sprintf(f.Doc, d.noun)
			f.Shown = f.Shown && d.origin != OriginDerived
			f.Origin, f.Role, f.Aggregate, f.Cardinality = d.origin, RoleMeasure, AggSum, HighCardinality
			f.Uint = read
			all = append(all, f)
		}
		for _, v := range volumeFields {
			add(v.Field, func(r *Record) uint64 { return v.of(of(r)) })
		}
		for _, v := range faultFields {
			add(v.Field, func(r *Record) uint64 { return v.of(faults(r)) })
		}
	}
	return all
}

// processes returns the fields of the socket owners at either end.
func processes() []Field {
	var all []Field
	for _, s := range sides {
		if s.name == "dst" {
			continue
		}
		for _, e := range processFields {
			f := e.on(s.of)
			f.ID += s.base
			f.Name = s.name + ".process." + f.Name
			f.Doc = fmt.Sprintf(f.Doc, s.noun)
			f.Datasets, f.Group, f.Origin, f.Presence, f.Role, f.Aggregate = everywhere, groupProcess, OriginKernel, IfKnown, RoleKey, AggNone
			all = append(all, f)
		}
	}
	return all
}
