package testkit

import (
	"fmt"
	"runtime"
	"unsafe"

	"golang.org/x/sys/unix"
)

// Flooder sends frames by one link, as fast as the kernel takes them. One goroutine at a time may use it.
type Flooder struct {
	fd   int
	link string
}

// NewFlooder opens a packet socket on a link until the end of the test. Its frames pass the link's egress hooks.
func (ns *NS) NewFlooder(link string) *Flooder {
	ns.t.Helper()
	index := ns.link(link).Attrs().Index
	f := &Flooder{link: link}
	ns.check(ns.Do(func() (err error) {
		// Protocol 0 receives nothing.
		if f.fd, err = unix.Socket(unix.AF_PACKET, unix.SOCK_RAW|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		return unix.Bind(f.fd, &unix.SockaddrLinklayer{Ifindex: index})
	}))
	ns.t.Cleanup(func() { unix.Close(f.fd) })
	return f
}

// multiMessage is the kernel's struct mmsghdr.
type multiMessage struct {
	unix.Msghdr
	sent uint32
	_    [4]byte
}

// FloodBatch is frames in order, ready to be sent any number of times.
type FloodBatch struct{ messages []multiMessage }

// zeroes is every frame's payload.
var zeroes [1 << 16]byte

// NewFloodBatch prepares frames.
func NewFloodBatch(frames []FloodFrame) *FloodBatch {
	b := &FloodBatch{messages: make([]multiMessage, len(frames))}
	parts := make([]unix.Iovec, 2*len(frames))
	for i := range frames {
		of := parts[2*i : 2*i+2]
		of[0].Base, of[1].Base = &frames[i].header[0], &zeroes[0]
		of[0].SetLen(len(frames[i].header))
		of[1].SetLen(frames[i].Size - len(frames[i].header))
		b.messages[i].Iov = &of[0]
		b.messages[i].SetIovlen(len(of))
	}
	return b
}

// sendmmsgLimit is the number of messages that one system call takes (UIO_MAXIOV of linux/uio.h).
const sendmmsgLimit = 1024

// Send sends a batch. A frame that the link drops is an error: interfaces do not count it, hooks before it do.
func (f *Flooder) Send(b *FloodBatch) error {
	defer runtime.KeepAlive(b)
	for rest := b.messages; len(rest) > 0; {
		n, _, errno := unix.Syscall6(unix.SYS_SENDMMSG, uintptr(f.fd), uintptr(unsafe.Pointer(&rest[0])),
			uintptr(min(len(rest), sendmmsgLimit)), 0, 0, 0)
		if errno == unix.EINTR {
			continue
		}
		if errno != 0 {
			return fmt.Errorf("send by %s: %w", f.link, errno)
		}
		rest = rest[n:]
	}
	return nil
}
