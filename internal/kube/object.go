// Package kube is the index of names: it tells which Kubernetes object has an address.
//
// Whoever knows the objects (watchers of the API server, or the demo's own plan) describes each as an [Object]; the index
// turns the addresses of a record's endpoints into a [flow.Identity]. The package does not read packets and does
// not decide which side of a connection is which: records come to it with their addresses resolved.
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
	// Workload is the top controller of a Pod, such as its Deployment; zero for the other kinds.
	Workload flow.Workload
	// Node is the name of the Node that a Pod runs on; for a Node its own name.
	Node string
	// Zone is the value of the Node's label topology.kubernetes.io/zone.
	Zone string
	// Service is the name of the Service, in the Pod's namespace, whose selector selects the Pod.
	Service string
	// App is the value of the label app.kubernetes.io/name.
	App string
	// Addrs are the addresses that are the object's own: pod IPs, cluster IPs (none for a headless Service), node IPs.
	// The host-network Pods of a Node share the Node's addresses and list none.
	Addrs []netip.Addr
	// Ports are those of a Service, empty for the other kinds.
	Ports []Port
}

// Port is one port of a Service.
type Port struct {
	Port  uint16
	Proto flow.Proto
	// NodePort is the port on every Node's addresses that leads to the Service; 0 is none.
	NodePort uint16
}
