package agent_test

import (
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// churnRole has the environment variable by which this binary is told to be a process of the churn, and churnCount the
// one by which a user asks for more connections than the usual.
const (
	churnRole  = "SEINE_CHURN_ROLE"
	churnCount = "SEINE_CHURN"
	churnPairs = 4
)

func churnAddr(kind, i int) string { return fmt.Sprintf("127.0.%d.%d", kind, i+1) }

// TestHealthChurn has processes that connect as fast as they can, each from an address of its own to another process's:
// no record may name a wrong one at either end.
func TestHealthChurn(t *testing.T) {
	if role := os.Getenv(churnRole); role != "" {
		runChurn(role)
		return
	}
	total := 8000
	if text := os.Getenv(churnCount); text != "" {
		var err error
		if total, err = strconv.Atoi(text); err != nil {
			t.Fatalf("%s=%q: want a number", churnCount, text)
		}
	}
	testkit.SinceKernel(t, "5.10", "map iterators and raw tracepoints")
	ns := quietNS(t, "churn")
	ns.Sysctl("net.ipv4.ip_local_port_range", "1024 65000")
	c := &healthChurn{t: t, pids: make(map[netip.Addr]uint32)}
	cfg := agent.Config{Interval: 500 * time.Millisecond, Node: "node"}
	cfg.NetNS = ns.Path
	e := newExactAgent(t, cfg, exactWatch{sumOnly: true, inspect: c.inspect})
	began := time.Now()
	var group sync.WaitGroup
	for i := range churnPairs {
		server := c.start(ns, fmt.Sprintf("server %d 0", i), churnAddr(2, i))
		defer server.stop()
		server.line() // It listens.
		client := c.start(ns, fmt.Sprintf("client %d %d", i, total/churnPairs), churnAddr(1, i))
		group.Go(func() { client.line(); client.stop() })
	}
	group.Wait()
	took := time.Since(began)
	time.Sleep(time.Second)
	e.stop()
	t.Logf("%d connections in %v, %.0f/s: %d records, client named in %d, server in %d",
		total, took.Round(time.Millisecond), float64(total)/took.Seconds(), c.records, c.clients, c.servers)
	for _, l := range e.status.Losses {
		if l.Count > 0 {
			t.Logf("lost: %s %d", l.Reason, l.Count)
		}
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.wrong > 0 || c.records < total {
		t.Errorf("%d wrong processes in %d records of %d connections", c.wrong, c.records, total)
	}
	var missed uint64
	for _, l := range e.status.Losses {
		if strings.HasPrefix(l.Reason, "socket") {
			missed += l.Count
		}
	}
	// A connection whose close is an interval's first packet may be told by a record before its owner is.
	if unnamed := 2*c.ends - c.clients - c.servers; uint64(unnamed) > missed+uint64(c.records/50) {
		t.Errorf("%d ends without a process, %d losses counted", unnamed, missed)
	}
}

type healthChurn struct {
	t    *testing.T
	mu   sync.Mutex
	pids map[netip.Addr]uint32

	records, ends, clients, servers, wrong int
}

func (c *healthChurn) inspect(r *flow.Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	client, server := c.pids[r.Src.Addr], c.pids[r.Backend.Addr]
	if client == 0 || server == 0 || r.Proto != flow.TCP {
		return
	}
	c.records++
	c.ends++
	c.check(&c.clients, r.Src.Process.PID, client, r)
	c.check(&c.servers, r.Backend.Process.PID, server, r)
}

func (c *healthChurn) check(named *int, got, want uint32, r *flow.Record) {
	if got == 0 {
		return
	}
	*named++
	if got != want {
		if c.wrong++; c.wrong < 5 {
			c.t.Logf("%v > %v: process %d, want %d", r.Src.AddrPort(), r.Backend.AddrPort(), got, want)
		}
	}
}

// worker is a process of the churn.
type worker struct {
	t   *testing.T
	cmd *exec.Cmd
	in  io.Closer
	out io.Reader
}

func (c *healthChurn) start(ns *testkit.NS, role, addr string) *worker {
	cmd := exec.Command(os.Args[0], "-test.run=^TestHealthChurn$")
	cmd.Env = append(os.Environ(), churnRole+"="+role)
	in, err := cmd.StdinPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		c.t.Fatal(err)
	}
	if err := ns.Do(cmd.Start); err != nil {
		c.t.Fatal(err)
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.pids[netip.MustParseAddr(addr)] = uint32(cmd.Process.Pid)
	return &worker{c.t, cmd, in, out}
}

// line waits for the worker to say that it is ready, or done.
func (w *worker) line() {
	b := make([]byte, 3)
	if _, err := io.ReadFull(w.out, b); err != nil || string(b) != "ok\n" {
		w.t.Errorf("a process of the churn said %q: %v", b, err)
	}
}

func (w *worker) stop() {
	w.in.Close()
	_, _ = io.Copy(io.Discard, w.out)
	if err := w.cmd.Wait(); err != nil {
		w.t.Errorf("a process of the churn ended with %v", err)
	}
}

// runChurn is a process of the churn. Bare sockets take the least processor time, which is what bounds the rate.
func runChurn(role string) {
	var kind string
	var i, n int
	if _, err := fmt.Sscan(role, &kind, &i, &n); err != nil {
		panic(err)
	}
	if kind == "server" {
		churnServer(churnAddr(2, i))
		return
	}
	for range n {
		if err := churnOnce(churnAddr(1, i), churnAddr(2, i)); err != nil {
			panic(err)
		}
	}
	fmt.Println("ok")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

const churnPort = 9000

func churnSocket(addr string, port int) (int, error) {
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return 0, err
	}
	_ = unix.SetsockoptInt(fd, unix.SOL_IP, unix.IP_BIND_ADDRESS_NO_PORT, 1)
	_ = unix.SetsockoptInt(fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1)
	if err := unix.Bind(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(addr).As4(), Port: port}); err != nil {
		return 0, errors.Join(err, unix.Close(fd))
	}
	return fd, nil
}

// churnOnce makes a connection with one exchange.
func churnOnce(from, to string) error {
	fd, err := churnSocket(from, 0)
	if err != nil {
		return err
	}
	defer unix.Close(fd)
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr(to).As4(), Port: churnPort}); err != nil {
		return os.NewSyscallError("connect", err)
	}
	b := make([]byte, 1)
	_, _ = unix.Write(fd, b)
	_, _ = unix.Read(fd, b)
	return nil
}

func churnServer(addr string) {
	l, err := churnSocket(addr, churnPort)
	if err == nil {
		err = unix.Listen(l, 128)
	}
	if err != nil {
		panic(err)
	}
	defer unix.Close(l)
	go func() {
		_, _ = io.Copy(io.Discard, os.Stdin)
		_ = unix.Shutdown(l, unix.SHUT_RDWR)
	}()
	fmt.Println("ok")
	b := make([]byte, 1)
	for {
		fd, _, err := unix.Accept4(l, unix.SOCK_CLOEXEC)
		switch {
		case errors.Is(err, unix.EINTR):
			continue
		case err != nil:
			return
		}
		_, _ = unix.Read(fd, b)
		_, _ = unix.Write(fd, b)
		unix.Close(fd)
	}
}
