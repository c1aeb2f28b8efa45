package storetest

import (
	"math/rand/v2"
	"time"

	"github.com/seine-net/seine/internal/cost"
	"github.com/seine-net/seine/internal/flow"
)

// Traffic makes records as a large cluster does, the same for the same seed: pods call services by pairs of which few
// are busy (Zipf), 60 % of the records are translated, 10 % are short exchanges with the DNS service, 2 % have dropped
// packets and 2 % end in a reset. Both ends report; the client's report is primary. What agents and the server add is
// there, too: health, owners of sockets, names, zones, labels, classes and costs.
type Traffic struct {
	random *rand.Rand
	pairs  *rand.Zipf
	pods   []pod
	// services holds the address that is dialled for each workload, hosts those of the Internet.
	services, hosts []flow.Endpoint
	prices          *cost.Table
	next            time.Time
	step            time.Duration
}

const trafficSpread = 5 * time.Second

// What a pair has one of.
const (
	clientRole = iota
	serviceRole
	serverRole
	hostRole
)

// NewTraffic returns the traffic from a time on, so many records a second.
func NewTraffic(seed uint64, begin time.Time, perSecond float64) *Traffic {
	random := rand.New(rand.NewPCG(seed, 7))
	t := &Traffic{
		random: random, pairs: rand.NewZipf(random, 1.1, 8, trafficPairs-1),
		next: begin, step: time.Duration(float64(time.Second) / perSecond),
	}
	var err error
	if t.prices, err = cost.Load("default"); err != nil {
		panic("BUG: the default prices: " + err.Error())
	}
	for i := range trafficPods {
		t.pods = append(t.pods, newPod(i))
	}
	for i := range trafficServices {
		t.services = append(t.services, serviceEndpoint(i))
	}
	for i := range trafficHosts {
		t.hosts = append(t.hosts, hostEndpoint(i))
	}
	return t
}

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
	client := &t.pods[chosen(pair, clientRole, trafficPods)]
	r.Src = client.Endpoint
	r.Src.Port = uint16(32768 + t.random.IntN(28000))
	r.SNAT = r.Src.AddrPort()
	server := (*pod)(nil)
	switch kind := t.random.IntN(100); {
	case kind < 10:
		server = t.dns(&r)
	case kind < 45:
		server = t.call(&r, pair)
	case kind < 85:
		server = t.direct(&r, pair)
	default:
		t.external(&r, pair, client)
	}
	t.report(&r, client, server)
	if r.Proto == flow.TCP {
		t.health(&r)
	}
	t.price(&r)
	return r
}

// chosen is the one of n that a pair has in a role, the same each time; the constants are those of SplitMix64.
func chosen(pair, role, n int) int {
	h := uint64(pair)*0x9e3779b97f4a7c15 + uint64(role)
	h = (h ^ h>>30) * 0xbf58476d1ce4e5b9
	h = (h ^ h>>27) * 0x94d049bb133111eb
	return int((h ^ h>>31) % uint64(n))
}

// call goes through a service to one of its pods.
func (t *Traffic) call(r *flow.Record, pair int) *pod {
	service := chosen(pair, serviceRole, trafficServices)
	r.NAT, r.Dst = flow.DNAT, t.services[service]
	server := t.backend(service)
	r.Backend = server.Endpoint
	r.Backend.Service, r.Backend.Port = workloadName(service), 8080
	t.volume(r)
	return server
}

func (t *Traffic) backend(service int) *pod {
	return &t.pods[service+trafficServices*t.random.IntN(trafficPods/trafficServices)]
}

// dns asks the cluster's DNS service.
func (t *Traffic) dns(r *flow.Record) *pod {
	r.Proto, r.NAT, r.Dst = flow.UDP, flow.DNAT, t.services[0]
	r.Dst.Port = 53
	server := t.backend(0)
	r.Backend = server.Endpoint
	r.Backend.Service, r.Backend.Port = workloadName(0), 53
	size := uint64(80 + t.random.IntN(40))
	r.Fwd, r.Rev = flow.Volume{Bytes: size, Packets: 1}, flow.Volume{Bytes: size + uint64(t.random.IntN(200)), Packets: 1}
	r.Start = r.End - flow.Time(t.random.Int64N(int64(3*time.Millisecond)))
	return server
}

// direct goes to a pod's own address.
func (t *Traffic) direct(r *flow.Record, pair int) *pod {
	server := &t.pods[chosen(pair, serverRole, trafficPods)]
	r.Dst = server.Endpoint
	r.Dst.Port = servicePort(pair)
	r.Backend = r.Dst
	t.volume(r)
	return server
}

// external goes to one of some thousand addresses of the Internet, masqueraded as the node.
func (t *Traffic) external(r *flow.Record, pair int, client *pod) {
	r.Dst = t.hosts[chosen(pair, hostRole, trafficHosts)]
	r.Backend = r.Dst
	r.NAT, r.SNAT = flow.SNAT, masquerade(client.number, uint16(1024+t.random.IntN(64000)))
	t.volume(r)
}

// volume is of requests with answers of very different sizes.
func (t *Traffic) volume(r *flow.Record) {
	requests := uint64(1 + t.random.ExpFloat64()*4)
	size := uint64(200 * (1 + t.random.ExpFloat64()*20))
	r.Fwd = flow.Volume{Bytes: requests * uint64(300+t.random.IntN(400)), Packets: requests*2 + 3}
	r.Rev = flow.Volume{Bytes: requests * size, Packets: requests*(1+size/1448) + 2}
	r.TCPFlags = flow.ACK | flow.PSH
	r.Start = r.End - flow.Time(t.random.Int64N(int64(trafficSpread)))
}

// report chooses who reports: for four in ten records of connections between pods it is the server's node. It knows the
// owners of the sockets that it has.
func (t *Traffic) report(r *flow.Record, client, server *pod) {
	reporter := client
	if server != nil && t.random.IntN(10) < 4 {
		r.Reporter, r.Primary, reporter = flow.Server, false, server
	}
	r.Node, r.Iface = reporter.Node, reporter.iface
	if r.Node == client.Node {
		r.Src.Process = client.process
	}
	if server != nil && r.Node == server.Node {
		r.Backend.Process = server.process
	}
}

func (t *Traffic) price(r *flow.Record) {
	client := cost.Place{Node: r.Src.Node, Zone: r.Src.Zone, Region: r.Src.Region}
	server := cost.Place{Node: r.Backend.Node, Zone: r.Backend.Zone, Region: r.Backend.Region, Internet: r.Backend.Kind == flow.External}
	r.Traffic = cost.Class(&client, &server)
	if r.Primary {
		r.Cost = t.prices.Cost(r.Traffic, r.Fwd.Bytes, r.Rev.Bytes)
	}
}
