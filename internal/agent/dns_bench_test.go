package agent_test

import (
	"context"
	"encoding/binary"
	"fmt"
	"io"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"slices"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/miekg/dns"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// loadRole has the environment variable by which this binary is told to be a process of BenchmarkDNS.
const loadRole = "SEINE_DNS_LOAD_ROLE"

const (
	// loadRate is the number of queries a second, each from a socket of its own, loadTime how long one turn lasts.
	loadRate = 5000
	loadTime = 4 * time.Second
	loadTurn = 5
)

// BenchmarkDNS measures what following DNS takes in user space: the processor time of an agent with everything on, less that of
// one without DNS under the same load, in turns.
func BenchmarkDNS(b *testing.B) {
	if role := os.Getenv(loadRole); role != "" {
		runLoad(role)
		return
	}
	testkit.RequireRoot(b)
	client, node, server := testkit.NewNS(b, "client"), testkit.NewNS(b, "node"), testkit.NewNS(b, "server")
	for i, pod := range []*testkit.NS{client, server} {
		link := fmt.Sprintf("pod%d", i+1)
		testkit.Veth(pod, "eth0", node, link)
		pod.AddAddr("eth0", fmt.Sprintf("10.77.%d.2/24", i+1))
		node.AddAddr(link, fmt.Sprintf("10.77.%d.1/24", i+1))
		pod.Route("0.0.0.0/0", fmt.Sprintf("10.77.%d.1", i+1))
	}
	node.Forward()
	startLoad(b, server, "server")
	var without, with, rates, rows []float64
	for b.Loop() {
		for range loadTurn {
			without = append(without, loadCPU(b, node, client, []string{capture.FeatureTCP, capture.FeatureProcess, capture.FeatureDrops}, nil, nil))
			with = append(with, loadCPU(b, node, client, nil, &rates, &rows))
		}
	}
	extra := make([]float64, len(with))
	for i := range with {
		extra[i] = with[i] - without[i]
	}
	for name, v := range map[string][]float64{
		"without_%core": without, "with_%core": with, "dns_%core": extra, "queries/s": rates, "rows/query": rows,
	} {
		slices.Sort(v)
		b.ReportMetric(v[len(v)/2], name)
	}
}

// loadCPU returns the processor time of an agent under the load, in hundredths of a core.
func loadCPU(b *testing.B, node, client *testkit.NS, features []string, rates, rows *[]float64) float64 {
	cfg := agent.Config{Node: "node", Interval: time.Second}
	cfg.NetNS, cfg.Features = node.Path, features
	if features == nil {
		cfg.DNSPorts = []uint16{53}
	}
	a, err := agent.New(cfg, slog.New(slog.DiscardHandler))
	if err != nil {
		b.Fatal(err)
	}
	told := 0
	a.OnQueries(func(batch []flow.Record) error { told += len(batch); return nil })
	ctx, cancel := context.WithCancel(context.Background())
	done := make(chan error, 1)
	go func() { done <- a.Run(ctx, func([]flow.Record) error { return nil }) }()
	time.Sleep(200 * time.Millisecond)
	before, began := ownTime(), time.Now()
	asked := startLoad(b, client, "client")
	took := time.Since(began)
	cpu := ownTime() - before
	cancel()
	if err := <-done; err != nil {
		b.Fatal(err)
	}
	if rates != nil {
		*rates = append(*rates, float64(asked)/loadTime.Seconds())
		*rows = append(*rows, float64(told)/float64(asked))
	}
	return 100 * cpu.Seconds() / took.Seconds()
}

// ownTime is the processor time of this process.
func ownTime() time.Duration {
	var u syscall.Rusage
	_ = syscall.Getrusage(syscall.RUSAGE_SELF, &u)
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// startLoad returns what a process says when it is ready, or done: how many queries were answered.
func startLoad(b *testing.B, ns *testkit.NS, role string) (asked int) {
	b.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^$", "-test.bench=^BenchmarkDNS$", "-test.benchtime=1x")
	cmd.Env = append(os.Environ(), loadRole+"="+role)
	in, err := cmd.StdinPipe()
	if err != nil {
		b.Fatal(err)
	}
	out, err := cmd.StderrPipe()
	if err != nil {
		b.Fatal(err)
	}
	if err := ns.Do(cmd.Start); err != nil {
		b.Fatal(err)
	}
	end := func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	}
	if _, err := fmt.Fscanln(out, &asked); err != nil {
		b.Fatalf("%s of the load: %v", role, err)
	}
	if role == "client" {
		end()
	} else {
		b.Cleanup(end)
	}
	return asked
}

// runLoad is a process of the load.
func runLoad(role string) {
	if role == "server" {
		serveNames()
		return
	}
	const workers = 4
	var group sync.WaitGroup
	var answered [workers]int
	began := time.Now()
	for w := range workers {
		group.Go(func() {
			for i := range int(loadRate*loadTime.Seconds()) / workers {
				time.Sleep(time.Until(began.Add(time.Duration(i) * workers * time.Second / loadRate)))
				if askName(fmt.Sprintf("name-%d.shop.svc.cluster.local.", (i*workers+w)%500), uint16(i)) {
					answered[w]++
				}
			}
		})
	}
	group.Wait()
	total := 0
	for _, n := range answered {
		total += n
	}
	fmt.Fprintln(os.Stderr, total)
}

// askName asks once from a socket of its own.
func askName(name string, id uint16) bool {
	q := new(dns.Msg).SetQuestion(name, dns.TypeA)
	q.Id = id
	query, err := q.Pack()
	if err != nil {
		panic(err)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_DGRAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		panic(err)
	}
	defer unix.Close(fd)
	_ = unix.SetsockoptTimeval(fd, unix.SOL_SOCKET, unix.SO_RCVTIMEO, &unix.Timeval{Sec: 1})
	if err := unix.Connect(fd, &unix.SockaddrInet4{Addr: netip.MustParseAddr("10.77.2.2").As4(), Port: 53}); err != nil {
		panic(err)
	}
	if _, err := unix.Write(fd, query); err != nil {
		return false
	}
	n, err := unix.Read(fd, make([]byte, 512))
	return err == nil && n > len(query)
}

// serveNames answers each query with one address, until its standard input ends.
func serveNames() {
	conn, err := net.ListenUDP("udp4", &net.UDPAddr{Port: 53})
	if err != nil {
		panic(err)
	}
	fmt.Fprintln(os.Stderr, 0)
	go func() { _, _ = io.Copy(io.Discard, os.Stdin); conn.Close() }()
	b := make([]byte, 512)
	for {
		n, from, err := conn.ReadFromUDPAddrPort(b)
		if err != nil {
			return
		}
		// The query, as an answer with one record whose name points to the question's (RFC 1035, 4.1.4).
		answer := append(slices.Clone(b[:n]), 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 30, 0, 4, 10, 96, 0, 20)
		binary.BigEndian.PutUint16(answer[2:], 0x8180)
		binary.BigEndian.PutUint16(answer[6:], 1)
		_, _ = conn.WriteToUDPAddrPort(answer, from)
	}
}
