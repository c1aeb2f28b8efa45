package watch

import (
	"context"
	"fmt"
	"net/http"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/cache"

	"github.com/seine-net/seine/internal/kube/convert"
)

// pageSize is how many objects are asked for at a time: so many are in memory as they came.
const pageSize = 500

// source lists and watches one kind, reduced to items.
type source struct {
	*kind
	client   rest.Interface
	convert  *convert.Converter
	selector string
	state    *state
}

// The media types: the types of the API as protobuf, metadata alone as JSON, which every server can make of any type.
const (
	protobuf = "application/vnd.kubernetes.protobuf,application/json"
	metaList = "application/json;as=PartialObjectMetadataList;g=meta.k8s.io;v=v1"
	metaOne  = "application/json;as=PartialObjectMetadata;g=meta.k8s.io;v=v1"
)

func newSource(k *kind, cfg *rest.Config, client *http.Client, c *convert.Converter, selector string) (*source, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.GroupVersion = &k.group
	cfg.NegotiatedSerializer = codecs.WithoutConversion()
	cfg.APIPath = "/apis"
	if k.group.Group == "" {
		cfg.APIPath = "/api"
	}
	cfg.AcceptContentTypes = protobuf
	if k.metadataOnly {
		cfg.AcceptContentTypes = ""
	}
	rc, err := rest.RESTClientForConfigAndClient(cfg, client)
	if err != nil {
		return nil, fmt.Errorf("make a client for %s: %w", k.resource, err)
	}
	return &source{kind: k, client: rc, convert: c, selector: selector, state: newState(k)}, nil
}

func (s *source) request(options *metav1.ListOptions, accept string) *rest.Request {
	options.FieldSelector = s.selector
	r := s.client.Get().Resource(s.resource).VersionedParams(options, parameters)
	if s.metadataOnly {
		r.SetHeader("Accept", accept)
	}
	return r
}

// list gets one page.
func (s *source) list(ctx context.Context, options metav1.ListOptions) (runtime.Object, error) {
	page := s.kind.list()
	err := s.request(&options, metaList).Do(ctx).Into(page)
	s.state.note(err)
	if err != nil {
		return nil, err
	}
	return s.reduced(page)
}

func (s *source) reduced(page runtime.Object) (*items, error) {
	head, err := meta.ListAccessor(page)
	if err != nil {
		return nil, err
	}
	out := &items{ListMeta: metav1.ListMeta{ResourceVersion: head.GetResourceVersion(), Continue: head.GetContinue()}}
	out.Items = make([]item, 0, meta.LenList(page))
	err = meta.EachListItem(page, func(o runtime.Object) error {
		if it, ok := s.reduce(s.convert, o); ok {
			out.Items = append(out.Items, it)
		}
		return nil
	})
	return out, err
}

// watch follows what changes.
func (s *source) watch(ctx context.Context, options metav1.ListOptions) (watch.Interface, error) {
	options.Watch = true
	w, err := s.request(&options, metaOne).Watch(ctx)
	s.state.note(err)
	if err != nil {
		return nil, err
	}
	return watch.Filter(w, func(e watch.Event) (watch.Event, bool) {
		if it, ok := s.reduce(s.convert, e.Object); ok {
			e.Object = &it
		}
		s.state.event(e)
		return e, true
	}), nil
}

// reflector keeps a store in step with the source.
func (s *source) reflector(store cache.ReflectorStore) *cache.Reflector {
	r := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: s.list, WatchFuncWithContext: s.watch,
	}, s.client), nil, store, cache.ReflectorOptions{Name: s.resource, TypeDescription: s.resource})
	r.WatchListPageSize = pageSize
	return r
}
