package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf/link"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// Capture is the loaded and attached kernel side of one network namespace.
type Capture struct {
	config     Config
	log        *slog.Logger
	space      *namespace
	objects    *objects
	choiceMu   sync.Mutex
	choice     choice
	wantsProbe bool
	interfaces *interfaces
	overflow   *overflow
	drainer    *drainer
	coverage   *coverage
	// sockets is nil where it is off, or the kernel cannot give it: socketsWhy tells.
	sockets    *sockets
	socketsWhy string
	closers    closers
	attachWhy  string
	// messages is nil where DNS is off; dnsWhy is why it does not work.
	messages *messages
	dnsWhy   error
	// drops is nil where they are off; dropsWhy is why they do not work.
	drops    *drops
	dropsWhy error
	// unfinished are translations of first packets that were on their way at the last eviction.
	unfinished map[bpf.TranslationKey]bpf.Translation
}

// Open loads the programs and attaches them to the interfaces that are there now. Interfaces named without a pattern
// must exist. Call Watch to follow later ones, and Close in the end.
func Open(cfg Config, log *slog.Logger) (*Capture, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	rules, err := ParseRules(cfg.Rules)
	if err != nil {
		return nil, err
	}
	selector, err := newSelector(cfg.Interfaces, cfg.Exclude)
	if err != nil {
		return nil, err
	}
	c := &Capture{config: cfg, log: log, drainer: newDrainer(), coverage: newCoverage()}
	if err := c.open(rules, selector); err != nil {
		return nil, errors.Join(err, c.Close())
	}
	return c, nil
}

func (c *Capture) open(rules []bpf.FilterRule, selector selector) (err error) {
	if c.space, err = openNamespace(c.config.NetNS); err != nil {
		return err
	}
	c.closers = append(c.closers, c.space.file)
	handle, err := c.space.netlink()
	if err != nil {
		return explain(fmt.Errorf("open netlink: %w", err))
	}
	c.closers = append(c.closers, closeFunc(func() error { handle.Close(); return nil }))
	if err := requireInterfaces(handle, selector); err != nil {
		return err
	}
	if c.objects, c.choice, err = loadBest(&c.config, rules, c.space, c.log); err != nil {
		return err
	}
	c.wantsProbe = c.config.NATSource == SourceAuto && !c.choice.means.skb && c.choice.probe == "" && !isLoaded(natModule)
	c.closers = append(c.closers, c.objects, closeFunc(func() error { return c.chosen().probing.Close() }))
	if c.overflow, err = newOverflow(c.objects, int(c.config.MaxFlows)); err != nil {
		return err
	}
	c.closers = append(c.closers, c.overflow)
	c.openSockets()
	c.openMessages()
	c.openDrops()
	return c.attachInterfaces(selector)
}

// openMessages prepares DNS where it is asked for. Without it all else works.
func (c *Capture) openMessages() {
	if !c.config.FollowsDNS() || c.config.DNS == nil {
		return
	}
	if c.messages, c.dnsWhy = openMessages(c.config.DNSPorts, c.config.DNS); c.dnsWhy != nil {
		c.dnsWhy = explain(c.dnsWhy)
		c.log.Warn("DNS is not watched", "error", c.dnsWhy)
		return
	}
	c.closers = append(c.closers, c.messages)
}

// attachInterfaces chooses how to attach, and does so to what is there. The interfaces are closed before what their
// attacher needs for detaching.
func (c *Capture) attachInterfaces(selector selector) error {
	attacher, err := c.chooseAttacher()
	if err != nil {
		return err
	}
	handle, err := c.space.netlink()
	if err != nil {
		return explain(fmt.Errorf("open netlink: %w", err))
	}
	c.interfaces = &interfaces{
		handle: handle, space: c.space, selector: selector, attacher: attacher, programs: c.programs(), log: c.log,
		attached: make(map[uint32]*iface), names: make(map[uint32]string), failed: make(map[uint32]string),
	}
	c.closers = append(c.closers, c.interfaces)
	return c.interfaces.reconcile()
}

// programs are what goes to each interface: what counts first, which must.
func (c *Capture) programs() []programs {
	o := c.objects
	all := []programs{{in: o.SeineIn, out: o.SeineOut, inL3: o.SeineInL3, outL3: o.SeineOutL3}}
	if c.messages != nil {
		all = append(all, c.messages.programs())
	}
	return all
}

