package kube

import (
	"net/netip"
	"sync"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/flow"
)

func addrs(list ...string) []netip.Addr {
	var out []netip.Addr
	for _, s := range list {
		out = append(out, netip.MustParseAddr(s))
	}
	return out
}

// cluster is two nodes, a client and a backend, and a Service with a port on every node.
var cluster = []Object{
	{Kind: flow.Node, Name: "n1", Node: "n1", Zone: "a", Addrs: addrs("192.0.2.1", "2001:db8::1")},
	{Kind: flow.Node, Name: "n2", Node: "n2", Zone: "b", Addrs: addrs("192.0.2.2")},
	{
		Kind: flow.Pod, Namespace: "shop", Name: "web-0", Workload: flow.Workload{Kind: "Deployment", Name: "web"},
		Node: "n1", Zone: "a", App: "web", Addrs: addrs("10.0.1.1", "fd00:1::1"),
	},
	{
		Kind: flow.Pod, Namespace: "shop", Name: "api-0", Workload: flow.Workload{Kind: "StatefulSet", Name: "api"},
		Node: "n2", Zone: "b", Service: "api", App: "api", Addrs: addrs("::ffff:10.0.2.1"),
	},
	{
		Kind: flow.Service, Namespace: "shop", Name: "api", Addrs: addrs("10.96.0.1", "fd00:96::1"),
		Ports: []Port{{Port: 80, Proto: flow.TCP, NodePort: 30080}, {Port: 81, Proto: flow.TCP}},
	},
}

var (
	web = flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: "web-0", Workload: flow.Workload{Kind: "Deployment", Name: "web"},
		Node: "n1", Zone: "a", App: "web", ResolvedBy: flow.ByPodIP,
	}
	api = flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: "api-0", Workload: flow.Workload{Kind: "StatefulSet", Name: "api"},
		Node: "n2", Zone: "b", Service: "api", App: "api", ResolvedBy: flow.ByPodIP,
	}
	apiService = flow.Identity{
		Kind: flow.Service, Namespace: "shop", Name: "api", Service: "api", ResolvedBy: flow.ByServiceIP,
	}
	node1    = flow.Identity{Kind: flow.Node, Name: "n1", Node: "n1", Zone: "a", ResolvedBy: flow.ByNodeIP}
	node2    = flow.Identity{Kind: flow.Node, Name: "n2", Node: "n2", Zone: "b", ResolvedBy: flow.ByNodeIP}
	external = flow.Identity{Kind: flow.External}
	nobody   flow.Identity
)

func special(name string) flow.Identity {
	return flow.Identity{Kind: flow.Special, Name: name, ResolvedBy: flow.ByRange}
}

// apiOn is the Service as dialled at a node's port.
func apiOn(node, zone string) flow.Identity {
	id := apiService
	id.Node, id.Zone, id.ResolvedBy = node, zone, flow.ByNodePort
	return id
}

func record(src, dst, backend string) flow.Record {
	r := flow.Record{Proto: flow.TCP}
	for e, s := range map[*flow.Endpoint]string{&r.Src: src, &r.Dst: dst, &r.Backend: backend} {
		a := netip.MustParseAddrPort(s)
		e.Addr, e.Port = a.Addr(), a.Port()
	}
	if dst != backend {
		r.NAT = flow.DNAT
	}
	return r
}

