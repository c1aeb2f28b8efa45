package enrich_test

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"testing"
	"time"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/cost"
	"github.com/seine-net/seine/internal/enrich"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
)

// now is when the records of these tests end, about.
var now = flow.Time(time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC).UnixNano())

const second = flow.Time(time.Second)

func addr(text string) netip.Addr { return netip.MustParseAddr(text) }

// index has addresses of every sort: of one pod, of two one after the other, of nodes and Services, behind Services.
func index(t testing.TB) (*kube.Index, *kube.Subnets) {
	t.Helper()
	var subnets kube.Subnets
	if err := subnets.Add("office=203.0.113.0/24"); err != nil {
		t.Fatal(err)
	}
	x := kube.NewIndex(nil, kube.WithSubnets(subnets))
	for i, zone := range []string{"a", "b", "c"} {
		name := fmt.Sprint("node-", i)
		x.Set(kube.Object{Kind: flow.Node, Name: name, Node: name, Zone: zone, Region: "r", Addrs: []netip.Addr{addr(fmt.Sprintf("192.0.2.%d", i+1))}})
	}
	pod := func(name, uid, node, ip string, since flow.Time) {
		x.Set(kube.Object{
			Kind: flow.Pod, Namespace: "shop", Name: name, UID: uid, Node: node, Since: since, Addrs: []netip.Addr{addr(ip)},
			Workload: flow.Workload{Kind: "Deployment", Name: name}, Image: "i", Labels: "team=a",
		})
	}
	pod("web", "u1", "node-0", "10.0.0.1", 0)
	pod("api", "u2", "node-1", "10.0.0.2", 0)
	pod("db", "u3", "node-2", "10.0.0.3", 0)
	pod("old", "u4", "node-0", "10.0.0.4", now-1000*second)
	pod("new", "u5", "node-1", "10.0.0.4", now+2*second)
	x.Set(kube.Object{Kind: flow.Pod, Namespace: "mon", Name: "host", UID: "u6", Node: "node-1"})
	x.Set(kube.Object{
		Kind: flow.Service, Namespace: "shop", Name: "api", Addrs: []netip.Addr{addr("10.96.0.1")},
		Ports: []kube.Port{{Port: 80, Proto: flow.TCP, NodePort: 30080}},
	})
	x.SetSlice(kube.Slice{
		Namespace: "shop", Name: "api-x", Service: "api", Ports: []kube.Port{{Port: 8080, Proto: flow.TCP}},
		Endpoints: []kube.Endpoint{{Addr: addr("10.0.0.2"), Pod: "api"}},
	})
	return x, &subnets
}

func records(n int) []flow.Record {
	rng := rand.New(rand.NewPCG(1, 2))
	addrs := []string{
		"10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.4", "192.0.2.1", "192.0.2.2", "192.0.2.3", "10.96.0.1", "203.0.113.7",
		"198.51.100.7", "2001:db8::1", "169.254.169.254", "127.0.0.1", "10.0.0.99",
	}
	ports := []uint16{80, 8080, 30080, 40000, 0}
	all := make([]flow.Record, n)
	for i := range all {
		r := &all[i]
		r.Proto = []flow.Proto{flow.TCP, flow.TCP, flow.UDP, flow.ICMPv4}[rng.IntN(4)]
		r.End = now + flow.Time(rng.IntN(5))*second
		r.Start, r.Node, r.Sampling = r.End, "node-0", 1
		for _, e := range []*flow.Endpoint{&r.Src, &r.Dst, &r.Backend} {
			e.Addr = addr(addrs[rng.IntN(len(addrs))])
			if !r.Proto.IsICMP() {
				e.Port = ports[rng.IntN(len(ports))]
			}
			e.DNSName = []string{"", "name.example"}[rng.IntN(2)]
		}
		r.NAT = flow.NAT(rng.IntN(4))
		r.Src.Process.PodUID = []string{"", "", "u6", "u9"}[rng.IntN(4)]
		r.Backend.Process.PodUID = []string{"", "", "u6", "u9"}[rng.IntN(4)]
		r.Primary = rng.IntN(2) == 0
		r.Fwd, r.Rev = flow.Volume{Bytes: rng.Uint64N(1e6), Packets: 1}, flow.Volume{Bytes: rng.Uint64N(1e6), Packets: 1}
	}
	return all
}

func batchOf(t testing.TB, rs []flow.Record) arrow.RecordBatch {
	t.Helper()
	b := columns.NewBuilder(columns.Flows(), len(rs))
	b.Append(rs)
	batch := b.NewBatch()
	t.Cleanup(batch.Release)
	return batch
}

