package kube

import (
	"net/netip"
	"slices"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// Index names addresses. Any number of goroutines may change it and ask it.
type Index struct {
	subnets Subnets
	// byLabel has the identity of each label of subnets.
	byLabel map[string]*flow.Identity
	maxPast int
	now     func() flow.Time

	mu     sync.RWMutex
	places map[netip.Addr]*place
	// known has of the addresses that were asked for those that one object has.
	known answers
	// epoch changes with what many identities have of others: a node's zone, an owner's owner.
	epoch uint64
	// objects has what exists now.
	objects map[key]*object
	slices  map[key]*Slice
	// byUID leads from what control groups name pods by to the pods that exist now.
	byUID map[string]*object
	// nodePorts leads from a port on any Node to the Service behind it.
	nodePorts map[nodePort]*object
	nodes     map[string]*node
	owners    map[ownerKey]*owner
	podCIDRs  prefixes[*node]
	past      history
}

// object is an Object with what it has of others. The pointers stay as the others change.
type object struct {
	Object
	node  *node
	owner *owner
}

// node is what pods have of their Node. It is there from the first that names it, be it the Node or a pod.
type node struct {
	name, zone, region string
	// uses counts the objects that point here, agents the pods among them that are agents of ours.
	uses, agents int
}

// owner is a controller, and who controls it. It is there from the first that names it.
type owner struct {
	top flow.Workload
	// known says that a source has it, uses counts the pods that point here.
	known bool
	uses  int
}

type ownerKey struct {
	namespace string
	flow.Workload
}

type nodePort struct {
	port  uint16
	proto flow.Proto
}

// Option changes how an index is made.
type Option func(*Index)

// WithSubnets labels addresses by the subnets that hold them.
func WithSubnets(s Subnets) Option { return func(x *Index) { x.subnets = s } }

// withClock takes the time from elsewhere, for tests.
func withClock(now func() flow.Time) Option { return func(x *Index) { x.now = now } }

// NewIndex returns an index of the objects.
func NewIndex(objects []Object, options ...Option) *Index {
	x := &Index{
		maxPast: maxPast, now: func() flow.Time { return flow.Time(time.Now().UnixNano()) },
		places: make(map[netip.Addr]*place), known: newAnswers(), objects: make(map[key]*object), slices: make(map[key]*Slice),
		byUID: make(map[string]*object), nodePorts: make(map[nodePort]*object), nodes: make(map[string]*node),
		owners: make(map[ownerKey]*owner),
	}
	for _, o := range options {
		o(x)
	}
	x.byLabel = x.subnets.identities()
	for i := range objects {
		x.Set(objects[i])
	}
	return x
}

// Set adds an object, or takes the place of the one of the same kind, namespace and name. Where two of one kind have an
// address the later one has it, from its own Since on.
func (x *Index) Set(o Object) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.expire(x.now())
	old := x.objects[o.key()]
	if old != nil && old.UID != o.UID {
		x.remove(old, x.endOf(old, o.Since))
		old = nil
	}
	if old == nil {
		x.insert(&object{Object: o})
		return
	}
	x.update(old, o)
}

// endOf is when an object that another took the place of ended: when the other began, if that is known.
func (x *Index) endOf(old *object, since flow.Time) flow.Time {
	if since > old.Since {
		return min(since, x.now())
	}
	return x.now()
}

func (x *Index) insert(o *object) {
	x.objects[o.key()] = o
	x.link(o)
	for _, a := range o.Addrs {
		x.begin(a.Unmap(), o, o.Since)
	}
	if o.Until != 0 {
		x.endAll(o, o.Until)
	}
}

// update takes over what an object has become. It keeps the addresses that it had before since then.
func (x *Index) update(old *object, now Object) {
	x.unlink(old)
	before := old.Addrs
	ended := old.Until != 0
	old.Object = now
	x.link(old)
	at := x.now()
	for _, a := range before {
		x.known.forget(a.Unmap())
		if !slices.Contains(now.Addrs, a) {
			x.end(a.Unmap(), old, at)
		}
	}
	for _, a := range now.Addrs {
		if slices.Contains(before, a) {
			continue
		}
		from := now.Since
		if len(before) > 0 {
			from = at
		}
		x.begin(a.Unmap(), old, from)
	}
	if now.Until != 0 && !ended {
		x.endAll(old, now.Until)
	}
}

func (x *Index) endAll(o *object, at flow.Time) {
	for _, a := range o.Addrs {
		x.end(a.Unmap(), o, at)
	}
}

// Remove removes an object. Its addresses stay its own up to now.
func (x *Index) Remove(kind flow.Kind, namespace, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	now := x.now()
	x.expire(now)
	if o := x.objects[key{kind, namespace, name}]; o != nil {
		x.remove(o, now)
	}
}

func (x *Index) remove(o *object, at flow.Time) {
	delete(x.objects, o.key())
	x.endAll(o, at)
	// What it has of others is kept in it, as its spans outlive it.
	workload, zone, region := o.workload(), o.zone(), o.region()
	x.unlink(o)
	o.Workload, o.Zone, o.Region = workload, zone, region
	o.node, o.owner = nil, nil
}

