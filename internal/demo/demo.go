// Package demo builds a miniature Kubernetes-like cluster of network namespaces on one Linux machine: two nodes,
// their pods, Services translated by kube-proxy's rules, a DNS server, a client outside, and faults to switch on.
//
// It is the stage of `seine demo` and of tests. [Up] builds it, [Cluster.Drive] sends bounded traffic through it,
// [Objects] names what is in it, [Cluster.Down] removes it. It observes nothing: records are made by the agents
// that the caller runs in the namespaces of [Cluster.Nodes].
//
// Every node, every pod and the wire between them (the fabric) is a child process, started in a new network namespace
// and living in [PodMain]. The namespaces have no name; the kernel removes them, with all that was configured in them,
// when their process ends. The processes end when the thread that started them ends (PR_SET_PDEATHSIG) or their
// standard input closes, so nothing remains even where this process is killed. The machine's own network namespace
// is not touched. Requests travel as JSON lines over the children's standard input and output; see control.go.
//
// The files: plan.go, services.go and addresses.go are the tables of what exists, specs.go and objects.go what follows
// from them; network.go makes links and routes; rules.go with iptables.go and nftables.go writes kube-proxy's rules;
// process.go is the parent's side of a child; pod.go is the child's, with its servers (http.go, dns.go, echo.go) and
// clients (client.go, traffic.go); fault.go and drive.go are what happens at run time.
package demo

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"slices"
	"sync"

	"golang.org/x/sys/unix"
)

// Options configure a demo cluster. The zero value is usable.
type Options struct {
	// Rules is how Services are translated: "nftables" or "iptables"; empty takes what works here, nftables first.
	Rules string
	// Self is the program that becomes the pods: `Self demo-pod NAME` must call [PodMain]. Empty means this executable.
	Self string
	// Log receives what a user may want to know of the building; nil discards it.
	Log *slog.Logger

	// routed builds the nodes as if br_netfilter were missing.
	routed bool
}

// Cluster is a running demo cluster. Its methods may be called from several goroutines.
type Cluster struct {
	log     *slog.Logger
	self    string
	routed  bool
	tool    ruleTool
	spawner *spawner
	procs   map[string]*process
	nodes   []Node
	down    func() error

	mu      sync.Mutex // guards what follows, and the reconciling
	faults  map[string]bool
	applied *effects // what the nodes' rules hold; nil is unknown
}

// Node is a node of the cluster, as an agent needs it.
type Node struct {
	Name, Zone string
	// NetNS is the path of the node's network namespace, for open(2) and setns(2). It is valid until [Cluster.Down].
	NetNS string
	// PodSpaces are the numbers of its pods' network namespaces.
	PodSpaces []uint32
	// PID is the process that holds the namespace.
	PID int
	// Addrs are the node's addresses, IPv4 first.
	Addrs []netip.Addr
}

// Up builds a cluster and returns when all Services answer. It needs root (CAP_SYS_ADMIN, CAP_NET_ADMIN) and nft or
// iptables-restore. ctx bounds the building only; the caller ends the cluster with [Cluster.Down]. On error nothing remains.
func Up(ctx context.Context, o Options) (*Cluster, error) {
	c, err := newCluster(o)
	if err != nil {
		return nil, err
	}
	if err := c.build(ctx, o.Rules); err != nil {
		return nil, errors.Join(err, c.Down())
	}
	c.log.Debug("demo cluster is up", "rules", c.tool.name, "processes", len(c.procs), "routed", c.routed)
	return c, nil
}

func newCluster(o Options) (*Cluster, error) {
	if o.Self == "" {
		self, err := os.Executable()
		if err != nil {
			return nil, fmt.Errorf("find own executable: %w", err)
		}
		o.Self = self
	}
	if o.Log == nil {
		o.Log = slog.New(slog.DiscardHandler)
	}
	c := &Cluster{
		log: o.Log, self: o.Self, routed: o.routed, spawner: newSpawner(),
		procs: map[string]*process{}, faults: map[string]bool{},
	}
	c.down = sync.OnceValue(c.stop)
	return c, nil
}

// build takes the steps of Up in their order: each needs what the one before it made.
func (c *Cluster) build(ctx context.Context, rules string) (err error) {
	if c.tool, err = c.chooseTool(ctx, rules); err != nil {
		return err
	}
	if err := c.startProcesses(ctx); err != nil {
		return err
	}
	if err := c.connect(); err != nil {
		return err
	}
	return c.reconcile(ctx)
}

// startProcesses starts every namespace of the plan, then waits for each to have set itself up.
func (c *Cluster) startProcesses(ctx context.Context) error {
	for _, s := range specs() {
		p, err := c.spawner.start(c.self, s)
		if err != nil {
			return err
		}
		c.procs[s.Name] = p
	}
	for _, p := range c.procs {
		if err := p.hello(ctx); err != nil {
			return err
		}
	}
	return c.describeNodes()
}

func (c *Cluster) describeNodes() error {
	for _, n := range nodePlans {
		p := c.procs[n.name]
		spaces, err := c.podSpaces(n)
		if err != nil {
			return err
		}
		c.nodes = append(c.nodes, Node{
			Name: n.name, Zone: n.zone, NetNS: p.netNS(), PodSpaces: spaces, PID: p.pid(), Addrs: n.addrs(),
		})
		if !p.bridgeNetfilter {
			c.routed = true
		}
	}
	return nil
}

// podSpaces returns the numbers of the network namespaces of a node's pods.
func (c *Cluster) podSpaces(n nodePlan) (spaces []uint32, err error) {
	for _, p := range podPlans() {
		if p.node.name != n.name {
			continue
		}
		var stat unix.Stat_t
		if err := unix.Stat(c.procs[p.process()].netNS(), &stat); err != nil {
			return nil, fmt.Errorf("read the network namespace of %s: %w", p.name, err)
		}
		spaces = append(spaces, uint32(stat.Ino))
	}
	return spaces, nil
}

// Nodes returns the nodes, in the order of their names.
func (c *Cluster) Nodes() []Node { return slices.Clone(c.nodes) }

// Rules returns how Services are translated: "nftables" or "iptables".
func (c *Cluster) Rules() string { return c.tool.name }

// Down ends every process and with them the namespaces. It may be called again and from a deferred function;
// the kernel frees the namespaces shortly after it returns.
func (c *Cluster) Down() error { return c.down() }

func (c *Cluster) stop() error {
	var errs []error
	for _, p := range c.procs {
		errs = append(errs, p.kill())
	}
	c.spawner.stop()
	return errors.Join(errs...)
}
