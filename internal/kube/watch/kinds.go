package watch

import (
	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/runtime/serializer"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
)

// kind is a resource that is followed.
type kind struct {
	group    schema.GroupVersion
	resource string
	// purpose is what names lack without it.
	purpose string
	// local is the field selector on a node, "" for a kind that a node does not follow.
	local string
	// metadataOnly asks for the metadata alone.
	metadataOnly bool
	list         func() runtime.Object
	// reduce makes an item of an object; false for one of another type.
	reduce func(*convert.Converter, runtime.Object) (item, bool)
}

var kinds = []kind{
	{
		group: corev1.SchemeGroupVersion, resource: "nodes", purpose: "nodes, zones and regions", local: "metadata.name=",
		list: func() runtime.Object { return &corev1.NodeList{} },
		reduce: reduce(func(c *convert.Converter, n *corev1.Node) change {
			return object{c.Node(n)}
		}),
	},
	{
		group: corev1.SchemeGroupVersion, resource: "pods", purpose: "pods", local: "spec.nodeName=",
		list: func() runtime.Object { return &corev1.PodList{} },
		reduce: reduce(func(c *convert.Converter, p *corev1.Pod) change {
			return object{c.Pod(p)}
		}),
	},
	{
		group: corev1.SchemeGroupVersion, resource: "services", purpose: "Services",
		list: func() runtime.Object { return &corev1.ServiceList{} },
		reduce: reduce(func(c *convert.Converter, s *corev1.Service) change {
			return object{c.Service(s)}
		}),
	},
	{
		group: discoveryv1.SchemeGroupVersion, resource: "endpointslices", purpose: "Services of pods",
		list: func() runtime.Object { return &discoveryv1.EndpointSliceList{} },
		reduce: reduce(func(c *convert.Converter, s *discoveryv1.EndpointSlice) change {
			return slice{c.Slice(s)}
		}),
	},
	ownerKind(apps, "replicasets", "ReplicaSet"),
	ownerKind(batch, "jobs", "Job"),
}

var (
	apps  = schema.GroupVersion{Group: "apps", Version: "v1"}
	batch = schema.GroupVersion{Group: "batch", Version: "v1"}
)

// ownerKind is a kind of controller that others control.
func ownerKind(group schema.GroupVersion, resource, name string) kind {
	return kind{
		group: group, resource: resource, purpose: "workloads behind a " + name, metadataOnly: true,
		list: func() runtime.Object { return &metav1.PartialObjectMetadataList{} },
		reduce: reduce(func(c *convert.Converter, m *metav1.PartialObjectMetadata) change {
			return owner{m.Namespace, flow.Workload{Kind: name, Name: m.Name}, c.Owner(&m.ObjectMeta)}
		}),
	}
}

// change is what an object means for the index.
type change interface {
	set(*kube.Index)
	remove(*kube.Index)
}

type object struct{ kube.Object }

func (o object) set(x *kube.Index)    { x.Set(o.Object) }
func (o object) remove(x *kube.Index) { x.Remove(o.Kind, o.Namespace, o.Name) }

type slice struct{ kube.Slice }

func (s slice) set(x *kube.Index)    { x.SetSlice(s.Slice) }
func (s slice) remove(x *kube.Index) { x.RemoveSlice(s.Namespace, s.Name) }

type owner struct {
	namespace      string
	controller, by flow.Workload
}

// set keeps only what is controlled: most Jobs are not.
func (o owner) set(x *kube.Index) {
	if o.by != (flow.Workload{}) {
		x.SetOwner(o.namespace, o.controller, o.by)
	}
}

func (o owner) remove(x *kube.Index) { x.RemoveOwner(o.namespace, o.controller) }

// item is an object as reflectors keep it: its name and version, and what it means. It is a runtime.Object.
type item struct {
	metav1.TypeMeta
	metav1.ObjectMeta
	change change
}

// DeepCopyObject is part of runtime.Object. Items are never changed, so that copies may share.
func (i *item) DeepCopyObject() runtime.Object {
	c := *i
	return &c
}

// items is a page of a list.
type items struct {
	metav1.TypeMeta
	metav1.ListMeta
	Items []item
}

// DeepCopyObject is part of runtime.Object.
func (l *items) DeepCopyObject() runtime.Object {
	c := *l
	return &c
}

func reduce[P metav1.Object](make func(*convert.Converter, P) change) func(*convert.Converter, runtime.Object) (item, bool) {
	return func(c *convert.Converter, o runtime.Object) (item, bool) {
		p, ok := o.(P)
		if !ok {
			return item{}, false
		}
		return item{
			ObjectMeta: metav1.ObjectMeta{
				Namespace: p.GetNamespace(), Name: p.GetName(), ResourceVersion: p.GetResourceVersion(), Annotations: initialEnd(p),
			},
			change: make(c, p),
		}, true
	}
}

// initialEnd keeps the annotation by which the API server ends a list that comes as a watch.
func initialEnd(p metav1.Object) map[string]string {
	if v, ok := p.GetAnnotations()[metav1.InitialEventsAnnotationKey]; ok {
		return map[string]string{metav1.InitialEventsAnnotationKey: v}
	}
	return nil
}

// scheme knows the types that are asked for, and no others: the typed client of client-go would bring in all that
// Kubernetes has.
var scheme = func() *runtime.Scheme {
	s := runtime.NewScheme()
	for _, add := range []func(*runtime.Scheme) error{corev1.AddToScheme, discoveryv1.AddToScheme, metav1.AddMetaToScheme} {
		if err := add(s); err != nil {
			panic("BUG: " + err.Error())
		}
	}
	for _, g := range []schema.GroupVersion{{Version: "v1"}, apps, batch} {
		metav1.AddToGroupVersion(s, g)
	}
	return s
}()

var codecs = serializer.NewCodecFactory(scheme)

var parameters = runtime.NewParameterCodec(scheme)
