// Package kube is the index of names: it tells which Kubernetes object had an address at a time.
//
// Sources describe what exists: package kube/watch follows an API server, kube/manifest reads a folder of YAML, the demo
// has its own plan. Each puts an [Object], a [Slice] or an owner into the one [Index], which keeps for every address who
// had it from when to when, so that a re-used address is named as of the record's time. The index does not read packets
// and does not decide which side of a connection is which: records come to it with their addresses resolved.
//
// Files: object.go is what sources say; index.go takes it; history.go keeps intervals; lookup.go answers; ranges.go and
// subnet.go name addresses that no object has; name.go names records.
package kube

import (
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// Object is what naming needs of a Kubernetes object. It is a plain value; who receives one must not change its slices.
type Object struct {
	// Kind is Pod, Service or Node.
	Kind flow.Kind
	// Namespace is empty for a Node.
	Namespace, Name string
	// UID is what Kubernetes tells objects of one name apart by; empty where the source knows none.
	UID string
	// CgroupUID is by what control groups name a Pod where that is not UID: a static pod's hash.
	CgroupUID string
	// Workload is the controller of a Pod; the index follows it to the top by what it knows of owners.
	Workload flow.Workload
	// Node is the name of the Node that a Pod runs on; for a Node its own name.
	Node string
	// Zone and Region are a Node's topology labels. A Pod has those of its Node, unless it names its own.
	Zone, Region string
	// Service is the name of the Service, in the Pod's namespace, that selects the Pod, where no Slice tells.
	Service string
	// App is the application by the usual labels.
	App string
	// Image is the first container's.
	Image string
	// Labels are those that were asked for, as "key=value,key=value" in the order of the keys.
	Labels string
	// Addrs are the addresses that are the object's own: pod IPs; cluster, external and load-balancer IPs (none for a
	// headless Service); node IPs. The host-network Pods of a Node share the Node's addresses and list none.
	Addrs []netip.Addr
	// Ports are those of a Service, empty for the other kinds.
	Ports []Port
	// PodCIDRs are the networks that a Node gives to its pods.
	PodCIDRs []netip.Prefix
	// Since is when the object came to its addresses; 0 is unknown, and taken for always. Until is when it gave them
	// back, for one that is over but still listed; 0 is not yet.
	Since, Until flow.Time
	// Agent says that the Pod is an agent of ours, so that its Node's connections are reported.
	Agent bool
}

// Port is one port of a Service or of endpoints.
type Port struct {
	Port  uint16
	Proto flow.Proto
	// NodePort is the port on every Node's addresses that leads to the Service; 0 is none.
	NodePort uint16
}

// Slice is an EndpointSlice: the addresses behind a Service.
type Slice struct {
	Namespace, Name string
	// Service is the name of the Service, in the same namespace.
	Service   string
	Ports     []Port
	Endpoints []Endpoint
}

// Endpoint is an address behind a Service.
type Endpoint struct {
	Addr netip.Addr
	// Pod is the name of the Pod, in the Slice's namespace, that answers there; empty for what is no Pod.
	Pod string
}

// key tells objects of one source apart.
type key struct {
	kind            flow.Kind
	namespace, name string
}

func (o *Object) key() key { return key{o.Kind, o.Namespace, o.Name} }
