// Package manifest reads a folder of Kubernetes YAML into package kube's index: for hosts without an API server to ask,
// for demos and for tests.
//
// It takes what `kubectl get pods,services,nodes,endpointslices,replicasets,jobs -A -o yaml` prints, in any number of
// files, lists included. Kinds that name nothing are left out.
package manifest

import (
	"bufio"
	"bytes"
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/yaml"
	syaml "sigs.k8s.io/yaml"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
)

const (
	// maxBytes bounds a file.
	maxBytes = 64 << 20
	// maxDepth bounds lists within lists.
	maxDepth = 4
)

// Counts says how many objects of each kind were taken.
type Counts map[string]int

// String tells the counts, by kind.
func (c Counts) String() string {
	var all []string
	for _, kind := range slices.Sorted(maps.Keys(c)) {
		all = append(all, fmt.Sprintf("%d %s", c[kind], kind))
	}
	return strings.Join(all, ", ")
}

// Load reads the files of a folder that end in .yaml, .yml or .json into an index, in the order of their names. The error
// names the file and the object.
func Load(folder fs.FS, x *kube.Index, c *convert.Converter) (Counts, error) {
	counts := make(Counts)
	entries, err := fs.ReadDir(folder, ".")
	if err != nil {
		return nil, fmt.Errorf("read folder: %w", err)
	}
	for _, e := range entries {
		if e.IsDir() || !slices.Contains([]string{".yaml", ".yml", ".json"}, path.Ext(e.Name())) {
			continue
		}
		if err := loadFile(folder, e.Name(), &reader{x, c, counts}); err != nil {
			return nil, fmt.Errorf("file %s: %w", e.Name(), err)
		}
	}
	if len(counts) == 0 {
		return nil, errors.New("found no Pod, Service, Node or EndpointSlice in files that end in .yaml, .yml or .json")
	}
	return counts, nil
}

func loadFile(folder fs.FS, name string, r *reader) error {
	if info, err := fs.Stat(folder, name); err != nil || !info.Mode().IsRegular() {
		return cmp.Or(err, errors.New("want a regular file")) // Others might never end, or never begin.
	}
	f, err := folder.Open(name)
	if err != nil {
		return err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxBytes+1))
	if err != nil {
		return err
	}
	if len(text) > maxBytes {
		return fmt.Errorf("has more than %d bytes", maxBytes)
	}
	return r.read(text)
}

// reader puts objects into an index.
type reader struct {
	index   *kube.Index
	convert *convert.Converter
	counts  Counts
}

// read takes the documents of a file.
func (r *reader) read(text []byte) error {
	documents := yaml.NewYAMLReader(bufio.NewReader(bytes.NewReader(text)))
	for n := 1; ; n++ {
		document, err := documents.Read()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
		if len(bytes.TrimSpace(document)) == 0 {
			continue
		}
		object, err := syaml.YAMLToJSON(document)
		if err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
		if err := r.object(object, 0); err != nil {
			return fmt.Errorf("document %d: %w", n, err)
		}
	}
}

// kinds has what is taken, by apiVersion and kind.
var kinds = map[string]func(r *reader, text []byte) error{
	"v1 Pod":  take(func(r *reader, p *corev1.Pod) { r.index.Set(r.convert.Pod(p)) }),
	"v1 Node": take(func(r *reader, n *corev1.Node) { r.index.Set(r.convert.Node(n)) }),
	"v1 Service": take(func(r *reader, s *corev1.Service) {
		r.index.Set(r.convert.Service(s))
	}),
	"discovery.k8s.io/v1 EndpointSlice": take(func(r *reader, s *discoveryv1.EndpointSlice) { r.index.SetSlice(r.convert.Slice(s)) }),
	"apps/v1 ReplicaSet":                take(func(r *reader, m *metav1.PartialObjectMetadata) { r.owner("ReplicaSet", m) }),
	"batch/v1 Job":                      take(func(r *reader, m *metav1.PartialObjectMetadata) { r.owner("Job", m) }),
}

func (r *reader) owner(kind string, m *metav1.PartialObjectMetadata) {
	r.index.SetOwner(m.Namespace, flow.Workload{Kind: kind, Name: m.Name}, r.convert.Owner(&m.ObjectMeta))
}

// take returns a function that reads an object of a type. What names no namespace is in the default one, as for kubectl.
func take[T any, P interface {
	*T
	metav1.Object
}](put func(*reader, P)) func(*reader, []byte) error {
	return func(r *reader, text []byte) error {
		var o T
		if err := json.Unmarshal(text, &o); err != nil {
			return err
		}
		p := P(&o)
		if p.GetName() == "" {
			return errors.New("metadata.name is missing")
		}
		if _, global := any(p).(*corev1.Node); !global && p.GetNamespace() == "" {
			p.SetNamespace(metav1.NamespaceDefault)
		}
		put(r, p)
		return nil
	}
}

func (r *reader) object(text []byte, depth int) error {
	var head struct {
		APIVersion string            `json:"apiVersion"`
		Kind       string            `json:"kind"`
		Items      []json.RawMessage `json:"items"`
		Metadata   metav1.ObjectMeta `json:"metadata"`
	}
	if err := json.Unmarshal(text, &head); err != nil {
		return err
	}
	if head.Kind == "" || head.APIVersion == "" {
		return errors.New("want an object with apiVersion and kind")
	}
	if strings.HasSuffix(head.Kind, "List") {
		return r.list(head.Items, depth)
	}
	put := kinds[head.APIVersion+" "+head.Kind]
	if put == nil {
		return nil
	}
	if err := put(r, text); err != nil {
		return fmt.Errorf("%s %s/%s: %w", head.Kind, head.Metadata.Namespace, head.Metadata.Name, err)
	}
	r.counts[head.Kind]++
	return nil
}

func (r *reader) list(items []json.RawMessage, depth int) error {
	if depth >= maxDepth {
		return fmt.Errorf("lists are within lists more than %d deep", maxDepth)
	}
	for i, item := range items {
		if err := r.object(item, depth+1); err != nil {
			return fmt.Errorf("item %d: %w", i, err)
		}
	}
	return nil
}
