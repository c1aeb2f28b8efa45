package main

import (
	"cmp"
	"context"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/cost"
	"github.com/seine-net/seine/internal/enrich"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
	"github.com/seine-net/seine/internal/kube/manifest"
	kubewatch "github.com/seine-net/seine/internal/kube/watch"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/wire"
)

// nameFlags say where names come from, and prices.
type nameFlags struct {
	kube, context, manifests string
	labels, subnets          []string
	subnetFile, prices       string
}

// add adds the flags; those about Kubernetes only where there is a choice.
func (f *nameFlags) add(s *pflag.FlagSet, kubernetes bool) {
	f.kube = kubeOff
	if kubernetes {
		s.StringVar(&f.kube, "kube", kubeAuto, "Kubernetes API server that names come from, a `SOURCE`: auto (that of the cluster whose pod this is, if it is one), in-cluster, off, or the path of a kubeconfig")
		s.StringVar(&f.context, "kube-context", "", "`NAME` of the kubeconfig's context (default its current one)")
		s.StringVar(&f.manifests, "manifests", "", "`FOLDER` of Kubernetes YAML (Pods, Services, Nodes, EndpointSlices) that names come from, in place of an API server or beside one")
		s.StringArrayVar(&f.labels, "label", nil, "label or annotation of pods, Services and nodes to keep in the fields src.labels and so on, a `KEY`; may be repeated")
	}
	s.StringArrayVar(&f.subnets, "subnet", nil, "label of networks, `NAME=CIDR[,CIDR]`, such as office=203.0.113.0/24; may be repeated, the longest prefix counts; a NAME that begins with EXT: is billed as the internet")
	s.StringVar(&f.subnetFile, "subnet-file", "", "`FILE` with such labels, one a line")
	s.StringVar(&f.prices, "prices", "default", "what traffic costs: `FILE` in YAML, or a preset: "+strings.Join(cost.Presets(), ", "))
}

// The values of --kube beside paths and kubewatch.InCluster.
const (
	kubeAuto = "auto"
	kubeOff  = "off"
)

// tokenFile is in every pod that may ask its API server.
const tokenFile = "/var/run/secrets/kubernetes.io/serviceaccount/token"

// kubeconfig returns what --kube asks for, "" for none.
func (f *nameFlags) kubeconfig() string {
	switch f.kube {
	case kubeOff:
		return ""
	case kubeAuto:
		if _, err := os.Stat(tokenFile); err != nil || os.Getenv("KUBERNETES_SERVICE_HOST") == "" {
			return ""
		}
		return kubewatch.InCluster
	}
	return f.kube
}

// names are the names and prices of this process.
type names struct {
	index   *kube.Index
	watcher *kubewatch.Watcher
	namer   *enrich.Namer
	pricer  *enrich.Pricer
	loaded  string
	// prices tells which prices count.
	prices capture.Feature
}

// open reads what the flags name. A node follows itself alone; "" follows the cluster. Objects are there from the start.
func (f *nameFlags) open(node string, objects []kube.Object, log *slog.Logger) (*names, error) {
	subnets, err := f.readSubnets()
	if err != nil {
		return nil, err
	}
	prices, err := cost.Load(f.prices)
	if err != nil {
		return nil, fmt.Errorf("--prices %s: %w", f.prices, err)
	}
	n := &names{index: kube.NewIndex(objects, kube.WithSubnets(subnets))}
	n.namer, n.pricer = enrich.NewNamer(n.index), enrich.NewPricer(prices, &subnets)
	n.prices = capture.Feature{Name: "prices", State: capture.Live, Means: f.prices, Detail: priced(prices)}
	c := convert.New(f.labels)
	if f.manifests != "" {
		counts, err := manifest.Load(os.DirFS(f.manifests), n.index, c)
		if err != nil {
			return nil, fmt.Errorf("--manifests %s: %w", f.manifests, err)
		}
		n.loaded = counts.String()
		log.Info("manifests are read", "folder", f.manifests, "objects", n.loaded)
	}
	if from := f.kubeconfig(); from != "" {
		cfg := kubewatch.Config{Kubeconfig: from, Context: f.context, Node: node, Version: versionText()}
		if n.watcher, err = kubewatch.New(cfg, n.index, c, log); err != nil {
			return nil, fmt.Errorf("--kube %s: %w", f.kube, err)
		}
	}
	return n, nil
}

