package ctnetlink

import (
	"errors"
	"os"
	"strings"
	"testing"

	"golang.org/x/sys/unix"
)

func TestExplain(t *testing.T) {
	f := func(errno unix.Errno, want string) {
		t.Helper()
		err := explain("open", os.NewSyscallError("socket", errno))
		if !errors.Is(err, errno) || !strings.Contains(err.Error(), want) {
			t.Errorf("explain(%v) = %v, want %q in it", errno, err, want)
		}
	}
	f(unix.EPERM, "CAP_NET_ADMIN")
	f(unix.EPROTONOSUPPORT, "CONFIG_NETFILTER_NETLINK")
	f(unix.EINVAL, "CONFIG_NF_CT_NETLINK")
	f(unix.ENOENT, "CONFIG_NF_CT_NETLINK")
	f(unix.EMFILE, "open: socket: too many open files")
}

func TestOpenNamesWhatIsMissing(t *testing.T) {
	f := func(name, want string, cfg func(*namespace) Config, prepare func(*namespace) error) {
		t.Run(name, func(t *testing.T) {
			ns := newNamespace(t)
			fds := openFiles(t)
			err := ns.try(func() error {
				if err := prepare(ns); err != nil {
					return err
				}
				s, err := Open(cfg(ns))
				if err == nil {
					s.Close()
				}
				return err
			})
			if err == nil || !strings.Contains(err.Error(), want) {
				t.Errorf("Open: %v, want an error with %q", err, want)
			}
			if got := openFiles(t); got != fds {
				t.Errorf("%d files are open, %d before", got, fds)
			}
		})
	}
	own := func(*namespace) Config { return Config{} }
	other := func(ns *namespace) Config { return Config{NetNS: ns.fd()} }
	noEvents := func(*namespace) error {
		return os.WriteFile(sysctlEvents, []byte("0"), 0)
	}
	f("events off", "nf_conntrack_events", own, noEvents)
	f("events off in another namespace", "nf_conntrack_events", other, noEvents)
	f("no CAP_NET_ADMIN", "CAP_NET_ADMIN", own, func(*namespace) error { return dropCapability(unix.CAP_NET_ADMIN) })
	f("no namespace", "bad file descriptor", func(*namespace) Config { return Config{NetNS: 1 << 20} },
		func(*namespace) error { return nil })
}

// dropCapability takes an effective capability from the calling thread.
func dropCapability(capability int) error {
	header := unix.CapUserHeader{Version: unix.LINUX_CAPABILITY_VERSION_3}
	var data [2]unix.CapUserData
	if err := unix.Capget(&header, &data[0]); err != nil {
		return err
	}
	data[capability/32].Effective &^= 1 << (capability % 32)
	return unix.Capset(&header, &data[0])
}
