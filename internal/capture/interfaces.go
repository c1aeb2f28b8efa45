package capture

import (
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/cilium/ebpf"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/flow"
)

// Counters are an interface's own counters: the truth beside which flows are held.
type Counters struct {
	// In and Out are what the interface received and sent.
	In, Out flow.Volume
}

// iface is an interface that programs are attached to.
type iface struct {
	name     string
	attached io.Closer
	// base are the counters when the programs were attached.
	base Counters
}

// programs are those of one concern for each kind of interface.
type programs struct{ in, out, inL3, outL3 *ebpf.Program }

// interfaces keeps the programs attached to the interfaces wanted.
type interfaces struct {
	handle   *netlink.Handle
	space    *namespace
	selector selector
	attacher attacher
	programs []programs
	log      *slog.Logger

	mu       sync.Mutex
	attached map[uint32]*iface
	// names remembers interfaces that are gone, for records still under way; bounded by keepNames.
	names  map[uint32]string
	failed map[uint32]string
}

// keepNames bounds the names kept of interfaces.
const keepNames = 65536

// Reconcile attaches to the interfaces that are there and wanted, and forgets those that are gone.
func (s *interfaces) reconcile() error {
	links, err := s.handle.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	present := make(map[uint32]bool, len(links))
	for _, l := range links {
		present[uint32(l.Attrs().Index)] = true
		s.consider(l)
	}
	for index := range s.attached {
		if !present[index] {
			s.detach(index)
		}
	}
	maps.DeleteFunc(s.failed, func(index uint32, _ string) bool { return !present[index] })
	return nil
}

// consider attaches to an interface or, after a renaming, detaches from it.
func (s *interfaces) consider(l netlink.Link) {
	index, name := uint32(l.Attrs().Index), l.Attrs().Name
	if len(s.names) > keepNames {
		clear(s.names)
	}
	s.names[index] = name
	known := s.attached[index]
	switch {
	case known != nil && !s.selector.wants(name):
		s.detach(index)
	case known != nil:
		known.name = name
	case s.selector.wants(name):
		s.attach(l)
	}
}

func (s *interfaces) attach(l netlink.Link) {
	index, name := uint32(l.Attrs().Index), l.Attrs().Name
	attached, err := s.attachAll(l)
	if err != nil {
		if s.failed[index] == "" && !errors.Is(err, unix.ENODEV) {
			s.log.Warn("interface not watched", "interface", name, "error", err)
		}
		s.failed[index] = err.Error()
		return
	}
	delete(s.failed, index)
	s.attached[index] = &iface{name: name, attached: attached, base: s.read(l)}
	s.log.Debug("interface watched", "interface", name, "index", index, "by", s.attacher.means())
}

// attachAll attaches the programs of each concern. Those beyond the first may fail alone.
func (s *interfaces) attachAll(l netlink.Link) (closers, error) {
	var all closers
	for i, p := range s.programs {
		in, out := p.in, p.out
		if !hasLinkLayer(l) {
			in, out = p.inL3, p.outL3
		}
		closer, err := s.attacher.attach(l, in, out)
		switch {
		case err == nil:
			all = append(all, closer)
		case i == 0:
			return nil, err
		default:
			s.log.Warn("interface watched in part", "interface", l.Attrs().Name, "error", err)
		}
	}
	return all, nil
}

// Interfaces returns the names of the interfaces that programs are attached to, sorted.
func (c *Capture) Interfaces() []string {
	c.interfaces.mu.Lock()
	defer c.interfaces.mu.Unlock()
	names := make([]string, 0, len(c.interfaces.attached))
	for _, i := range c.interfaces.attached {
		names = append(names, i.name)
	}
	slices.Sort(names)
	return names
}

// read returns an interface's counters of this moment.
func (s *interfaces) read(l netlink.Link) Counters {
	if fresh, err := s.handle.LinkByIndex(l.Attrs().Index); err == nil {
		l = fresh
	}
	return countersOf(l)
}

func countersOf(l netlink.Link) Counters {
	st := l.Attrs().Statistics
	if st == nil {
		return Counters{}
	}
	c := Counters{
		In:  flow.Volume{Bytes: st.RxBytes, Packets: st.RxPackets},
		Out: flow.Volume{Bytes: st.TxBytes, Packets: st.TxPackets},
	}
	bare := bareCounters[kindOf(l)]
	if bare.in {
		c.In.Bytes += etherHeader * c.In.Packets
	}
	if bare.out {
		c.Out.Bytes += etherHeader * c.Out.Packets
	}
	return c
}

// etherHeader is the length of the Ethernet header.
const etherHeader = 14

// bareCounters lists the kinds of interfaces whose counters leave out the Ethernet header that their packets have:
// they count a packet after eth_type_trans has cut it off (drivers/net/loopback.c, net/bridge/br_input.c,
// net/8021q/vlan_core.c). Records hold the same packet with the same length everywhere, so the header is added.
var bareCounters = map[string]struct{ in, out bool }{
	"loopback": {in: true, out: true},
	"bridge":   {in: true},
	"vlan":     {in: true},
}

// kindOf returns an interface's kind as ip(8) names it, and "loopback" for loopback, which has none.
func kindOf(l netlink.Link) string {
	if l.Attrs().EncapType == "loopback" {
		return "loopback"
	}
	return l.Type()
}

// hasLinkLayer tells whether packets of a device begin with an Ethernet header.
func hasLinkLayer(l netlink.Link) bool {
	return l.Attrs().EncapType == "ether" || l.Attrs().EncapType == "loopback"
}

func (s *interfaces) detach(index uint32) {
	i := s.attached[index]
	delete(s.attached, index)
	if err := i.attached.Close(); err != nil && !errors.Is(err, unix.ENODEV) {
		s.log.Debug("detach", "interface", i.name, "error", err)
	}
}

// Close detaches from every interface.
func (s *interfaces) Close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, index := range slices.Collect(maps.Keys(s.attached)) {
		s.detach(index)
	}
	s.handle.Close()
	return nil
}

// watch follows interfaces as they come and go until the context ends.
func (s *interfaces) watch(ctx context.Context) {
	for ctx.Err() == nil {
		if err := s.follow(ctx); err != nil {
			s.log.Warn("interface watch starts anew", "error", err)
		}
		select {
		case <-ctx.Done():
		case <-time.After(time.Second):
		}
	}
}

// follow reconciles at each event. What a lost event would have told, the reconciling after it finds.
func (s *interfaces) follow(ctx context.Context) error {
	updates, stop := make(chan netlink.LinkUpdate, 64), make(chan struct{})
	failed := make(chan error, 1)
	err := s.space.subscribe(updates, stop, func(err error) {
		select {
		case failed <- err:
		default:
		}
	})
	if err != nil {
		return fmt.Errorf("subscribe to interfaces: %w", err)
	}
	defer func() {
		close(stop)
		for range updates {
		}
	}()
	if err := s.reconcile(); err != nil {
		return err
	}
	for {
		select {
		case <-ctx.Done():
			return nil
		case err := <-failed:
			return err
		case u, ok := <-updates:
			if !ok {
				return errors.New("interface events ended")
			}
			s.take(u)
		}
	}
}

// take handles one event. A deletion is noted by itself, as the index may be used again at once.
func (s *interfaces) take(u netlink.LinkUpdate) {
	s.mu.Lock()
	defer s.mu.Unlock()
	index := uint32(u.Attrs().Index)
	if u.Header.Type == unix.RTM_DELLINK && u.IfInfomsg.Family == unix.AF_UNSPEC {
		if s.attached[index] != nil {
			s.detach(index)
		}
		return
	}
	s.consider(u.Link)
}
