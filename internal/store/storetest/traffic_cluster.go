package storetest

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net/netip"

	"github.com/seine-net/seine/internal/flow"
)

// The size of the cluster that Traffic is of.
const (
	trafficNodes    = 500
	trafficPods     = 10_000
	trafficServices = 1_000
	trafficPairs    = 60_000
	trafficHosts    = 5_000
)

// pod is one with what its node's agent tells of it.
type pod struct {
	flow.Endpoint
	number  int
	iface   string
	process flow.Process
}

func newPod(i int) pod {
	workload, node := i%trafficServices, nodeOf(i)
	random := sha256.Sum256(fmt.Append(nil, i))
	id := hex.EncodeToString(random[:])
	p := pod{number: i, iface: "veth" + id[:8]}
	p.Endpoint = flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, byte(64 + node>>8), byte(node), byte(2 + i%200)}),
		Identity: flow.Identity{
			Kind: flow.Pod, Namespace: namespaceName(workload), Name: fmt.Sprintf("%s-%08x-%05x", workloadName(workload), workload*2654435761, i*40503),
			Workload: flow.Workload{Kind: "Deployment", Name: workloadName(workload)},
			Node:     nodeName(node), Zone: fmt.Sprintf("eu-west-1%c", 'a'+node%3), Region: "eu-west-1",
			App: workloadName(workload), Image: fmt.Sprintf("registry.example.com/%s/%s:1.%d.0", namespaceName(workload), workloadName(workload), workload%17),
			Labels: fmt.Sprintf("team=%s,tier=%s", namespaceName(workload), tiers[workload%len(tiers)]), ResolvedBy: flow.ByPodIP,
		},
	}
	p.process = flow.Process{
		PID: uint32(1000 + (i*7919)%4_000_000), Name: commands[workload%len(commands)], Container: id, Runtime: flow.Containerd,
		PodUID: fmt.Sprintf("%s-%s-4%s-a%s-%s", id[:8], id[8:12], id[13:16], id[17:20], id[20:32]),
	}
	return p
}

var (
	tiers    = []string{"front", "middle", "data"}
	commands = []string{"java", "node", "python3", "nginx", "server", "postgres", "redis-server", "envoy"}
)

func serviceEndpoint(i int) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)}), Port: servicePort(i),
		Identity: flow.Identity{
			Kind: flow.Service, Namespace: namespaceName(i), Name: workloadName(i), Service: workloadName(i), App: workloadName(i),
			ResolvedBy: flow.ByServiceIP,
		},
	}
}

// hostEndpoint is a host of the Internet, whose name most clients asked DNS for.
func hostEndpoint(i int) flow.Endpoint {
	e := flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{203, byte(i >> 8), byte(i), byte(1 + i%200)}), Port: 443,
		Identity: flow.Identity{Kind: flow.External},
	}
	if i%5 > 0 {
		e.DNSName, e.ResolvedBy = fmt.Sprintf("api-%d.example%d.com", i, i%700), flow.ByDNS
	}
	return e
}

// masquerade is a pod's node as hosts outside see it.
func masquerade(pod int, port uint16) netip.AddrPort {
	node := nodeOf(pod)
	return netip.AddrPortFrom(netip.AddrFrom4([4]byte{172, 20, byte(node >> 8), byte(node)}), port)
}

func nodeOf(pod int) int                { return (pod*7919 + pod/trafficServices*37) % trafficNodes }
func servicePort(i int) uint16          { return [...]uint16{80, 443, 8080, 5432, 6379, 9092}[i%6] }
func namespaceName(workload int) string { return fmt.Sprintf("team-%02d", workload%60) }
func workloadName(workload int) string  { return fmt.Sprintf("service-%04d", workload) }
func nodeName(node int) string          { return fmt.Sprintf("worker-%03d.cluster.internal", node) }
