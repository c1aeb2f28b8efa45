package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// TestReporterAndPrimary tells the node's role and whether its record counts.
func TestReporterAndPrimary(t *testing.T) {
	const c, s = "10.0.1.1", "10.0.2.1"
	plain, masqueraded := entry(client, service, backend, ""), entry(client, service, backend, masked)
	for _, x := range []struct {
		name    string
		own     []string
		watched []string
		entry   Entry
		want    flow.Reporter
		primary bool
	}{
		{"client here", []string{c}, nil, plain, flow.Client, true},
		{"client here, server watched", []string{c}, []string{s}, plain, flow.Client, true},
		{"client here, watched by name", []string{c}, []string{c, s}, plain, flow.Client, true},
		{"both here", []string{c, s}, nil, plain, flow.Client, true},
		{"client here, masqueraded", []string{c}, []string{s}, masqueraded, flow.Client, true},
		{"server here, client watched", []string{s}, []string{c}, plain, flow.Server, false},
		{"server here, client unwatched", []string{s}, nil, plain, flow.Server, true},
		{"server here, client watched, masqueraded here", []string{s}, []string{c}, masqueraded, flow.Server, false},
		{"server here, client unwatched, masqueraded here", []string{s}, []string{s}, masqueraded, flow.Server, true},
		{"between, neither watched", nil, nil, plain, flow.Transit, true},
		{"between, client watched", nil, []string{c}, plain, flow.Transit, false},
		{"between, server watched", nil, []string{s}, plain, flow.Transit, false},
		{"between, both watched", nil, []string{c, s}, plain, flow.Transit, false},
		{"between, neither watched, masqueraded", nil, nil, masqueraded, flow.Transit, true},
		{"between, client watched, masqueraded", nil, []string{c}, masqueraded, flow.Transit, false},
		{"between, server watched, masqueraded", nil, []string{s}, masqueraded, flow.Transit, true},
		{"between, both watched, masqueraded", nil, []string{c, s}, masqueraded, flow.Transit, false},
		{"the dialled address here alone", []string{"10.96.0.1"}, nil, plain, flow.Transit, true},
	} {
		own := make(map[string]uint32)
		for _, a := range x.own {
			own[a] = 0
		}
		table := NewTable(Config{Locality: host{own: own, watched: x.watched}})
		seen(client, service).sent(1).resolved(x.entry).tell(table, epoch)
		records := finish(t, table, epoch+second, true)
		if len(records) != 1 || records[0].Reporter != x.want || records[0].Primary != x.primary {
			t.Errorf("%s: got %+v, want one record of %v, primary %v", x.name, records, x.want, x.primary)
		}
	}
}
