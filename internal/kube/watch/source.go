package watch

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"sync"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
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
	if err != nil {
		if options.SendInitialEvents == nil || !apierrors.IsInvalid(err) { // Else the server cannot stream lists, and is asked for pages.
			s.state.note(err)
		}
		return nil, err
	}
	r := &reduced{Interface: w, source: s, events: make(chan watch.Event), stopped: make(chan struct{})}
	r.stop = sync.OnceFunc(func() { close(r.stopped) })
	go r.run(ctx)
	return r, nil
}

// reduced is a watch whose objects are reduced to items.
type reduced struct {
	watch.Interface
	source *source
	events chan watch.Event
	// stopped is closed by stop.
	stopped chan struct{}
	stop    func()
}

// ResultChan returns the reduced events.
func (r *reduced) ResultChan() <-chan watch.Event { return r.events }

// settled is how long a watch stands before it is taken for one that works, where nothing comes. The client's library
// returns an empty one where the connection breaks.
const settled = time.Second

var errBroken = errors.New("the connection breaks at once")

func (r *reduced) run(ctx context.Context) {
	defer close(r.events)
	works := time.NewTimer(settled)
	defer works.Stop()
	told := false
	for {
		select {
		case <-works.C:
			told = true
			r.source.state.note(nil)
		case e, ok := <-r.Interface.ResultChan():
			if !ok {
				if !told && ctx.Err() == nil {
					r.source.state.note(errBroken)
				}
				return
			}
			if !told {
				told = true
				r.source.state.note(nil)
			}
			if !r.pass(ctx, e) {
				return
			}
		}
	}
}

// pass gives an event on, unless the reader has stopped the watch.
func (r *reduced) pass(ctx context.Context, e watch.Event) bool {
	if it, ok := r.source.reduce(r.source.convert, e.Object); ok {
		e.Object = &it
	}
	r.source.state.event(e)
	select {
	case r.events <- e:
		return true
	case <-ctx.Done():
		return false
	case <-r.stopped:
		return false
	}
}

// Stop ends the watch.
func (r *reduced) Stop() {
	r.stop()
	r.Interface.Stop()
}

// reflector keeps a store in step with the source.
func (s *source) reflector(store cache.ReflectorStore) *cache.Reflector {
	r := cache.NewReflectorWithOptions(cache.ToListWatcherWithWatchListSemantics(&cache.ListWatch{
		ListWithContextFunc: s.list, WatchFuncWithContext: s.watch,
	}, s.client), nil, store, cache.ReflectorOptions{Name: s.resource, TypeDescription: s.resource})
	r.WatchListPageSize = pageSize
	return r
}
