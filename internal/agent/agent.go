package agent

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"time"

	"golang.org/x/sync/errgroup"

	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/dns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
	"github.com/seine-net/seine/internal/nat/ctnetlink"
)

// Config says what an agent watches and how often it reports.
type Config struct {
	capture.Config
	// Node is the name of the node in records; default the host name.
	Node string
	// Interval is the longest time between evictions, at least MinInterval; default 5 s.
	Interval time.Duration
	// Namer puts names to the endpoints of a batch; nil leaves them without.
	Namer Namer
	// Watched tells whether another agent reports connections of an address: then this one's record of a connection
	// from there does not count in sums. Nil means that there is no other agent.
	Watched func(netip.Addr) bool
	// PodSpaces are the numbers of the network namespaces of the node's pods (the inodes of /proc/PID/ns/net), so that
	// those of another cluster on this machine are told apart; nil goes by addresses.
	PodSpaces []uint32
	// MoreFeatures tells of more than the capture, for the status; nil is nothing more.
	MoreFeatures func() []capture.Feature
	// DNSTimeout is how long an answer is waited for; default dns.DefaultTimeout.
	DNSTimeout time.Duration
}

// Namer puts names to the endpoints of records.
type Namer interface {
	Name(batch []flow.Record)
}

const (
	// MinInterval is the shortest interval between evictions.
	MinInterval = 100 * time.Millisecond
	// pressureEvery is how often the flow map's filling is looked at, pressureLimit the filling that is too much.
	pressureEvery = 100 * time.Millisecond
	pressureLimit = 0.8
	// settle is how long conntrack's last events are waited for at the end.
	settle = 50 * time.Millisecond
	// maxQuestions bounds the connections that conntrack is asked about at an eviction.
	maxQuestions = 4096
	// maxTranslations bounds the translations that wait for the next eviction.
	maxTranslations = 1 << 18
)

// Agent watches one network namespace.
type Agent struct {
	config   Config
	log      *slog.Logger
	capture  *capture.Capture
	locality *locality
	netlink  *ctnetlink.Source
	resolver *ctnetlink.Resolver
	unasked  atomic.Uint64
	table    *nat.Table
	dns      *dns.Tracker
	queries  func([]flow.Record) error
	// host holds the host's own addresses.
	host      atomic.Pointer[map[netip.Addr]bool]
	started   time.Time
	learnt    learnt
	statusMu  sync.Mutex
	joined    nat.Stats
	evictions evictions
}

// evictions counts what evictions did.
type evictions struct {
	Count      uint64
	Flows      uint64
	Overflowed uint64
	Records    uint64
	Errors     uint64
	Last       time.Time
	LastTook   time.Duration
}

// learnt holds translations until the next eviction.
type learnt struct {
	mu      sync.Mutex
	batch   []nat.Translation
	dropped uint64
}