// priced says where prices are from, as far as that is told.
func priced(t *cost.Table) string {
	if t.Source == "" {
		return "the file names no source"
	}
	return fmt.Sprintf("%s, of %s", strings.TrimSuffix(t.Source, "."), cmp.Or(t.Date, "no date"))
}

func (f *nameFlags) readSubnets() (s kube.Subnets, err error) {
	for _, definition := range f.subnets {
		if err := s.Add(definition); err != nil {
			return s, fmt.Errorf("--subnet: %w", err)
		}
	}
	if f.subnetFile == "" {
		return s, nil
	}
	file, err := os.Open(f.subnetFile)
	if err != nil {
		return s, fmt.Errorf("--subnet-file: %w", err)
	}
	defer file.Close()
	if err := s.Read(file); err != nil {
		return s, fmt.Errorf("--subnet-file %s: %w", f.subnetFile, err)
	}
	return s, nil
}

// Name names and prices records; see agent.Namer.
func (n *names) Name(batch []flow.Record) {
	n.index.Name(batch)
	for i := range batch {
		n.pricer.Record(&batch[i])
	}
}

// isLocal says whether the names know more of this machine than addresses.
func (n *names) isLocal() bool { return n.watcher != nil || n.loaded != "" }

// syncLimit is how long what needs names waits for the first lists: later ones name what comes after them.
const syncLimit = 5 * time.Second

// follow follows the API server until the function that it returns is called. It waits for the first lists, but not long.
func (n *names) follow(parent context.Context) (stop func()) {
	if n.watcher == nil {
		return func() {}
	}
	ctx, cancel := context.WithCancel(context.WithoutCancel(parent))
	var group sync.WaitGroup
	group.Go(func() { n.watcher.Run(ctx) })
	for end := time.Now().Add(syncLimit); !n.watcher.Synced() && time.Now().Before(end) && parent.Err() == nil; {
		time.Sleep(20 * time.Millisecond)
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// stages makes a server name and price what comes.
func (n *names) stages(cfg *server.Config) {
	cfg.Name, cfg.Price = n.namer.Name, n.pricer.Price
	cfg.HasAgent, cfg.Features = n.index.HasAgent, n.wireFeatures
}

// features tells how the sources of names are.
func (n *names) features() []capture.Feature {
	s := n.index.Stats()
	about := fmt.Sprintf("%d objects, %d addresses, %d past holders of addresses", s.Objects, s.Addresses, s.Past)
	if s.Forgotten > 0 {
		about += fmt.Sprintf("; %d past holders had to be forgotten early", s.Forgotten)
	}
	all := []capture.Feature{n.prices}
	if n.loaded != "" {
		all = append(all, capture.Feature{Name: "names", State: capture.Live, Means: "manifests", Detail: n.loaded})
	}
	if n.watcher == nil {
		if n.loaded == "" {
			all = append(all, capture.Feature{Name: "names", State: capture.Off, Means: "none", Detail: "no API server or manifests are named: addresses have names of ranges and subnets alone"})
		}
		return all
	}
	for _, f := range n.watcher.Features() {
		state := capture.Live
		if !f.Live {
			state = capture.Degraded
		}
		all = append(all, capture.Feature{Name: "names: " + f.Name, State: state, Means: "kubernetes", Detail: f.Detail})
	}
	return append(all, capture.Feature{Name: "name index", State: capture.Live, Means: "memory", Detail: about})
}

func (n *names) wireFeatures() []wire.Feature {
	var all []wire.Feature
	for _, f := range n.features() {
		all = append(all, wire.Feature{Name: f.Name, State: string(f.State), Means: f.Means, Detail: f.Detail})
	}
	return all
}

// forAgent lets an agent name its records: those that it writes itself, and, where it knows its own node, those that it
// sends, for what the server does not know. It knows no other node, so that its memory does not grow with the cluster.
func (f *nameFlags) forAgent(ctx context.Context, capture *captureFlags, writes bool, log *slog.Logger) (stop func(), err error) {
	node, err := ownName(capture.config.Node)
	if err != nil {
		return nil, err
	}
	n, err := f.open(node, nil, log)
	if err != nil {
		return nil, err
	}
	if writes || n.isLocal() {
		capture.config.Namer, capture.config.MoreFeatures = n, n.features
	}
	return n.follow(ctx), nil
}
