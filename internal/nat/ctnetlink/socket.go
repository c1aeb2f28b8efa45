package ctnetlink

import (
	"errors"
	"syscall"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"
)

// maxDatagram holds any datagram of conntrack: the kernel fills at most 32 KiB at a time during a dump
// (netlink_recvmsg), and an event is one message of some hundred bytes.
const maxDatagram = 64 << 10

// socket reads a netlink connection datagram by datagram into one buffer. The connection's own Receive allocates
// several times a message, and cannot tell an empty queue from a silent kernel without waiting.
type socket struct {
	conn *netlink.Conn
	raw  syscall.RawConn
	buf  []byte
	recv func(fd uintptr) bool // receive, bound once

	wait bool
	n    int
	err  error
}

func dial(netNS int) (*socket, error) {
	conn, err := netlink.Dial(unix.NETLINK_NETFILTER, &netlink.Config{NetNS: netNS})
	if err != nil {
		return nil, err
	}
	raw, err := conn.SyscallConn()
	if err != nil {
		conn.Close()
		return nil, err
	}
	s := &socket{conn: conn, raw: raw, buf: make([]byte, maxDatagram)}
	s.recv = s.receive
	return s, nil
}

// read returns the next datagram, valid until the next read. An empty queue is waited on, or is the error EAGAIN.
// The errors of the kernel are plain unix.Errno values; ENOBUFS says that it dropped messages, once for each time
// the queue filled up.
func (s *socket) read(wait bool) ([]byte, error) {
	s.wait = wait
	if err := s.raw.Read(s.recv); err != nil {
		return nil, err
	}
	if s.err != nil {
		return nil, s.err
	}
	return s.buf[:s.n], nil
}

// receive makes one attempt; false asks the runtime to call again when the socket is readable.
func (s *socket) receive(fd uintptr) bool {
	for {
		s.n, s.err = unix.Read(int(fd), s.buf)
		if !errors.Is(s.err, unix.EINTR) {
			return !errors.Is(s.err, unix.EAGAIN) || !s.wait
		}
	}
}

// request asks conntrack something about all address families and returns the sequence number of the answers.
func (s *socket) request(kind uint16, flags netlink.HeaderFlags) (uint32, error) {
	return s.send(kind, flags, allFamilies)
}

// send sends a request, its struct nfgenmsg included, and returns the sequence number of the answers.
func (s *socket) send(kind uint16, flags netlink.HeaderFlags, data []byte) (uint32, error) {
	m, err := s.conn.Send(netlink.Message{
		Header: netlink.Header{Type: netlink.HeaderType(kind), Flags: netlink.Request | flags}, Data: data,
	})
	return m.Header.Sequence, err
}

// interrupt ends the present read and all later ones.
func (s *socket) interrupt() {
	// The only error is that of a closed socket, which ends reads as well.
	_ = s.conn.SetReadDeadline(time.Unix(1, 0))
}
