package ctnetlink

import (
	"net"
	"os"
	"os/exec"
	"runtime"
	"strings"
	"testing"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// namespace is an anonymous network namespace that ends with the test.
type namespace struct {
	t    testing.TB
	file *os.File
}

func newNamespace(t testing.TB) *namespace {
	t.Helper()
	ns := &namespace{t: t}
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // The thread ends with the goroutine; the file keeps the namespace.
		if err = unix.Unshare(unix.CLONE_NEWNET); err == nil {
			ns.file, err = os.Open("/proc/thread-self/ns/net")
		}
	}()
	<-done
	if err != nil {
		t.Fatalf("create network namespace (root is needed): %v", err)
	}
	t.Cleanup(func() { ns.file.Close() })
	ns.do(func() error {
		lo, err := netlink.LinkByName("lo")
		if err != nil {
			return err
		}
		return netlink.LinkSetUp(lo)
	})
	return ns
}

func (ns *namespace) fd() int { return int(ns.file.Fd()) }

// try runs f on a thread inside the namespace.
func (ns *namespace) try(f func() error) error {
	result := make(chan error)
	go func() {
		runtime.LockOSThread()
		if err := unix.Setns(ns.fd(), unix.CLONE_NEWNET); err != nil {
			result <- err
			return
		}
		result <- f()
	}()
	return <-result
}

func (ns *namespace) do(f func() error) {
	ns.t.Helper()
	if err := ns.try(f); err != nil {
		ns.t.Fatal(err)
	}
}

// run runs a command inside the namespace and returns its standard output.
func (ns *namespace) run(stdin string, command ...string) string {
	ns.t.Helper()
	var out, complaint strings.Builder
	err := ns.try(func() error {
		cmd := exec.Command(command[0], command[1:]...)
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(stdin), &out, &complaint
		return cmd.Run()
	})
	if err != nil {
		ns.t.Fatalf("%s: %v\n%s", strings.Join(command, " "), err, complaint.String())
	}
	return out.String()
}

func (ns *namespace) sysctl(name, value string) {
	ns.t.Helper()
	ns.do(func() error { return os.WriteFile("/proc/sys/net/"+name, []byte(value), 0) })
}

// connect makes a veth pair between two namespaces.
func connect(a *namespace, nameA string, b *namespace, nameB string) {
	a.t.Helper()
	a.do(func() error {
		return netlink.LinkAdd(&netlink.Veth{
			LinkAttrs: netlink.LinkAttrs{Name: nameA}, PeerName: nameB, PeerNamespace: netlink.NsFd(b.fd()),
		})
	})
}

// address gives an interface its addresses, without waiting for duplicate address detection, and sets it up.
func (ns *namespace) address(name string, cidrs ...string) {
	ns.t.Helper()
	ns.do(func() error {
		link, err := netlink.LinkByName(name)
		if err != nil {
			return err
		}
		for _, cidr := range cidrs {
			addr, err := netlink.ParseAddr(cidr)
			if err != nil {
				return err
			}
			addr.Flags = unix.IFA_F_NODAD
			if err := netlink.AddrAdd(link, addr); err != nil {
				return err
			}
		}
		return netlink.LinkSetUp(link)
	})
}

func (ns *namespace) defaultRoutes(gateways ...string) {
	ns.t.Helper()
	for _, gw := range gateways {
		ns.do(func() error { return netlink.RouteAdd(&netlink.Route{Gw: net.ParseIP(gw)}) })
	}
}

// network is a client and a server with a router between them, which tracks connections and translates those to
// the service addresses 10.96.0.1 and fd00:96::1, ports 80 (TCP) and 53 (UDP), and masquerades all.
type network struct{ client, router, server *namespace }

func newNetwork(t testing.TB, ruleset string) *network {
	t.Helper()
	n := &network{newNamespace(t), newNamespace(t), newNamespace(t)}
	connect(n.router, "cli", n.client, "eth0")
	connect(n.router, "srv", n.server, "eth0")
	n.router.address("cli", "10.0.1.1/24", "fd00:1::1/64")
	n.router.address("srv", "10.0.2.1/24", "fd00:2::1/64")
	n.client.address("eth0", "10.0.1.2/24", "fd00:1::2/64")
	n.server.address("eth0", "10.0.2.2/24", "fd00:2::2/64")
	n.client.defaultRoutes("10.0.1.1", "fd00:1::1")
	n.server.defaultRoutes("10.0.2.1", "fd00:2::1")
	n.router.sysctl("ipv4/ip_forward", "1")
	n.router.sysctl("ipv6/conf/all/forwarding", "1")
	n.router.run(ruleset, "nft", "-f", "-")
	return n
}

const natRules = `
table inet translate {
	chain dstnat {
		type nat hook prerouting priority dstnat
		ip daddr 10.96.0.1 tcp dport 80 dnat ip to 10.0.2.2:8080
		ip daddr 10.96.0.1 udp dport 53 dnat ip to 10.0.2.2:5353
		ip6 daddr fd00:96::1 tcp dport 80 dnat ip6 to [fd00:2::2]:8080
		ip6 daddr fd00:96::1 udp dport 53 dnat ip6 to [fd00:2::2]:5353
	}
	chain srcnat {
		type nat hook postrouting priority srcnat
		oifname "srv" masquerade
	}
}`

// trackRules track connections and translate nothing.
const trackRules = `
table inet track {
	chain forward {
		type filter hook forward priority filter
		ct state new counter
	}
}`
