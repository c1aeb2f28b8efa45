package capture

import (
	"errors"
	"fmt"
	"io"
	"math/rand/v2"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// attacher attaches the capture programs to an interface.
type attacher interface {
	// attach returns what detaches them again. It leaves nothing behind when it fails.
	attach(l netlink.Link, in, out *ebpf.Program) (io.Closer, error)
	// means names the mechanism.
	means() string
}

// tcxAttacher attaches by TCX links (Linux 6.6), which the kernel removes with this process.
type tcxAttacher struct {
	namespace *namespace
	anchor    link.Anchor
}

func (t *tcxAttacher) means() string { return "tcx" }

func (t *tcxAttacher) attach(l netlink.Link, in, out *ebpf.Program) (io.Closer, error) {
	var links closers
	err := t.namespace.do(func() error {
		for _, side := range []struct {
			program *ebpf.Program
			at      ebpf.AttachType
		}{{in, ebpf.AttachTCXIngress}, {out, ebpf.AttachTCXEgress}} {
			k, err := link.AttachTCX(link.TCXOptions{
				Interface: l.Attrs().Index, Program: side.program, Attach: side.at, Anchor: t.anchor,
			})
			if err != nil {
				return fmt.Errorf("attach to %s of %s: %w", side.at, l.Attrs().Name, err)
			}
			links = append(links, k)
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, links.Close())
	}
	return links, nil
}

// clsactAttacher attaches by filters of the clsact qdisc, made where it is missing. It removes its own filters and
// leaves the qdisc, which may have got other users since.
type clsactAttacher struct {
	handle *netlink.Handle
	space  *namespace
	// tag marks our filters; see tag.go.
	tag string
	// preferences are where among other filters ours may stand, the best first.
	preferences []uint16
}

// preferences are the numbers of the first and the last filters. There are several as one may be taken by a filter of
// another kind, beside which there can be none of ours. The kernel's own choice would be in the middle.
var preferences = map[string][]uint16{"head": {1, 2, 3}, "tail": {65535, 65534, 65533}}

func (c *clsactAttacher) means() string { return "clsact" }

func (c *clsactAttacher) attach(l netlink.Link, in, out *ebpf.Program) (io.Closer, error) {
	if err := c.ensureQdisc(l); err != nil {
		return nil, err
	}
	if err := c.removeStale(l); err != nil {
		return nil, err
	}
	var filters closers
	for _, side := range []struct {
		program *ebpf.Program
		parent  uint32
	}{{in, netlink.HANDLE_MIN_INGRESS}, {out, netlink.HANDLE_MIN_EGRESS}} {
		f, err := c.addFilter(l, side.program, side.parent)
		if err != nil {
			return nil, errors.Join(err, filters.Close())
		}
		filters = append(filters, f)
	}
	return filters, nil
}

// ensureQdisc adds clsact where it is missing. The older ingress qdisc takes its place and looks alike, but runs the
// filters meant for egress at ingress (net/sched/sch_ingress.c, ingress_tcf_block).
func (c *clsactAttacher) ensureQdisc(l netlink.Link) error {
	qdisc := &netlink.GenericQdisc{
		QdiscType: "clsact",
		QdiscAttrs: netlink.QdiscAttrs{
			LinkIndex: l.Attrs().Index, Handle: netlink.MakeHandle(0xffff, 0), Parent: netlink.HANDLE_CLSACT,
		},
	}
	err := c.handle.QdiscAdd(qdisc)
	if err == nil {
		return nil
	}
	if !errors.Is(err, unix.EEXIST) {
		return fmt.Errorf("add clsact to %s: %w", l.Attrs().Name, err)
	}
	present, err := c.handle.QdiscList(l)
	if err != nil {
		return fmt.Errorf("list qdiscs of %s: %w", l.Attrs().Name, err)
	}
	for _, q := range present {
		if q.Attrs().Parent == netlink.HANDLE_CLSACT && q.Type() != "clsact" {
			return fmt.Errorf("add clsact to %s: its place is taken by the %s qdisc of another program", l.Attrs().Name, q.Type())
		}
	}
	return nil
}

// addFilter adds a filter to one side of an interface. Its handle is random: some programs replace what has their
// preference and the first handle.
func (c *clsactAttacher) addFilter(l netlink.Link, p *ebpf.Program, parent uint32) (io.Closer, error) {
	var err error
	for _, preference := range c.preferences {
		err = c.handle.FilterAdd(&netlink.BpfFilter{
			FilterAttrs: netlink.FilterAttrs{
				LinkIndex: l.Attrs().Index, Parent: parent, Protocol: unix.ETH_P_ALL,
				Priority: preference, Handle: 1<<16 + rand.Uint32N(1<<30),
			},
			Fd: p.FD(), Name: c.tag, DirectAction: true,
		})
		if !errors.Is(err, unix.EINVAL) {
			break
		}
	}
	if err != nil {
		return nil, fmt.Errorf("add filter to %s: %w", l.Attrs().Name, err)
	}
	return closeFunc(func() error { return c.remove(l, parent, func(tag string) bool { return tag == c.tag }) }), nil
}

// remove deletes the filters of one side of an interface whose name the predicate accepts.
func (c *clsactAttacher) remove(l netlink.Link, parent uint32, ours func(tag string) bool) error {
	filters, err := c.handle.FilterList(l, parent)
	if errors.Is(err, unix.ENODEV) || errors.Is(err, unix.EINVAL) {
		return nil // The interface is gone, and its filters with it.
	}
	if err != nil {
		return fmt.Errorf("list filters of %s: %w", l.Attrs().Name, err)
	}
	for _, f := range filters {
		b, ok := f.(*netlink.BpfFilter)
		if !ok || !ours(b.Name) {
			continue
		}
		if err := c.handle.FilterDel(b); err != nil && !errors.Is(err, unix.ENODEV) && !errors.Is(err, unix.ENOENT) {
			return fmt.Errorf("delete filter of %s: %w", l.Attrs().Name, err)
		}
	}
	return nil
}

// removeStale deletes what an agent left that was killed.
func (c *clsactAttacher) removeStale(l netlink.Link) error {
	return c.space.do(func() error {
		for _, parent := range []uint32{netlink.HANDLE_MIN_INGRESS, netlink.HANDLE_MIN_EGRESS} {
			if err := c.remove(l, parent, isStale); err != nil {
				return err
			}
		}
		return nil
	})
}

type closers []io.Closer

func (c closers) Close() error {
	var errs []error
	for _, k := range c {
		errs = append(errs, k.Close())
	}
	return errors.Join(errs...)
}

type closeFunc func() error

func (f closeFunc) Close() error { return f() }
