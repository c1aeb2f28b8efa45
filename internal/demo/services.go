package demo

import (
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// servicePlan is a Service. It selects the pods of the workload of its own name, if there is one.
type servicePlan struct {
	namespace, name string
	// host numbers the cluster IPs; 0 makes the Service headless.
	host  int
	ports []portPlan
}

type portPlan struct {
	name         string
	proto        flow.Proto
	port, target uint16
	nodePort     uint16
}

// dnsHost numbers the cluster IPs of the DNS Service, which every pod asks.
const dnsHost = 10

const frontendNodePort = 30080

// servicePlans is the one table of Services: rules, DNS answers and the objects for naming come from it.
var servicePlans = []servicePlan{
	{"dns", "dns", dnsHost, []portPlan{
		{name: "dns", proto: flow.UDP, port: 53, target: 53},
		{name: "dns-tcp", proto: flow.TCP, port: 53, target: 53},
	}},
	{"shop", "frontend", 20, []portPlan{{"http", flow.TCP, 80, 8080, frontendNodePort}}},
	{"shop", "checkout", 21, []portPlan{{name: "http", proto: flow.TCP, port: 80, target: 8080}}},
	{"shop", "payments", 22, []portPlan{{name: "http", proto: flow.TCP, port: 80, target: 8080}}},
	{"shop", "inventory", 0, []portPlan{{name: "http", proto: flow.TCP, port: 8080, target: 8080}}},
	{"shop", "broken", 23, []portPlan{{name: "http", proto: flow.TCP, port: 80, target: 8080}}},
	{"shop", "legacy", 24, []portPlan{{name: "http", proto: flow.TCP, port: 80, target: 8080}}}, // No workload: no endpoints.
	{"tools", "echo", 25, []portPlan{{name: "echo", proto: flow.UDP, port: 7, target: 7}}},
}

// addrs are the cluster IPs, none for a headless Service.
func (s servicePlan) addrs() []netip.Addr {
	if s.host == 0 {
		return nil
	}
	return serviceAddrs(s.host)
}

// domainName is the Service's name in the cluster's DNS, without the root's dot.
func (s servicePlan) domainName() string { return domainName(s.name, s.namespace) }

func domainName(service, namespace string) string {
	return service + "." + namespace + ".svc.cluster.local"
}

// pods are those that the Service selects.
func (s servicePlan) pods() []podPlan {
	var selected []podPlan
	for _, p := range podPlans() {
		if p.service() == s.name && p.namespace == s.namespace {
			selected = append(selected, p)
		}
	}
	return selected
}

// dnsZone maps each name of the DNS server to its addresses: cluster IPs, or the pods' own for a headless Service.
func dnsZone() map[string][]netip.Addr {
	zone := map[string][]netip.Addr{partnerName + ".": internetAddrs}
	for _, s := range servicePlans {
		zone[s.domainName()+"."] = s.addrs()
		if s.host == 0 {
			addHeadless(zone, s)
		}
	}
	return zone
}

func addHeadless(zone map[string][]netip.Addr, s servicePlan) {
	name := s.domainName() + "."
	for _, p := range s.pods() {
		zone[name] = append(zone[name], p.addrs...)
		zone[p.name+"."+name] = p.addrs
	}
}