// New loads and attaches. Close must be called unless Run is.
func New(cfg Config, log *slog.Logger) (*Agent, error) {
	if err := cfg.normalize(); err != nil {
		return nil, err
	}
	a := &Agent{config: cfg, log: log, started: time.Now()}
	a.trackDNS()
	var err error
	if a.capture, err = capture.Open(a.config.Config, log); err != nil {
		return nil, err
	}
	if a.locality, err = newLocality(cfg.NetNS, a.capture.InterfaceName, cfg.Watched); err != nil {
		return nil, errors.Join(err, a.Close())
	}
	a.refreshLocality()
	if _, useNetlink := a.capture.Source(); useNetlink {
		if a.netlink, err = openNetlink(cfg.NetNS, log); err != nil {
			err = a.capture.WithoutEvents(err)
		}
		if err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	source, useNetlink := a.capture.Source()
	if cfg.Sampling > 1 && source != flow.NoSource {
		if a.resolver, err = openResolver(cfg.NetNS); err != nil {
			return nil, errors.Join(err, a.Close())
		}
	}
	hold := flow.Time(0)
	if cfg.NATSource == capture.SourceNone {
		hold = -1
	}
	a.table = nat.NewTable(nat.Config{
		Node: cfg.Node, Locality: a.locality, Hold: hold, TellsEnds: useNetlink, NetNS: a.capture.NetNS(),
		PodSpaces: cfg.PodSpaces,
	})
	return a, nil
}

func (c *Config) normalize() error {
	if c.Interval == 0 {
		c.Interval = 5 * time.Second
	}
	if c.Interval < MinInterval {
		return fmt.Errorf("interval %v: want at least %v", c.Interval, MinInterval)
	}
	if c.Node == "" {
		host, err := os.Hostname()
		if err != nil {
			return fmt.Errorf("read the host name: %w", err)
		}
		c.Node = host
	}
	return nil
}

// openNetlink opens the source of conntrack events.
func openNetlink(path string, log *slog.Logger) (s *ctnetlink.Source, err error) {
	err = withNamespace(path, func(fd int) error {
		s, err = ctnetlink.Open(ctnetlink.Config{NetNS: fd, Log: log})
		return err
	})
	return s, err
}

func openResolver(path string) (r *ctnetlink.Resolver, err error) {
	err = withNamespace(path, func(fd int) error {
		r, err = ctnetlink.OpenResolver(fd)
		return err
	})
	return r, err
}

// withNamespace calls f with a descriptor of the namespace, 0 for the own, that is closed afterwards.
func withNamespace(path string, f func(fd int) error) error {
	if path == "" {
		return f(0)
	}
	file, err := os.Open(path)
	if err != nil {
		return fmt.Errorf("open network namespace: %w", err)
	}
	defer file.Close()
	return f(int(file.Fd()))
}

// Close detaches and unloads. Run does so itself.
func (a *Agent) Close() error {
	var errs []error
	if a.netlink != nil {
		errs = append(errs, a.netlink.Close())
	}
	if a.resolver != nil {
		errs = append(errs, a.resolver.Close())
	}
	if a.locality != nil {
		errs = append(errs, a.locality.Close())
	}
	return errors.Join(append(errs, a.capture.Close())...)
}

// Run gives the records of each interval to the sink, in one or several batches, until the context ends, then those of
// the last, begun one, and closes the agent. A batch is only valid during the call. An error of the sink ends the run.
func (a *Agent) Run(ctx context.Context, sink func([]flow.Record) error) error {
	inner, stop := context.WithCancel(context.WithoutCancel(ctx))
	var group errgroup.Group
	group.Go(func() error { a.capture.Watch(inner); return nil })
	if a.netlink != nil {
		group.Go(func() error { return a.netlink.Run(inner, a.learn) })
	}
	err := a.loop(ctx, sink)
	stop()
	return errors.Join(err, group.Wait(), a.Close())
}

// loop evicts at each interval, earlier when the flow map fills up, and once more at the end.
func (a *Agent) loop(ctx context.Context, sink func([]flow.Record) error) error {
	tick := time.NewTicker(min(pressureEvery, a.config.Interval))
	defer tick.Stop()
	next := time.Now().Add(a.config.Interval)
	for last := false; !last; {
		select {
		case <-ctx.Done():
			last = true
			if a.netlink != nil {
				time.Sleep(settle)
			}
		case now := <-tick.C:
			if now.Before(next) && a.capture.Pressure() < pressureLimit {
				continue
			}
			next = now.Add(a.config.Interval)
		}
		if err := a.evict(last, sink); err != nil {
			return err
		}
	}
	return nil
}

// evict makes one interval's records.
func (a *Agent) evict(last bool, sink func([]flow.Record) error) error {
	a.refreshLocality()
	e, err := a.capture.Evict(a.table.Add, a.table.Learn, a.table.AddFacts)
	if err != nil {
		return fmt.Errorf("evict: %w", err)
	}
	a.table.Learn(a.take())
	a.ask()
	records := 0
	err = a.table.Finish(e.End, last, func(batch []flow.Record) error {
		records += len(batch)
		a.name(batch)
		return sink(batch)
	})
	if err == nil {
		err = a.tellQueries(e.End, last)
	}
	a.note(e, records)
	if err != nil {
		return fmt.Errorf("deliver records: %w", err)
	}
	return nil
}

// ask asks conntrack about the connections that are still unresolved under sampling: of a short one perhaps only the
// first packet was looked at, which came before its entry.
func (a *Agent) ask() {
	if a.resolver == nil {
		return
	}
	questions, more := a.table.Unresolved(maxQuestions)
	a.unasked.Add(uint64(more))
	var answers []nat.Translation
	for _, q := range questions {
		answer, ok, err := a.resolver.Lookup(q.Proto, q.Tuple)
		if err != nil {
			a.log.Debug("conntrack not asked", "error", err)
		}
		if ok {
			answers = append(answers, answer)
		}
	}
	a.table.Learn(answers)
}

func (a *Agent) note(e capture.Eviction, records int) {
	a.statusMu.Lock()
	defer a.statusMu.Unlock()
	a.joined = a.table.Stats()
	a.evictions.Count++
	a.evictions.Flows += uint64(e.Flows)
	a.evictions.Overflowed += uint64(e.Overflowed)
	a.evictions.Records += uint64(records)
	a.evictions.Last = time.Now()
	a.evictions.LastTook = e.Took
}

// learn keeps translations for the next eviction. Beyond the limit they are dropped, and counted.
func (a *Agent) learn(batch []nat.Translation) {
	a.learnt.mu.Lock()
	defer a.learnt.mu.Unlock()
	room := maxTranslations - len(a.learnt.batch)
	if len(batch) > room {
		a.learnt.dropped += uint64(len(batch) - room)
		batch = batch[:room]
	}
	a.learnt.batch = append(a.learnt.batch, batch...)
}

func (a *Agent) take() []nat.Translation {
	a.learnt.mu.Lock()
	defer a.learnt.mu.Unlock()
	batch := a.learnt.batch
	a.learnt.batch = nil
	return batch
}
