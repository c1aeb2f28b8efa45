package watch

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"runtime"
	"runtime/debug"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	k8s "k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
)

// The cluster that the index must hold.
const (
	manyNodes    = 5000
	manyPods     = 100_000
	manyServices = 5000
)

func podAddr(i int) string {
	return netip.AddrFrom4([4]byte{10, byte(i >> 16), byte(i >> 8), byte(i)}).String()
}

func bigNodeName(i int) string {
	return fmt.Sprintf("ip-10-%d-%d.eu-west-1.compute.internal", i>>8, i&255)
}

func bigNode(i int) *corev1.Node {
	return &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{
			Name: bigNodeName(i), UID: types.UID(fmt.Sprintf("00000000-0000-0000-0001-%012d", i)),
			Labels: map[string]string{corev1.LabelTopologyZone: "eu-west-1" + string(rune('a'+i%3)), corev1.LabelTopologyRegion: "eu-west-1"},
		},
		Spec: corev1.NodeSpec{PodCIDRs: []string{netip.PrefixFrom(netip.MustParseAddr(podAddr(i<<8)), 24).String()}},
		Status: corev1.NodeStatus{Addresses: []corev1.NodeAddress{{
			Type: corev1.NodeInternalIP, Address: netip.AddrFrom4([4]byte{172, 16, byte(i >> 8), byte(i)}).String(),
		}}},
	}
}

// bigNote is what tools write into annotations, and naming does not keep.
var bigNote = strings.Repeat("x", 2000)

func bigName(pod int) string { return fmt.Sprintf("app-%d-7d9f8c6b5-%06d", pod%manyServices, pod) }

func bigPod(i int) *corev1.Pod {
	app := i % manyServices
	start := metav1.NewTime(time.Unix(1772366400, 0))
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fmt.Sprintf("team-%d", app%200), Name: bigName(i), ResourceVersion: "1",
			UID: types.UID(fmt.Sprintf("00000000-0000-0000-0000-%012d", i)), Annotations: map[string]string{"big": bigNote},
			Labels:          map[string]string{"app": fmt.Sprintf("app-%d", app), "pod-template-hash": "7d9f8c6b5", "team": fmt.Sprint(app % 200)},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: fmt.Sprintf("app-%d-7d9f8c6b5", app), Controller: new(true)}},
		},
		Spec: corev1.PodSpec{
			NodeName: bigNodeName(i % manyNodes), Containers: []corev1.Container{{Image: fmt.Sprintf("registry.example/app-%d:1.2.3", app)}},
		},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, StartTime: &start, PodIPs: []corev1.PodIP{{IP: podAddr(i)}}},
	}
}

func bigService(i int) *corev1.Service {
	return &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: fmt.Sprintf("team-%d", i%200), Name: fmt.Sprintf("app-%d", i)},
		Spec: corev1.ServiceSpec{
			ClusterIP: netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)}).String(), Ports: []corev1.ServicePort{{Port: 80, NodePort: int32(30000 + i%2768)}},
		},
	}
}

func bigSlice(i int) *discoveryv1.EndpointSlice {
	s := &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: fmt.Sprintf("team-%d", i%200), Name: fmt.Sprintf("app-%d-x", i), Labels: map[string]string{discoveryv1.LabelServiceName: fmt.Sprintf("app-%d", i)},
		},
		Ports: []discoveryv1.EndpointPort{{Port: new(int32(8080))}},
	}
	for p := i; p < manyPods; p += manyServices {
		s.Endpoints = append(s.Endpoints, discoveryv1.Endpoint{
			Addresses: []string{podAddr(p)}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: bigName(p)},
		})
	}
	return s
}

// stores has a store for each kind, all of one index.
type stores struct {
	index   *kube.Index
	convert *convert.Converter
	byName  map[string]*store
}

func newStores() *stores {
	s := &stores{kube.NewIndex(nil), convert.New([]string{"team"}), make(map[string]*store)}
	for i := range kinds {
		s.byName[kinds[i].resource] = newStore(s.index, newState(&kinds[i]))
	}
	return s
}

// put gives an object to the store of its kind, as a reflector does.
func (s *stores) put(o k8s.Object) {
	for i := range kinds {
		if it, ok := kinds[i].reduce(s.convert, o); ok {
			_ = s.byName[kinds[i].resource].Add(&it)
			return
		}
	}
	panic("BUG: an object of no kind")
}

func (s *stores) fill() {
	for i := range manyNodes {
		s.put(bigNode(i))
	}
	for i := range manyPods {
		s.put(bigPod(i))
	}
	for i := range manyServices {
		s.put(bigService(i))
		s.put(bigSlice(i))
	}
}

