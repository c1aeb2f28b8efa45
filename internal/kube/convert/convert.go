// Package convert reads Kubernetes' own types into what package kube's index takes. It keeps only what naming uses.
//
// Both sources of real objects use it: the watchers of an API server and the folder of manifests. It opens nothing.
package convert

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
)

// The labels by which agents of ours are known: those of the Helm chart's DaemonSet.
const (
	agentName      = "seine"
	agentComponent = "agent"
)

// Converter reads objects. It keeps texts that many objects share once. Several goroutines may use it.
type Converter struct {
	labels []string
	mu     sync.Mutex
	shared map[string]string
}

// maxShared bounds the texts that are kept once; beyond it they are forgotten, and only memory is lost.
const maxShared = 1 << 17

// New returns a converter that keeps the labels and annotations with the keys.
func New(labels []string) *Converter {
	labels = slices.Clone(labels)
	slices.Sort(labels)
	return &Converter{labels: slices.Compact(labels), shared: make(map[string]string)}
}

// share returns the one copy of a text.
func (c *Converter) share(text string) string {
	if text == "" {
		return ""
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if known, ok := c.shared[text]; ok {
		return known
	}
	if len(c.shared) >= maxShared {
		clear(c.shared)
	}
	text = strings.Clone(text)
	c.shared[text] = text
	return text
}

// staticHash is the annotation with what control groups name a static pod by.
const staticHash = "kubernetes.io/config.hash"

// Pod reads a pod.
func (c *Converter) Pod(p *corev1.Pod) kube.Object {
	o := kube.Object{
		Kind: flow.Pod, Namespace: c.share(p.Namespace), Name: strings.Clone(p.Name), UID: strings.Clone(string(p.UID)),
		CgroupUID: strings.Clone(p.Annotations[staticHash]), Workload: c.controller(&p.ObjectMeta), Node: c.share(p.Spec.NodeName),
		App: c.app(p.Labels), Labels: c.chosen(&p.ObjectMeta), Since: since(p), Until: until(p),
		Agent: isAgent(p),
	}
	if len(p.Spec.Containers) > 0 {
		o.Image = c.share(clip(p.Spec.Containers[0].Image, maxImage))
	}
	if p.Spec.HostNetwork {
		return o // Its addresses are the node's.
	}
	for _, ip := range p.Status.PodIPs {
		o.Addrs = appendAddr(o.Addrs, ip.IP)
	}
	if len(o.Addrs) == 0 {
		o.Addrs = appendAddr(o.Addrs, p.Status.PodIP)
	}
	return o
}

// isAgent says whether a pod is an agent of ours. Labels alone do not make one: whoever may start a pod could keep a node's
// connections from being counted.
func isAgent(p *corev1.Pod) bool {
	return p.Spec.HostNetwork && p.Labels["app.kubernetes.io/name"] == agentName && p.Labels["app.kubernetes.io/component"] == agentComponent
}

// What others write at will is kept to these lengths, in bytes: an image's name, and the value of a label or annotation, of
// which Kubernetes allows 256 KiB.
const (
	maxImage = 512
	maxValue = 256
)

// clip shortens a text, and leaves out what is not for reading.
func clip(text string, limit int) string {
	short := strings.ToValidUTF8(text[:min(len(text), limit)], "")
	short = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return -1
	}, short)
	if len(text) > limit {
		short += "…"
	}
	return short
}

// controller returns who controls an object. That of a ReplicaSet with the label that only Deployments give is known.
func (c *Converter) controller(m *metav1.ObjectMeta) flow.Workload {
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil {
		return flow.Workload{}
	}
	hash := m.Labels["pod-template-hash"]
	if name, ok := strings.CutSuffix(owner.Name, "-"+hash); ok && hash != "" && owner.Kind == "ReplicaSet" {
		return flow.Workload{Kind: "Deployment", Name: c.share(name)}
	}
	return flow.Workload{Kind: c.share(owner.Kind), Name: c.share(owner.Name)}
}

// app follows the recommended labels, and what came before them.
func (c *Converter) app(labels map[string]string) string {
	return c.share(cmp.Or(labels["app.kubernetes.io/name"], labels["app"], labels["k8s-app"]))
}

func (c *Converter) chosen(m *metav1.ObjectMeta) string {
	var b strings.Builder
	for _, k := range c.labels {
		value, ok := m.Labels[k]
		if !ok {
			value, ok = m.Annotations[k]
		}
		if !ok {
			continue
		}
		if b.Len() > 0 {
			b.WriteByte(',')
		}
		b.WriteString(k + "=" + clip(value, maxValue))
	}
	return c.share(b.String())
}

// since is when the kubelet took the pod, shortly before it gets its addresses.
func since(p *corev1.Pod) flow.Time {
	if p.Status.StartTime == nil {
		return timeOf(p.CreationTimestamp)
	}
	return timeOf(*p.Status.StartTime)
}

// until is when the last container of a pod that is over ended.
func until(p *corev1.Pod) flow.Time {
	if p.Status.Phase != corev1.PodSucceeded && p.Status.Phase != corev1.PodFailed {
		return 0
	}
	end := since(p) + 1
	for i := range p.Status.ContainerStatuses {
		if t := p.Status.ContainerStatuses[i].State.Terminated; t != nil {
			end = max(end, timeOf(t.FinishedAt))
		}
	}
	return end
}

