package health

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local"
)

func TestMain(m *testing.M) {
	time.Local = time.UTC
	os.Exit(m.Run())
}

// now is the end of the periods of these tests.
var now = time.Date(2026, 3, 1, 14, 20, 0, 0, time.UTC)

// stage is a store that is filled with the traffic of a small cluster, minute by minute.
type stage struct {
	t       testing.TB
	store   *local.Store
	records []flow.Record
}

func newStage(t testing.TB) *stage {
	t.Helper()
	s, err := local.Open(local.Config{Dir: t.TempDir()}, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return &stage{t: t, store: s}
}

// pod is a pod of a workload on a node; a Service has the name of its workload.
func pod(workload string, node int) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 244, byte(node), byte(len(workload))}), Port: 8080,
		Identity: flow.Identity{
			Kind: flow.Pod, Namespace: "shop", Name: fmt.Sprintf("%s-%d", workload, node),
			Workload: flow.Workload{Kind: "Deployment", Name: workload}, Node: fmt.Sprintf("worker-%d", node), Service: workload,
		},
	}
}

func service(name string) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 96, 0, byte(len(name))}), Port: 80,
		Identity: flow.Identity{Kind: flow.Service, Namespace: "shop", Name: name, Service: name},
	}
}

// connect returns a connection from a pod through a Service to a pod.
func connect(src, backend flow.Endpoint) flow.Record {
	return flow.Record{
		Proto: flow.TCP, Src: src, Dst: service(backend.Workload.Name), Backend: backend, NAT: flow.DNAT,
		Fwd: flow.Volume{Bytes: 1000, Packets: 10}, Rev: flow.Volume{Bytes: 5000, Packets: 10},
		Node: src.Node, Reporter: flow.Client, Primary: true, Sampling: 1,
	}
}

// fill adds records for each of the minutes before now, from the one that is so long ago up to another. Each minute has
// count of what record returns for its number.
func (s *stage) fill(from, until, count int, record func(i int) flow.Record) {
	for minute := from; minute > until; minute-- {
		for i := range count {
			r := record(i)
			end := now.Add(-time.Duration(minute)*time.Minute + time.Duration(i)*time.Minute/time.Duration(count))
			r.Start, r.End = flow.Time(end.UnixNano()), flow.Time(end.UnixNano())
			s.records = append(s.records, r)
		}
	}
}

// flush stores what was filled in.
func (s *stage) flush() {
	s.t.Helper()
	builder := columns.NewBuilder(columns.Flows(), columns.MaxRows)
	for rest := s.records; len(rest) > 0; {
		rest = rest[builder.Append(rest):]
		batch := builder.NewBatch()
		if err := s.store.Append(s.t.Context(), store.Batch{Dataset: "flows", Rows: batch}); err != nil {
			s.t.Fatal(err)
		}
		batch.Release()
	}
	s.records = nil
}

// check returns the report on the last 15 minutes against the hour before.
func (s *stage) check() *Report {
	s.t.Helper()
	s.flush()
	r, err := New(s.store, nil).Check(context.Background(), Request{To: now})
	if err != nil {
		s.t.Fatal(err)
	}
	return r
}

// expect compares sentences, without their zone, with those wanted.
func (r *Report) expect(t *testing.T, want ...string) {
	t.Helper()
	var got []string
	for _, f := range r.Findings {
		got = append(got, string(f.Severity)+" "+f.Rule+": "+strings.ReplaceAll(f.Sentence, " UTC", ""))
	}
	if strings.Join(got, "\n") != strings.Join(want, "\n") {
		t.Errorf("got\n\t%s\nwant\n\t%s", strings.Join(got, "\n\t"), strings.Join(want, "\n\t"))
	}
}

// calls is healthy traffic of the shop: frontend calls checkout, checkout payments, payments inventory.
func calls(i int) flow.Record {
	chain := []string{"frontend", "checkout", "payments", "inventory"}
	k := i % 3
	return connect(pod(chain[k], 1+i%2), pod(chain[k+1], 1+i/3%2))
}

func TestHealthy(t *testing.T) {
	s := newStage(t)
	s.fill(75, 0, 30, calls)
	r := s.check()
	r.expect(t)
	if r.Checked.Edges != 3 || r.Checked.Nodes != 2 || r.Checked.Rules != len(rules) || len(r.Notes) > 0 {
		t.Errorf("got %+v, notes %q", r.Checked, r.Notes)
	}
}

func TestStopped(t *testing.T) {
	s := newStage(t)
	s.fill(75, 8, 30, calls)
	s.fill(8, 0, 30, func(i int) flow.Record { return calls(i - i%3) })
	s.check().expect(t) // Half of the period is not long enough to be sure.
	r := newStage(t)
	r.fill(75, 16, 30, calls)
	r.fill(16, 0, 30, func(i int) flow.Record { return calls(i - i%3) })
	r.check().expect(t,
		"warning traffic-stopped: shop/checkout → payments: traffic fell to 0 B/s since 14:04 (983 B/s in the hour before)",
		"warning traffic-stopped: shop/payments → inventory: traffic fell to 0 B/s since 14:04 (983 B/s in the hour before)")
}