func heap() uint64 {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.HeapAlloc
}

// The index of a large cluster, the names that the stores keep included, stays within its bound; its past, too.
func TestLargeCluster(t *testing.T) {
	const most = 300 << 20
	defer debug.SetGCPercent(debug.SetGCPercent(400)) // What is measured is what stays.
	before := heap()
	s := newStores()
	s.fill()
	used := heap() - before
	t.Logf("%d nodes, %d pods, %d Services: %d MiB", manyNodes, manyPods, manyServices, used>>20)
	if used > most {
		t.Errorf("the index takes %d MiB, want at most %d", used>>20, most>>20)
	}
	for i := range manyPods { // Every pod is asked for.
		if got := who(s.index, podAddr(i), 8080); got.Name != bigName(i) {
			t.Fatalf("%s is %+v", podAddr(i), got)
		}
	}
	used = heap() - before
	t.Logf("once all were asked for: %d MiB", used>>20)
	if used > most {
		t.Errorf("the index and its answers take %d MiB, want at most %d", used>>20, most>>20)
	}
	for i := range manyPods { // Every pod is replaced by another of its address.
		p := bigPod(i)
		it, _ := kinds[1].reduce(s.convert, p)
		_ = s.byName["pods"].Delete(&it)
		p.Name, p.UID = p.Name+"n", p.UID+"n"
		p.Status.StartTime = new(metav1.NewTime(time.Now()))
		s.put(p)
	}
	used = heap() - before
	t.Logf("with as many pods in the past: %d MiB, %+v", used>>20, s.index.Stats())
	if used > most {
		t.Errorf("the index and its past take %d MiB, want at most %d", used>>20, most>>20)
	}
	runtime.KeepAlive(s)
}

// BenchmarkLookup looks up random pods of a large cluster, each known since it was asked for once, one by one and as naming
// does it, for all the addresses of a batch at once: against a plain map of as many addresses and identities in the same run.
func BenchmarkLookup(b *testing.B) {
	s := newStores()
	s.fill()
	plain := make(map[netip.Addr]*flow.Identity)
	for i := range manyPods {
		plain[netip.MustParseAddr(podAddr(i))] = &flow.Identity{Name: bigName(i)}
	}
	for i := range manyServices + manyNodes {
		plain[netip.AddrFrom4([4]byte{192, 168, byte(i >> 8), byte(i)})] = &flow.Identity{Name: "x"}
	}
	const batch = 4096
	addrs := make([]netip.Addr, 32*batch)
	for i := range addrs {
		addrs[i] = netip.MustParseAddr(podAddr(rand.IntN(manyPods)))
	}
	now := flow.Time(time.Now().UnixNano())
	s.index.Steady(addrs, now)
	runtime.GC()
	found := func(id *flow.Identity) {
		if id.Name == "" {
			b.Fatal("a pod is not found")
		}
	}
	ways := []struct {
		unit string
		all  func()
	}{
		{"floor-ns/lookup", func() {
			for _, a := range addrs {
				found(plain[a])
			}
		}},
		{"one-by-one-ns/lookup", func() {
			for _, a := range addrs {
				found(s.index.Identify(&kube.Query{Addr: a, Port: 8080, Proto: flow.TCP, At: now}))
			}
		}},
		{"ns/lookup", func() {
			for some := range slices.Chunk(addrs, batch) {
				for _, id := range s.index.Steady(some, now) {
					found(id)
				}
			}
		}},
	}
	best := make([]float64, len(ways)) // The fastest of many short rounds is the one that nobody disturbed.
	for b.Loop() {
		for i := range ways {
			start := time.Now()
			ways[i].all()
			took := float64(time.Since(start).Nanoseconds()) / float64(len(addrs))
			if best[i] == 0 || took < best[i] {
				best[i] = took
			}
		}
	}
	for i := range ways {
		b.ReportMetric(best[i], ways[i].unit)
	}
	b.ReportMetric(best[2]/best[0], "x-floor")
}

// BenchmarkChurn replaces pods one by one in a large cluster.
func BenchmarkChurn(b *testing.B) {
	s := newStores()
	s.fill()
	n := 0
	for b.Loop() {
		p := bigPod(n % manyPods)
		it, _ := kinds[1].reduce(s.convert, p)
		_ = s.byName["pods"].Delete(&it)
		p.UID = types.UID(fmt.Sprint("u", n))
		s.put(p)
		s.put(bigSlice(n % manyServices))
		n++
	}
}
