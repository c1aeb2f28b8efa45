package testkit

import (
	"context"
	"fmt"
	"io"
	"net"
	"net/netip"
	"sync"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// IOTimeout bounds every read, write and dial of the traffic here. It is long enough for emulated processors.
const IOTimeout = 15 * time.Second

// ServeTCP echoes what TCP clients send to addr until the end of the test.
func (ns *NS) ServeTCP(addr netip.AddrPort) {
	ns.t.Helper()
	var l net.Listener
	ns.check(ns.Do(func() (err error) {
		config := net.ListenConfig{KeepAlive: -1} // Only the test's own messages pass.
		config.SetMultipathTCP(false)
		l, err = config.Listen(context.Background(), "tcp", addr.String())
		return err
	}))
	ctx, stop := context.WithCancel(context.Background())
	var clients sync.WaitGroup
	clients.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			clients.Go(func() { echoStream(ctx, conn) })
		}
	})
	ns.t.Cleanup(func() {
		l.Close()
		stop()
		clients.Wait()
	})
}

// echoStream ends with its client or the context.
func echoStream(ctx context.Context, conn net.Conn) {
	defer conn.Close()
	defer context.AfterFunc(ctx, func() { conn.Close() })()
	_, _ = io.CopyBuffer(struct{ io.Writer }{conn}, struct{ io.Reader }{conn}, make([]byte, 64<<10))
}

// ServeUDP echoes datagrams sent to addr until the end of the test.
func (ns *NS) ServeUDP(addr netip.AddrPort) {
	ns.t.Helper()
	var conn *net.UDPConn
	ns.check(ns.Do(func() (err error) {
		conn, err = net.ListenUDP("udp", net.UDPAddrFromAddrPort(addr))
		return err
	}))
	var server sync.WaitGroup
	server.Go(func() {
		buf := make([]byte, 64<<10)
		for {
			n, from, err := conn.ReadFromUDPAddrPort(buf)
			if err != nil {
				return
			}
			conn.WriteToUDPAddrPort(buf[:n], from)
		}
	})
	ns.t.Cleanup(func() {
		conn.Close()
		server.Wait()
	})
}

// Dial connects a "tcp" or "udp" socket inside the namespace, from a given local port unless it is 0. The caller
// closes it.
func (ns *NS) Dial(network string, to netip.AddrPort, port uint16) (net.Conn, error) {
	dialer := net.Dialer{Timeout: IOTimeout, KeepAlive: -1, Control: reuseAddress}
	if port != 0 {
		unspecified := netip.IPv4Unspecified()
		if to.Addr().Is6() {
			unspecified = netip.IPv6Unspecified()
		}
		local := netip.AddrPortFrom(unspecified, port)
		dialer.LocalAddr = net.TCPAddrFromAddrPort(local)
		if network == "udp" {
			dialer.LocalAddr = net.UDPAddrFromAddrPort(local)
		}
	}
	var conn net.Conn
	err := ns.Do(func() (err error) {
		conn, err = dialer.Dial(network, to.String())
		return err
	})
	return conn, err
}

// reuseAddress lets a port be bound again while its last connection lingers.
func reuseAddress(_, _ string, raw syscall.RawConn) error {
	var failed error
	err := raw.Control(func(fd uintptr) {
		failed = unix.SetsockoptInt(int(fd), unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	})
	if err != nil {
		return err
	}
	return failed
}

// Exchange sends a message of size bytes and waits for its echo, rounds times.
func Exchange(conn net.Conn, size, rounds int) error {
	conn.SetDeadline(time.Now().Add(IOTimeout))
	message := make([]byte, size)
	for i := range rounds {
		if _, err := conn.Write(message); err != nil {
			return fmt.Errorf("send message %d: %w", i, err)
		}
		if _, err := io.ReadFull(conn, message); err != nil {
			return fmt.Errorf("receive echo %d: %w", i, err)
		}
	}
	return nil
}

// Finish closes a TCP connection in order: after it both sides have sent and acknowledged their ends.
func Finish(conn net.Conn) error {
	defer conn.Close()
	if err := conn.(*net.TCPConn).CloseWrite(); err != nil {
		return err
	}
	conn.SetDeadline(time.Now().Add(IOTimeout))
	_, err := io.Copy(io.Discard, conn)
	return err
}

// Abort closes a TCP connection with a reset.
func Abort(conn net.Conn) error {
	if err := conn.(*net.TCPConn).SetLinger(0); err != nil {
		return err
	}
	return conn.Close()
}
