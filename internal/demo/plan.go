package demo

import (
	"crypto/sha256"
	"fmt"
	"net/netip"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// nodePlan is a node; its number is the last part of its addresses and of its pods' network.
type nodePlan struct {
	name, zone string
	number     int
}

// region is where both nodes are, in different zones.
const region = "demo"

var nodePlans = []nodePlan{
	{"worker-1", "zone-a", 1},
	{"worker-2", "zone-b", 2},
}

func (n nodePlan) addrs() []netip.Addr { return lanAddrs(10 + n.number) }

// The processes beside nodes and pods: the fabric joins the nodes and routes to the internet, which is one host.
const (
	fabricName   = "fabric"
	internetName = "internet"
	partnerName  = "partner.example"
)

var internetAddrs = wanAddrs(10)

// workloadPlan is a Deployment or StatefulSet with one pod per entry of nodes.
type workloadPlan struct {
	namespace, name, kind string
	// nodes holds, for each pod, the index in nodePlans of its node.
	nodes   []int
	servers []server
	calls   []call
	// slow is the time that the last pod takes to answer; the others answer at once.
	slow time.Duration
}

const (
	deployment  = "Deployment"
	statefulSet = "StatefulSet"
)

// workloadPlans is the one table of workloads. Requests run down the chain frontend, checkout, payments, inventory.
var workloadPlans = []workloadPlan{
	{
		namespace: "dns", name: "dns", kind: deployment, nodes: []int{0, 1},
		servers: []server{{Kind: dnsServer, Port: 53}},
	},
	{
		namespace: "shop", name: "frontend", kind: deployment, nodes: []int{0, 1},
		servers: []server{{Kind: httpServer, Port: 8080, Size: 12 << 10, Next: httpURL("checkout", "shop", "/")}},
		calls:   []call{{Kind: httpCall, Target: httpURL("frontend", "shop", pingPath), Family: 4, Every: 3 * time.Second}},
	},
	{
		namespace: "shop", name: "checkout", kind: deployment, nodes: []int{1, 0},
		servers: []server{{Kind: httpServer, Port: 8080, Size: 3 << 10, Next: httpURL("payments", "shop", "/")}},
	},
	{
		namespace: "shop", name: "payments", kind: deployment, nodes: []int{0, 1}, slow: 80 * time.Millisecond,
		servers: []server{{Kind: httpServer, Port: 8080, Size: 900, Next: httpURL("inventory", "shop", "/")}},
	},
	{
		namespace: "shop", name: "inventory", kind: statefulSet, nodes: []int{1, 0},
		servers: []server{{Kind: httpServer, Port: 8080, Size: 40 << 10}},
	},
	{
		namespace: "shop", name: "broken", kind: deployment, nodes: []int{1},
		servers: []server{{Kind: httpServer, Port: 8080, Size: 200, Fails: true}},
	},
	{
		namespace: "tools", name: "echo", kind: deployment, nodes: []int{1},
		servers: []server{{Kind: echoServer, Port: 7}},
		calls:   []call{{Kind: udpCall, Target: domainName("echo", "tools") + ":7", Family: 4, Every: 4 * time.Second}},
	},
	{namespace: "tools", name: "visitor", kind: deployment, nodes: []int{0}, calls: visitorCalls},
}

// visitorCalls exercise each kind of Service, and each way to fail, from inside the cluster.
var visitorCalls = []call{
	{Kind: httpCall, Target: httpURL("frontend", "shop", "/"), Family: 4, Every: time.Second},
	{Kind: httpCall, Target: httpURL("frontend", "shop", "/"), Family: 6, Every: 2 * time.Second},
	{Kind: httpCall, Target: httpURL("checkout", "shop", pingPath), Family: 4, Every: time.Second, Keep: true},
	{Kind: httpCall, Target: httpURL("payments", "shop", pingPath), Family: 6, Every: 5 * time.Second, Keep: true},
	{Kind: httpCall, Target: httpURL("broken", "shop", "/"), Family: 4, Every: 2 * time.Second},
	{Kind: httpCall, Target: httpURL("cart", "shop", "/"), Family: 4, Every: 4 * time.Second}, // No such name.
	{Kind: httpCall, Target: "http://" + partnerName + "/", Family: 4, Every: 3 * time.Second},
	{Kind: httpCall, Target: "http://" + partnerName + "/", Family: 6, Every: 6 * time.Second},
	{Kind: udpCall, Target: domainName("echo", "tools") + ":7", Family: 4, Every: time.Second},
	{Kind: udpCall, Target: domainName("echo", "tools") + ":7", Family: 6, Every: 2 * time.Second},
	{Kind: dnsCall, Target: domainName("inventory", "shop"), Family: 4, TCP: true, Every: 5 * time.Second},
}

// internetCalls come from outside through the node ports, so that the backend may be on another node.
var internetCalls = []call{
	{Kind: httpCall, Target: nodePortURL(0, 4), Family: 4, Every: time.Second},
	{Kind: httpCall, Target: nodePortURL(1, 4), Family: 4, Every: 2 * time.Second},
	{Kind: httpCall, Target: nodePortURL(0, 6), Family: 6, Every: 2 * time.Second},
}

func httpURL(service, namespace, path string) string {
	port := ""
	if service == "inventory" {
		port = ":8080" // Headless: nothing translates port 80.
	}
	return "http://" + domainName(service, namespace) + port + path
}

func nodePortURL(node int, f family) string {
	return "http://" + netip.AddrPortFrom(f.of(nodePlans[node].addrs()), frontendNodePort).String() + "/"
}

// podPlan is one pod of a workload.
type podPlan struct {
	*workloadPlan
	name    string
	ordinal int
	node    nodePlan
	addrs   []netip.Addr
}

// podPlans lists all pods; the pods' addresses start at .10 on each node, as .1 is the node's.
func podPlans() []podPlan {
	var pods []podPlan
	used := map[int]int{}
	for i := range workloadPlans {
		w := &workloadPlans[i]
		for ordinal, index := range w.nodes {
			n := nodePlans[index]
			pods = append(pods, podPlan{w, w.podName(ordinal), ordinal, n, podAddrs(n.number, 10+used[index])})
			used[index]++
		}
	}
	return pods
}

// podName follows Kubernetes: an ordinal for a StatefulSet, otherwise two parts that look random but are always the same.
func (w *workloadPlan) podName(ordinal int) string {
	if w.kind == statefulSet {
		return fmt.Sprintf("%s-%d", w.name, ordinal)
	}
	return w.name + "-" + suffix(w.name, 9) + "-" + suffix(fmt.Sprint(w.name, ordinal), 5)
}

// suffix returns n letters of the alphabet that Kubernetes draws the names of pods from.
func suffix(seed string, n int) string {
	const alphabet = "bcdfghjklmnpqrstvwxz2456789"
	sum := sha256.Sum256([]byte(seed))
	letters := make([]byte, n)
	for i := range letters {
		letters[i] = alphabet[int(sum[i])%len(alphabet)]
	}
	return string(letters)
}

// process is the name of the pod's process.
func (p podPlan) process() string { return p.namespace + "/" + p.name }

// service is the name of the Service that selects the pod, empty if none does.
func (p podPlan) service() string {
	for _, s := range servicePlans {
		if s.name == p.workloadPlan.name && s.namespace == p.namespace {
			return s.name
		}
	}
	return ""
}

// behaviour is how the pod serves while no fault is on.
func (p podPlan) behaviour() behaviour {
	if p.ordinal == len(p.nodes)-1 {
		return behaviour{Delay: p.slow}
	}
	return behaviour{}
}

// workload is the identity of the pod's controller.
func (p podPlan) workload() flow.Workload {
	return flow.Workload{Kind: p.kind, Name: p.workloadPlan.name}
}
