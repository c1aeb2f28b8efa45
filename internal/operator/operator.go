package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"slices"
	"sync/atomic"
	"time"

	"github.com/go-logr/logr"
	"helm.sh/helm/v4/pkg/chart/common"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/discovery"
	clientgoscheme "k8s.io/client-go/kubernetes/scheme"
	"k8s.io/client-go/rest"
	ctrl "sigs.k8s.io/controller-runtime"
	"sigs.k8s.io/controller-runtime/pkg/cache"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/healthz"
	"sigs.k8s.io/controller-runtime/pkg/manager"
	metricsserver "sigs.k8s.io/controller-runtime/pkg/metrics/server"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// Config is what an operator is made of.
type Config struct {
	// REST says where the API server is.
	REST *rest.Config
	// Values of the chart that every FlowCollector starts from.
	Values map[string]any
	// Namespace is the operator's own, where its lease is.
	Namespace string
	// HealthListen is where /healthz and /readyz are served, "HOST:PORT".
	HealthListen string
	Log          *slog.Logger
}

// foreignEvery is the time between looks whether another operator's definition is still there.
const foreignEvery = 30 * time.Second

// Run reconciles until the context ends. While the definition of FlowCollector is another operator's it does nothing but
// say so, in the log and at /readyz.
func Run(ctx context.Context, cfg Config) error {
	ctrl.SetLogger(logr.FromSlogHandler(cfg.Log.Handler()))
	scheme := runtime.NewScheme()
	if err := errors.Join(clientgoscheme.AddToScheme(scheme), flowcollector.AddToScheme(scheme)); err != nil {
		return err
	}
	c, err := client.New(cfg.REST, client.Options{Scheme: scheme})
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	if err := awaitDefinition(ctx, c, cfg); err != nil || ctx.Err() != nil {
		return err
	}
	m, err := newManager(cfg, scheme)
	if err != nil {
		return err
	}
	return m.Start(ctx)
}

// awaitDefinition returns when FlowCollector is defined, by us.
func awaitDefinition(ctx context.Context, c client.Client, cfg Config) error {
	var reason atomic.Value
	for {
		err := define(ctx, c)
		foreign, ok := errors.AsType[errForeign](err)
		if !ok {
			return err
		}
		if reason.Swap(foreign.Error()) == nil {
			defer serveUnready(cfg, &reason)()
		}
		cfg.Log.Error("hands off", "reason", foreign.Error())
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(foreignEvery):
		}
	}
}

// serveUnready tells at /readyz why nothing happens, until the function that it returns is called.
func serveUnready(cfg Config, reason *atomic.Value) (stop func()) {
	mux := http.NewServeMux()
	mux.HandleFunc("/healthz", func(w http.ResponseWriter, _ *http.Request) { fmt.Fprintln(w, "ok") })
	mux.HandleFunc("/readyz", func(w http.ResponseWriter, _ *http.Request) {
		http.Error(w, reason.Load().(string), http.StatusServiceUnavailable)
	})
	s := &http.Server{Addr: cfg.HealthListen, Handler: mux, ReadHeaderTimeout: 10 * time.Second}
	ended := make(chan struct{})
	go func() {
		defer close(ended)
		if err := s.ListenAndServe(); !errors.Is(err, http.ErrServerClosed) {
			cfg.Log.Error("health is not served", "error", err)
		}
	}()
	return func() {
		_ = s.Close()
		<-ended
	}
}

// newManager assembles watches and the reconciler. Of all kinds but FlowCollectors only what the operator
// made is watched, so that its memory does not grow with the cluster.
func newManager(cfg Config, scheme *runtime.Scheme) (manager.Manager, error) {
	ours := labels.SelectorFromSet(labels.Set{managedLabel: managedBy})
	every := cache.ByObject{Label: labels.Everything()}
	m, err := manager.New(cfg.REST, manager.Options{
		Scheme: scheme, LeaderElection: true, LeaderElectionID: "seine-operator", LeaderElectionNamespace: cfg.Namespace,
		LeaderElectionReleaseOnCancel: true,
		HealthProbeBindAddress:        cfg.HealthListen,
		Metrics:                       metricsserver.Options{BindAddress: "0"},
		Cache: cache.Options{DefaultLabelSelector: ours, ByObject: map[client.Object]cache.ByObject{
			&flowcollector.FlowCollector{}: every,
		}},
		Client: client.Options{Cache: &client.CacheOptions{Unstructured: true}},
	})
	if err != nil {
		return nil, fmt.Errorf("make the manager: %w", err)
	}
	renderer, err := newRenderer(clusterOf(cfg.REST))
	if err != nil {
		return nil, err
	}
	b := ctrl.NewControllerManagedBy(m).Named("flowcollector").For(&flowcollector.FlowCollector{})
	for _, kind := range managed {
		b = b.Owns(kind)
	}
	r := &reconciler{client: m.GetClient(), live: m.GetAPIReader(), renderer: renderer, base: cfg.Values, log: cfg.Log}
	return m, errors.Join(b.Complete(r), m.AddHealthzCheck("ping", healthz.Ping), m.AddReadyzCheck("ping", healthz.Ping))
}

// clusterOf tells of which version the cluster is, and which groups it has; without an answer those that Helm takes for
// granted.
func clusterOf(cfg *rest.Config) *common.Capabilities {
	c := common.DefaultCapabilities.Copy()
	c.APIVersions = slices.Clone(c.APIVersions)
	d, err := discovery.NewDiscoveryClientForConfig(cfg)
	if err != nil {
		return c
	}
	if told, err := d.ServerVersion(); err == nil {
		if v, err := common.ParseKubeVersion(told.GitVersion); err == nil {
			c.KubeVersion = *v
		}
	}
	groups, err := d.ServerGroups()
	if err != nil {
		return c
	}
	for _, g := range groups.Groups {
		for _, v := range g.Versions {
			c.APIVersions = append(c.APIVersions, v.GroupVersion)
		}
	}
	return c
}