// link enters an object in what leads to it, and finds what it has of others.
func (x *Index) link(o *object) {
	switch o.Kind {
	case flow.Pod:
		x.linkPod(o)
	case flow.Node:
		o.node = x.nodeOf(o.Name)
		if (o.node.zone != o.Zone || o.node.region != o.Region) && o.node.uses > 1 {
			x.epoch++
		}
		o.node.zone, o.node.region = o.Zone, o.Region
		for _, p := range o.PodCIDRs {
			x.podCIDRs.set(p, o.node)
		}
	case flow.Service:
		for _, p := range o.Ports {
			if p.NodePort != 0 {
				x.nodePorts[nodePort{p.NodePort, p.Proto}] = o
			}
		}
	}
}

func (x *Index) linkPod(o *object) {
	for _, uid := range []string{o.UID, o.CgroupUID} {
		if uid != "" {
			x.byUID[uid] = o
		}
	}
	if o.Node != "" {
		o.node = x.nodeOf(o.Node)
		if o.isAgent() {
			o.node.agents++
		}
	}
	if o.Workload != (flow.Workload{}) {
		o.owner = x.ownerOf(ownerKey{o.Namespace, o.Workload})
		o.owner.uses++
	}
}

// isAgent says whether the pod is an agent that runs.
func (o *object) isAgent() bool { return o.Agent && o.Until == 0 }

func (x *Index) nodeOf(name string) *node {
	n := x.nodes[name]
	if n == nil {
		n = &node{name: name}
		x.nodes[name] = n
	}
	n.uses++
	return n
}

func (x *Index) ownerOf(k ownerKey) *owner {
	w := x.owners[k]
	if w == nil {
		w = &owner{}
		x.owners[k] = w
	}
	return w
}

// unlink undoes link.
func (x *Index) unlink(o *object) {
	switch o.Kind {
	case flow.Pod:
		x.unlinkPod(o)
	case flow.Node:
		for _, p := range o.PodCIDRs {
			x.podCIDRs.remove(p)
		}
	case flow.Service:
		for _, p := range o.Ports {
			if at := (nodePort{p.NodePort, p.Proto}); x.nodePorts[at] == o {
				delete(x.nodePorts, at)
			}
		}
	}
	if o.node == nil {
		return
	}
	if o.node.uses--; o.node.uses == 0 {
		delete(x.nodes, o.node.name)
	}
}

func (x *Index) unlinkPod(o *object) {
	for _, uid := range []string{o.UID, o.CgroupUID} {
		if x.byUID[uid] == o {
			delete(x.byUID, uid)
		}
	}
	if o.node != nil && o.isAgent() {
		o.node.agents--
	}
	if o.owner != nil {
		o.owner.uses--
		x.leave(ownerKey{o.Namespace, o.Workload}, o.owner)
	}
}

// leave forgets an owner that nobody names.
func (x *Index) leave(k ownerKey, w *owner) {
	if w.uses == 0 && !w.known {
		delete(x.owners, k)
	}
}

// SetOwner tells who controls a controller, such as the Deployment of a ReplicaSet.
func (x *Index) SetOwner(namespace string, controller, by flow.Workload) {
	x.mu.Lock()
	defer x.mu.Unlock()
	w := x.ownerOf(ownerKey{namespace, controller})
	if w.top != by && w.uses > 0 {
		x.epoch++
	}
	w.top, w.known = by, true
}

// RemoveOwner says that a controller is gone. Pods that are still there keep what they know of it.
func (x *Index) RemoveOwner(namespace string, controller flow.Workload) {
	x.mu.Lock()
	defer x.mu.Unlock()
	k := ownerKey{namespace, controller}
	if w := x.owners[k]; w != nil {
		w.known = false
		x.leave(k, w)
	}
}

// SetSlice adds a Slice, or takes the place of the one of the same name.
func (x *Index) SetSlice(s Slice) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.removeSlice(s.Namespace, s.Name)
	k := key{namespace: s.Namespace, name: s.Name}
	x.slices[k] = &s
	for _, e := range s.Endpoints {
		p := x.placeOf(e.Addr.Unmap())
		p.backings = append(p.backings, backing{&s, s.Service, e.Pod})
	}
}

// RemoveSlice removes a Slice.
func (x *Index) RemoveSlice(namespace, name string) {
	x.mu.Lock()
	defer x.mu.Unlock()
	x.removeSlice(namespace, name)
}

func (x *Index) removeSlice(namespace, name string) {
	k := key{namespace: namespace, name: name}
	s := x.slices[k]
	if s == nil {
		return
	}
	delete(x.slices, k)
	for _, e := range s.Endpoints {
		a := e.Addr.Unmap()
		if p := x.places[a]; p != nil {
			x.known.forget(a)
			p.backings = slices.DeleteFunc(p.backings, func(b backing) bool { return b.slice == s })
			x.vacate(a, p)
		}
	}
}

// Stats counts what an index holds.
type Stats struct {
	Objects, Addresses, Slices int
	// Past is how many spans of earlier holders are kept, Forgotten how many had to go before their time.
	Past      int
	Forgotten uint64
}

// Stats returns what the index holds.
func (x *Index) Stats() Stats {
	x.mu.RLock()
	defer x.mu.RUnlock()
	return Stats{len(x.objects), len(x.places), len(x.slices), x.past.len(), x.past.forgotten}
}

// HasAgent says whether an agent of ours runs on a node, as far as the index knows.
func (x *Index) HasAgent(name string) bool {
	x.mu.RLock()
	defer x.mu.RUnlock()
	n := x.nodes[name]
	return n != nil && n.agents > 0
}
