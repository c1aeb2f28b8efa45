package demo

import (
	"fmt"
	"time"
)

// specs describes every process of the cluster: the fabric, the internet, the nodes, the pods.
func specs() []spec {
	list := []spec{
		{Name: fabricName, Comm: fabricName, Role: router},
		{
			Name: internetName, Comm: internetName, Role: endpoint,
			Servers: []server{{Kind: httpServer, Port: 80, Size: 6 << 10}}, Calls: internetCalls,
		},
	}
	for _, n := range nodePlans {
		list = append(list, spec{Name: n.name, Comm: "kubelet", Role: node, Calls: nodeCalls(n)})
	}
	for _, p := range podPlans() {
		list = append(list, podSpec(p))
	}
	return list
}

func podSpec(p podPlan) spec {
	s := spec{
		Name: p.process(), Comm: p.workloadPlan.name, Role: endpoint,
		Resolver: serviceAddrs(dnsHost), Servers: p.servers, Calls: p.calls, Behaviour: p.behaviour(),
	}
	if p.service() == "dns" {
		s.Zone = dnsZone()
	}
	return s
}

// nodeCalls are a node's own: probes of its pods, as the kubelet makes, and one client on the host network that
// dials a cluster IP, so that translation in the OUTPUT hook is seen too.
func nodeCalls(n nodePlan) []call {
	calls := []call{{Kind: httpCall, Target: clusterURL("checkout"), Family: 4, Every: 5 * time.Second}}
	for _, p := range podPlans() {
		if p.node == n && len(p.servers) > 0 && p.servers[0].Kind == httpServer {
			target := fmt.Sprintf("http://%s:%d%s", p.addrs[0], p.servers[0].Port, pingPath)
			calls = append(calls, call{Kind: httpCall, Target: target, Family: 4, Every: 10 * time.Second})
		}
	}
	return calls
}

// clusterURL is the URL of a Service of the shop by its IPv4 cluster IP: nodes do not use the cluster's DNS.
func clusterURL(service string) string {
	for _, s := range servicePlans {
		if s.name == service && s.namespace == "shop" {
			return fmt.Sprintf("http://%s%s", s.addrs()[0], pingPath)
		}
	}
	panic("BUG: no Service " + service)
}
