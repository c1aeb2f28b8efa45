package wire

import (
	"bytes"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/credential/credentialtest"
	"github.com/seine-net/seine/internal/wire/wiretest"
)

const (
	tokenOne = "token-one-0123456789"
	tokenTwo = "token-two-0123456789"
)

// files are what the two ends prove themselves with.
type files struct{ dir string }

func (f *files) path(name string) string { return filepath.Join(f.dir, name) }

// identity writes one end's files, signed by an authority and trusting another.
func (f *files) identity(name string, signer, trusted *credentialtest.Authority) credential.TLS {
	c := credential.TLS{CA: f.path(name + "-ca"), Cert: f.path(name + "-cert"), Key: f.path(name + "-key")}
	trusted.WriteCA(c.CA)
	signer.Issue(name, c.Cert, c.Key)
	return c
}

func (f *files) token(t *testing.T, name, text string) string {
	t.Helper()
	next := f.path(".next")
	if err := os.WriteFile(next, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Rename(next, f.path(name)); err != nil {
		t.Fatal(err)
	}
	return f.path(name)
}

func TestWhoMayConnect(t *testing.T) {
	f := files{dir: t.TempDir()}
	ours, theirs := credentialtest.New(t, "ours"), credentialtest.New(t, "theirs")
	server, agent := f.identity("server", ours, ours), f.identity("agent", ours, ours)
	stranger, gullible := f.identity("stranger", theirs, ours), f.identity("gullible", ours, theirs)
	serverAlone, trusting := server, credential.TLS{CA: agent.CA}
	serverAlone.CA = ""
	one, two := f.token(t, "one", tokenOne), f.token(t, "two", tokenTwo)
	both := f.token(t, "both", tokenTwo+"\n"+tokenOne+"\n")

	try := func(name string, r ReceiverConfig, s SenderConfig, want string) {
		t.Run(name, func(t *testing.T) {
			k := newKeeper()
			receiver, _ := serve(t, r, k)
			s.Server, s.Drain = receiver.Addr().String(), 50*time.Millisecond
			sender := send(t, s)
			sink(t, sender, wiretest.Records(0, 3))
			if want == "" {
				wiretest.Eventually(t, "records", func() bool { return k.kept(t) == 3 })
				return
			}
			wiretest.Eventually(t, "error with "+want, func() bool { return strings.Contains(sender.Stats().LastError, want) })
			if k.kept(t) != 0 || sender.Stats().Acknowledged != 0 {
				t.Error("records arrived all the same")
			}
			wantError(t, sender.Close(), "3 were not acknowledged")
		})
	}
	try("plain", ReceiverConfig{}, SenderConfig{}, "")
	try("server's certificate", ReceiverConfig{TLS: &serverAlone}, SenderConfig{TLS: &trusting}, "")
	try("by a name", ReceiverConfig{TLS: &serverAlone}, SenderConfig{TLS: &trusting, ServerName: "server"}, "")
	try("by another's name", ReceiverConfig{TLS: &serverAlone}, SenderConfig{TLS: &trusting, ServerName: "other"}, "valid for server, not other")
	try("server of another authority", ReceiverConfig{TLS: &serverAlone}, SenderConfig{TLS: &gullible}, "unknown authority")
	try("system's authorities", ReceiverConfig{TLS: &serverAlone}, SenderConfig{TLS: &credential.TLS{}}, "unknown authority")
	try("mutual", ReceiverConfig{TLS: &server}, SenderConfig{TLS: &agent}, "")
	try("mutual without certificate", ReceiverConfig{TLS: &server}, SenderConfig{TLS: &trusting}, "certificate required")
	// A client does not even present a certificate that none of the server's authorities signed.
	try("mutual with another authority's", ReceiverConfig{TLS: &server}, SenderConfig{TLS: &stranger}, "certificate required")
	try("plain to TLS", ReceiverConfig{TLS: &serverAlone}, SenderConfig{}, "server preface")
	try("TLS to plain", ReceiverConfig{}, SenderConfig{TLS: &trusting}, "TLS handshake")
	try("token", ReceiverConfig{TokenFile: one}, SenderConfig{TokenFile: one}, "")
	try("token over TLS", ReceiverConfig{TLS: &server, TokenFile: one}, SenderConfig{TLS: &agent, TokenFile: one}, "")
	try("one token of two", ReceiverConfig{TokenFile: both}, SenderConfig{TokenFile: one}, "")
	try("token that nobody asks for", ReceiverConfig{}, SenderConfig{TokenFile: one}, "")
	try("wrong token", ReceiverConfig{TokenFile: one}, SenderConfig{TokenFile: two}, "server refuses (token)")
	try("no token", ReceiverConfig{TokenFile: one}, SenderConfig{}, "--server-token-file")
	try("certificate is no token", ReceiverConfig{TLS: &server, TokenFile: one}, SenderConfig{TLS: &agent}, "server refuses (token)")
}

func TestVersionsThatDoNotMeet(t *testing.T) {
	try := func(name string, server versions, want string) {
		t.Run(name, func(t *testing.T) {
			k := newKeeper()
			r, err := Listen(ReceiverConfig{Listen: "127.0.0.1:0", Version: "server-9"}, k, discard)
			if err != nil {
				t.Fatal(err)
			}
			r.versions = server
			run(t, r)
			s := send(t, SenderConfig{Server: r.Addr().String(), Drain: 50 * time.Millisecond})
			sink(t, s, wiretest.Records(0, 3))
			if want == "" {
				wiretest.Eventually(t, "records", func() bool { return k.kept(t) == 3 })
				return
			}
			wiretest.Eventually(t, "refusal", func() bool { return s.Stats().LastError != "" })
			if got := s.Stats().LastError; got != want {
				t.Errorf("error is\n%s\nwant\n%s", got, want)
			}
			wantError(t, s.Close(), "3 were not acknowledged")
			if r.Stats().Refusals["version"] == 0 {
				t.Error("refusal is not counted")
			}
		})
	}
	try("newer server that knows us", versions{5, 1}, "")
	try("newer server", versions{5, 3}, "server refuses (version): the agent (agent-1) speaks protocol 1, this server (server-9) 3 to 5: upgrade the older of them")
}

func TestTooManyAgents(t *testing.T) {
	k := newKeeper()
	r, _ := serve(t, ReceiverConfig{MaxAgents: 1}, k)
	first := send(t, SenderConfig{Server: r.Addr().String()})
	wiretest.Eventually(t, "first agent", func() bool { return first.Stats().Connected })
	second := send(t, SenderConfig{Server: r.Addr().String()})
	wiretest.Eventually(t, "refusal", func() bool {
		return containsText(second.Stats().LastError, "server refuses (busy): 1 agents are connected")
	})
	sink(t, second, wiretest.Records(0, 5))
	closeSender(t, first)
	wiretest.Eventually(t, "second agent's records", func() bool { return k.kept(t) == 5 })
}

// Authority, certificates and tokens of both ends are replaced while records flow. Nothing is lost, and afterwards
// nobody gets in with what was before.
func TestRotationUnderTraffic(t *testing.T) {
	f := files{dir: t.TempDir()}
	before, after := credentialtest.New(t, "before"), credentialtest.New(t, "after")
	server, agent := f.identity("server", before, before), f.identity("agent", before, before)
	accepted, presented := f.token(t, "accepted", tokenOne), f.token(t, "presented", tokenOne)
	k := newKeeper()
	r, stop := serve(t, ReceiverConfig{TLS: &server, TokenFile: accepted}, k)
	address := r.Addr().String()
	s := send(t, SenderConfig{Server: address, TLS: &agent, TokenFile: presented})

	const size = 50
	done, traffic, sent := make(chan struct{}), sync.WaitGroup{}, 0
	traffic.Go(func() {
		for ; ; sent += size {
			select {
			case <-done:
				return
			case <-time.After(5 * time.Millisecond):
				_ = s.Sink(wiretest.Records(sent, size))
			}
		}
	})
	wiretest.Eventually(t, "records before", func() bool { return k.kept(t) > 0 })
	f.identity("server", after, after)
	f.identity("agent", after, after)
	f.token(t, "accepted", tokenTwo)
	f.token(t, "presented", tokenTwo)
	// Both ends look at their files once a second.
	time.Sleep(1100 * time.Millisecond)
	stop()
	k.mu.Lock()
	until := len(k.seen)
	k.mu.Unlock()
	serve(t, ReceiverConfig{Listen: address, TLS: &server, TokenFile: accepted}, k)
	wiretest.Eventually(t, "records afterwards", func() bool { return k.kept(t) > until })
	close(done)
	traffic.Wait()
	closeSender(t, s)
	if got := k.kept(t); got != sent {
		t.Errorf("%d records arrived, want %d", got, sent)
	}
}

// The same receiver takes new files for new connections.
func TestReceiverRotates(t *testing.T) {
	f := files{dir: t.TempDir()}
	before, after := credentialtest.New(t, "before"), credentialtest.New(t, "after")
	server := f.identity("server", before, before)
	accepted := f.token(t, "accepted", tokenOne)
	oldAgent, newAgent := f.identity("old", before, before), f.identity("new", after, after)
	k := newKeeper()
	r, _ := serve(t, ReceiverConfig{TLS: &server, TokenFile: accepted}, k)
	address := r.Addr().String()
	old := send(t, SenderConfig{Server: address, TLS: &oldAgent, TokenFile: f.token(t, "t1", tokenOne)})
	wiretest.Eventually(t, "old agent", func() bool { return old.Stats().Connected })

	f.identity("server", after, after)
	f.token(t, "accepted", tokenTwo)
	time.Sleep(1100 * time.Millisecond)
	sink(t, old, wiretest.Records(0, 10))
	wiretest.Eventually(t, "records on the connection from before", func() bool { return k.kept(t) == 10 })
	fresh := send(t, SenderConfig{Server: address, TLS: &newAgent, TokenFile: f.token(t, "t2", tokenTwo)})
	sink(t, fresh, wiretest.Records(100, 10))
	wiretest.Eventually(t, "records with new files", func() bool { return k.kept(t) == 20 })
	late := send(t, SenderConfig{Server: address, TLS: &oldAgent, TokenFile: f.path("t1"), Drain: 50 * time.Millisecond})
	wiretest.Eventually(t, "refusal of old files", func() bool { return late.Stats().LastError != "" })
	stale := send(t, SenderConfig{Server: address, TLS: &newAgent, TokenFile: f.path("t1"), Drain: 50 * time.Millisecond})
	wiretest.Eventually(t, "refusal of the old token", func() bool { return containsText(stale.Stats().LastError, "server refuses (token)") })
}

// Tokens are in no log line, whichever end refuses what.
func TestTokensAreNotLogged(t *testing.T) {
	f := files{dir: t.TempDir()}
	var lines lockedBuffer
	log := slog.New(slog.NewTextHandler(&lines, &slog.HandlerOptions{Level: slog.LevelDebug}))
	r, err := Listen(ReceiverConfig{Listen: "127.0.0.1:0", TokenFile: f.token(t, "one", tokenOne)}, newKeeper(), log)
	if err != nil {
		t.Fatal(err)
	}
	run(t, r)
	s, err := OpenSender(SenderConfig{Server: r.Addr().String(), Node: "n", TokenFile: f.token(t, "two", tokenTwo)}, log)
	if err != nil {
		t.Fatal(err)
	}
	wiretest.Eventually(t, "refusal", func() bool { return s.Stats().LastError != "" })
	closeSender(t, s)
	text := lines.String()
	if !containsText(text, "refused") {
		t.Errorf("refusal is not logged:\n%s", text)
	}
	if containsText(text, tokenOne) || containsText(text, tokenTwo) {
		t.Errorf("a token is logged:\n%s", text)
	}
}

type lockedBuffer struct {
	mu sync.Mutex
	bytes.Buffer
}

func (b *lockedBuffer) Write(p []byte) (int, error) {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.Write(p)
}

func (b *lockedBuffer) String() string {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.Buffer.String()
}
