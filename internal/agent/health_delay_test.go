package agent_test

import (
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// openTUN makes a device in a namespace, whose packets are read from and written to the file.
func openTUN(t *testing.T, ns *testkit.NS, prefix string) *os.File {
	t.Helper()
	var file *os.File
	err := ns.Do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq("tun0")
		if err == nil {
			request.SetUint16(unix.IFF_TUN | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		file = os.NewFile(uintptr(fd), "tun0")
		return err
	})
	if err != nil {
		t.Fatalf("make a tun device: %v", err)
	}
	t.Cleanup(func() { file.Close() })
	ns.AddAddr("tun0", prefix)
	ns.Up("tun0")
	return file
}

// delay carries packets from one device to the other, each so much later, in order.
func delay(from, to *os.File, by time.Duration) {
	type packet struct {
		due  time.Time
		data []byte
	}
	queue := make(chan packet, 4096)
	go func() {
		defer close(queue)
		b := make([]byte, 1<<16)
		for {
			n, err := from.Read(b)
			if err != nil {
				return
			}
			queue <- packet{time.Now().Add(by), append([]byte(nil), b[:n]...)}
		}
	}()
	go func() {
		for p := range queue {
			time.Sleep(time.Until(p.due))
			_, _ = to.Write(p.data)
		}
	}()
}

// TestHealthDelay has a path of 10 ms each way: it shows as 20 ms at either end, and as the kernel tells it.
func TestHealthDelay(t *testing.T) {
	testkit.SinceKernel(t, "5.10", "map iterators and raw tracepoints")
	client, server := quietNS(t, "client"), quietNS(t, "server")
	a, b := openTUN(t, client, "10.78.0.1/30"), openTUN(t, server, "10.78.0.2/30")
	delay(a, b, 10*time.Millisecond)
	delay(b, a, 10*time.Millisecond)
	to := netip.MustParseAddrPort("10.78.0.2:8010")
	server.ServeTCP(to)

	var mu sync.Mutex
	last := make(map[string]flow.TCPHealth)
	handshakes := make(map[string]uint32)
	watch := func(name string, ns *testkit.NS) {
		cfg := agent.Config{Interval: 300 * time.Millisecond, Node: name}
		cfg.NetNS = ns.Path
		newExactAgent(t, cfg, exactWatch{inspect: func(r *flow.Record) {
			mu.Lock()
			defer mu.Unlock()
			if r.Dst.Port != to.Port() {
				return
			}
			if r.TCP.RTT != 0 {
				last[name] = r.TCP
			}
			handshakes[name] = max(handshakes[name], r.TCP.Handshake)
		}})
	}
	watch("client", client)
	watch("server", server)
	var conn net.Conn
	conn, err := client.Dial("tcp", to, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if err := testkit.Exchange(conn, 500, 30); err != nil {
		t.Fatal(err)
	}
	time.Sleep(1500 * time.Millisecond)
	for _, end := range []struct {
		name, filter string
		ns           *testkit.NS
	}{{"client", "dport", client}, {"server", "sport", server}} {
		truth := socketRTT(t, end.ns.Exec("ss", "-tinOH", "state", "established", fmt.Sprintf("%s = :%d", end.filter, to.Port())))
		mu.Lock()
		h, handshake := last[end.name], handshakes[end.name]
		mu.Unlock()
		if d := math.Abs(float64(h.RTT) - truth); d > 100 && d > truth/10 {
			t.Errorf("%s: rtt %d µs, ss says %.0f µs", end.name, h.RTT, truth)
		}
		if h.MinRTT < 20000 || h.MinRTT > 30000 || h.RTT < 20000 || handshake < 20000 || handshake > 100000 {
			t.Errorf("%s: rtt %d µs, at least %d µs, handshake %d µs: want 20 ms", end.name, h.RTT, h.MinRTT, handshake)
		}
		t.Logf("%s: rtt %d µs, ss says %.0f µs, least %d µs, handshake %d µs", end.name, h.RTT, truth, h.MinRTT, handshake)
	}
}