func (c *Capture) chooseAttacher() (attacher, error) {
	if c.config.Attach != "clsact" {
		err := haveTCX()
		if err == nil {
			c.attachWhy = "TCX links"
			return &tcxAttacher{namespace: c.space, anchor: anchorOf(c.config.Position)}, nil
		}
		if c.config.Attach == "tcx" {
			return nil, fmt.Errorf("attach mode tcx: %w", err)
		}
		c.attachWhy = fmt.Sprintf("filters of the clsact qdisc: %v", err)
	}
	if c.attachWhy == "" {
		c.attachWhy = "filters of the clsact qdisc, as asked for"
	}
	handle, err := c.space.netlink()
	if err != nil {
		return nil, explain(fmt.Errorf("open netlink: %w", err))
	}
	a := &clsactAttacher{handle: handle, space: c.space, preferences: preferences[c.config.Position]}
	err = c.space.do(func() error {
		var socket io.Closer
		a.tag, socket, err = openTag()
		if err == nil {
			c.closers = append(c.closers, socket)
		}
		return err
	})
	c.closers = append(c.closers, closeFunc(func() error { handle.Close(); return nil }))
	return a, err
}

func anchorOf(position string) link.Anchor {
	if position == "tail" {
		return link.Tail()
	}
	return link.Head()
}

// Watch follows interfaces as they come and go, and waits for NAT where it was not there yet, until the context ends.
func (c *Capture) Watch(ctx context.Context) {
	var group sync.WaitGroup
	group.Go(func() { c.awaitNAT(ctx) })
	c.interfaces.watch(ctx)
	group.Wait()
}

// Source returns the source of translations in force, and whether it is one that works outside the kernel side: then
// someone must listen to conntrack's events.
func (c *Capture) Source() (source flow.NATSource, netlink bool) {
	now := c.chosen()
	return now.source, now.netlink
}

// NetNS returns the number of the network namespace that is watched.
func (c *Capture) NetNS() uint32 { return c.space.inode }

// InterfaceName returns the name of an interface that was seen, else "".
func (c *Capture) InterfaceName(index uint32) string {
	c.interfaces.mu.Lock()
	defer c.interfaces.mu.Unlock()
	return c.interfaces.names[index]
}

// Pressure returns how full the flow map in use is, from 0 to 1.
func (c *Capture) Pressure() float64 {
	var active uint32
	var counts [2]uint64
	if c.objects.ActiveMap.Get(&active) != nil || c.objects.FlowCount.Get(&counts) != nil {
		return 0
	}
	return float64(counts[active&1]) / float64(c.config.MaxFlows)
}

// Eviction is the outcome of Evict.
type Eviction struct {
	// End is the time at which the flow map was swapped: packets before it are in this eviction.
	End flow.Time
	// Flows is the number of flows (a connection on an interface), Overflowed how many of them came by the ring.
	Flows, Overflowed int
	// Took is how long it took.
	Took time.Duration
}

// Evict hands on what was counted since the last call, in batches that are only valid during the call, then what
// the NAT probe learnt, and then what sockets tell.
func (c *Capture) Evict(add func([]nat.Observation), learn func([]nat.Translation), tell func([]nat.Fact)) (Eviction, error) {
	began := time.Now()
	clock := readClock()
	// Waiting for running programs may take long on a busy machine: packets meanwhile are the next eviction's.
	e := Eviction{End: clock.now()}
	m, err := c.objects.swap()
	if err != nil {
		return Eviction{}, err
	}
	counted := func(batch []nat.Observation) {
		c.coverage.add(batch)
		add(batch)
	}
	n, err := c.drainer.drain(m, clock, counted)
	if err != nil {
		return e, err
	}
	if e.Overflowed, err = c.overflow.evict(clock, counted); err != nil {
		return e, err
	}
	e.Flows = n + e.Overflowed
	if err := c.drainProbe(clock, e.End, learn); err != nil {
		return e, err
	}
	if c.sockets != nil {
		if err := c.sockets.evict(clock, tell); err != nil {
			return e, err
		}
	}
	if c.drops != nil {
		if err := c.drops.evict(clock, tell); err != nil {
			return e, err
		}
	}
	if c.messages != nil {
		if err := c.messages.flush(); err != nil {
			return e, err
		}
	}
	c.coverage.read(c)
	e.Took = time.Since(began)
	return e, nil
}

// Close detaches and unloads. It leaves nothing behind but a clsact qdisc where one had to be made.
func (c *Capture) Close() error {
	var errs []error
	for _, v := range slices.Backward(c.closers) {
		errs = append(errs, v.Close())
	}
	c.closers = nil
	return errors.Join(errs...)
}
