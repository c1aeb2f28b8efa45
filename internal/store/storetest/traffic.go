package storetest

import (
	"fmt"
	"math/rand/v2"
	"net/netip"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// The size of the cluster that Traffic is of.
const (
	trafficNodes    = 500
	trafficPods     = 10_000
	trafficServices = 1_000
	trafficPairs    = 60_000
	trafficSpread   = 5 * time.Second
)

// Traffic makes records as a large cluster does, the same for the same seed: pods call services by pairs of which few
// are busy (Zipf), 60 % of the records are translated, 10 % are short exchanges with the DNS service, 2 % end in a
// reset. Both ends report; the client's report is primary.
type Traffic struct {
	random *rand.Rand
	pairs  *rand.Zipf
	pods   []flow.Endpoint
	// services holds the address that is dialled for each workload.
	services []flow.Endpoint
	next     time.Time
	step     time.Duration
}

// NewTraffic returns the traffic from a time on, so many records a second.
func NewTraffic(seed uint64, begin time.Time, perSecond float64) *Traffic {
	random := rand.New(rand.NewPCG(seed, 7))
	t := &Traffic{
		random: random, pairs: rand.NewZipf(random, 1.1, 8, trafficPairs-1),
		next: begin, step: time.Duration(float64(time.Second) / perSecond),
	}
	for i := range trafficPods {
		t.pods = append(t.pods, podEndpoint(i))
	}
	for i := range trafficServices {
		t.services = append(t.services, serviceEndpoint(i))
	}
	return t
}

func podEndpoint(i int) flow.Endpoint {
	workload, node := i%trafficServices, (i*7919)%trafficNodes
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, byte(64 + node>>8), byte(node), byte(2 + i/trafficNodes)}),
		Identity: flow.Identity{
			Kind: flow.Pod, Namespace: namespaceName(workload), Name: fmt.Sprintf("%s-%08x-%05x", workloadName(workload), workload*2654435761, i*40503),
			Workload: flow.Workload{Kind: "Deployment", Name: workloadName(workload)},
			Node:     nodeName(node), Zone: fmt.Sprintf("eu-west-1%c", 'a'+node%3),
			App: workloadName(workload), ResolvedBy: flow.ByPodIP,
		},
	}
}

func serviceEndpoint(i int) flow.Endpoint {
	return flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{10, 96, byte(i >> 8), byte(i)}), Port: servicePort(i),
		Identity: flow.Identity{
			Kind: flow.Service, Namespace: namespaceName(i), Name: workloadName(i), Service: workloadName(i), ResolvedBy: flow.ByServiceIP,
		},
	}
}

func servicePort(i int) uint16          { return [...]uint16{80, 443, 8080, 5432, 6379, 9092}[i%6] }
func namespaceName(workload int) string { return fmt.Sprintf("team-%02d", workload%60) }
func workloadName(workload int) string  { return fmt.Sprintf("service-%04d", workload) }
func nodeName(node int) string          { return fmt.Sprintf("worker-%03d.cluster.internal", node) }

// Time returns the time of the next record, but for its spread of a few seconds.
func (t *Traffic) Time() time.Time { return t.next }

// Fill fills in the records that come next.
func (t *Traffic) Fill(records []flow.Record) {
	for i := range records {
		records[i] = t.record()
		t.next = t.next.Add(t.step)
	}
}

func (t *Traffic) record() flow.Record {
	end := t.next.Add(time.Duration(t.random.Int64N(int64(trafficSpread))))
	r := flow.Record{
		End: flow.Time(end.UnixNano()), Proto: flow.TCP, OrientedBy: flow.ByConntrack,
		Reporter: flow.Client, Primary: true, Sampling: 1, NATSource: flow.KFunc,
	}
	pair := int(t.pairs.Uint64())
	r.Src = t.pods[pair*6007%trafficPods]
	r.Src.Port = uint16(32768 + t.random.IntN(28000))
	switch kind := t.random.IntN(100); {
	case kind < 10:
		t.dns(&r)
	case kind < 60:
		t.call(&r, pair)
	case kind < 85:
		t.direct(&r, pair)
	default:
		t.external(&r, pair)
	}
	r.SNAT = r.Src.AddrPort()
	t.report(&r)
	return r
}

// call goes through a service to one of its pods.
func (t *Traffic) call(r *flow.Record, pair int) {
	service := pair * 104729 % trafficServices
	r.NAT, r.Dst = flow.DNAT, t.services[service]
	r.Backend = t.backend(service)
	r.Backend.Port = 8080
	t.tcp(r)
}

func (t *Traffic) backend(service int) flow.Endpoint {
	backend := t.pods[service+trafficServices*t.random.IntN(trafficPods/trafficServices)]
	backend.Service = workloadName(service)
	return backend
}

// dns asks the cluster's DNS service.
func (t *Traffic) dns(r *flow.Record) {
	r.Proto, r.NAT, r.Dst = flow.UDP, flow.DNAT, t.services[0]
	r.Dst.Port = 53
	r.Backend = t.backend(0)
	r.Backend.Port = 53
	size := uint64(80 + t.random.IntN(40))
	r.Fwd, r.Rev = flow.Volume{Bytes: size, Packets: 1}, flow.Volume{Bytes: size + uint64(t.random.IntN(200)), Packets: 1}
	r.Start = r.End - flow.Time(t.random.Int64N(int64(3*time.Millisecond)))
}

// direct goes to a pod's own address.
func (t *Traffic) direct(r *flow.Record, pair int) {
	r.Dst = t.pods[pair*7907%trafficPods]
	r.Dst.Port = servicePort(pair)
	r.Backend = r.Dst
	t.tcp(r)
}

// external goes to one of some thousand addresses of the Internet.
func (t *Traffic) external(r *flow.Record, pair int) {
	host := pair * 31 % 5000
	r.Dst = flow.Endpoint{
		Addr: netip.AddrFrom4([4]byte{203, byte(host >> 8), byte(host), byte(1 + host%200)}), Port: 443,
		Identity: flow.Identity{Kind: flow.External},
	}
	r.Backend = r.Dst
	t.tcp(r)
}

// tcp sets volumes as of requests with answers of very different sizes, and the resets.
func (t *Traffic) tcp(r *flow.Record) {
	requests := uint64(1 + t.random.ExpFloat64()*4)
	size := uint64(200 * (1 + t.random.ExpFloat64()*20))
	r.Fwd = flow.Volume{Bytes: requests * uint64(300+t.random.IntN(400)), Packets: requests*2 + 3}
	r.Rev = flow.Volume{Bytes: requests * size, Packets: requests*(1+size/1448) + 2}
	r.TCPFlags = flow.SYN | flow.ACK | flow.PSH | flow.FIN
	if t.random.IntN(50) == 0 {
		r.TCPFlags |= flow.RST
	}
	r.Start = r.End - flow.Time(t.random.Int64N(int64(trafficSpread)))
}

// report chooses who reports: for four in ten records of connections between pods it is the server's node.
func (t *Traffic) report(r *flow.Record) {
	r.Node, r.Iface = r.Src.Node, "eth0"
	if r.Backend.Kind == flow.Pod && t.random.IntN(10) < 4 {
		r.Reporter, r.Primary, r.Node = flow.Server, false, r.Backend.Node
	}
}
