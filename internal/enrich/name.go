package enrich

import (
	"net/netip"
	"strings"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
)

// Index tells who had an address.
type Index interface {
	Identify(*kube.Query) *flow.Identity
	// Steady answers for every port, process and time from one on; nil where one answer does not hold.
	Steady([]netip.Addr, flow.Time) []*flow.Identity
}

// Namer names the endpoints of batches.
type Namer struct{ index Index }

// NewNamer returns a namer.
func NewNamer(x Index) *Namer { return &Namer{x} }

// side is an endpoint of the records.
type side struct {
	name                string
	of                  func(*flow.Record) *flow.Endpoint
	addr, port, process *flow.Field
	// fields are those of the identity.
	fields []*flow.Field
}

var sides = []*side{
	newSide("src", "src", func(r *flow.Record) *flow.Endpoint { return &r.Src }),
	newSide("dst", "backend", func(r *flow.Record) *flow.Endpoint { return &r.Dst }),
	newSide("backend", "backend", func(r *flow.Record) *flow.Endpoint { return &r.Backend }),
}

// newSide collects the fields of an endpoint that names fill. That by which the client found the address is not among
// them: it comes from DNS answers. The process is that of another side for what was dialled.
func newSide(name, process string, of func(*flow.Record) *flow.Endpoint) *side {
	s := &side{
		name: name, of: of, addr: field(name + ".addr"), port: field(name + ".port"), process: field(process + ".process.pod_uid"),
	}
	for _, f := range flow.Fields() {
		if strings.HasPrefix(f.Name, name+".") && f.Origin == flow.OriginNames && f.Name != name+".dns_name" {
			s.fields = append(s.fields, f)
		}
	}
	return s
}

func field(name string) *flow.Field {
	f, ok := flow.FieldByName(name)
	if !ok {
		panic("BUG: no field " + name)
	}
	return f
}

var (
	protoField = field("proto")
	endField   = field("end")
	natField   = field("nat")
)

// Name is a server's stage.
func (n *Namer) Name(dataset string, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	rows := rows{batch: batch, proto: columns.TextsOf(batch, protoField), nat: columns.TextsOf(batch, natField)}
	end := columns.NumbersOf(batch, endField)
	rows.end = end.Values
	rows.from = earliest(&end)
	var by []columns.Replacement
	for _, s := range sides {
		if len(batch.Schema().FieldIndices(s.addr.Name)) == 1 {
			by = append(by, n.side(&rows, s)...)
		}
	}
	return columns.Replace(batch, by), nil
}

func earliest(n *columns.Numbers) flow.Time {
	first := flow.Time(1<<63 - 1)
	for i, v := range n.Values {
		if !n.IsNull(i) {
			first = min(first, flow.Time(v))
		}
	}
	return first
}

// rows are what is read of a batch for every side.
type rows struct {
	batch      arrow.RecordBatch
	proto, nat columns.Texts
	end        []int64
	from       flow.Time
}

// asked tells apart the questions of a batch whose answers may differ: codes in place of texts, times by the second.
type asked struct {
	addr, process, proto, nat int32
	port                      uint16
	second                    int64
}

// side names one endpoint of all rows.
func (n *Namer) side(r *rows, s *side) []columns.Replacement {
	addrs, ports, processes := columns.TextsOf(r.batch, s.addr), columns.NumbersOf(r.batch, s.port), columns.TextsOf(r.batch, s.process)
	t := newTable(r.batch, s)
	addresses := parsed(&addrs)
	steady, held := n.steady(addresses, r.from, t)
	answers := make(map[asked]int32)
	for row := range t.rows {
		code := addrs.Indices[row]
		if steady[code] != unsteady && (held[code] || processes.Value(row) == "" && !t.known(row)) {
			t.rows[row] = steady[code]
			continue
		}
		q := asked{
			addr: code, process: codeOf(&processes, row), proto: codeOf(&r.proto, row), nat: codeOf(&r.nat, row),
			second: r.end[row] / 1e9,
		}
		if !ports.IsNull(row) {
			q.port = uint16(ports.Values[row])
		}
		answer, ok := answers[q]
		if !ok {
			answer = n.ask(r, s, t, row, &kube.Query{Addr: addresses[code], Port: q.port, PodUID: processes.Value(row)})
			answers[q] = answer
		}
		if answer == unsteady {
			answer = t.keep(row)
		}
		t.rows[row] = answer
	}
	return t.columns()
}

// steady names the addresses that have one identity throughout; held says that an object has it.
func (n *Namer) steady(addresses []netip.Addr, from flow.Time, t *table) (numbers []int32, held []bool) {
	numbers, held = make([]int32, len(addresses)), make([]bool, len(addresses))
	for i, id := range n.index.Steady(addresses, from) {
		numbers[i] = unsteady
		if id != nil {
			numbers[i], held[i] = t.add(id), id.Name != "" && id.Kind != flow.Special
		}
	}
	return numbers, held
}

// unsteady stands for an address that has no one identity, or for rows that keep the one they came with.
const unsteady = -1

// ask looks an address up for a row, and returns the number of the identity.
func (n *Namer) ask(r *rows, s *side, t *table, row int, q *kube.Query) int32 {
	q.At = flow.Time(r.end[row])
	q.Proto, _ = flow.ParseProto(r.proto.Value(row))
	q.Translated = s.name == "dst" && strings.HasPrefix(r.nat.Value(row), flow.DNAT.String())
	if s.name == "dst" && q.Translated {
		q.PodUID = "" // The process is the backend's.
	}
	id := n.index.Identify(q)
	if id.ResolvedBy == flow.Unresolved && t.known(row) {
		return unsteady
	}
	return t.add(id)
}

func codeOf(t *columns.Texts, row int) int32 {
	if t.Indices == nil {
		return 0
	}
	return t.Indices[row]
}

// parsed returns the addresses of a dictionary; those that are none are invalid.
func parsed(t *columns.Texts) []netip.Addr {
	if t.Dictionary == nil {
		return nil
	}
	all := make([]netip.Addr, t.Dictionary.Len())
	for i := range all {
		all[i], _ = netip.ParseAddr(t.Dictionary.Value(i))
	}
	return all
}
