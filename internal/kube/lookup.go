package kube

import (
	"cmp"
	"encoding/binary"
	"net/netip"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// Query asks who had an address.
type Query struct {
	Addr  netip.Addr
	Port  uint16
	Proto flow.Proto
	// At is the time that is asked about: the end of a record's interval.
	At flow.Time
	// PodUID is the pod of the process that owns the socket, where that is known.
	PodUID string
	// Translated says that the address was dialled and another answered, as at a node port.
	Translated bool
}

const (
	// late is how long after an object gave an address back that address is still taken for its own, where nobody has it
	// since: the last packets of connections, and clocks that differ.
	late = flow.Time(30 * time.Second)
	// early is how long before an object came to an address that address is already taken for its own.
	early = flow.Time(10 * time.Second)
)

// Identify returns who had an address. What it points at never changes.
func (x *Index) Identify(q *Query) *flow.Identity {
	addr := q.Addr.Unmap().WithZone("")
	x.mu.RLock()
	k := x.known.of(addr)
	if k.holds(x.epoch) && !k.ports && q.At > k.from-early {
		x.mu.RUnlock()
		return &k.Identity
	}
	id := x.identify(addr, q)
	keep := !k.holds(x.epoch) && x.places[addr].isOne()
	x.mu.RUnlock()
	if keep {
		x.mu.Lock()
		x.keep(addr)
		x.mu.Unlock()
	}
	return id
}

// Steady returns who has each of the addresses, if that is one and the same at every port, for every process and at every
// time from one on, else nil: whoever names many records need not ask again. Only the pod of a process may still be told
// for an address that nobody has.
func (x *Index) Steady(addrs []netip.Addr, from flow.Time) []*flow.Identity {
	all := make([]*flow.Identity, len(addrs))
	var unasked []int
	x.mu.RLock()
	for i := range addrs {
		addr := addrs[i].Unmap().WithZone("")
		switch k := x.known.of(addr); {
		case k.holds(x.epoch):
			all[i] = k.steady(from)
		case x.places[addr] == nil:
			all[i] = x.unplaced(addr, &Query{})
		case x.places[addr].isOne():
			unasked = append(unasked, i)
		}
	}
	x.mu.RUnlock()
	if len(unasked) == 0 {
		return all
	}
	x.mu.Lock()
	defer x.mu.Unlock()
	for _, i := range unasked {
		all[i] = x.keep(addrs[i].Unmap().WithZone("")).steady(from)
	}
	return all
}

// known is the identity of the one object that has an address, as it was made when somebody asked, and given out since.
// It never changes; the index forgets it when something of it does.
type known struct {
	// epoch is that of the index when it was made; in another one the zone or the owner may be another's.
	epoch uint64
	from  flow.Time
	// ports says that it is a node's, where the port and the process are to be looked at, too.
	ports bool
	flow.Identity
}

// answers has what is known by address: those of IPv4 by their number, which takes half the memory to look through.
type answers struct {
	v4 map[uint32]*known
	v6 map[netip.Addr]*known
}

func newAnswers() answers { return answers{make(map[uint32]*known), make(map[netip.Addr]*known)} }

func number(a netip.Addr) uint32 {
	b := a.As4()
	return binary.BigEndian.Uint32(b[:])
}

func (t *answers) of(a netip.Addr) *known {
	if a.Is4() {
		return t.v4[number(a)]
	}
	return t.v6[a]
}

func (t *answers) keep(a netip.Addr, k *known) {
	if a.Is4() {
		t.v4[number(a)] = k
		return
	}
	t.v6[a] = k
}

func (t *answers) forget(a netip.Addr) {
	if a.Is4() {
		delete(t.v4, number(a))
		return
	}
	delete(t.v6, a)
}

func (k *known) holds(epoch uint64) bool { return k != nil && k.epoch == epoch }

// steady returns the identity if it holds at every port from a time on.
func (k *known) steady(from flow.Time) *flow.Identity {
	if k == nil || k.ports || from < k.from {
		return nil
	}
	return &k.Identity
}

// keep makes what is known of an address; nil where it is not one object in one Service at most.
func (x *Index) keep(a netip.Addr) *known {
	p := x.places[a]
	if !p.isOne() {
		return nil
	}
	s := &p.spans[0]
	k := &known{epoch: x.epoch, from: s.from, ports: s.object.Kind == flow.Node, Identity: *x.own(p, s.object, a, &Query{})}
	x.known.keep(a, k)
	return k
}

// identify looks at all that there is of an address.
func (x *Index) identify(addr netip.Addr, q *Query) *flow.Identity {
	p := x.places[addr]
	if p == nil {
		return x.unplaced(addr, q)
	}
	switch o := p.holder(q); {
	case o == nil:
		return x.behind(p, addr, q)
	case o.Kind == flow.Node:
		return x.onNode(p, o, addr, q)
	default:
		return x.own(p, o, addr, q)
	}
}

// unplaced names an address that nobody has.
func (x *Index) unplaced(addr netip.Addr, q *Query) *flow.Identity {
	if o := x.owning(q); o != nil {
		return x.labelled(addr, o.identifiedBy(flow.ByCgroup))
	}
	if n, ok := x.podCIDRs.find(addr); ok {
		return x.labelled(addr, flow.Identity{Node: n.name, Zone: n.zone, Region: n.region, ResolvedBy: flow.ByRange})
	}
	return x.outside(addr)
}

// labelled adds the label of an address's subnet to an identity.
func (x *Index) labelled(a netip.Addr, id flow.Identity) *flow.Identity {
	id.Subnet, _ = x.subnets.find(a)
	return &id
}

// owning returns the pod whose process owns the socket.
func (x *Index) owning(q *Query) *object {
	if q.PodUID == "" {
		return nil
	}
	return x.byUID[q.PodUID]
}

// onNode tells what is behind a node's address: the pod that owns the socket, the Service whose port it is, the pod on the
// host's network that answers there, else the node itself.
func (x *Index) onNode(p *place, n *object, a netip.Addr, q *Query) *flow.Identity {
	if q.Translated {
		if s := x.nodePorts[nodePort{q.Port, q.Proto}]; s != nil && q.Port != 0 {
			id := s.identifiedBy(flow.ByNodePort)
			id.Node, id.Zone, id.Region = n.Name, n.zone(), n.region()
			return x.labelled(a, id)
		}
	}
	if o := x.owning(q); o != nil {
		return x.labelled(a, o.identifiedBy(flow.ByCgroup))
	}
	b := p.atPort(q)
	if b == nil {
		if k := x.known.of(a); k.holds(x.epoch) {
			return &k.Identity
		}
		return x.own(p, n, a, q)
	}
	id := n.identifiedBy(flow.ByNodeIP)
	if o := x.objects[key{flow.Pod, b.slice.Namespace, b.pod}]; o != nil && o.Node == n.Name && len(o.Addrs) == 0 {
		id = o.identifiedBy(flow.ByEndpoint)
	}
	id.Service = b.slice.Service
	return x.labelled(a, id)
}

// behind names an address that is only known as one behind a Service, such as the API server of a managed cluster.
func (x *Index) behind(p *place, a netip.Addr, q *Query) *flow.Identity {
	b := p.atPort(q)
	if b == nil || b.pod != "" {
		return x.unplaced(a, q)
	}
	s := b.slice
	return x.labelled(a, flow.Identity{
		Kind: flow.External, Namespace: s.Namespace, Name: s.Service, Service: s.Service, ResolvedBy: flow.ByEndpoint,
	})
}

// holder returns who had the address: who had it then before who had it shortly before or after, and pods before Services,
// Services at their own ports before nodes, nodes before Services at other ports.
func (p *place) holder(q *Query) *object {
	if len(p.spans) == 1 {
		if s := &p.spans[0]; s.age(q) >= 0 {
			return s.object
		}
		return nil
	}
	var best *object
	var bestRank int
	for i := len(p.spans) - 1; i >= 0; i-- {
		s := &p.spans[i]
		if r := s.rank(q); r > bestRank {
			best, bestRank = s.object, r
		}
	}
	return best
}

// rank is 0 for a span that does not count.
func (s *span) rank(q *Query) int {
	age := s.age(q)
	if age < 0 {
		return 0
	}
	return s.object.rank(q) + age
}

// age is 20 for a span at the time asked about, 10 for one that ended shortly before, 0 for one that begins shortly after,
// and below 0 for others.
func (s *span) age(q *Query) int {
	switch {
	case s.from <= q.At && q.At < s.to:
		return 20
	case q.At >= s.to && q.At-s.to < late:
		return 10
	case q.At < s.from && s.from-q.At < early:
		return 0
	}
	return -1
}

func (o *object) rank(q *Query) int {
	switch {
	case o.Kind == flow.Pod:
		return 4
	case o.Kind == flow.Node:
		return 2
	case q.Port == 0 || hasPort(o.Ports, q):
		return 3
	}
	return 1
}

func hasPort(ports []Port, q *Query) bool {
	for i := range ports {
		if ports[i].Port == q.Port && ports[i].Proto == q.Proto {
			return true
		}
	}
	return false
}

// atPort returns the Slice that has the address and port: where several have, the API server's own, else the first by name.
func (p *place) atPort(q *Query) *backing {
	var first *backing
	for i := range p.backings {
		if b := &p.backings[i]; hasPort(b.slice.Ports, q) && (first == nil || b.isBefore(first)) {
			first = b
		}
	}
	return first
}

// isBefore orders by who may be trusted, and then by name: anybody may write a Slice with any address into a namespace of
// his own.
func (b *backing) isBefore(other *backing) bool {
	key := func(b *backing) string {
		if b.slice.Namespace == "default" && b.service == "kubernetes" {
			return ""
		}
		return b.slice.Namespace + "/" + b.service
	}
	return key(b) < key(other)
}

// service is the Service of a pod's namespace that the pod's address is behind: at the port that is asked about, else the
// first by name.
func (p *place) service(namespace string, q *Query) string {
	atPort, first := "", ""
	before := func(name, than string) bool { return than == "" || name < than }
	for i := range p.backings {
		b := &p.backings[i]
		if b.slice.Namespace != namespace {
			continue
		}
		if before(b.service, first) {
			first = b.service
		}
		if before(b.service, atPort) && hasPort(b.slice.Ports, q) {
			atPort = b.service
		}
	}
	return cmp.Or(atPort, first)
}

// own names an object by an address that it has itself.
func (x *Index) own(p *place, o *object, a netip.Addr, q *Query) *flow.Identity {
	id := o.identifiedBy(ownAddress[o.Kind])
	if o.Kind != flow.Node && id.Service == "" {
		id.Service = p.service(o.Namespace, q)
	}
	return x.labelled(a, id)
}

// ownAddress is by what an object is known that has an address itself.
var ownAddress = map[flow.Kind]flow.Resolution{
	flow.Pod: flow.ByPodIP, flow.Service: flow.ByServiceIP, flow.Node: flow.ByNodeIP,
}

func (o *object) identifiedBy(by flow.Resolution) flow.Identity {
	id := flow.Identity{
		Kind: o.Kind, Namespace: o.Namespace, Name: o.Name, Workload: o.workload(), Node: o.Node, Zone: o.zone(),
		Region: o.region(), Service: o.Service, App: o.App, Image: o.Image, Labels: o.Labels, ResolvedBy: by,
	}
	if o.Kind == flow.Service {
		id.Service = o.Name
	}
	return id
}

// workload is the top controller, as far as it is known.
func (o *object) workload() flow.Workload {
	if o.owner == nil || o.owner.top == (flow.Workload{}) {
		return o.Workload
	}
	return o.owner.top
}

func (o *object) zone() string {
	if o.Zone == "" && o.node != nil {
		return o.node.zone
	}
	return o.Zone
}

func (o *object) region() string {
	if o.Region == "" && o.node != nil {
		return o.node.region
	}
	return o.Region
}