// cells is a batch as texts.
func cells(batch arrow.RecordBatch) [][]string {
	all := make([][]string, batch.NumRows())
	for _, f := range columns.Flows().Fields {
		texts, numbers := columns.Texts{}, columns.Numbers{}
		if columns.IsText(f) {
			texts = columns.TextsOf(batch, f)
		} else {
			numbers = columns.NumbersOf(batch, f)
		}
		for row := range all {
			switch {
			case columns.IsText(f):
				all[row] = append(all[row], f.Name+"="+texts.Value(row))
			case !numbers.IsNull(row):
				all[row] = append(all[row], f.Name+"="+fmt.Sprint(numbers.Values[row]))
			}
		}
	}
	return all
}

// Column by column comes out what record by record does.
func TestStagesDoAsForRecords(t *testing.T) {
	x, subnets := index(t)
	prices, err := cost.Load("default")
	if err != nil {
		t.Fatal(err)
	}
	pricer := enrich.NewPricer(prices, subnets)
	rs := records(5000)
	batch := batchOf(t, rs)
	named, err := enrich.NewNamer(x).Name("flows", batch)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Release()
	priced, err := pricer.Price("flows", named)
	if err != nil {
		t.Fatal(err)
	}
	defer priced.Release()
	x.Name(rs)
	for i := range rs {
		pricer.Record(&rs[i])
	}
	if diff := cmp.Diff(cells(batchOf(t, rs)), cells(priced)); diff != "" {
		t.Errorf("columns differ from records (-records +columns):\n%.4000s", diff)
	}
	if _, err := columns.Encode(nil, priced); err != nil {
		t.Error(err)
	}
}

// What an agent resolved stays where the index knows nothing, and gives way where it does.
func TestAgentsNamesStay(t *testing.T) {
	x, _ := index(t)
	rs := records(1)
	r := &rs[0]
	r.Proto, r.NAT = flow.TCP, 0
	r.Src.Addr, r.Src.Process.PodUID = addr("10.7.7.7"), ""
	r.Src.Identity = flow.Identity{Kind: flow.Pod, Namespace: "local", Name: "mine", ResolvedBy: flow.ByPodIP}
	r.Backend.Addr, r.Backend.Process.PodUID = addr("10.0.0.1"), ""
	r.Backend.Identity = flow.Identity{Kind: flow.Pod, Namespace: "local", Name: "wrong", ResolvedBy: flow.ByPodIP}
	named, err := enrich.NewNamer(x).Name("flows", batchOf(t, rs))
	if err != nil {
		t.Fatal(err)
	}
	defer named.Release()
	f := func(name, want string) {
		t.Helper()
		field, _ := flow.FieldByName(name)
		if got := columns.TextsOf(named, field).Value(0); got != want {
			t.Errorf("%s is %q, want %q", name, got, want)
		}
	}
	f("src.name", "mine")
	f("src.namespace", "local")
	f("src.resolved_by", "pod_ip")
	f("backend.name", "web")
	f("backend.zone", "a")
}

// asked counts the questions to an index.
type asked struct {
	*kube.Index
	n int
}

func (a *asked) Identify(q *kube.Query) *flow.Identity {
	a.n++
	return a.Index.Identify(q)
}

func (a *asked) Steady(addrs []netip.Addr, from flow.Time) []*flow.Identity {
	a.n += len(addrs)
	return a.Index.Steady(addrs, from)
}

// crowd has as many pods as records, each of which speaks to another, at two ports in the course of a minute.
func crowd(b *testing.B, n int) (*kube.Index, []flow.Record) {
	b.Helper()
	x := kube.NewIndex(nil)
	ip := func(i int) netip.Addr { return netip.AddrFrom4([4]byte{10, 0, byte(i >> 8), byte(i)}) }
	all := make([]flow.Record, n)
	for i := range all {
		x.Set(kube.Object{
			Kind: flow.Pod, Namespace: fmt.Sprint("team-", i%200), Name: fmt.Sprint("app-", i), Node: fmt.Sprint("node-", i%500), Addrs: []netip.Addr{ip(i)},
			Workload: flow.Workload{Kind: "Deployment", Name: fmt.Sprint("app-", i/20)}, Image: fmt.Sprint("image-", i/20),
		})
		r := &all[i]
		r.Proto, r.Start, r.End, r.Primary = flow.TCP, now, now+flow.Time(i%60)*second, true
		r.Src.Addr, r.Dst.Addr, r.Backend.Addr = ip(i), ip((i+7)%n), ip((i+7)%n)
		r.Src.Port, r.Dst.Port, r.Backend.Port = uint16(30000+i), uint16(80+i%2), uint16(80+i%2)
	}
	return x, all
}

