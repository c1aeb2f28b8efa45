package health

import (
	"slices"
)

// index finds edges by their ends, each in the order in which they were given.
type index struct {
	// edges are by client and server, servers and backends by who is dialled and by each that answers.
	edges                      map[Edge][]*edgeState
	clients, servers, backends map[Entity][]*edgeState
}

func (b backends) index(states []*edgeState) *index {
	x := &index{make(map[Edge][]*edgeState), make(map[Entity][]*edgeState), make(map[Entity][]*edgeState), make(map[Entity][]*edgeState)}
	for _, s := range states {
		server := b.server(s.edge.Dst)
		x.edges[Edge{s.edge.Src, server}] = append(x.edges[Edge{s.edge.Src, server}], s)
		x.servers[server] = append(x.servers[server], s)
		x.clients[s.edge.Src] = append(x.clients[s.edge.Src], s)
		for backend := range b[s.edge.Dst] {
			x.backends[backend] = append(x.backends[backend], s)
		}
	}
	return x
}

// found is the index of the edges with a finding of a rule, every one that of all its edges. Both are made once.
func (c *check) found(j judged) *index {
	if c.foundBy[j.rule] == nil {
		c.foundBy[j.rule] = c.behind.index(slices.DeleteFunc(slices.Clone(j.states), func(s *edgeState) bool { return !s.found }))
	}
	return c.foundBy[j.rule]
}

func (c *check) every(j judged) *index {
	if c.everyBy[j.rule] == nil {
		c.everyBy[j.rule] = c.behind.index(j.states)
	}
	return c.everyBy[j.rule]
}

// reach tells which edges may be the cause of a finding at an edge.
type reach struct {
	c    *check
	j    judged
	edge Edge
}

func (c *check) reachOf(j judged, s *edgeState) reach { return reach{c, j, s.edge} }

// causes are the edges of an index from which a finding at the edge would follow. Where they may be grave, all wait for a
// critical one who call: where half of the connects time out the median of a connection in between may be well.
func (r reach) causes(where Reach, of *index, grave bool) []*edgeState {
	server := r.c.behind.server(r.edge.Dst)
	switch {
	case where == SameEdge:
		return of.edges[Edge{r.edge.Src, server}]
	case where == SameServer:
		return of.servers[server]
	case where == SameClient && r.edge.Src.Name != "":
		return of.clients[r.edge.Src]
	case where == Waiting:
		return r.waitedFor(of, grave)
	case where == Silenced:
		return r.silencing(of)
	}
	return nil
}

func (r reach) waitedFor(of *index, grave bool) (causes []*edgeState) {
	if len(of.edges) == 0 {
		return nil
	}
	for _, who := range r.servers(r.c.found(r.j)) {
		causes = append(causes, of.clients[who]...)
	}
	if len(causes) > 0 || !grave {
		return causes
	}
	for _, who := range r.servers(r.c.every(r.j)) {
		for _, e := range of.clients[who] {
			if e.verdict.severity == Critical {
				causes = append(causes, e)
			}
		}
	}
	return causes
}

// servers are who answers at the edge, and whom those call at the edges of an index, and so on.
func (r reach) servers(calls *index) []Entity {
	var all []Entity
	add := func(e Edge) {
		for _, server := range r.c.behind.named(e.Dst) {
			if !slices.Contains(all, server) {
				all = append(all, server)
			}
		}
	}
	add(r.edge)
	for i := 0; i < len(all); i++ {
		for _, e := range calls.clients[all[i]] {
			add(e.edge)
		}
	}
	return all
}

// silencing are edges of the edge's client, and of those who called it, by what the same rule found, and so on; and edges
// to any of them.
func (r reach) silencing(of *index) (causes []*edgeState) {
	if len(of.edges) == 0 {
		return nil
	}
	who, calls := []Entity{r.edge.Src}, r.c.found(r.j)
	for i := 0; i < len(who); i++ {
		causes = append(append(causes, of.clients[who[i]]...), of.backends[who[i]]...)
		for _, e := range calls.backends[who[i]] {
			if e.edge.Src.Name != "" && !slices.Contains(who, e.edge.Src) {
				who = append(who, e.edge.Src)
			}
		}
	}
	return causes
}
