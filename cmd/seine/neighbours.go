package main

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/query"
)

// neighbours is the condition on records of what IPv6 keeps a link going with: solicitations and advertisements of routers
// and neighbours, redirects (RFC 4861, 4), and reports of multicast listeners (RFC 3810, 5.2).
const neighbours = `proto == "ICMPv6" && icmp.type in [133, 134, 135, 136, 137, 143]`

// hiding leaves the records of neighbours out of tables, and tells how many. Scripts, which read other outputs, get all.
type hiding struct {
	all bool
	// hidden asks how many were left out, nil where none were.
	hidden *query.Request
}

func (h *hiding) add(s *pflag.FlagSet) {
	s.BoolVar(&h.all, "neighbours", false, "in tables, too, show IPv6's discovery of neighbours (ICMPv6), which is left out unless a condition is of ICMP")
}

// apply changes a request, unless it is of ICMP itself.
func (h *hiding) apply(r *query.Request, output string) {
	ofICMP := strings.Contains(strings.ToLower(r.Filter), "icmp") || slices.ContainsFunc(r.GroupBy, func(field string) bool { return strings.HasPrefix(field, "icmp") })
	if h.all || ofICMP || output != "table" && output != "wide" {
		return
	}
	h.hidden = &query.Request{From: r.From, To: r.To, Last: r.Last, Filter: conjoined(r.Filter, neighbours), Measures: []string{"count()"}}
	r.Filter = conjoined(r.Filter, "!("+neighbours+")")
}

// conjoined are two conditions that must hold; the first may be empty.
func conjoined(a, b string) string {
	if strings.TrimSpace(a) == "" {
		return b
	}
	return "(" + a + ") && " + b
}

// tell says how many records were left out.
func (h *hiding) tell(ctx context.Context, c *client.Client, notes io.Writer) error {
	if h.hidden == nil {
		return nil
	}
	a, err := c.Query(ctx, h.hidden)
	if err != nil || a.Rows == 0 {
		return err
	}
	if n := int64(numberAt(&a.Columns[0], 0)); n > 0 {
		fmt.Fprintf(notes, "seine: %d records of IPv6's discovery of neighbours are left out; --neighbours shows them\n", n)
	}
	return nil
}
