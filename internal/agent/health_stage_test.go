package agent_test

import (
	"fmt"
	"net"
	"net/netip"
	"os"
	"regexp"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// healthStage is a node that routes between a pod with clients and one with servers.
type healthStage struct {
	t                    *testing.T
	node, client, server *testkit.NS
	agent                *exactAgent

	mu      sync.Mutex
	records []flow.Record
}

var healthServer = netip.MustParseAddr("10.77.2.2")

func newHealthStage(t *testing.T) *healthStage {
	t.Helper()
	testkit.SinceKernel(t, "5.10", "map iterators and raw tracepoints")
	s := &healthStage{t: t, node: quietNS(t, "node"), client: quietNS(t, "client"), server: quietNS(t, "server")}
	for i, pod := range []*testkit.NS{s.client, s.server} {
		link := fmt.Sprintf("pod%d", i+1)
		testkit.Veth(pod, "eth0", s.node, link)
		pod.AddAddr("eth0", fmt.Sprintf("10.77.%d.2/24", i+1))
		s.node.AddAddr(link, fmt.Sprintf("10.77.%d.1/24", i+1))
		pod.Route("0.0.0.0/0", fmt.Sprintf("10.77.%d.1", i+1))
	}
	s.node.Forward()
	return s
}

// watch starts the agent.
func (s *healthStage) watch(cfg agent.Config) *healthStage {
	cfg.NetNS = s.node.Path
	if cfg.Interval == 0 {
		cfg.Interval = 300 * time.Millisecond
	}
	cfg.Node = "node"
	s.agent = newExactAgent(s.t, cfg, exactWatch{inspect: func(r *flow.Record) {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.records = append(s.records, *r)
	}})
	return s
}

// account is what the records of a connection say together.
type account struct {
	records          int
	fwd, rev         flow.Faults
	packets          uint64
	resets           uint32
	resetBy          flow.ResetBy
	connect          []flow.Connect
	state            flow.TCPState
	rtt, minRTT      uint32
	handshake        uint32
	lifetime         uint64
	listenDrops      uint32
	client, server   flow.Process
	clients, servers map[uint32]bool
}

// troubles tells what is wrong by the account, empty where nothing is.
func (a *account) troubles() string {
	var b strings.Builder
	for _, c := range []struct {
		name  string
		count uint64
	}{
		{"fwd.retransmits", a.fwd.Retransmits},
		{"rev.retransmits", a.rev.Retransmits},
		{"fwd.zero_windows", a.fwd.ZeroWindows},
		{"rev.zero_windows", a.rev.ZeroWindows},
		{"resets", uint64(a.resets)},
		{"listen_drops", uint64(a.listenDrops)},
	} {
		if c.count > 0 {
			fmt.Fprintf(&b, " %s=%d", c.name, c.count)
		}
	}
	if a.resetBy != 0 {
		fmt.Fprintf(&b, " reset_by=%v", a.resetBy)
	}
	for _, c := range a.connect {
		fmt.Fprintf(&b, " %v", c)
	}
	return strings.TrimSpace(b.String())
}

// end stops the agent and returns the account of the connection to a port of the server's.
func (s *healthStage) end(port uint16) *account {
	s.t.Helper()
	s.agent.stop()
	return s.account(port)
}

func (s *healthStage) account(port uint16) *account {
	s.mu.Lock()
	defer s.mu.Unlock()
	a := &account{clients: make(map[uint32]bool), servers: make(map[uint32]bool)}
	for i := range s.records {
		r := &s.records[i]
		if r.Proto != flow.TCP || r.Dst.Port != port {
			continue
		}
		a.records++
		a.fwd, a.rev = a.fwd.Plus(r.FwdFaults), a.rev.Plus(r.RevFaults)
		a.packets += r.Total().Packets
		a.resets += r.TCP.Resets
		a.resetBy |= r.TCP.ResetBy
		a.listenDrops += r.TCP.ListenDrops
		if r.TCP.Connect != 0 {
			a.connect = append(a.connect, r.TCP.Connect)
		}
		if r.TCP.RTT != 0 {
			a.state, a.rtt, a.minRTT = r.TCP.State, r.TCP.RTT, r.TCP.MinRTT
		}
		a.handshake, a.lifetime = max(a.handshake, r.TCP.Handshake), max(a.lifetime, r.TCP.Lifetime)
		if r.Src.Process.PID != 0 {
			a.client = r.Src.Process
			a.clients[r.Src.Process.PID] = true
		}
		if r.Backend.Process.PID != 0 {
			a.server = r.Backend.Process
			a.servers[r.Backend.Process.PID] = true
		}
	}
	return a
}

// want fails the test where the connection's troubles are others.
func (s *healthStage) want(port uint16, troubles string) *account {
	s.t.Helper()
	a := s.end(port)
	if got := a.troubles(); got != troubles {
		s.t.Errorf("port %d: %q, want %q", port, got, troubles)
		s.dump(port)
	}
	return a
}

func (s *healthStage) dump(port uint16) {
	encoder := flow.NewJSON(flow.Fields())
	for i := range s.records {
		if r := &s.records[i]; r.Dst.Port == port || port == 0 {
			s.t.Logf("%s", encoder.Append(nil, r))
		}
	}
}

// awaitRTT waits until records tell of round trips to a port: an emulated processor may be late with an interval.
func (s *healthStage) awaitRTT(port uint16) uint32 {
	for deadline := time.Now().Add(testkit.IOTimeout); time.Now().Before(deadline); time.Sleep(20 * time.Millisecond) {
		if rtt := s.account(port).rtt; rtt != 0 {
			return rtt
		}
	}
	return 0
}

// wantOwners wants the test's own process at the ends.
func (s *healthStage) wantOwners(a *account, client, server bool) {
	s.t.Helper()
	for _, end := range []struct {
		name string
		pids map[uint32]bool
		want bool
	}{{"client", a.clients, client}, {"server", a.servers, server}} {
		if (len(end.pids) == 1 && end.pids[uint32(os.Getpid())]) != end.want || !end.want && len(end.pids) > 0 {
			s.t.Errorf("the %s's processes are %v, want this one, %d: %t", end.name, end.pids, os.Getpid(), end.want)
		}
	}
}

// rules gives a namespace nftables rules in a chain of a hook.
func rules(t *testing.T, ns *testkit.NS, hook string, lines ...string) {
	t.Helper()
	text := fmt.Sprintf("table inet faults {\n chain c {\n type filter hook %s priority 0;\n %s\n }\n}\n", hook, strings.Join(lines, "\n "))
	if _, err := ns.Run(text, "nft", "-f", "-"); err != nil {
		t.Fatal(err)
	}
}

// kernelCount reads a counter of nstat's names from a namespace.
func kernelCount(t *testing.T, ns *testkit.NS, name string) uint64 {
	t.Helper()
	var text []byte
	err := ns.Do(func() error {
		for _, file := range []string{"snmp", "netstat"} {
			b, err := os.ReadFile("/proc/thread-self/net/" + file)
			if err != nil {
				return err
			}
			text = append(text, b...)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(string(text), "\n")
	for i := 0; i+1 < len(lines); i += 2 {
		names, values := strings.Fields(lines[i]), strings.Fields(lines[i+1])
		for k := range names {
			if k > 0 && strings.TrimSuffix(names[0], ":")+names[k] == name {
				n, err := strconv.ParseUint(values[k], 10, 64)
				if err != nil {
					t.Fatal(err)
				}
				return n
			}
		}
	}
	t.Fatalf("the kernel has no counter %s", name)
	return 0
}

// socketText is what ss tells of the connection to a port.
func socketText(ns *testkit.NS, port uint16) string {
	return ns.Exec("ss", "-tinO", fmt.Sprintf("dport = :%d", port))
}

var rttPattern = regexp.MustCompile(`\brtt:([0-9.]+)/`)

// socketRTT is what ss tells, in microseconds.
func socketRTT(t *testing.T, text string) float64 {
	t.Helper()
	m := rttPattern.FindStringSubmatch(text)
	if m == nil {
		t.Fatalf("no rtt in %q", text)
	}
	ms, err := strconv.ParseFloat(m[1], 64)
	if err != nil {
		t.Fatal(err)
	}
	return ms * 1000
}

// dial connects from the client's pod.
func (s *healthStage) dial(port uint16, patience time.Duration) (net.Conn, error) {
	var conn net.Conn
	err := s.client.Do(func() (err error) {
		d := net.Dialer{Timeout: patience, KeepAlive: -1}
		conn, err = d.Dial("tcp", netip.AddrPortFrom(healthServer, port).String())
		return err
	})
	return conn, err
}

// listen opens a listening socket in the server's pod with a queue of a length, which nobody accepts from.
func (s *healthStage) listen(port uint16, backlog int) int {
	s.t.Helper()
	var fd int
	err := s.server.Do(func() (err error) {
		if fd, err = unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0); err != nil {
			return err
		}
		if err = unix.Bind(fd, &unix.SockaddrInet4{Port: int(port)}); err != nil {
			return err
		}
		return unix.Listen(fd, backlog)
	})
	if err != nil {
		s.t.Fatal(err)
	}
	s.t.Cleanup(func() { unix.Close(fd) })
	return fd
}

// featuresOf returns the state of the features by name.
func featuresOf(s agent.Status) map[string]capture.State {
	states := make(map[string]capture.State)
	for _, f := range s.Features {
		states[f.Name] = f.State
	}
	return states
}
