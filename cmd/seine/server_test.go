package main

import (
	"context"
	"io"
	"log/slog"
	"net/http"
	"net/netip"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/credential/credentialtest"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/wire"
)

// served is a server under way.
type served struct {
	*running
	api, agents string
}

var (
	apiLine    = regexp.MustCompile(`msg=serving api=(\S+)`)
	agentsLine = regexp.MustCompile(`msg="taking records" listen=(\S+)`)
)

// serve starts a server with a folder and ports of its own.
func serve(t testing.TB, args ...string) *served {
	t.Helper()
	if args == nil {
		args = []string{"--data-dir", t.TempDir()}
	}
	s := &served{running: start(t, append([]string{"server", "--listen", "127.0.0.1:0", "--agents-listen", "127.0.0.1:0"}, args...)...)}
	s.await("the addresses", func() bool {
		_, errs := s.output()
		api, agents := apiLine.FindStringSubmatch(errs), agentsLine.FindStringSubmatch(errs)
		if api == nil || agents == nil {
			return false
		}
		s.api, s.agents = api[1], agents[1]
		return true
	})
	return s
}

// feed sends records as an agent does, and returns when they are stored.
func (s *served) feed(records []flow.Record) { s.send((*wire.Sender).Sink, records) }

// feedQueries is feed for DNS queries.
func (s *served) feedQueries(records []flow.Record) { s.send((*wire.Sender).SinkQueries, records) }

func (s *served) send(sink func(*wire.Sender, []flow.Record) error, records []flow.Record) {
	s.t.Helper()
	sender, err := wire.OpenSender(wire.SenderConfig{Server: s.agents, Node: "node-1", Version: "test", Drain: patience},
		slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	if err := sink(sender, records); err != nil {
		s.t.Fatal(err)
	}
	if err := sender.Close(); err != nil {
		s.t.Fatal(err)
	}
}

// ask runs a command that asks this server.
func (s *served) ask(args ...string) outcome {
	s.t.Helper()
	return seine(s.t, append(args, "--api", s.api)...)
}

// get asks by HTTP.
func get(t testing.TB, url string) (status int, body string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		t.Fatal(err)
	}
	defer http.DefaultClient.CloseIdleConnections()
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return 0, err.Error()
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		t.Fatal(err)
	}
	return response.StatusCode, string(text)
}

// escape is a name that would clear a terminal's screen.
const escape = "\x1b[2J\x07evil"

// shopRecords are a small shop's connections, the last second's.
func shopRecords() []flow.Record {
	now := time.Now().Add(-time.Second)
	pod := func(namespace, workload, name, node string) flow.Identity {
		return flow.Identity{Kind: flow.Pod, Namespace: namespace, Name: name, Workload: flow.Workload{Kind: "Deployment", Name: workload}, Node: node, ResolvedBy: flow.ByPodIP}
	}
	record := func(i int, src, dst, backend flow.Endpoint, sent, received uint64) flow.Record {
		end := now.Add(time.Duration(i) * time.Millisecond)
		r := flow.Record{
			Start: flow.Time(end.Add(-time.Millisecond).UnixNano()), End: flow.Time(end.UnixNano()), Proto: flow.TCP,
			Src: src, Dst: dst, Backend: backend, SNAT: src.AddrPort(), Node: "node-1", Iface: "eth0", Primary: true, Sampling: 1,
			Fwd: flow.Volume{Bytes: sent, Packets: 5}, Rev: flow.Volume{Bytes: received, Packets: 4},
		}
		if dst != backend {
			r.NAT = flow.DNAT
		}
		return r
	}
	at := func(addr string, port uint16, who flow.Identity) flow.Endpoint {
		return flow.Endpoint{Addr: netip.MustParseAddr(addr), Port: port, Identity: who}
	}
	frontend := at("10.0.0.1", 40000, pod("shop", "frontend", "frontend-1", "node-1"))
	cart := at("10.0.0.2", 8080, pod("shop", "cart", "cart-1", "node-1"))
	service := at("10.96.0.1", 80, flow.Identity{Kind: flow.Service, Namespace: "shop", Name: "cart", ResolvedBy: flow.ByServiceIP})
	evil := at("198.51.100.7", 50000, flow.Identity{Kind: flow.External, Name: escape, ResolvedBy: flow.ByDNS})
	dns := at("10.0.1.53", 53, pod("kube-system", "dns", "dns-1", "node-2"))
	records := []flow.Record{
		record(0, frontend, service, cart, 1000, 20_000),
		record(1, frontend, service, cart, 500, 10_000),
		record(2, frontend, dns, dns, 80, 120),
		record(3, evil, service, cart, 60, 0),
	}
	records[2].Proto = flow.UDP
	return records
}

