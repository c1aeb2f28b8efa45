package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

// apiServer answers lists and watches over HTTP as an API server does, and fails as one does.
type apiServer struct {
	*httptest.Server

	mu      sync.Mutex
	version int
	objects map[string]map[string]metav1.Object // By resource and name.
	sorted  map[string][]string                 // The names of each resource, until one changes.
	events  []event
	// oldest is the version before which watches are told that it is gone (410).
	oldest int
	// refuse has the status with which a resource is refused; slow delays lists; down refuses everything.
	refuse   map[string]int
	slow     time.Duration
	down     bool
	queries  []string
	watchers map[chan struct{}]struct{}
	// sent counts the bytes of all answers.
	sent atomic.Int64
}

type event struct {
	version  int
	resource string
	kind     string
	object   metav1.Object
}

// counted counts what is written.
type counted struct {
	http.ResponseWriter
	sent *atomic.Int64
}

func (c counted) Write(b []byte) (int, error) {
	c.sent.Add(int64(len(b)))
	return c.ResponseWriter.Write(b)
}

func (c counted) Flush() { c.ResponseWriter.(http.Flusher).Flush() }

func newAPIServer(t testing.TB) *apiServer {
	t.Helper()
	a := &apiServer{version: 100, objects: make(map[string]map[string]metav1.Object), sorted: make(map[string][]string), refuse: make(map[string]int), watchers: make(map[chan struct{}]struct{})}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() { a.cut(); a.Close() })
	return a
}

// typeOf has the group's version and the kind of each resource.
var typeOf = map[string]metav1.TypeMeta{
	"pods": {APIVersion: "v1", Kind: "Pod"}, "nodes": {APIVersion: "v1", Kind: "Node"}, "services": {APIVersion: "v1", Kind: "Service"},
	"endpointslices": {APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
	"replicasets":    {APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
	"jobs":           {APIVersion: "meta.k8s.io/v1", Kind: "PartialObjectMetadata"},
}

// put adds or changes an object, which is the server's from then on.
func (a *apiServer) put(t testing.TB, resource string, o metav1.Object) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	o.SetResourceVersion(strconv.Itoa(a.version))
	o.(runtime.Object).GetObjectKind().SetGroupVersionKind(schema.FromAPIVersionAndKind(typeOf[resource].APIVersion, typeOf[resource].Kind))
	if a.objects[resource] == nil {
		a.objects[resource] = make(map[string]metav1.Object)
	}
	key := o.GetNamespace() + "/" + o.GetName()
	what := "ADDED"
	if a.objects[resource][key] != nil {
		what = "MODIFIED"
	}
	a.objects[resource][key] = o
	a.tell(event{a.version, resource, what, o})
}

func (a *apiServer) remove(resource, key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	o := a.objects[resource][key]
	delete(a.objects[resource], key)
	a.tell(event{a.version, resource, "DELETED", o})
}

// selected says whether a field selector, one condition as agents ask, takes an object.
func selected(selector string, o metav1.Object) bool {
	field, want, ok := strings.Cut(selector, "=")
	if !ok {
		return true
	}
	switch field {
	case "metadata.name":
		return o.GetName() == want
	case "spec.nodeName":
		return o.(*corev1.Pod).Spec.NodeName == want
	}
	panic("BUG: an unknown selector " + selector)
}

func (a *apiServer) tell(e event) {
	delete(a.sorted, e.resource)
	a.events = append(a.events, e)
	for w := range a.watchers {
		select {
		case w <- struct{}{}:
		default:
		}
	}
}

// cut ends all connections.
func (a *apiServer) cut() { a.CloseClientConnections() }

// expire lets all watches end and forgets what was before.
func (a *apiServer) expire() {
	a.mu.Lock()
	a.events, a.oldest = nil, a.version+1
	a.version += 2
	a.mu.Unlock()
	a.cut()
}

func (a *apiServer) set(change func()) {
	a.mu.Lock()
	defer a.mu.Unlock()
	change()
}

func (a *apiServer) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	parts := strings.Split(r.URL.Path, "/")
	resource := parts[len(parts)-1]
	a.mu.Lock()
	a.queries = append(a.queries, resource+"?"+r.URL.RawQuery)
	refused, down, slow := a.refuse[resource], a.down, a.slow
	a.mu.Unlock()
	w.Header().Set("Content-Type", "application/json")
	w = counted{w, &a.sent}
	query := r.URL.Query()
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case refused != 0:
		fail(w, refused, resource)
	case query.Get("sendInitialEvents") != "":
		fail(w, http.StatusUnprocessableEntity, resource) // As servers that cannot stream lists.
	case query.Get("watch") != "":
		a.watch(w, r, resource, query)
	default:
		select {
		case <-time.After(slow):
		case <-r.Context().Done():
			return
		}
		a.list(w, resource, query)
	}
}

