package kube

import (
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// Index names addresses. It is built once and then only read, by any number of goroutines.
type Index struct {
	byAddr map[netip.Addr]*Object
	// nodePorts leads from a port on any Node to the Service behind it.
	nodePorts map[nodePort]*Object
}

type nodePort struct {
	port  uint16
	proto flow.Proto
}

// NewIndex returns an index of the objects. Where two have an address the later one has it.
func NewIndex(objects []Object) *Index {
	x := &Index{byAddr: make(map[netip.Addr]*Object), nodePorts: make(map[nodePort]*Object)}
	for i := range objects {
		o := &objects[i]
		for _, a := range o.Addrs {
			x.byAddr[a.Unmap()] = o
		}
		for _, p := range o.Ports {
			if p.NodePort != 0 {
				x.nodePorts[nodePort{p.NodePort, p.Proto}] = o
			}
		}
	}
	return x
}

// Name puts identities to the endpoints of records: what is dialled at a Node's port that leads to a Service is that
// Service.
func (x *Index) Name(batch []flow.Record) {
	for i := range batch {
		r := &batch[i]
		r.Src.Identity = x.identify(r.Src.Addr)
		r.Dst.Identity = x.dialled(r)
		r.Backend.Identity = r.Dst.Identity
		if r.Backend.AddrPort() != r.Dst.AddrPort() {
			r.Backend.Identity = x.identify(r.Backend.Addr)
		}
	}
}

func (x *Index) dialled(r *flow.Record) flow.Identity {
	o := x.byAddr[r.Dst.Addr]
	if o == nil || o.Kind != flow.Node || r.NAT&flow.DNAT == 0 {
		return x.identify(r.Dst.Addr)
	}
	service := x.nodePorts[nodePort{r.Dst.Port, r.Proto}]
	if service == nil {
		return x.identify(r.Dst.Addr)
	}
	id := service.identity()
	id.Node, id.Zone = o.Node, o.Zone
	return id
}

func (x *Index) identify(a netip.Addr) flow.Identity {
	o := x.byAddr[a]
	if o == nil {
		if a.IsGlobalUnicast() {
			return flow.Identity{Kind: flow.External}
		}
		return flow.Identity{}
	}
	return o.identity()
}

var resolutions = map[flow.Kind]flow.Resolution{
	flow.Pod: flow.ByPodIP, flow.Service: flow.ByServiceIP, flow.Node: flow.ByNodeIP,
}

func (o *Object) identity() flow.Identity {
	id := flow.Identity{
		Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Workload: o.Workload,
		Node: o.Node, Zone: o.Zone, Service: o.Service, App: o.App, ResolvedBy: resolutions[o.Kind],
	}
	if o.Kind == flow.Service {
		id.Service = o.Name
	}
	return id
}