// TestServerAndAgent has an agent send what it captures over TLS with a token, through the server's restart, and expects
// it to be answered for.
func TestServerAndAgent(t *testing.T) {
	s := newSite(t)
	dir := t.TempDir()
	file := func(name string) string { return filepath.Join(dir, name) }
	authority := credentialtest.New(t, "seine-test")
	authority.WriteCA(file("ca"))
	authority.Issue("localhost", file("cert"), file("key"))
	if err := os.WriteFile(file("token"), []byte("sixteen-characters\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	serverFlags := []string{
		"--data-dir", file("data"), "--agents-tls-cert", file("cert"), "--agents-tls-key", file("key"), "--agents-token-file", file("token"),
		"--api-tls-cert", file("cert"), "--api-tls-key", file("key"), "--api-token-file", file("token"),
	}
	server := serve(t, serverFlags...)
	agentFlags := []string{
		"agent", "--netns", s.node.Path, "--node", "sends", "--interval", "100ms",
		"--server", server.agents, "--server-ca", file("ca"), "--server-token-file", file("token"),
	}
	agent := start(t, agentFlags...)
	agent.awaitReady("sends")
	ask := func(server *served) outcome {
		return server.ask("flows", "--to", "10.77.0.2", "--port", "7", "-o", "json", "--last", "1000", "--token-file", file("token"), "--ca-file", file("ca"))
	}
	agent.await("the connection in the server", func() bool {
		s.talk(s.server, 1)
		return len(records(t, ask(server).out)) > 0
	})
	agent.await("its coverage in the server", func() bool {
		told := server.ask("status", "--token-file", file("token"), "--ca-file", file("ca"))
		return regexp.MustCompile(`(?m)^sends .* (99|100)\.\d\d %$`).MatchString(told.out)
	})
	if got := server.ask("flows", "--ca-file", file("ca")); got.code != exitRefused || !strings.Contains(got.errs, "--token-file") {
		t.Errorf("without a token: exit code %d, errors %q; want %d", got.code, got.errs, exitRefused)
	}
	if got := server.ask("flows", "--token-file", file("token")); got.code != exitUnreachable {
		t.Errorf("without trust in the certificate: exit code %d, errors %q; want %d", got.code, got.errs, exitUnreachable)
	}
	plain := "http://" + strings.TrimPrefix(server.api, "https://")
	if got := seine(t, "flows", "--api", plain); got.code != exitUnreachable || !strings.Contains(got.errs, "want "+server.api) {
		t.Errorf("plain HTTP to TLS: exit code %d, errors %q; want %d and the right URL", got.code, got.errs, exitUnreachable)
	}
	if got := server.end(os.Interrupt); got.code != 0 {
		t.Errorf("server: exit code %d, errors %q", got.code, got.errs)
	}
	s.talk(s.server, 3) // While the server is away.
	before := agent.end(os.Interrupt)
	if before.code == 0 || !strings.Contains(before.errs, "records were not delivered to "+server.agents) {
		t.Errorf("an agent whose records did not arrive ends with %d, errors %q", before.code, before.errs)
	}
	again := serve(t, serverFlags...)
	if got := records(t, ask(again).out); len(got) == 0 {
		t.Error("the history is gone after a restart")
	}
	s.checkNothingLeft("sends")
}

// TestServerRefuses expects what is not safe to be refused at the start, in one line that says what to do.
func TestServerRefuses(t *testing.T) {
	f := func(args string, want ...string) {
		t.Helper()
		got := seine(t, append([]string{"server", "--data-dir", t.TempDir()}, strings.Fields(args)...)...)
		checkRefusal(t, got, want...)
	}
	f("--listen 0.0.0.0:0", "every address but loopback needs authentication", "--listen")
	f("--listen 127.0.0.1:0 --agents-listen 0.0.0.0:0", "--agents-listen", "--agents-tls-cert")
	f("--listen 0.0.0.0:0 --api-kubernetes", "--api-kubernetes", "plain text", "--api-tls-cert")
	f("--listen 127.0.0.1:0 --api-token-file /nowhere", "--api-token-file", "/nowhere")
	f("--oidc-issuer https://accounts.example.com", "audience")
	f("--listen 127.0.0.1:0 --api-tls-cert /nowhere", "certificate and a key")
	f("--max-age yesterday", "max-age", "7d")
	f("--max-bytes 10XB", "max-bytes", "10GiB")
}

// TestServerHoldsFolder expects a second server on a folder to be told which process holds it.
func TestServerHoldsFolder(t *testing.T) {
	dir := t.TempDir()
	serve(t, "--data-dir", dir)
	got := seine(t, "server", "--data-dir", dir, "--listen", "127.0.0.1:0", "--agents-listen", "127.0.0.1:0")
	checkRefusal(t, got, "process", dir)
}
