package agent_test

import (
	"fmt"
	"io"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/agent"
	"github.com/seine-net/seine/internal/capture"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/testkit"
)

// datagramRole has the environment variable by which this binary is told to be a process of TestDatagramOwners.
const datagramRole = "SEINE_DATAGRAM_ROLE"

// TestDatagramOwners has processes of UDP, each with many short-lived sockets or one older than the agent: each record
// names the right one at each end.
func TestDatagramOwners(t *testing.T) {
	if role := os.Getenv(datagramRole); role != "" {
		runDatagrams(role)
		return
	}
	s := newHealthStage(t)
	s.server.ServeTCP(netip.AddrPortFrom(healthServer, 8006))
	older := startDatagrams(t, s.server, "server 8010")
	s.watch(agent.Config{})
	for _, f := range s.agent.agent.Status().Features {
		if f.Name == capture.FeatureProcess && f.State != capture.Live {
			t.Fatalf("%+v", f)
		}
	}
	conn, err := s.dial(8006, testkit.IOTimeout) // By this socket the agent knows the server's namespace by its address.
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	younger := startDatagrams(t, s.server, "server 8011")
	want := map[uint16][2]uint32{}
	for i, c := range []struct {
		kind   string
		ns     *testkit.NS
		server uint32
		port   uint16
	}{
		{"connected", s.client, older, 8010},
		{"connected", s.client, younger, 8011},
		{"wandering", s.client, older, 8010},
		{"wandering", s.client, younger, 8011},
		{"connected", s.node, younger, 8011},
		{"wandering", s.node, younger, 8011},
	} {
		first := 20000 + i*datagramSockets
		client := startDatagrams(t, c.ns, fmt.Sprintf("%s %d %d", c.kind, c.port, first))
		for k := range datagramSockets {
			want[uint16(first+k)] = [2]uint32{client, c.server}
		}
	}
	time.Sleep(time.Second)
	s.agent.stop()
	seen := 0
	for i := range s.records {
		r := &s.records[i]
		if r.Proto != flow.UDP || r.Dst.Port != 8010 && r.Dst.Port != 8011 {
			continue
		}
		seen++
		if got := [2]uint32{r.Src.Process.PID, r.Backend.Process.PID}; got != want[r.Src.Port] {
			t.Errorf("%s: processes %v, want %v", flow.FormatPath(r), got, want[r.Src.Port])
		}
	}
	if seen < len(want) || len(want) == 0 {
		t.Errorf("%d records of %d sockets", seen, len(want))
	}
}

// datagramSockets is how many sockets each client makes, one after the other.
const datagramSockets = 40

// startDatagrams returns the number of a process that is ready: of a client, done.
func startDatagrams(t *testing.T, ns *testkit.NS, role string) uint32 {
	t.Helper()
	cmd := exec.Command(os.Args[0], "-test.run=^TestDatagramOwners$")
	cmd.Env = append(os.Environ(), datagramRole+"="+role)
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := ns.Do(cmd.Start); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		in.Close()
		_, _ = io.Copy(io.Discard, out)
		_ = cmd.Wait()
	})
	b := make([]byte, 3)
	if _, err := io.ReadFull(out, b); err != nil || string(b) != "ok\n" {
		t.Fatalf("%s: said %q: %v", role, b, err)
	}
	return uint32(cmd.Process.Pid)
}

// runDatagrams is a process of the test.
func runDatagrams(role string) {
	var kind string
	var port, first int
	if n, err := fmt.Sscan(role, &kind, &port, &first); n < 2 {
		panic(err)
	}
	if kind == "server" {
		conn, err := net.ListenUDP("udp", &net.UDPAddr{Port: port})
		if err != nil {
			panic(err)
		}
		go echo(conn)
	} else {
		for i := range datagramSockets {
			ask(kind == "connected", first+i, &net.UDPAddr{IP: healthServer.AsSlice(), Port: port})
		}
	}
	fmt.Println("ok")
	_, _ = io.Copy(io.Discard, os.Stdin)
}

func echo(conn *net.UDPConn) {
	b := make([]byte, 100)
	for {
		if n, from, err := conn.ReadFromUDP(b); err == nil {
			_, _ = conn.WriteToUDP(b[:n], from)
		}
	}
}

// ask sends a datagram from a port and waits for its answer.
func ask(connected bool, from int, to *net.UDPAddr) {
	var conn *net.UDPConn
	var err error
	if connected {
		conn, err = net.DialUDP("udp4", &net.UDPAddr{Port: from}, to)
	} else {
		conn, err = net.ListenUDP("udp4", &net.UDPAddr{Port: from})
	}
	if err != nil {
		panic(err)
	}
	defer conn.Close()
	conn.SetDeadline(time.Now().Add(testkit.IOTimeout))
	if connected {
		_, err = conn.Write(make([]byte, 10))
	} else {
		_, err = conn.WriteToUDP(make([]byte, 10), to)
	}
	if err == nil {
		_, _, err = conn.ReadFromUDP(make([]byte, 100))
	}
	if err != nil {
		panic(err)
	}
}