// A query that a pod asked of the cluster's resolver has the pod, its workload, the resolver's Service and the pod that
// answered; one to a resolver outside has its subnet.
func TestQueriesAreNamed(t *testing.T) {
	x, _ := index(t)
	x.Set(kube.Object{
		Kind: flow.Pod, Namespace: "kube-system", Name: "coredns-1", UID: "u7", Node: "node-1", Addrs: []netip.Addr{addr("10.0.0.53")},
		Workload: flow.Workload{Kind: "Deployment", Name: "coredns"},
	})
	x.Set(kube.Object{
		Kind: flow.Service, Namespace: "kube-system", Name: "kube-dns", Addrs: []netip.Addr{addr("10.96.0.10")},
		Ports: []kube.Port{{Port: 53, Proto: flow.UDP}},
	})
	x.SetSlice(kube.Slice{
		Namespace: "kube-system", Name: "kube-dns-x", Service: "kube-dns", Ports: []kube.Port{{Port: 53, Proto: flow.UDP}},
		Endpoints: []kube.Endpoint{{Addr: addr("10.0.0.53"), Pod: "coredns-1"}},
	})
	query := func(resolver, answering string) flow.Record {
		r := flow.Record{Proto: flow.UDP, Start: now, End: now + second, NAT: flow.DNAT, Node: "node-0", Sampling: 1}
		r.Src.Addr, r.Src.Port = addr("10.0.0.1"), 40000
		r.Dst.Addr, r.Dst.Port, r.Backend.Addr, r.Backend.Port = addr(resolver), 53, addr(answering), 53
		if resolver == answering {
			r.NAT = 0
		}
		r.DNS = &flow.DNS{Name: "api.shop.svc.cluster.local", Type: "A"}
		return r
	}
	b := columns.NewBuilder(columns.Queries(), 2)
	b.Append([]flow.Record{query("10.96.0.10", "10.0.0.53"), query("203.0.113.7", "203.0.113.7")})
	batch := b.NewBatch()
	defer batch.Release()
	named, err := enrich.NewNamer(x).Name("dns", batch)
	if err != nil {
		t.Fatal(err)
	}
	defer named.Release()
	for name, want := range map[string][2]string{
		"dns.name": {"api.shop.svc.cluster.local", "api.shop.svc.cluster.local"},
		"src.kind": {"Pod", "Pod"}, "src.namespace": {"shop", "shop"}, "src.name": {"web", "web"}, "src.workload.kind": {"Deployment", "Deployment"},
		"src.workload.name": {"web", "web"}, "src.node": {"node-0", "node-0"}, "src.zone": {"a", "a"},
		"dst.kind": {"Service", "External"}, "dst.namespace": {"kube-system", ""}, "dst.name": {"kube-dns", ""}, "dst.subnet": {"", "office"},
		"backend.kind": {"Pod", "External"}, "backend.name": {"coredns-1", ""}, "backend.workload.name": {"coredns", ""},
		"backend.service": {"kube-dns", ""}, "backend.node": {"node-1", ""}, "backend.subnet": {"", "office"},
	} {
		field, ok := flow.FieldByName(name)
		if !ok {
			t.Fatalf("no field %s", name)
		}
		texts := columns.TextsOf(named, field)
		for row := range want {
			if got := texts.Value(row); got != want[row] {
				t.Errorf("row %d: %s is %q, want %q", row, name, got, want[row])
			}
		}
	}
}

// BenchmarkName tells what naming and pricing cost per record, and how many questions to the index: where a few speak, of
// whom some need a look at each port and time, and where each address of a batch is another pod's.
func BenchmarkName(b *testing.B) {
	const n = 8192
	few, _ := index(b)
	b.Run("few", func(b *testing.B) { benchmarkName(b, few, records(n)) })
	x, rs := crowd(b, n)
	b.Run("crowd", func(b *testing.B) { benchmarkName(b, x, rs) })
}

func benchmarkName(b *testing.B, x *kube.Index, rs []flow.Record) {
	b.Helper()
	prices, err := cost.Load("default")
	if err != nil {
		b.Fatal(err)
	}
	counted := &asked{Index: x}
	namer, pricer := enrich.NewNamer(counted), enrich.NewPricer(prices, &kube.Subnets{})
	batch := batchOf(b, rs)
	b.ReportAllocs()
	for b.Loop() {
		named, _ := namer.Name("flows", batch)
		priced, _ := pricer.Price("flows", named)
		named.Release()
		priced.Release()
	}
	all := float64(b.N * len(rs))
	b.ReportMetric(float64(b.Elapsed().Nanoseconds())/all, "ns/record")
	b.ReportMetric(float64(counted.n)/all, "lookups/record")
}
