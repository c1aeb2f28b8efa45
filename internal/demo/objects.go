package demo

import (
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
)

// Objects returns the pods, Services and nodes of every cluster of the demo, for naming. They never change.
func Objects() []kube.Object {
	var objects []kube.Object
	for _, n := range nodePlans {
		objects = append(objects, nodeObject(n))
	}
	for _, p := range podPlans() {
		objects = append(objects, podObject(p))
	}
	for _, s := range servicePlans {
		objects = append(objects, serviceObject(s))
	}
	return objects
}

// nodeObject has the node's own addresses, and the one of its bridge, by which it speaks to its pods.
func nodeObject(n nodePlan) kube.Object {
	return kube.Object{
		Kind: flow.Node, Name: n.name, Node: n.name, Zone: n.zone, Region: region, Addrs: append(n.addrs(), podAddrs(n.number, 1)...),
	}
}

func podObject(p podPlan) kube.Object {
	return kube.Object{
		Kind: flow.Pod, Namespace: p.namespace, Name: p.name, Workload: p.workload(),
		Node: p.node.name, Zone: p.node.zone, Region: region, Service: p.service(), App: p.workloadPlan.name, Addrs: p.addrs,
	}
}

func serviceObject(s servicePlan) kube.Object {
	o := kube.Object{Kind: flow.Service, Namespace: s.namespace, Name: s.name, Addrs: s.addrs()}
	for _, p := range s.ports {
		o.Ports = append(o.Ports, kube.Port{Port: p.port, Proto: p.proto, NodePort: p.nodePort})
	}
	return o
}
