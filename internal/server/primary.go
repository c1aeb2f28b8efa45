package server

import (
	"net/netip"
	"time"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// silentAfter is how long after its last word an agent that is not connected still counts as one that reports: its queue
// may hold records that are to come.
const silentAfter = time.Minute

// nodes returns the nodes whose agents report here.
func (a *agents) nodes(now time.Time) map[string]bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	all := make(map[string]bool, len(a.byOrigin))
	for _, known := range a.byOrigin {
		if known.streams > 0 || now.Sub(known.lastSeen) < silentAfter {
			all[known.Node] = true
		}
	}
	return all
}

// addresses returns which node has an address, by what the agents say of their own: for machines of which nobody else
// tells. What two nodes have, as those inside of container bridges, is nobody's. The map must not be changed.
func (a *agents) addresses() map[netip.Addr]string {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.byAddress != nil {
		return a.byAddress
	}
	a.byAddress = make(map[netip.Addr]string)
	for _, known := range a.byOrigin {
		for _, addr := range known.report.Addresses {
			if other, taken := a.byAddress[addr]; taken && other != known.Node {
				a.byAddress[addr] = ""
				continue
			}
			a.byAddress[addr] = known.Node
		}
	}
	return a.byAddress
}

// ends tells on which node one end of each row is.
type ends struct {
	node, addr columns.Texts
	// byAddr has the node of each address of the dictionary, for rows whose end has no name.
	byAddr []string
}

func newEnds(rows arrow.RecordBatch, node, addr *flow.Field, nodes map[netip.Addr]string) ends {
	e := ends{node: columns.TextsOf(rows, node), addr: columns.TextsOf(rows, addr)}
	if e.addr.Dictionary == nil || len(nodes) == 0 {
		return e
	}
	e.byAddr = make([]string, e.addr.Dictionary.Len())
	for code := range e.byAddr {
		if a, err := netip.ParseAddr(e.addr.Dictionary.Value(code)); err == nil {
			e.byAddr[code] = nodes[a.Unmap()]
		}
	}
	return e
}

func (e *ends) of(row int) string {
	if name := e.node.Value(row); name != "" || e.byAddr == nil {
		return name
	}
	return e.byAddr[e.addr.Indices[row]]
}

var (
	primaryField  = mustField("primary")
	reporterField = mustField("reporter")
	natField      = mustField("nat")
	nodeField     = mustField("node")
	srcNode       = mustField("src.node")
	srcAddr       = mustField("src.addr")
	backendNode   = mustField("backend.node")
	backendAddr   = mustField("backend.addr")
)

func mustField(name string) *flow.Field {
	f, ok := flow.FieldByName(name)
	if !ok {
		panic("BUG: no field " + name)
	}
	return f
}

// countOnce marks the rows that sums count, row by row, by the names that the endpoints have: an agent alone does not know
// which nodes others watch. It only takes the mark away: a row that its agent did not mark does not get it.
func (s *Server) countOnce(_ string, rows arrow.RecordBatch) (arrow.RecordBatch, error) {
	if len(rows.Schema().FieldIndices(reporterField.Name)) != 1 {
		rows.Retain()
		return rows, nil
	}
	watched := s.watched()
	node := columns.TextsOf(rows, nodeField)
	addresses := s.agents.addresses()
	client, server := newEnds(rows, srcNode, srcAddr, addresses), newEnds(rows, backendNode, backendAddr, addresses)
	reporter, nat := columns.TextsOf(rows, reporterField), columns.TextsOf(rows, natField)
	primary := columns.NumbersOf(rows, primaryField)
	marks, changed := make([]bool, rows.NumRows()), false
	for i := range marks {
		marks[i] = primary.Values[i] != 0 && !primary.IsNull(i)
		if !marks[i] || reporter.Value(i) == flow.Client.String() {
			continue
		}
		own := node.Value(i)
		elsewhere := func(e *ends) bool { n := e.of(i); return n != "" && n != own && watched(n) }
		if !isCounted(reporter.Value(i), nat.Value(i), elsewhere(&client), elsewhere(&server)) {
			marks[i], changed = false, true
		}
	}
	if !changed {
		rows.Retain()
		return rows, nil
	}
	return columns.Replace(rows, []columns.Replacement{{Field: primaryField, Column: columns.NewTruths(marks)}}), nil
}

// watched returns what tells whether a node has an agent: one that reports here, or to another server.
func (s *Server) watched() func(node string) bool {
	here := s.agents.nodes(time.Now())
	return func(node string) bool {
		return here[node] || s.config.HasAgent != nil && s.config.HasAgent(node)
	}
}

// isCounted says whether the record of a node that does not have the client is the one of the connection that counts, as
// package nat does for one agent: the server's node's counts where nobody watches the client. A node between the two counts
// where nobody watches either end, or where it masquerades a client whom nobody watches, as the server's node then takes
// it for the client.
func isCounted(reporter, nat string, client, server bool) bool {
	if client {
		return false
	}
	masquerades := nat == flow.SNAT.String() || nat == (flow.DNAT|flow.SNAT).String()
	return reporter == flow.Server.String() || masquerades || !server
}