func fail(w http.ResponseWriter, code int, resource string) {
	reason := map[int]metav1.StatusReason{
		http.StatusForbidden: metav1.StatusReasonForbidden, http.StatusUnprocessableEntity: metav1.StatusReasonInvalid,
		http.StatusGone: metav1.StatusReasonExpired,
	}[code]
	w.WriteHeader(code)
	_ = json.NewEncoder(w).Encode(status(code, reason, fmt.Sprintf("%s is refused", resource)))
}

func status(code int, reason metav1.StatusReason, text string) metav1.Status {
	return metav1.Status{
		TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}, Status: "Failure", Code: int32(code), Reason: reason, Message: text,
	}
}

// list answers in pages.
func (a *apiServer) list(w http.ResponseWriter, resource string, query url.Values) {
	a.mu.Lock()
	defer a.mu.Unlock()
	items := []metav1.Object{}
	if a.sorted[resource] == nil {
		a.sorted[resource] = slices.Sorted(maps.Keys(a.objects[resource]))
	}
	for _, key := range a.sorted[resource] {
		if o := a.objects[resource][key]; selected(query.Get("fieldSelector"), o) {
			items = append(items, o)
		}
	}
	meta := map[string]any{"resourceVersion": strconv.Itoa(a.version)}
	first, _ := strconv.Atoi(query.Get("continue"))
	items = items[min(first, len(items)):]
	if n, _ := strconv.Atoi(query.Get("limit")); n > 0 && len(items) > n {
		items = items[:n]
		meta["continue"] = strconv.Itoa(first + n)
	}
	kind := typeOf[resource]
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": kind.APIVersion, "kind": kind.Kind + "List", "metadata": meta, "items": items})
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, resource string, query url.Values) {
	from, _ := strconv.Atoi(query.Get("resourceVersion"))
	wake := make(chan struct{}, 1)
	wake <- struct{}{}
	a.mu.Lock()
	gone := from < a.oldest
	a.watchers[wake] = struct{}{}
	a.mu.Unlock()
	defer a.set(func() { delete(a.watchers, wake) })
	out := json.NewEncoder(w)
	if gone {
		_ = out.Encode(map[string]any{"type": "ERROR", "object": status(http.StatusGone, metav1.StatusReasonExpired, "too old")})
		return
	}
	w.(http.Flusher).Flush()
	for {
		select {
		case <-r.Context().Done():
			return
		case <-wake:
		}
		a.mu.Lock()
		for _, e := range a.events {
			if e.resource != resource || e.version <= from {
				continue
			}
			from = e.version
			if selected(query.Get("fieldSelector"), e.object) {
				_ = out.Encode(map[string]any{"type": e.kind, "object": e.object})
			}
		}
		a.mu.Unlock()
		w.(http.Flusher).Flush()
	}
}

func podOf(name, node, ip string) *corev1.Pod {
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Namespace: "shop", Name: name, UID: "uid-" + "x", Labels: map[string]string{"app": "web", "team": "a"},
			OwnerReferences: []metav1.OwnerReference{{Kind: "ReplicaSet", Name: "web-1", Controller: new(true)}},
		},
		Spec:   corev1.PodSpec{NodeName: node, Containers: []corev1.Container{{Name: "c", Image: "web:1"}}},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, PodIPs: []corev1.PodIP{{IP: ip}}},
	}
}

func fill(t testing.TB, a *apiServer) {
	t.Helper()
	a.put(t, "nodes", &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: "n1", Labels: map[string]string{corev1.LabelTopologyZone: "a", corev1.LabelTopologyRegion: "r"}},
		Status:     corev1.NodeStatus{Addresses: []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: "192.0.2.1"}}},
	})
	a.put(t, "pods", podOf("web-1-a", "n1", "10.0.0.1"))
	a.put(t, "services", &corev1.Service{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web"},
		Spec:       corev1.ServiceSpec{ClusterIP: "10.96.0.1", ClusterIPs: []string{"10.96.0.1", "fd00::1"}, Ports: []corev1.ServicePort{{Port: 80}}},
		Status:     corev1.ServiceStatus{LoadBalancer: corev1.LoadBalancerStatus{Ingress: []corev1.LoadBalancerIngress{{IP: "198.51.100.1"}}}},
	})
	a.put(t, "endpointslices", &discoveryv1.EndpointSlice{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-x", Labels: map[string]string{discoveryv1.LabelServiceName: "web"}},
		Ports:      []discoveryv1.EndpointPort{{Port: new(int32(8080))}},
		Endpoints:  []discoveryv1.Endpoint{{Addresses: []string{"10.0.0.1"}, TargetRef: &corev1.ObjectReference{Kind: "Pod", Name: "web-1-a"}}},
	})
	a.put(t, "replicasets", &metav1.PartialObjectMetadata{ObjectMeta: metav1.ObjectMeta{
		Namespace: "shop", Name: "web-1", OwnerReferences: []metav1.OwnerReference{{Kind: "Rollout", Name: "web", Controller: new(true)}},
	}})
}
