package watch

import (
	"sync"

	"k8s.io/client-go/tools/cache"

	"github.com/seine-net/seine/internal/kube"
)

// store puts a reflector's items into the index. It keeps their names, to tell what a new list lacks.
type store struct {
	index *kube.Index
	state *state

	mu    sync.Mutex
	known map[string]change
}

var _ cache.ReflectorStore = (*store)(nil)

func newStore(x *kube.Index, s *state) *store {
	return &store{index: x, state: s, known: make(map[string]change)}
}

func (s *store) key(i *item) string { return i.Namespace + "/" + i.Name }

// Add takes a new object.
func (s *store) Add(obj any) error { return s.put(obj) }

// Update takes what an object has become.
func (s *store) Update(obj any) error { return s.put(obj) }

func (s *store) put(obj any) error {
	i, ok := obj.(*item)
	if !ok {
		return nil
	}
	s.mu.Lock()
	s.known[s.key(i)] = handle(i.change)
	n := len(s.known)
	s.mu.Unlock()
	i.change.set(s.index)
	s.state.changed(n)
	return nil
}

// Delete takes that an object is gone.
func (s *store) Delete(obj any) error {
	i, ok := obj.(*item)
	if !ok {
		return nil
	}
	s.mu.Lock()
	delete(s.known, s.key(i))
	n := len(s.known)
	s.mu.Unlock()
	i.change.remove(s.index)
	s.state.changed(n)
	return nil
}

// Replace takes a whole list: what it lacks is gone.
func (s *store) Replace(list []any, _ string) error {
	s.mu.Lock()
	old := s.known
	s.known = make(map[string]change, len(list))
	for _, obj := range list {
		if i, ok := obj.(*item); ok {
			delete(old, s.key(i))
			s.known[s.key(i)] = handle(i.change)
		}
	}
	s.mu.Unlock()
	for _, gone := range old {
		gone.remove(s.index)
	}
	for _, obj := range list {
		if i, ok := obj.(*item); ok {
			i.change.set(s.index)
		}
	}
	s.state.listed(len(list))
	return nil
}

// Resync does nothing: the index forgets nothing by itself.
func (s *store) Resync() error { return nil }

// handle is what is needed to remove an object, without the rest of it.
func handle(c change) change {
	switch c := c.(type) {
	case object:
		return object{kube.Object{Kind: c.Kind, Namespace: c.Namespace, Name: c.Name}}
	case slice:
		return slice{kube.Slice{Namespace: c.Namespace, Name: c.Name}}
	}
	return c
}
