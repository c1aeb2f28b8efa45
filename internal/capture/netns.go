package capture

import (
	"fmt"
	"os"
	"runtime"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// namespace is the network namespace that is watched.
type namespace struct {
	file  *os.File
	inode uint32
	// own is the process's own namespace, which it need not enter: that would take CAP_SYS_ADMIN.
	own bool
}

// openNamespace opens the namespace at a path such as /run/netns/NAME or /proc/PID/ns/net; "" is the process's own.
func openNamespace(path string) (*namespace, error) {
	own := path == ""
	if own {
		path = "/proc/thread-self/ns/net"
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("open network namespace: %w", err)
	}
	var st unix.Stat_t
	if err := unix.Fstat(int(f.Fd()), &st); err != nil {
		f.Close()
		return nil, fmt.Errorf("stat network namespace %s: %w", path, err)
	}
	return &namespace{file: f, inode: uint32(st.Ino), own: own}, nil
}

func (n *namespace) fd() int { return int(n.file.Fd()) }

// do runs f on a thread that is inside the namespace. The thread is not used again if it cannot return.
func (n *namespace) do(f func() error) error {
	if n.own {
		return f()
	}
	done := make(chan error)
	go func() {
		runtime.LockOSThread()
		own, err := os.Open("/proc/thread-self/ns/net")
		if err != nil {
			done <- err
			return
		}
		defer own.Close()
		if err := unix.Setns(n.fd(), unix.CLONE_NEWNET); err != nil {
			done <- fmt.Errorf("enter network namespace, which takes CAP_SYS_ADMIN: %w", err)
			return
		}
		err = f()
		if unix.Setns(int(own.Fd()), unix.CLONE_NEWNET) == nil {
			runtime.UnlockOSThread()
		}
		done <- err
	}()
	return <-done
}

// subscribe follows the namespace's interfaces.
func (n *namespace) subscribe(updates chan<- netlink.LinkUpdate, stop <-chan struct{}, failed func(error)) error {
	options := netlink.LinkSubscribeOptions{ErrorCallback: failed}
	if !n.own {
		ns := netns.NsHandle(n.fd())
		options.Namespace = &ns
	}
	return netlink.LinkSubscribeWithOptions(updates, stop, options)
}

// netlink returns a handle on the namespace.
func (n *namespace) netlink() (*netlink.Handle, error) {
	if n.own {
		return netlink.NewHandle(unix.NETLINK_ROUTE)
	}
	return netlink.NewHandleAt(netns.NsHandle(n.fd()), unix.NETLINK_ROUTE)
}
