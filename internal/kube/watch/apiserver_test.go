package watch

import (
	"encoding/json"
	"fmt"
	"maps"
	"net/http"
	"net/http/httptest"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// apiServer answers lists and watches over HTTP as an API server does, and fails as one does.
type apiServer struct {
	*httptest.Server

	mu      sync.Mutex
	version int
	objects map[string]map[string]map[string]any // By resource and name.
	events  []event
	// oldest is the version before which watches are told that it is gone (410).
	oldest int
	// refuse has the status with which a resource is refused; slow delays lists; down refuses everything.
	refuse   map[string]int
	slow     time.Duration
	down     bool
	queries  []string
	watchers map[chan struct{}]struct{}
}

type event struct {
	version  int
	resource string
	kind     string
	object   map[string]any
}

func newAPIServer(t *testing.T) *apiServer {
	t.Helper()
	a := &apiServer{version: 100, objects: make(map[string]map[string]map[string]any), refuse: make(map[string]int), watchers: make(map[chan struct{}]struct{})}
	a.Server = httptest.NewServer(a)
	t.Cleanup(func() { a.cut(); a.Close() })
	return a
}

// put adds or changes an object.
func (a *apiServer) put(t *testing.T, resource string, o metav1.Object) {
	t.Helper()
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	o.SetResourceVersion(strconv.Itoa(a.version))
	text, err := json.Marshal(o)
	if err != nil {
		t.Fatal(err)
	}
	var m map[string]any
	if err := json.Unmarshal(text, &m); err != nil {
		t.Fatal(err)
	}
	kind := map[string][2]string{
		"pods": {"v1", "Pod"}, "nodes": {"v1", "Node"}, "services": {"v1", "Service"},
		"endpointslices": {"discovery.k8s.io/v1", "EndpointSlice"},
		"replicasets":    {"meta.k8s.io/v1", "PartialObjectMetadata"}, "jobs": {"meta.k8s.io/v1", "PartialObjectMetadata"},
	}[resource]
	m["apiVersion"], m["kind"] = kind[0], kind[1]
	if a.objects[resource] == nil {
		a.objects[resource] = make(map[string]map[string]any)
	}
	key := o.GetNamespace() + "/" + o.GetName()
	what := "ADDED"
	if a.objects[resource][key] != nil {
		what = "MODIFIED"
	}
	a.objects[resource][key] = m
	a.tell(event{a.version, resource, what, m})
}

func (a *apiServer) remove(resource, key string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	a.version++
	m := a.objects[resource][key]
	delete(a.objects[resource], key)
	a.tell(event{a.version, resource, "DELETED", m})
}

func (a *apiServer) tell(e event) {
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
	query := r.URL.Query()
	switch {
	case down:
		panic(http.ErrAbortHandler)
	case refused != 0:
		fail(w, refused, resource)
	case query.Get("sendInitialEvents") != "":
		fail(w, http.StatusUnprocessableEntity, resource) // As servers that cannot stream lists.
	case query.Get("watch") != "":
		a.watch(w, r, resource, query.Get("resourceVersion"))
	default:
		select {
		case <-time.After(slow):
		case <-r.Context().Done():
			return
		}
		a.list(w, resource, query.Get("limit"), query.Get("continue"))
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
func (a *apiServer) list(w http.ResponseWriter, resource, limit, from string) {
	a.mu.Lock()
	defer a.mu.Unlock()
	kind := map[string][2]string{
		"pods": {"v1", "PodList"}, "nodes": {"v1", "NodeList"}, "services": {"v1", "ServiceList"},
		"endpointslices": {"discovery.k8s.io/v1", "EndpointSliceList"},
		"replicasets":    {"meta.k8s.io/v1", "PartialObjectMetadataList"}, "jobs": {"meta.k8s.io/v1", "PartialObjectMetadataList"},
	}[resource]
	items := []map[string]any{}
	for _, key := range slices.Sorted(maps.Keys(a.objects[resource])) {
		items = append(items, a.objects[resource][key])
	}
	meta := map[string]any{"resourceVersion": strconv.Itoa(a.version)}
	first, _ := strconv.Atoi(from)
	items = items[min(first, len(items)):]
	if n, _ := strconv.Atoi(limit); n > 0 && len(items) > n {
		items = items[:n]
		meta["continue"] = strconv.Itoa(first + n)
	}
	_ = json.NewEncoder(w).Encode(map[string]any{"apiVersion": kind[0], "kind": kind[1], "metadata": meta, "items": items})
}

func (a *apiServer) watch(w http.ResponseWriter, r *http.Request, resource, version string) {
	from, _ := strconv.Atoi(version)
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
			if e.resource == resource && e.version > from {
				from = e.version
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

func fill(t *testing.T, a *apiServer) {
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
