package watch

import (
	"context"
	"fmt"
	"log/slog"
	"sync"
	"time"

	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
	"k8s.io/klog/v2"

	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
)

// InCluster stands for the API server of the cluster whose pod this process is in.
const InCluster = "in-cluster"

// Config says which API server is followed, and how much of it.
type Config struct {
	// Kubeconfig is the path of a file with the server and credentials, or InCluster.
	Kubeconfig string
	// Context is the one of that file that is used; default its current one.
	Context string
	// Node follows one node and its pods alone; empty follows the cluster.
	Node string
	// Version of the program, for the server's logs.
	Version string
}

// Watcher follows an API server.
type Watcher struct {
	index   *kube.Index
	sources []*source
	log     *slog.Logger
	host    string
}

// New returns a watcher that changes an index. It speaks to nobody yet.
func New(cfg Config, x *kube.Index, c *convert.Converter, log *slog.Logger) (*Watcher, error) {
	rc, err := cfg.rest()
	if err != nil {
		return nil, err
	}
	return newWatcher(rc, cfg.Node, x, c, log)
}

func (cfg *Config) rest() (rc *rest.Config, err error) {
	if cfg.Kubeconfig == InCluster {
		rc, err = rest.InClusterConfig()
	} else {
		rules := &clientcmd.ClientConfigLoadingRules{ExplicitPath: cfg.Kubeconfig}
		rc, err = clientcmd.NewNonInteractiveDeferredLoadingClientConfig(rules,
			&clientcmd.ConfigOverrides{CurrentContext: cfg.Context}).ClientConfig()
	}
	if err != nil {
		return nil, fmt.Errorf("read how to reach the API server: %w", err)
	}
	rc.UserAgent = "seine/" + cfg.Version
	return rc, nil
}

// quiet keeps the client's library from writing logs of its own: what goes wrong is in the status, and logged here once. The
// setting is the process's, and may not change while another watcher runs.
var quiet = sync.OnceFunc(func() { klog.SetSlogLogger(slog.New(slog.DiscardHandler)) })

func newWatcher(rc *rest.Config, node string, x *kube.Index, c *convert.Converter, log *slog.Logger) (*Watcher, error) {
	quiet()
	client, err := rest.HTTPClientFor(rc)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	w := &Watcher{index: x, log: log, host: rc.Host}
	for i := range kinds {
		k := &kinds[i]
		selector := ""
		if node != "" {
			if k.local == "" {
				continue
			}
			selector = k.local + fields.EscapeValue(node)
		}
		s, err := newSource(k, rc, client, c, selector)
		if err != nil {
			return nil, err
		}
		w.sources = append(w.sources, s)
	}
	return w, nil
}

// reportEvery is how often it is looked whether something to log has changed.
const reportEvery = time.Second

// Run follows until the context ends.
func (w *Watcher) Run(ctx context.Context) {
	var group sync.WaitGroup
	for _, s := range w.sources {
		r := s.reflector(newStore(w.index, s.state))
		group.Go(func() { r.RunWithContext(ctx) })
	}
	group.Go(func() { w.report(ctx) })
	group.Wait()
}

// report logs when a kind begins or ceases to be followed.
func (w *Watcher) report(ctx context.Context) {
	tick := time.NewTicker(reportEvery)
	defer tick.Stop()
	live := make(map[string]bool)
	warned := make(map[string]bool)
	for {
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
		for _, s := range w.sources {
			switch f := s.state.feature(); {
			case f.Live && !live[f.Name]:
				w.log.Info("kubernetes objects are followed", "kind", f.Name, "objects", f.Objects, "api_server", w.host)
				live[f.Name], warned[f.Name] = true, false
			case !f.Live && s.state.isFailing() && !warned[f.Name]:
				w.log.Warn("kubernetes objects are not followed; names are missing or older", "kind", f.Name, "reason", f.Detail)
				live[f.Name], warned[f.Name] = false, true
			}
		}
	}
}

func (s *state) isFailing() bool {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.failing != nil
}

// Features tells how following each kind goes.
func (w *Watcher) Features() []Feature {
	var all []Feature
	for _, s := range w.sources {
		all = append(all, s.state.feature())
	}
	return all
}

// Synced says whether each kind was listed once, or is refused.
func (w *Watcher) Synced() bool {
	for _, s := range w.sources {
		s.state.mu.Lock()
		done := s.state.synced || s.state.failing != nil
		s.state.mu.Unlock()
		if !done {
			return false
		}
	}
	return true
}
