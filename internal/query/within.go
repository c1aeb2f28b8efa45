package query

import "github.com/seine-net/seine/internal/columns"

// endNamespaces are the fields that say whose a row is.
var endNamespaces = []string{"src.namespace", "dst.namespace", "backend.namespace"}

// Within leaves of all rows those that have an end in one of the namespaces.
func (c *Compiled) Within(namespaces []string) {
	for _, plan := range []*Plan{c.Plan, c.Compare} {
		if plan != nil {
			plan.within(namespaces)
		}
	}
}

func (p *Plan) within(namespaces []string) {
	dataset, ok := columns.ByName(p.Dataset)
	if !ok {
		panic("BUG: no dataset is called " + p.Dataset)
	}
	ends := &Expr{Operator: Or}
	for _, name := range endNamespaces {
		if field, ok := dataset.FieldByName(name); ok {
			ends.Args = append(ends.Args, &Expr{Operator: In, Field: field, Texts: namespaces})
		}
	}
	if p.Filter == nil {
		p.Filter = ends
		return
	}
	p.Filter = &Expr{Operator: And, Args: []*Expr{p.Filter, ends}}
}