func timeOf(t metav1.Time) flow.Time {
	if t.IsZero() {
		return 0
	}
	return flow.Time(t.UnixNano())
}

func appendAddr(all []netip.Addr, text string) []netip.Addr {
	if a, err := netip.ParseAddr(text); err == nil && !slices.Contains(all, a.Unmap()) {
		all = append(all, a.Unmap())
	}
	return all
}

// The labels that say where a node is, newest first.
var (
	zoneLabels   = []string{corev1.LabelTopologyZone, corev1.LabelFailureDomainBetaZone}
	regionLabels = []string{corev1.LabelTopologyRegion, corev1.LabelFailureDomainBetaRegion}
)

// Node reads a node.
func (c *Converter) Node(n *corev1.Node) kube.Object {
	name := c.share(n.Name)
	o := kube.Object{
		Kind: flow.Node, Name: name, Node: name, UID: strings.Clone(string(n.UID)), Labels: c.chosen(&n.ObjectMeta),
		Zone: c.firstOf(n.Labels, zoneLabels), Region: c.firstOf(n.Labels, regionLabels), Since: timeOf(n.CreationTimestamp),
	}
	for _, a := range n.Status.Addresses {
		if a.Type == corev1.NodeInternalIP || a.Type == corev1.NodeExternalIP {
			o.Addrs = appendAddr(o.Addrs, a.Address)
		}
	}
	cidrs := n.Spec.PodCIDRs
	if len(cidrs) == 0 {
		cidrs = []string{n.Spec.PodCIDR}
	}
	for _, text := range cidrs {
		if p, err := netip.ParsePrefix(text); err == nil && !p.Addr().Is4In6() {
			o.PodCIDRs = append(o.PodCIDRs, p.Masked())
		}
	}
	return o
}

func (c *Converter) firstOf(labels map[string]string, keys []string) string {
	for _, k := range keys {
		if v := labels[k]; v != "" {
			return c.share(v)
		}
	}
	return ""
}

// Service reads a Service.
func (c *Converter) Service(s *corev1.Service) kube.Object {
	o := kube.Object{
		Kind: flow.Service, Namespace: c.share(s.Namespace), Name: c.share(s.Name), UID: strings.Clone(string(s.UID)),
		App: c.app(s.Labels), Labels: c.chosen(&s.ObjectMeta), Since: timeOf(s.CreationTimestamp),
	}
	for _, ip := range append(slices.Clone(s.Spec.ClusterIPs), s.Spec.ClusterIP) {
		o.Addrs = appendAddr(o.Addrs, ip) // "None" is no address.
	}
	for _, ip := range s.Spec.ExternalIPs {
		o.Addrs = appendAddr(o.Addrs, ip)
	}
	// What spec.loadBalancerIP asks for is the Service's once its status says so.
	for i := range s.Status.LoadBalancer.Ingress {
		o.Addrs = appendAddr(o.Addrs, s.Status.LoadBalancer.Ingress[i].IP)
	}
	for i := range s.Spec.Ports {
		p := &s.Spec.Ports[i]
		o.Ports = append(o.Ports, kube.Port{Port: port(p.Port), Proto: proto(p.Protocol), NodePort: port(p.NodePort)})
	}
	return o
}

// port returns 0 for a number that is no port.
func port(n int32) uint16 {
	if n < 0 || n > 1<<16-1 {
		return 0
	}
	return uint16(n)
}

func proto(p corev1.Protocol) flow.Proto {
	switch p {
	case corev1.ProtocolUDP:
		return flow.UDP
	case corev1.ProtocolSCTP:
		return flow.SCTP
	}
	return flow.TCP // The default of the API.
}

// Slice reads an EndpointSlice. Those of host names have no addresses.
func (c *Converter) Slice(s *discoveryv1.EndpointSlice) kube.Slice {
	out := kube.Slice{
		Namespace: c.share(s.Namespace), Name: strings.Clone(s.Name), Service: c.share(s.Labels[discoveryv1.LabelServiceName]),
	}
	for i := range s.Ports {
		if p := &s.Ports[i]; p.Port != nil {
			protocol := corev1.ProtocolTCP
			if p.Protocol != nil {
				protocol = *p.Protocol
			}
			out.Ports = append(out.Ports, kube.Port{Port: port(*p.Port), Proto: proto(protocol)})
		}
	}
	for i := range s.Endpoints {
		out.Endpoints = appendEndpoints(out.Endpoints, &s.Endpoints[i])
	}
	return out
}

func appendEndpoints(all []kube.Endpoint, e *discoveryv1.Endpoint) []kube.Endpoint {
	name := ""
	if e.TargetRef != nil && e.TargetRef.Kind == "Pod" {
		name = strings.Clone(e.TargetRef.Name)
	}
	for _, text := range e.Addresses {
		if a, err := netip.ParseAddr(text); err == nil {
			all = append(all, kube.Endpoint{Addr: a.Unmap(), Pod: name})
		}
	}
	return all
}

// Owner reads who controls a controller; zero where nobody does.
func (c *Converter) Owner(m *metav1.ObjectMeta) flow.Workload {
	owner := metav1.GetControllerOfNoCopy(m)
	if owner == nil {
		return flow.Workload{}
	}
	return flow.Workload{Kind: c.share(owner.Kind), Name: c.share(owner.Name)}
}
