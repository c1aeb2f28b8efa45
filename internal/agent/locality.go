package agent

import (
	"encoding/binary"
	"fmt"
	"net/netip"
	"os"

	mdnetlink "github.com/mdlayher/netlink"
	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// locality knows which addresses are on this node, and which interface leads to each pod's. The host's own addresses
// it reads from the host; a pod's from the pod's end of the veth pair whose other end is here, through the identifier
// that the kernel gives a peer's namespace (IFLA_LINK_NETNSID, IFA_TARGET_NETNSID; Linux 4.20). No namespace is
// entered and nothing of a container runtime is needed.
type locality struct {
	handle  *netlink.Handle
	conn    *mdnetlink.Conn
	names   func(uint32) string
	watched func(netip.Addr) bool
	host    map[netip.Addr]bool
	pods    map[netip.Addr]uint32
}

func newLocality(path string, names func(uint32) string, watched func(netip.Addr) bool) (*locality, error) {
	l := &locality{names: names, watched: watched}
	if err := l.open(path); err != nil {
		return nil, fmt.Errorf("open netlink: %w", err)
	}
	// Without it the kernel ignores the identifier in a dump's request (net/ipv4/devinet.c, inet_valid_dump_ifaddr_req).
	if err := l.conn.SetOption(mdnetlink.GetStrictCheck, true); err != nil {
		l.Close()
		return nil, fmt.Errorf("make netlink strict: %w", err)
	}
	return l, nil
}

// open opens the sockets. The own namespace, "", is not entered: that would take CAP_SYS_ADMIN.
func (l *locality) open(path string) (err error) {
	if path == "" {
		if l.handle, err = netlink.NewHandle(unix.NETLINK_ROUTE); err == nil {
			l.conn, err = mdnetlink.Dial(unix.NETLINK_ROUTE, nil)
		}
		return err
	}
	space, err := os.Open(path)
	if err != nil {
		return err
	}
	defer space.Close()
	if l.handle, err = netlink.NewHandleAt(netns.NsHandle(space.Fd()), unix.NETLINK_ROUTE); err == nil {
		l.conn, err = mdnetlink.Dial(unix.NETLINK_ROUTE, &mdnetlink.Config{NetNS: int(space.Fd())})
	}
	return err
}

func (l *locality) Close() error {
	l.handle.Close()
	return l.conn.Close()
}

// Interface implements nat.Locality.
func (l *locality) Interface(addr netip.Addr) (uint32, bool) {
	if index, ok := l.pods[addr]; ok {
		return index, true
	}
	return 0, l.host[addr]
}

// Watched implements nat.Locality.
func (l *locality) Watched(addr netip.Addr) bool { return l.watched != nil && l.watched(addr) }

// InterfaceName implements nat.Locality.
func (l *locality) InterfaceName(index uint32) string { return l.names(index) }

// refresh reads everything anew.
func (l *locality) refresh() error {
	host, err := l.hostAddresses()
	if err != nil {
		return err
	}
	links, err := l.handle.LinkList()
	if err != nil {
		return fmt.Errorf("list interfaces: %w", err)
	}
	pods := make(map[netip.Addr]uint32)
	dumps := make(map[int][]peerAddress)
	for _, link := range links {
		a := link.Attrs()
		if link.Type() != "veth" || a.NetNsID < 0 || a.ParentIndex == 0 {
			continue
		}
		addresses, ok := dumps[a.NetNsID]
		if !ok {
			// A namespace may go at any moment: then its addresses do.
			addresses, _ = l.peerAddresses(a.NetNsID)
			dumps[a.NetNsID] = addresses
		}
		for _, p := range addresses {
			if int(p.index) == a.ParentIndex {
				pods[p.addr] = uint32(a.Index)
			}
		}
	}
	l.host, l.pods = host, pods
	return nil
}

func (l *locality) hostAddresses() (map[netip.Addr]bool, error) {
	list, err := l.handle.AddrList(nil, netlink.FAMILY_ALL)
	if err != nil {
		return nil, fmt.Errorf("list addresses: %w", err)
	}
	host := make(map[netip.Addr]bool, len(list))
	for _, a := range list {
		if addr, ok := netip.AddrFromSlice(a.IP); ok {
			host[addr.Unmap()] = true
		}
	}
	return host, nil
}

// peerAddress is an address and its interface's index in another namespace.
type peerAddress struct {
	addr  netip.Addr
	index uint32
}

// ifaTargetNetNSID is IFA_TARGET_NETNSID of linux/if_addr.h.
const ifaTargetNetNSID = 10

// peerAddresses dumps the addresses of a namespace by its identifier.
func (l *locality) peerAddresses(id int) ([]peerAddress, error) {
	e := mdnetlink.NewAttributeEncoder()
	e.Int32(ifaTargetNetNSID, int32(id))
	attributes, err := e.Encode()
	if err != nil {
		return nil, err
	}
	messages, err := l.conn.Execute(mdnetlink.Message{
		Header: mdnetlink.Header{Type: unix.RTM_GETADDR, Flags: mdnetlink.Request | mdnetlink.Dump},
		Data:   append(make([]byte, unix.SizeofIfAddrmsg), attributes...),
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses of namespace %d: %w", id, err)
	}
	var out []peerAddress
	for _, m := range messages {
		if a, ok := parseAddress(m.Data); ok {
			out = append(out, a)
		}
	}
	return out, nil
}

// parseAddress reads an address message (struct ifaddrmsg of linux/if_addr.h and its attributes).
func parseAddress(data []byte) (peerAddress, bool) {
	if len(data) < unix.SizeofIfAddrmsg {
		return peerAddress{}, false
	}
	var out peerAddress
	out.index = binary.NativeEndian.Uint32(data[4:])
	d, err := mdnetlink.NewAttributeDecoder(data[unix.SizeofIfAddrmsg:])
	if err != nil {
		return out, false
	}
	for d.Next() {
		// IFA_LOCAL, where there is one, is the address itself and IFA_ADDRESS its peer's.
		if t := d.Type(); t == unix.IFA_LOCAL || t == unix.IFA_ADDRESS && !out.addr.IsValid() {
			if addr, ok := netip.AddrFromSlice(d.Bytes()); ok {
				out.addr = addr.Unmap()
			}
		}
	}
	return out, d.Err() == nil && out.addr.IsValid()
}
