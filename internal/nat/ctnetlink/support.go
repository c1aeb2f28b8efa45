package ctnetlink

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// lacks names what is missing, by the error that Open's system calls and requests end with.
var lacks = []struct {
	errno unix.Errno
	what  string
}{
	{unix.EPERM, "the process needs CAP_NET_ADMIN, and CAP_SYS_ADMIN to enter another network namespace"},
	{unix.EPROTONOSUPPORT, "the kernel lacks nfnetlink (module nfnetlink, CONFIG_NETFILTER_NETLINK)"},
	// nfnetlink_rcv_msg answers so for a subsystem that is neither there nor loadable.
	{unix.EINVAL, "the kernel lacks nf_conntrack_netlink (module nf_conntrack_netlink, CONFIG_NF_CT_NETLINK)"},
	{unix.ENOENT, "the kernel lacks nf_conntrack_netlink (module nf_conntrack_netlink, CONFIG_NF_CT_NETLINK)"},
}

// explain adds to an error what the user can do about it.
func explain(action string, err error) error {
	for _, l := range lacks {
		if errors.Is(err, l.errno) {
			return fmt.Errorf("%s: %w: %s", action, err, l.what)
		}
	}
	return fmt.Errorf("%s: %w", action, err)
}

// The sysctls of a network namespace with connection tracking; the first is there in every such kernel.
const (
	sysctlMax    = "/proc/sys/net/netfilter/nf_conntrack_max"
	sysctlEvents = "/proc/sys/net/netfilter/nf_conntrack_events"
)

// checkEvents refuses a namespace whose conntrack would never send an event.
func checkEvents(netNS int) error {
	value, err := readSysctl(netNS, sysctlEvents)
	switch {
	case err == nil && value == "0":
		return errors.New("conntrack events are off: set sysctl net.netfilter.nf_conntrack_events to 1 or 2")
	case !errors.Is(err, fs.ErrNotExist):
		return err
	}
	// Where /proc does not show conntrack at all there is nothing to conclude.
	if _, err := readSysctl(netNS, sysctlMax); err == nil {
		return errors.New("the kernel lacks conntrack events (CONFIG_NF_CONNTRACK_EVENTS)")
	}
	return nil
}

// readSysctl reads a sysctl of a network namespace. These files show the namespace of the thread that opens them.
func readSysctl(netNS int, name string) (string, error) {
	if netNS == 0 {
		return readTrimmed(name)
	}
	var value string
	var err error
	done := make(chan struct{})
	go func() {
		defer close(done)
		runtime.LockOSThread() // Never unlocked, so that the thread ends with the goroutine.
		if err = unix.Setns(netNS, unix.CLONE_NEWNET); err != nil {
			err = explain("enter network namespace", err)
			return
		}
		value, err = readTrimmed(name)
	}()
	<-done
	return value, err
}

func readTrimmed(name string) (string, error) {
	b, err := os.ReadFile(name)
	return strings.TrimSpace(string(b)), err
}