func TestName(t *testing.T) {
	index := NewIndex(cluster)
	f := func(name string, r flow.Record, src, dst, backend flow.Identity) {
		t.Helper()
		batch := []flow.Record{r}
		// What an earlier batch left must not stay.
		batch[0].Src.Identity, batch[0].Dst.Identity, batch[0].Backend.Identity = node2, node2, node2
		index.Name(batch)
		got := [...]flow.Identity{batch[0].Src.Identity, batch[0].Dst.Identity, batch[0].Backend.Identity}
		if diff := cmp.Diff([...]flow.Identity{src, dst, backend}, got); diff != "" {
			t.Errorf("%s: source, dialled, backend (-want +got):\n%s", name, diff)
		}
	}
	plain := func(src, dst string) flow.Record { return record(src, dst, dst) }
	f("pod to pod", plain("10.0.1.1:40000", "10.0.2.1:8080"), web, api, api)
	f("pod to pod, IPv6", plain("[fd00:1::1]:40000", "[fd00:1::1]:80"), web, web, web)
	f("through the Service", record("10.0.1.1:40000", "10.96.0.1:80", "10.0.2.1:8080"), web, apiService, api)
	f("through the Service, IPv6", record("[fd00:1::1]:40000", "[fd00:96::1]:80", "[fd00:1::1]:8080"), web, apiService, web)
	f("a Service without endpoints", plain("10.0.1.1:40000", "10.96.0.1:80"), web, apiService, apiService)
	f("hairpin", record("10.0.2.1:40000", "10.96.0.1:80", "10.0.2.1:8080"), api, apiService, api)
	f("to a node", plain("10.0.1.1:40000", "192.0.2.1:22"), web, node1, node1)
	f("from a node, IPv6", plain("[2001:db8::1]:40000", "[fd00:1::1]:80"), node1, web, web)
	f("node port", record("198.51.100.1:40000", "192.0.2.1:30080", "10.0.2.1:8080"), external, apiOn("n1", "a"), api)
	f("node port of another node", record("10.0.1.1:40000", "192.0.2.2:30080", "10.0.2.1:8080"), web, apiOn("n2", "b"), api)
	f("node port without translation", plain("198.51.100.1:40000", "192.0.2.1:30080"), external, node1, node1)
	f("translated at a node's other port", record("198.51.100.1:40000", "192.0.2.1:443", "10.0.2.1:8080"), external, node1, api)
	f("a node port of no number", record("198.51.100.1:40000", "192.0.2.1:0", "10.0.2.1:8080"), external, node1, api)
	udp := record("198.51.100.1:40000", "192.0.2.1:30080", "10.0.2.1:8080")
	udp.Proto = flow.UDP
	f("node port of another protocol", udp, external, node1, api)
	f("node port's number at a pod", record("10.0.1.1:40000", "10.0.1.1:30080", "10.0.2.1:8080"), web, web, api)
	masqueraded := plain("10.0.1.1:40000", "192.0.2.1:30080")
	masqueraded.NAT = flow.SNAT
	f("node port, only the source translated", masqueraded, web, node1, node1)
	f("backend of the same address", record("10.0.1.1:40000", "192.0.2.1:30080", "192.0.2.1:9090"), web, apiOn("n1", "a"), node1)
	f("external", plain("198.51.100.1:40000", "203.0.113.1:443"), external, external, external)
	f("external, IPv6", plain("[2001:db8:1::1]:40000", "[2001:db8:2::1]:443"), external, external, external)
	mdns := special("mdns")
	f("multicast DNS", plain("10.0.1.1:5353", "224.0.0.251:5353"), web, mdns, mdns)
	f("multicast, IPv6", plain("[fd00:1::1]:5353", "[ff02::1]:5353"), web, special("multicast"), special("multicast"))
	metadata := special("cloud-metadata")
	f("metadata of the cloud", plain("169.254.0.100:1", "169.254.169.254:80"), special("link-local"), metadata, metadata)
	local := special("link-local")
	f("link-local, IPv6", plain("[fe80::1%eth0]:546", "[fe80::2]:547"), local, local, local)
	loopback := special("loopback")
	f("loopback", plain("127.0.0.1:40000", "127.0.0.1:80"), loopback, loopback, loopback)
	f("everybody, from nobody", plain("0.0.0.0:68", "255.255.255.255:67"), special("unspecified"), special("broadcast"), special("broadcast"))
	// A portless record compares by address.
	f("without ports", record("10.0.1.1:0", "10.96.0.1:0", "10.0.2.1:0"), web, apiService, api)
}

// TestNameEmpty names nothing by an index of nothing, and takes an empty batch.
func TestNameEmpty(t *testing.T) {
	index := NewIndex(nil)
	index.Name(nil)
	batch := []flow.Record{record("10.0.1.1:1", "10.96.0.1:80", "10.0.2.1:8080"), {}}
	index.Name(batch)
	if batch[0].Src.Identity != external || batch[1].Src.Identity != nobody {
		t.Errorf("got %+v and %+v", batch[0].Src.Identity, batch[1].Src.Identity)
	}
}

// TestLaterObjectWins has an address and a node port given away twice.
func TestLaterObjectWins(t *testing.T) {
	pod, service := cluster[3], cluster[4]
	pod.Name, pod.Addrs = "other", addrs("10.0.1.1")
	service.Name, service.Addrs = "other", nil
	index := NewIndex(append(cluster[:5:5], pod, service))
	batch := []flow.Record{record("10.0.1.1:40000", "192.0.2.1:30080", "10.0.2.1:8080")}
	index.Name(batch)
	if got := batch[0].Src.Identity; got.Kind != flow.Pod || got.Name != "other" {
		t.Errorf("the address is %+v's, want the Pod other's", got)
	}
	if got := batch[0].Dst.Identity; got.Name != "other" || got.Node != "n1" {
		t.Errorf("the port is %+v's, want the Service other's", got)
	}
}

// TestNameConcurrently reads one index from many goroutines; the race detector watches.
func TestNameConcurrently(t *testing.T) {
	index := NewIndex(cluster)
	var group sync.WaitGroup
	for range 8 {
		group.Go(func() {
			for range 1000 {
				batch := []flow.Record{
					record("10.0.1.1:40000", "10.96.0.1:80", "10.0.2.1:8080"),
					record("198.51.100.1:40000", "192.0.2.2:30080", "10.0.2.1:8080"),
				}
				index.Name(batch)
				if batch[0].Src.Identity != web || batch[1].Dst.Identity != apiOn("n2", "b") {
					t.Errorf("got %+v and %+v", batch[0].Src.Identity, batch[1].Dst.Identity)
					return
				}
			}
		})
	}
	group.Wait()
}
