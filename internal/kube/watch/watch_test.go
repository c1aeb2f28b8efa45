package watch

import (
	"context"
	"log/slog"
	"net/http"
	"net/netip"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// waitLimit bounds every wait of these tests.
const waitLimit = 60 * time.Second

func eventually(t testing.TB, what string, holds func() bool) {
	t.Helper()
	for end := time.Now().Add(waitLimit); !holds(); time.Sleep(5 * time.Millisecond) {
		if time.Now().After(end) {
			t.Fatalf("%s: not within %v", what, waitLimit)
		}
	}
}

// follow follows a server until the test ends.
func follow(t testing.TB, a *apiServer, node string) (*kube.Index, *Watcher) {
	t.Helper()
	x := kube.NewIndex(nil)
	w, err := newWatcher(&rest.Config{Host: a.URL}, node, x, convert.New([]string{"team"}), slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan struct{})
	go func() { defer close(done); w.Run(ctx) }()
	t.Cleanup(func() {
		cancel()
		a.cut()
		<-done
	})
	return x, w
}

func who(x *kube.Index, addr string, port uint16) flow.Identity {
	return *x.Identify(&kube.Query{Addr: netip.MustParseAddr(addr), Port: port, Proto: flow.TCP, At: flow.Time(time.Now().UnixNano())})
}

func feature(w *Watcher, name string) Feature {
	for _, f := range w.Features() {
		if f.Name == name {
			return f
		}
	}
	return Feature{}
}

func named(x *kube.Index, addr, want string) func() bool {
	return func() bool { return who(x, addr, 80).Name == want }
}

func TestFollows(t *testing.T) {
	a := newAPIServer(t)
	fill(t, a)
	x, w := follow(t, a, "")
	eventually(t, "the first lists", func() bool { return w.Synced() })
	got := who(x, "10.0.0.1", 8080)
	want := flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: "web-1-a", Workload: flow.Workload{Kind: "Rollout", Name: "web"}, Node: "n1", Zone: "a",
		Region: "r", Service: "web", App: "web", Image: "web:1", Labels: "team=a", ResolvedBy: flow.ByPodIP,
	}
	if got != want {
		t.Errorf("got %+v, want %+v", got, want)
	}
	for addr, name := range map[string]string{"10.96.0.1": "web", "fd00::1": "web", "198.51.100.1": "web", "192.0.2.1": "n1"} {
		if got := who(x, addr, 80); got.Name != name {
			t.Errorf("%s is %+v, want %s", addr, got, name)
		}
	}
	a.put(t, "pods", podOf("web-1-b", "n1", "10.0.0.2"))
	eventually(t, "a new pod", named(x, "10.0.0.2", "web-1-b"))
	a.remove("pods", "shop/web-1-b")
	eventually(t, "the end of a pod", func() bool { return x.Stats().Past == 1 })
	for _, f := range w.Features() {
		if !f.Live {
			t.Errorf("%s is not live: %s", f.Name, f.Detail)
		}
	}
}

// The server goes away and comes back; what changed meanwhile is found.
func TestServerRestarts(t *testing.T) {
	a := newAPIServer(t)
	fill(t, a)
	x, w := follow(t, a, "")
	eventually(t, "the first lists", func() bool { return w.Synced() })
	a.set(func() { a.down = true })
	a.cut()
	eventually(t, "the status tells", func() bool { return !feature(w, "pods").Live })
	if f := feature(w, "pods"); !strings.Contains(f.Detail, "pods as they were") {
		t.Errorf("status says %q", f.Detail)
	}
	if got := who(x, "10.0.0.1", 80); got.Name != "web-1-a" {
		t.Errorf("while the server is away the pod is %+v", got)
	}
	a.put(t, "pods", podOf("web-1-b", "n1", "10.0.0.2"))
	a.remove("pods", "shop/web-1-a")
	a.set(func() { a.events, a.oldest, a.down = nil, a.version, false })
	eventually(t, "what changed meanwhile", named(x, "10.0.0.2", "web-1-b"))
	eventually(t, "what ended meanwhile", func() bool { return x.Stats().Past == 1 })
	eventually(t, "the status recovers", func() bool { return feature(w, "pods").Live })
}

