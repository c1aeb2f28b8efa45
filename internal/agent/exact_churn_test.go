package agent_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"sync"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sync/errgroup"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/testkit"
)

// churn makes and ends connections through Services until it is stopped.
type churn struct {
	cluster *testkit.Cluster
	// pause stops the churn between two connections while it is held.
	pause sync.RWMutex
	stop  chan struct{}
	// broken is set once something failed; end returns the error.
	broken atomic.Bool
	made   atomic.Uint64
	links  atomic.Uint64
	group  errgroup.Group
}

// churnPorts are the client's ports, shared evenly by the workers so that no two use the same at a time.
const churnFirst, churnLast, churnWorkers = 2000, 60000, 4

func startChurn(c *testkit.Cluster) *churn {
	k := &churn{cluster: c, stop: make(chan struct{})}
	for worker := range churnWorkers {
		k.group.Go(func() error {
			return k.note(c.Client.Do(func() error { return k.connect(worker) }))
		})
	}
	k.group.Go(func() error { return k.note(k.flap()) })
	return k
}

// connect makes one connection after the other: TCP and UDP, IPv4 and IPv6 in turns.
func (k *churn) connect(worker int) error {
	type target struct {
		network string
		to      netip.AddrPort
	}
	var targets []target
	for family, v6 := range map[string]bool{"4": false, "6": true} {
		targets = append(targets,
			target{"tcp" + family, netip.AddrPortFrom(k.cluster.VIP(v6, testkit.WebService), 80)},
			target{"tcp" + family, netip.AddrPortFrom(k.cluster.VIP(v6, testkit.NearService), 80)},
			target{"udp" + family, netip.AddrPortFrom(k.cluster.VIP(v6, testkit.NameService), 53)})
	}
	port := churnFirst + worker
	for i := 0; !k.stopped(); i++ {
		to := targets[i%len(targets)]
		k.pause.RLock()
		err := exchangeOnce(to.network, to.to, port)
		k.pause.RUnlock()
		if err != nil {
			return fmt.Errorf("connection %d: %s %v: %w", k.made.Load(), to.network, to.to, err)
		}
		k.made.Add(1)
		if i%len(targets) == len(targets)-1 {
			port = nextChurnPort(port, worker)
		}
	}
	return nil
}

// nextChurnPort leaves out the ports that the client itself serves.
func nextChurnPort(port, worker int) int {
	port += churnWorkers
	if port == testkit.UDPPort || port == testkit.TCPPort {
		port += churnWorkers
	}
	if port > churnLast {
		return churnFirst + worker
	}
	return port
}

func (k *churn) note(err error) error {
	if err != nil {
		k.broken.Store(true)
	}
	return err
}

func (k *churn) failed() bool { return k.broken.Load() }

func (k *churn) stopped() bool {
	select {
	case <-k.stop:
		return true
	default:
		return false
	}
}

// flap lets a pair of links appear on the node and vanish again, some times a second.
func (k *churn) flap() error {
	file, err := os.Open(k.cluster.Node.Path)
	if err != nil {
		return err
	}
	defer file.Close()
	handle, err := netlink.NewHandleAt(netns.NsHandle(file.Fd()))
	if err != nil {
		return err
	}
	defer handle.Close()
	for i := 0; !k.stopped(); i++ {
		k.pause.RLock()
		err := flapOnce(handle, fmt.Sprintf("flap%d", i%3))
		k.pause.RUnlock()
		if err != nil {
			return fmt.Errorf("flap %d: %w", i, err)
		}
		k.links.Add(2)
	}
	return nil
}

func flapOnce(handle *netlink.Handle, name string) error {
	attrs := netlink.NewLinkAttrs()
	attrs.Name = name
	pair := netlink.NewVeth(attrs)
	pair.PeerName = name + "p"
	if err := handle.LinkAdd(pair); err != nil {
		return err
	}
	for _, end := range []string{name, pair.PeerName} {
		link, err := handle.LinkByName(end)
		if err != nil {
			return err
		}
		if err := handle.LinkSetUp(link); err != nil {
			return err
		}
	}
	time.Sleep(100 * time.Millisecond)
	return handle.LinkDel(pair)
}

// end stops the churn.
func (k *churn) end() error {
	close(k.stop)
	return k.group.Wait()
}

// exchangeOnce connects from a port, sends a message and takes its echo, twice, and closes. UDP has two packets each
// way.
func exchangeOnce(network string, to netip.AddrPort, port int) error {
	isTCP := network[:3] == "tcp"
	dialer := net.Dialer{
		Timeout: testkit.IOTimeout, KeepAlive: -1, LocalAddr: &net.UDPAddr{Port: port}, Control: reusePort,
	}
	if isTCP {
		dialer.LocalAddr = &net.TCPAddr{Port: port}
	}
	dialer.SetMultipathTCP(false)
	conn, err := dialer.Dial(network, to.String())
	if err != nil {
		return err
	}
	defer conn.Close()
	if err := testkit.Exchange(conn, 100, 2); err != nil || !isTCP {
		return err
	}
	return testkit.Finish(conn)
}

// reusePort lets a port be bound again while its last connection, to another address, is still there or lingers.
func reusePort(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	if err != nil {
		return err
	}
	return failed
}
