package capture

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// haveTCX tells whether the kernel has TCX, by asking it what is attached to loopback, which every namespace has.
func haveTCX() error {
	_, err := link.QueryPrograms(link.QueryOptions{Target: 1, Attach: ebpf.AttachTCXIngress})
	if errors.Is(err, unix.EINVAL) {
		return errors.New("the kernel has no TCX (since Linux 6.6)")
	}
	return err
}

// requireInterfaces fails where an interface was asked for by name and is not there.
func requireInterfaces(h *netlink.Handle, s selector) error {
	links, err := h.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	var names []string
	for _, l := range links {
		names = append(names, l.Attrs().Name)
	}
	for _, p := range s.include {
		if p.regular == nil && !slices.Contains(names, p.name) {
			return fmt.Errorf("interface %q: not here; there are %s", p.name, strings.Join(names, ", "))
		}
	}
	return nil
}
