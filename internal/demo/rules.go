package demo

import (
	"context"
	"crypto/sha256"
	"encoding/base32"
	"errors"
	"fmt"
	"net/netip"
	"strings"

	"github.com/seine-net/seine/internal/flow"
)

// masqueradeMark is the bit of the packet mark by which kube-proxy's chains ask for masquerading.
const masqueradeMark = 0x4000

// ruleTool is a way to give a namespace its rules.
type ruleTool struct {
	name string
	// commands returns the programs to run, with their input, which replaces all rules of before in one step per family.
	commands func(nodeRules) []command
}

// ruleTools holds the ways in the order of preference. The iptables variants differ in the kernel interface behind them.
var ruleTools = []ruleTool{
	{"nftables", nftCommands},
	{"iptables", iptablesCommands("iptables-restore", "ip6tables-restore")},
	{"iptables", iptablesCommands("iptables-nft-restore", "ip6tables-nft-restore")},
	{"iptables", iptablesCommands("iptables-legacy-restore", "ip6tables-legacy-restore")},
}

// nodeRules is all that the rules of one node depend on.
type nodeRules struct {
	node     nodePlan
	services []serviceRules
	// loss is how many packets in a hundred that arrive from other machines are dropped.
	loss int
	// silenced are pods of the node that get no packet, rejected those to which connections are.
	silenced, rejected []podPlan
}

// serviceRules is one port of a Service that has a cluster IP.
type serviceRules struct {
	// name is namespace/name:port, as kube-proxy calls it.
	name      string
	addrs     []netip.Addr
	port      portPlan
	endpoints []podPlan
}

// id names the Service's chains: 16 letters, as kube-proxy derives them.
func (s serviceRules) id() string { return chainID(s.name, protoName(s.port.proto)) }

func (s serviceRules) endpointID(p podPlan) string {
	return chainID(s.name, protoName(s.port.proto), p.addrs[0].String())
}

func chainID(parts ...string) string {
	sum := sha256.Sum256([]byte(strings.Join(parts, "")))
	return base32.StdEncoding.EncodeToString(sum[:])[:16]
}

func protoName(p flow.Proto) string {
	if p == flow.UDP {
		return "udp"
	}
	return "tcp"
}

// rulesOf lists the Services with cluster IPs, as faults leave them.
func rulesOf(n nodePlan, e effects) nodeRules {
	r := nodeRules{node: n}
	if n.name == lossyNode {
		r.loss = e.loss
	}
	for _, p := range podPlans() {
		switch name := p.workloadPlan.name; {
		case p.node != n:
		case name == e.silenced && p.ordinal == 0:
			r.silenced = append(r.silenced, p)
		case name == e.rejected:
			r.rejected = append(r.rejected, p)
		}
	}
	for _, s := range servicePlans {
		if s.host == 0 {
			continue
		}
		endpoints := s.pods()
		if e.empty == s.name {
			endpoints = nil
		}
		for _, p := range s.ports {
			name := fmt.Sprintf("%s/%s:%s", s.namespace, s.name, p.name)
			r.services = append(r.services, serviceRules{name, s.addrs(), p, endpoints})
		}
	}
	return r
}

// endpointAt is the address and port of the family at which the pod serves the Service.
func (s serviceRules) endpointAt(p podPlan, f family) netip.AddrPort {
	return netip.AddrPortFrom(f.of(p.addrs), s.port.target)
}

// chooseTool returns the first tool that a throw-away namespace takes all rules from. want may name one kind.
func (c *Cluster) chooseTool(ctx context.Context, want string) (ruleTool, error) {
	var errs []error
	for _, t := range ruleTools {
		if want != "" && want != t.name {
			continue
		}
		err := c.try(ctx, t)
		if err == nil {
			return t, nil
		}
		if errors.Is(err, errNamespace) || ctx.Err() != nil {
			return t, err
		}
		errs = append(errs, err)
	}
	if errs == nil {
		return ruleTool{}, fmt.Errorf("rules %q: want \"nftables\", \"iptables\", or nothing for either", want)
	}
	return ruleTool{}, fmt.Errorf("set up rules for Services: install nftables or iptables, or see what they say: %w", errors.Join(errs...))
}

// errNamespace marks that no tool was tried, as not even a namespace could be made.
var errNamespace = errors.New("make a network namespace")

func (c *Cluster) try(ctx context.Context, t ruleTool) (err error) {
	p, err := c.spawner.start(c.self, spec{Name: "probe", Comm: "probe", Role: node})
	if err != nil {
		return fmt.Errorf("%w: %w", errNamespace, err)
	}
	defer func() { err = errors.Join(err, p.kill()) }()
	if err := p.hello(ctx); err != nil {
		return fmt.Errorf("%w: %w", errNamespace, err)
	}
	return applyRules(ctx, p, t.commands(rulesOf(nodePlans[1], effects{loss: 1, silenced: "inventory", rejected: "payments"})))
}

func applyRules(ctx context.Context, p *process, commands []command) error {
	for _, c := range commands {
		if _, err := p.do(ctx, request{Run: &c}); err != nil {
			return err
		}
	}
	return nil
}