// The version of a watch has expired (410): everything is listed anew.
func TestVersionExpires(t *testing.T) {
	a := newAPIServer(t)
	fill(t, a)
	x, w := follow(t, a, "")
	eventually(t, "the first lists", func() bool { return w.Synced() })
	a.remove("pods", "shop/web-1-a")
	a.put(t, "pods", podOf("web-1-c", "n1", "10.0.0.3"))
	a.expire()
	eventually(t, "the pod after the expiry", named(x, "10.0.0.3", "web-1-c"))
	eventually(t, "a second list", func() bool { return feature(w, "pods").Restarts > 0 || x.Stats().Past == 1 })
}

// One kind is refused: its names are missing, with the reason, and the others are there.
func TestOneKindIsRefused(t *testing.T) {
	a := newAPIServer(t)
	fill(t, a)
	a.set(func() { a.refuse["services"] = http.StatusForbidden })
	x, w := follow(t, a, "")
	eventually(t, "the first lists", func() bool { return w.Synced() && named(x, "10.0.0.1", "web-1-a")() })
	f := feature(w, "services")
	if f.Live || !strings.Contains(f.Detail, "no Services") || !strings.Contains(f.Detail, "lacks get, list, watch") {
		t.Errorf("services: %+v", f)
	}
	if !feature(w, "pods").Live {
		t.Errorf("pods: %+v", feature(w, "pods"))
	}
	if got := who(x, "10.96.0.1", 80); got.Kind != flow.External {
		t.Errorf("a Service is named though refused: %+v", got)
	}
	a.set(func() { delete(a.refuse, "services") })
	eventually(t, "the Services once allowed", named(x, "10.96.0.1", "web"))
}

// Lists are slow: what is awaited is said, and what came is used.
func TestListsAreSlow(t *testing.T) {
	a := newAPIServer(t)
	fill(t, a)
	a.set(func() { a.slow = 1500 * time.Millisecond })
	x, w := follow(t, a, "")
	if f := feature(w, "pods"); f.Live || !strings.Contains(f.Detail, "awaited") {
		t.Errorf("pods: %+v", f)
	}
	if w.Synced() {
		t.Error("synced before any list came")
	}
	eventually(t, "the slow lists", func() bool { return w.Synced() && named(x, "10.0.0.1", "web-1-a")() })
}

// A list longer than a page comes whole.
func TestPages(t *testing.T) {
	a := newAPIServer(t)
	for i := range 3 * pageSize / 2 {
		a.put(t, "nodes", &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n" + string(rune('a'+i%26)) + time.Duration(i).String()}})
	}
	x, w := follow(t, a, "")
	eventually(t, "all pages", func() bool { return w.Synced() && x.Stats().Objects == 3*pageSize/2 })
}

// A node asks for itself and its pods alone.
func TestNodeFollowsItself(t *testing.T) {
	a := newAPIServer(t)
	fill(t, a)
	_, w := follow(t, a, "n1")
	eventually(t, "the first lists", func() bool { return w.Synced() })
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, q := range a.queries {
		if !strings.HasPrefix(q, "pods?fieldSelector=spec.nodeName%3Dn1&") && !strings.HasPrefix(q, "nodes?fieldSelector=metadata.name%3Dn1&") {
			if !strings.Contains(q, "fieldSelector=spec.nodeName%3Dn1") && !strings.Contains(q, "fieldSelector=metadata.name%3Dn1") {
				t.Errorf("a node asked for %s", q)
			}
		}
	}
	if len(w.Features()) != 2 {
		t.Errorf("a node follows %+v", w.Features())
	}
}
