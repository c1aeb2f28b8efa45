package ipfix

import (
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"golang.org/x/sys/unix"
)

const (
	// dialTime bounds how long a connection may take to be made, TLS included.
	dialTime = 5 * time.Second
	// settleTime is how long a new connection is watched for being closed again: after the templates, as by a proxy that
	// has nobody behind it, or a collector that speaks TLS where we do not; and before them by a collector that does not
	// take our certificate, which TLS 1.3 says only after the handshake.
	settleTime = 200 * time.Millisecond
	// writeTime bounds how long the collector may take no message.
	writeTime = 10 * time.Second
	// udpBurst is how many messages go by udp at once, and udpPause how long the next wait: a socket's usual buffer, of
	// some 200 KiB, has room for about three bursts.
	udpBurst = 32
	udpPause = 2 * time.Millisecond
)

// maxTalk bounds what is read of a collector, which by RFC 7011 sends nothing.
const maxTalk = 64 << 10

var (
	errClosed = errors.New("collector closed the connection")
	errTalks  = errors.New("collector sends data, as none of IPFIX does: another program may have its port")
)

// session is a connection to the collector.
type session struct {
	conn net.Conn
	// tcp is what conn is, or is within TLS; nil over udp.
	tcp *net.TCPConn
	// written counts messages, which are paced over udp.
	written int
	paced   bool
	// gone is closed when the collector ended the connection, which over udp it cannot; ended says how.
	gone  chan struct{}
	ended error
}

// dial makes a connection.
func dial(ctx context.Context, c *Config, secure func(address string) *tls.Config) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, dialTime)
	defer cancel()
	dialer := &net.Dialer{}
	var conn net.Conn
	var err error
	if secure != nil {
		conn, err = (&tls.Dialer{NetDialer: dialer, Config: secure(c.Collector)}).DialContext(ctx, tcp, c.Collector)
	} else {
		conn, err = dialer.DialContext(ctx, c.Transport, c.Collector)
	}
	if err != nil {
		return nil, err
	}
	s := &session{conn: conn, paced: c.Transport == udp, gone: make(chan struct{})}
	if c.Transport == tcp {
		s.tcp = plainOf(conn)
		go s.watch()
	}
	return s, nil
}

// plainOf returns the connection that bears a connection of TCP or TLS.
func plainOf(conn net.Conn) *net.TCPConn {
	if secured, ok := conn.(*tls.Conn); ok {
		conn = secured.NetConn()
	}
	return conn.(*net.TCPConn)
}

// watch reads what a collector never sends, and so learns when it ends the connection.
func (s *session) watch() {
	s.ended = errClosed
	n, err := io.Copy(io.Discard, io.LimitReader(s.conn, maxTalk))
	switch {
	case err != nil:
		s.ended = fmt.Errorf("%w: %w", errClosed, err)
	case n == maxTalk:
		s.ended = errTalks
		s.end()
	}
	close(s.gone)
}

// settle waits whether the connection stays.
func (s *session) settle(ctx context.Context) error {
	select {
	case <-s.gone:
		return s.ended
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(settleTime):
		return nil
	}
}

// alive says whether the collector has not ended the connection, as far as is known.
func (s *session) alive() bool {
	select {
	case <-s.gone:
		return false
	default:
		return true
	}
}

// write writes a message. After an error the session is of no use: part of the message may be on its way.
func (s *session) write(message []byte) error {
	if !s.alive() {
		return s.ended
	}
	if s.written++; s.paced && s.written%udpBurst == 0 {
		time.Sleep(udpPause)
	}
	if err := s.conn.SetWriteDeadline(time.Now().Add(writeTime)); err != nil {
		return err
	}
	_, err := s.conn.Write(message)
	return err
}

// drain waits until the collector's host has acknowledged all that was written over tcp. The collector itself never says
// what it took.
func (s *session) drain() error {
	if s.paced {
		return nil
	}
	raw, err := s.tcp.SyscallConn()
	if err != nil {
		return err
	}
	waiting, before, progress := 0, 0, time.Now()
	for wait := time.Millisecond; ; wait = min(2*wait, 20*time.Millisecond) {
		if err := raw.Control(func(fd uintptr) { waiting, err = unix.IoctlGetInt(int(fd), unix.SIOCOUTQ) }); err != nil {
			return err
		}
		switch {
		case err != nil:
			return fmt.Errorf("look at what is unacknowledged: %w", err)
		case !s.alive():
			return s.ended
		case waiting == 0:
			return nil
		case waiting != before:
			before, progress = waiting, time.Now()
		case time.Since(progress) > writeTime:
			return fmt.Errorf("%d bytes are not acknowledged after %v", waiting, writeTime)
		}
		time.Sleep(wait)
	}
}

// end closes the connection, at any time and from any goroutine: what writes meanwhile fails.
func (s *session) end() { _ = s.conn.Close() }
