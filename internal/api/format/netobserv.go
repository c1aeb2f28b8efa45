package format

import (
	"fmt"
	"io"
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// NetObserv writes rows of connections as NetObserv's flow logs, two one-way lines each; see flow.NetObserv.
type NetObserv struct {
	to      io.Writer
	columns []setter
	encoder flow.NetObserv
	buffer  []byte
}

// setter puts a column's value into a record; nil for a column that flow logs have no place for.
type setter func(r *flow.Record, c *query.Column, row int) error

// NewNetObserv returns a writer of blocks with the given columns. It wants all that a flow log is made of.
func NewNetObserv(to io.Writer, columns []query.Column) (*NetObserv, error) {
	n := &NetObserv{to: to, columns: make([]setter, len(columns))}
	missing := len(setters)
	for i := range columns {
		if n.columns[i] = setters[columns[i].Name]; n.columns[i] != nil {
			missing--
		}
	}
	if missing > 0 {
		return nil, &query.Error{
			Message: "format netobserv is made of all fields of connections, and fields or dataset chooses others",
			Kind:    query.UnsupportedError, Hint: "leave out fields and dataset",
		}
	}
	return n, nil
}

// Write writes the rows of a block.
func (n *NetObserv) Write(b *query.Block) error {
	for row := range b.Rows {
		var err error
		if n.buffer, err = n.AppendRow(n.buffer, b, row); err != nil {
			return err
		}
		if len(n.buffer) >= flushAt {
			if err := n.Close(); err != nil {
				return err
			}
		}
	}
	return nil
}

// AppendRow appends a row's lines: one for each direction that has packets.
func (n *NetObserv) AppendRow(dst []byte, b *query.Block, row int) ([]byte, error) {
	var r flow.Record
	for i, set := range n.columns {
		if c := &b.Columns[i]; set != nil && (c.Null == nil || !c.Null[row]) {
			if err := set(&r, c, row); err != nil {
				return dst, fmt.Errorf("row of the store: %w", err)
			}
		}
	}
	return n.encoder.Append(dst, &r), nil
}

// Close writes what is gathered.
func (n *NetObserv) Close() error {
	_, err := n.to.Write(n.buffer)
	n.buffer = n.buffer[:0]
	return err
}

// text sets a name.
func text(of func(*flow.Record) *string) setter {
	return func(r *flow.Record, c *query.Column, row int) error {
		*of(r) = c.Texts[row]
		return nil
	}
}

// number sets what is a number in a record: in the column it is one, too, or a word.
func number[T ~uint8 | ~uint16 | ~uint32 | ~uint64 | ~int64](name string, of func(*flow.Record) *T) setter {
	field, ok := flow.FieldByName(name)
	if !ok {
		panic("BUG: no field is called " + name)
	}
	return func(r *flow.Record, c *query.Column, row int) error {
		if c.Texts == nil {
			*of(r) = T(c.Ints[row])
			return nil
		}
		if c.Texts[row] == "" {
			return nil
		}
		value, err := field.ParseUint(c.Texts[row])
		*of(r) = T(value)
		return err
	}
}

func address(set func(*flow.Record, netip.Addr)) setter {
	return func(r *flow.Record, c *query.Column, row int) error {
		if c.Texts[row] == "" {
			return nil
		}
		a, err := netip.ParseAddr(c.Texts[row])
		set(r, a)
		return err
	}
}

// setters has what flow logs are made of.
var setters = func() map[string]setter {
	type rec = flow.Record
	all := map[string]setter{
		"start":       number("start", func(r *rec) *flow.Time { return &r.Start }),
		"end":         number("end", func(r *rec) *flow.Time { return &r.End }),
		"proto":       number("proto", func(r *rec) *flow.Proto { return &r.Proto }),
		"icmp.type":   number("icmp.type", func(r *rec) *uint8 { return &r.ICMP.Type }),
		"icmp.code":   number("icmp.code", func(r *rec) *uint8 { return &r.ICMP.Code }),
		"nat":         number("nat", func(r *rec) *flow.NAT { return &r.NAT }),
		"ct_zone":     number("ct_zone", func(r *rec) *uint16 { return &r.Zone }),
		"tcp.flags":   number("tcp.flags", func(r *rec) *flow.TCPFlags { return &r.TCPFlags }),
		"fwd.bytes":   number("fwd.bytes", func(r *rec) *uint64 { return &r.Fwd.Bytes }),
		"fwd.packets": number("fwd.packets", func(r *rec) *uint64 { return &r.Fwd.Packets }),
		"rev.bytes":   number("rev.bytes", func(r *rec) *uint64 { return &r.Rev.Bytes }),
		"rev.packets": number("rev.packets", func(r *rec) *uint64 { return &r.Rev.Packets }),
		"reporter":    number("reporter", func(r *rec) *flow.Reporter { return &r.Reporter }),
		"sampling":    number("sampling", func(r *rec) *uint32 { return &r.Sampling }),
		"node":        text(func(r *rec) *string { return &r.Node }),
		"iface":       text(func(r *rec) *string { return &r.Iface }),
		"snat.addr": address(func(r *rec, a netip.Addr) {
			r.SNAT = netip.AddrPortFrom(a, r.SNAT.Port())
		}),
		"snat.port": func(r *rec, c *query.Column, row int) error {
			r.SNAT = netip.AddrPortFrom(r.SNAT.Addr(), uint16(c.Ints[row]))
			return nil
		},
	}
	for prefix, of := range map[string]func(*rec) *flow.Endpoint{
		"src.":     func(r *rec) *flow.Endpoint { return &r.Src },
		"dst.":     func(r *rec) *flow.Endpoint { return &r.Dst },
		"backend.": func(r *rec) *flow.Endpoint { return &r.Backend },
	} {
		all[prefix+"addr"] = address(func(r *rec, a netip.Addr) { of(r).Addr = a })
		all[prefix+"port"] = number(prefix+"port", func(r *rec) *uint16 { return &of(r).Port })
		all[prefix+"kind"] = number(prefix+"kind", func(r *rec) *flow.Kind { return &of(r).Kind })
		for name, member := range map[string]func(*flow.Endpoint) *string{
			"namespace":     func(e *flow.Endpoint) *string { return &e.Namespace },
			"name":          func(e *flow.Endpoint) *string { return &e.Name },
			"workload.kind": func(e *flow.Endpoint) *string { return &e.Workload.Kind },
			"workload.name": func(e *flow.Endpoint) *string { return &e.Workload.Name },
			"node":          func(e *flow.Endpoint) *string { return &e.Node },
			"zone":          func(e *flow.Endpoint) *string { return &e.Zone },
			"subnet":        func(e *flow.Endpoint) *string { return &e.Subnet },
		} {
			all[prefix+name] = text(func(r *rec) *string { return member(of(r)) })
		}
	}
	return all
}()
