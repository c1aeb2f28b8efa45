package enrich

import (
	"net/netip"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/cost"
	"github.com/seine-net/seine/internal/flow"
)

// Outside says which addresses are billed as the internet.
type Outside interface {
	External(netip.Addr) bool
}

// Pricer puts class and cost to records that have names.
type Pricer struct {
	prices  *cost.Table
	outside Outside
}

// NewPricer returns a pricer.
func NewPricer(prices *cost.Table, outside Outside) *Pricer { return &Pricer{prices, outside} }

// Record prices one record.
func (p *Pricer) Record(r *flow.Record) {
	client, server := p.place(&r.Src), p.place(&r.Backend)
	r.Traffic, r.Cost = cost.Class(&client, &server), 0
	if r.Primary {
		r.Cost = p.prices.Cost(r.Traffic, r.Fwd.Bytes, r.Rev.Bytes)
	}
}

func (p *Pricer) place(e *flow.Endpoint) cost.Place {
	return cost.Place{Node: e.Node, Zone: e.Zone, Region: e.Region, Internet: p.internet(e.Addr, e.Kind.String(), e.Node)}
}

// internet says whether an endpoint is on the internet: nothing of the cluster, at such an address.
func (p *Pricer) internet(a netip.Addr, kind, node string) bool {
	return node == "" && (kind == "" || kind == flow.External.String()) && p.outside.External(a)
}

// end has the columns that tell where an endpoint is.
type end struct {
	addr, kind, node, zone, region columns.Texts
}

func endOf(batch arrow.RecordBatch, s *side) end {
	text := func(name string) columns.Texts { return columns.TextsOf(batch, field(s.name+"."+name)) }
	return end{text("addr"), text("kind"), text("node"), text("zone"), text("region")}
}

func (e *end) codes(row int) [5]int32 {
	return [5]int32{
		codeOf(&e.addr, row), codeOf(&e.kind, row), codeOf(&e.node, row), codeOf(&e.zone, row), codeOf(&e.region, row),
	}
}

func (e *end) place(p *Pricer, row int) cost.Place {
	a, _ := netip.ParseAddr(e.addr.Value(row))
	node := e.node.Value(row)
	return cost.Place{
		Node: node, Zone: e.zone.Value(row), Region: e.region.Value(row), Internet: p.internet(a, e.kind.Value(row), node),
	}
}

var (
	classField   = field("traffic.class")
	costField    = field("cost")
	primaryField = field("primary")
	fwdField     = field("fwd.bytes")
	revField     = field("rev.bytes")
)

// Price is a server's stage. It comes after the one that marks primary rows, which alone have a cost.
func (p *Pricer) Price(_ string, batch arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(batch.Schema().FieldIndices(classField.Name)) != 1 {
		batch.Retain()
		return batch, nil
	}
	client, server := endOf(batch, sides[0]), endOf(batch, sides[2])
	primary := columns.NumbersOf(batch, primaryField)
	fwd, rev := columns.NumbersOf(batch, fwdField), columns.NumbersOf(batch, revField)
	rows := int(batch.NumRows())
	classes, costs := make([]int32, rows), make([]int64, rows)
	known := make(map[[2][5]int32]flow.TrafficClass)
	for row := range rows {
		k := [2][5]int32{client.codes(row), server.codes(row)}
		class, ok := known[k]
		if !ok {
			from, to := client.place(p, row), server.place(p, row)
			class = cost.Class(&from, &to)
			known[k] = class
		}
		classes[row] = int32(class)
		if primary.Values[row] != 0 && !primary.IsNull(row) {
			costs[row] = int64(p.prices.Cost(class, uint64(fwd.Values[row]), uint64(rev.Values[row])))
		}
	}
	return columns.Replace(batch, []columns.Replacement{
		{Field: classField, Column: columns.NewTexts(classes, classNames)},
		{Field: costField, Column: columns.NewNumbers(costs)},
	}), nil
}

// classNames has the text of each class, by its code.
var classNames = func() (names []string) {
	for _, v := range classField.Enum {
		names = append(names, v.Name)
	}
	return names
}()
