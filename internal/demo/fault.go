package demo

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Fault is something that can be made to go wrong while the cluster runs.
type Fault struct{ Name, Doc string }

// effects is what faults change in the nodes' rules.
type effects struct {
	// loss is the percentage of packets dropped as they arrive at the lossy node.
	loss int
	// empty is the Service that loses its endpoints; "" is none.
	empty string
	// silenced is the workload whose first pod gets no packet, rejected that to whose pods a firewall rejects connections.
	silenced, rejected string
}

// lossyNode is the node at which the fault packet-loss drops.
const lossyNode = "worker-2"

// faultPlan is one fault: what it changes in the pods of one workload, or in the rules.
type faultPlan struct {
	Fault
	workload string
	behave   func(*behaviour)
	rules    func(*effects)
}

var faultPlans = []faultPlan{
	{
		Fault:    Fault{"payments-slow", "the payments pods take 400 ms to answer"},
		workload: "payments", behave: func(b *behaviour) { b.Delay = 400 * time.Millisecond },
	},
	{
		Fault:    Fault{"checkout-down", "the checkout pods refuse connections, though their Service still leads to them"},
		workload: "checkout", behave: func(b *behaviour) { b.Refuse = true },
	},
	{
		Fault:    Fault{"dns-nxdomain", "the DNS servers deny that checkout exists"},
		workload: "dns", behave: func(b *behaviour) { b.Deny = domainName("checkout", "shop") + "." },
	},
	{
		Fault:    Fault{"dns-servfail", "the DNS servers fail on questions for checkout: SERVFAIL"},
		workload: "dns", behave: func(b *behaviour) { b.Fail = domainName("checkout", "shop") + "." },
	},
	{
		Fault:    Fault{"dns-slow", "the DNS servers take 300 ms to answer"},
		workload: "dns", behave: func(b *behaviour) { b.Delay = 300 * time.Millisecond },
	},
	{
		Fault:    Fault{"dns-silent", "the DNS servers answer nothing: queries time out"},
		workload: "dns", behave: func(b *behaviour) { b.Silent = true },
	},
	{
		Fault: Fault{"packet-loss", "a tenth of the packets that arrive at " + lossyNode + " is dropped"},
		rules: func(e *effects) { e.loss = 10 },
	},
	{
		Fault: Fault{"service-without-endpoints", "the Service payments has no endpoints: nodes reject connections to it"},
		rules: func(e *effects) { e.empty = "payments" },
	},
	{
		Fault: Fault{"pod-blackhole", "what is sent to one of the two payments pods is dropped: connections to it time out"},
		rules: func(e *effects) { e.silenced = "payments" },
	},
	{
		Fault: Fault{"firewall-rejects", "a firewall rejects connections to inventory as prohibited"},
		rules: func(e *effects) { e.rejected = "inventory" },
	},
}

// Faults lists the faults that [Cluster.SetFault] knows.
func Faults() []Fault {
	var list []Fault
	for _, f := range faultPlans {
		list = append(list, f.Fault)
	}
	return list
}

// SetFault switches a fault on or off and returns when that is in force. Several faults may be on at a time.
func (c *Cluster) SetFault(name string, on bool) error {
	if err := checkFault(name); err != nil {
		return err
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.faults[name] = on
	if err := c.reconcile(context.Background()); err != nil {
		return fmt.Errorf("set fault %s: %w", name, err)
	}
	return nil
}

func checkFault(name string) error {
	var names []string
	for _, f := range faultPlans {
		if f.Name == name {
			return nil
		}
		names = append(names, f.Name)
	}
	return fmt.Errorf("fault %q: want one of %s", name, strings.Join(names, ", "))
}

// reconcile brings pods and rules to what the faults in c.faults make of them; what is so already is left alone.
func (c *Cluster) reconcile(ctx context.Context) error {
	for _, p := range podPlans() {
		if err := c.procs[p.process()].behave(ctx, c.behaviourOf(p)); err != nil {
			return err
		}
	}
	e := c.effects()
	if c.applied != nil && *c.applied == e {
		return nil
	}
	c.applied = nil
	for _, n := range nodePlans {
		if err := applyRules(ctx, c.procs[n.name], c.tool.commands(rulesOf(n, e))); err != nil {
			return err
		}
	}
	c.applied = &e
	return nil
}

func (c *Cluster) behaviourOf(p podPlan) behaviour {
	b := p.behaviour()
	for _, f := range faultPlans {
		if c.faults[f.Name] && f.workload == p.workloadPlan.name {
			f.behave(&b)
		}
	}
	return b
}

func (c *Cluster) effects() effects {
	var e effects
	for _, f := range faultPlans {
		if c.faults[f.Name] && f.rules != nil {
			f.rules(&e)
		}
	}
	return e
}
