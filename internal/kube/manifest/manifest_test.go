package manifest

import (
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"testing/fstest"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
)

const objects = `
apiVersion: v1
kind: Node
metadata: {name: n1, labels: {topology.kubernetes.io/zone: a, topology.kubernetes.io/region: r}}
spec: {podCIDRs: [10.0.0.0/24]}
status: {addresses: [{type: InternalIP, address: 192.0.2.1}, {type: Hostname, address: n1}]}
---
# An object of a kind that names nothing.
apiVersion: v1
kind: ConfigMap
metadata: {name: c}
---
apiVersion: v1
kind: List
items:
- apiVersion: v1
  kind: Pod
  metadata:
    name: web-7d9f-x
    namespace: shop
    labels: {app.kubernetes.io/name: web, pod-template-hash: 7d9f, team: a}
    annotations: {cost-centre: "42"}
    ownerReferences: [{apiVersion: apps/v1, kind: ReplicaSet, name: web-7d9f, uid: u, controller: true}]
  spec: {nodeName: n1, containers: [{name: web, image: "web:1"}]}
  status: {phase: Running, podIPs: [{ip: 10.0.0.5}, {ip: "fd00::5"}]}
- apiVersion: v1
  kind: Pod
  metadata: {name: tick-123-y, namespace: shop, ownerReferences: [{kind: Job, name: tick-123, uid: u, apiVersion: batch/v1, controller: true}]}
  spec: {nodeName: n1, containers: [{name: tick, image: "tick:1"}]}
  status: {podIP: 10.0.0.6}
`

const more = `{"apiVersion":"batch/v1","kind":"Job","metadata":{"name":"tick-123","namespace":"shop",
 "ownerReferences":[{"apiVersion":"batch/v1","kind":"CronJob","name":"tick","uid":"u","controller":true}]}}`

const services = `
apiVersion: v1
kind: Service
metadata: {name: web}
spec:
  clusterIP: 10.96.0.9
  externalIPs: [198.51.100.3]
  ports: [{port: 80, nodePort: 30080}]
status: {loadBalancer: {ingress: [{ip: 198.51.100.4}]}}
`

func load(files map[string]string) (*kube.Index, Counts, error) {
	folder := fstest.MapFS{}
	for name, text := range files {
		folder[name] = &fstest.MapFile{Data: []byte(text)}
	}
	x := kube.NewIndex(nil)
	counts, err := Load(folder, x, convert.New([]string{"team", "cost-centre"}))
	return x, counts, err
}

func TestLoad(t *testing.T) {
	x, counts, err := load(map[string]string{"a.yaml": objects, "b.json": more, "c.yml": services, "d.txt": "no YAML: ["})
	if err != nil {
		t.Fatal(err)
	}
	if got := counts.String(); got != "1 Job, 1 Node, 2 Pod, 1 Service" {
		t.Errorf("took %s", got)
	}
	f := func(addr string, want flow.Identity) {
		t.Helper()
		if got := *x.Identify(&kube.Query{Addr: netip.MustParseAddr(addr), Port: 80, Proto: flow.TCP, At: 1}); got != want {
			t.Errorf("%s is %+v, want %+v", addr, got, want)
		}
	}
	web := flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: "web-7d9f-x", Workload: flow.Workload{Kind: "Deployment", Name: "web"}, Node: "n1",
		Zone: "a", Region: "r", App: "web", Image: "web:1", Labels: "cost-centre=42,team=a", ResolvedBy: flow.ByPodIP,
	}
	f("10.0.0.5", web)
	f("fd00::5", web)
	f("10.0.0.6", flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: "tick-123-y", Workload: flow.Workload{Kind: "CronJob", Name: "tick"}, Node: "n1", Zone: "a",
		Region: "r", Image: "tick:1", ResolvedBy: flow.ByPodIP,
	})
	service := flow.Identity{Kind: flow.Service, Namespace: "default", Name: "web", Service: "web", ResolvedBy: flow.ByServiceIP}
	for _, addr := range []string{"10.96.0.9", "198.51.100.3", "198.51.100.4"} {
		f(addr, service)
	}
	f("192.0.2.1", flow.Identity{Kind: flow.Node, Name: "n1", Node: "n1", Zone: "a", Region: "r", ResolvedBy: flow.ByNodeIP})
	f("10.0.0.77", flow.Identity{Node: "n1", Zone: "a", Region: "r", ResolvedBy: flow.ByRange})
}

func TestRefused(t *testing.T) {
	f := func(text, want string) {
		t.Helper()
		if _, _, err := load(map[string]string{"x.yaml": text}); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: got %v, want %q in it", text, err, want)
		}
	}
	f("", "found no Pod")
	f("a: [", "file x.yaml: document 1")
	f("kind: Pod", "want an object with apiVersion and kind")
	f("apiVersion: v1\nkind: Pod\nmetadata: {namespace: a}", "metadata.name is missing")
	f("apiVersion: v1\nkind: Service\nmetadata: {name: w}\nspec: {ports: [{port: eighty}]}", "Service /w")
	f("apiVersion: v1\nkind: Node\nmetadata: {name: n1}\n---\n- 1\n- 2", "document 2")
}

// What is no file is refused, and not waited for.
func TestNoFile(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(dir, "a.yaml"), 0o600); err != nil {
		t.Fatal(err)
	}
	_, err := Load(os.DirFS(dir), kube.NewIndex(nil), convert.New(nil))
	if err == nil || !strings.Contains(err.Error(), "file a.yaml: want a regular file") {
		t.Errorf("a pipe: %v", err)
	}
}

// Aliases that grow without end, and lists within lists, are refused in time and memory that is bounded.
func TestBombs(t *testing.T) {
	bomb := "a0: &a0 [x, x, x, x, x, x, x, x, x]\n"
	for i := 1; i < 12; i++ {
		bomb += fmt.Sprintf("a%d: &a%d [%s]\n", i, i, strings.TrimSuffix(strings.Repeat(fmt.Sprintf("*a%d, ", i-1), 9), ", "))
	}
	deep := strings.Repeat("[", 100_000)
	for name, text := range map[string]string{"aliases": bomb, "brackets": deep, "no text": "\xff\xfe\x00kind: Pod"} {
		if _, _, err := load(map[string]string{"x.yaml": text}); err == nil {
			t.Errorf("%s: want an error", name)
		}
	}
}

// FuzzRead must neither panic nor name what is no address.
func FuzzRead(f *testing.F) {
	for _, text := range []string{objects, more, services, "a: &a [*a]", "apiVersion: v1\nkind: List\nitems: [{}]"} {
		f.Add([]byte(text))
	}
	f.Fuzz(func(_ *testing.T, text []byte) {
		x := kube.NewIndex(nil)
		r := &reader{x, convert.New(nil), make(Counts)}
		_ = r.read(text)
		x.Identify(&kube.Query{Addr: netip.MustParseAddr("10.0.0.5"), Port: 80})
		x.Stats()
	})
}
