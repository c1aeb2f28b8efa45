package testkit

import (
	"errors"
	"fmt"
	"unsafe"

	"golang.org/x/sys/unix"
)

// offloads are the ethtool commands that switch off what makes a packet more or less than a wire segment, and what
// leaves checksums to hardware that a namespace does not have (include/uapi/linux/ethtool.h).
var offloads = []struct {
	name    string
	command uint32
}{
	{"receive checksum", unix.ETHTOOL_SRXCSUM},
	{"transmit checksum", unix.ETHTOOL_STXCSUM},
	{"scatter-gather", unix.ETHTOOL_SSG},
	{"tso", unix.ETHTOOL_STSO},
	{"gso", unix.ETHTOOL_SGSO},
	{"gro", unix.ETHTOOL_SGRO},
}

// ethtoolValue is the kernel's struct ethtool_value.
type ethtoolValue struct{ command, data uint32 }

// ifreqData is the kernel's struct ifreq with a pointer in its union, which is 24 bytes long.
type ifreqData struct {
	name [unix.IFNAMSIZ]byte
	data unsafe.Pointer
	_    [24 - unsafe.Sizeof(uintptr(0))]byte
}

// OffloadsOff switches a link's offloads off. What the link does not have is off already.
func (ns *NS) OffloadsOff(link string) error {
	return ns.Do(func() error {
		fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
		if err != nil {
			return err
		}
		defer unix.Close(fd)
		for _, o := range offloads {
			if err := ethtool(fd, link, o.command, 0); err != nil && !errors.Is(err, unix.EOPNOTSUPP) {
				return fmt.Errorf("switch %s of %s off: %w", o.name, link, err)
			}
		}
		return nil
	})
}

func ethtool(fd int, link string, command, data uint32) error {
	value := ethtoolValue{command, data}
	request := ifreqData{data: unsafe.Pointer(&value)}
	copy(request.name[:unix.IFNAMSIZ-1], link)
	_, _, errno := unix.Syscall(unix.SYS_IOCTL, uintptr(fd), unix.SIOCETHTOOL, uintptr(unsafe.Pointer(&request)))
	if errno != 0 {
		return errno
	}
	return nil
}
