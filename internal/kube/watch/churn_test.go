package watch

import (
	"fmt"
	"net/netip"
	"slices"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
)

// podsOfNode is how many pods each node of these clusters has.
const podsOfNode = 20

// clusterOf fills a server with nodes and their pods, and with Services and their slices.
func clusterOf(tb testing.TB, a *apiServer, nodes int) {
	tb.Helper()
	for i := range nodes {
		a.put(tb, "nodes", bigNode(i))
	}
	for i := range nodes * podsOfNode {
		p := bigPod(i)
		p.Spec.NodeName = bigNodeName(i % nodes)
		a.put(tb, "pods", p)
	}
	for i := range nodes {
		a.put(tb, "services", bigService(i))
		a.put(tb, "endpointslices", bigSlice(i))
	}
	a.set(func() { a.events = nil })
}

// An agent holds its own node and its pods, whatever the size of the cluster, and is told of nothing else.
func TestAgentDoesNotGrowWithCluster(t *testing.T) {
	const own, most = 7, 2 << 20
	sent := make(map[int]int64)
	for _, nodes := range []int{50, manyNodes} {
		a := newAPIServer(t)
		clusterOf(t, a, nodes)
		before := heap()
		x, w := follow(t, a, bigNodeName(own))
		eventually(t, "the node and its pods", func() bool { return w.Synced() && x.Stats().Objects == 1+podsOfNode })
		for i := range 1000 { // Pods of other nodes come and go.
			p := bigPod(own + 1)
			p.Name = fmt.Sprint("elsewhere-", i)
			a.put(t, "pods", p)
			a.remove("pods", p.Namespace+"/"+p.Name)
		}
		last := bigPod(own)
		last.Spec.NodeName, last.Name, last.Status.PodIPs = bigNodeName(own), "last", nil
		a.put(t, "pods", last)
		eventually(t, "a pod of its own", func() bool { return x.Stats().Objects == 2+podsOfNode })
		if got, want := x.Stats(), (kube.Stats{Objects: 2 + podsOfNode, Addresses: 1 + podsOfNode}); got != want {
			t.Errorf("%d nodes: the index has %+v, want %+v", nodes, got, want)
		}
		a.set(func() { a.events = nil })
		sent[nodes] = a.sent.Load()
		grown := int64(heap()) - int64(before)
		t.Logf("%d nodes: %d bytes came, the heap grew by %d KiB", nodes, sent[nodes], grown>>10)
		if grown > most {
			t.Errorf("%d nodes: the agent took %d KiB, want at most %d", nodes, grown>>10, most>>10)
		}
	}
	if few, many := sent[50], sent[manyNodes]; many > few*11/10 {
		t.Errorf("%d bytes come to an agent of 50 nodes, %d to one of %d; want as many", few, many, manyNodes)
	}
}

// churn replaces pods, from the first on, by others of the same address, at a pace, and returns after what time the index named each of them.
func churn(tb testing.TB, a *apiServer, x *kube.Index, first, pods int, pace time.Duration) []time.Duration {
	tb.Helper()
	took := make([]time.Duration, pods)
	begun := make(chan time.Time, pods)
	go func() {
		tick := time.NewTicker(pace)
		defer tick.Stop()
		for i := first; i < first+pods; i++ {
			<-tick.C
			p := bigPod(i)
			a.remove("pods", p.Namespace+"/"+p.Name)
			p.Name, p.UID = newName(i), types.UID(newName(i))
			p.Status.StartTime = new(metav1.Now())
			start := time.Now()
			a.put(tb, "pods", p)
			begun <- start
		}
	}()
	for i := range took {
		start, pod := <-begun, first+i
		eventually(tb, newName(pod)+" is named", func() bool { return who(x, podAddr(pod), 80).Name == newName(pod) })
		took[i] = time.Since(start)
	}
	slices.Sort(took)
	return took
}

func newName(pod int) string { return bigName(pod) + "-n" }

// Pods are replaced, and the index follows: each address is the new pod's now and was the old one's.
func TestFollowsChurn(t *testing.T) {
	a := newAPIServer(t)
	clusterOf(t, a, 50)
	x, w := follow(t, a, "")
	eventually(t, "the first lists", w.Synced)
	const pods = 300
	took := churn(t, a, x, 0, pods, 10*time.Millisecond)
	t.Logf("named after %v, the last %v", took[pods/2], took[pods-1])
	before := flow.Time(time.Now().Add(-time.Hour).UnixNano())
	for i := range pods {
		q := kube.Query{Addr: netip.MustParseAddr(podAddr(i)), Port: 80, Proto: flow.TCP, At: before}
		if got := x.Identify(&q); got.Name != bigName(i) {
			t.Errorf("an hour ago %s was %q's, want %q's", q.Addr, got.Name, bigName(i))
		}
	}
	if got := x.Stats(); got.Past != pods || got.Objects != 50*podsOfNode+100 {
		t.Errorf("the index has %+v", got)
	}
}

// BenchmarkFollow has a large cluster in which 100 pods a second are replaced, and tells after what time they are named.
func BenchmarkFollow(b *testing.B) {
	a := newAPIServer(b)
	clusterOf(b, a, manyNodes)
	x, w := follow(b, a, "")
	eventually(b, "the first lists", w.Synced)
	var took []time.Duration
	const pods = 500
	for first := 0; b.Loop(); first += pods {
		took = append(took, churn(b, a, x, first, pods, 10*time.Millisecond)...)
	}
	slices.Sort(took)
	b.ReportMetric(float64(took[len(took)/2].Microseconds())/1000, "median-ms")
	b.ReportMetric(float64(took[len(took)-1].Microseconds())/1000, "max-ms")
}
