package credential

import (
	"crypto/tls"
	"net"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/credential/credentialtest"
)

// material is a folder with what two ends need.
type material struct{ ca, cert, key string }

func newMaterial(t *testing.T, authority *credentialtest.Authority, name string) material {
	t.Helper()
	dir := t.TempDir()
	m := material{filepath.Join(dir, "ca"), filepath.Join(dir, "cert"), filepath.Join(dir, "key")}
	authority.WriteCA(m.ca)
	authority.Issue(name, m.cert, m.key)
	return m
}

func TestTLSFilesThatMakeNoSense(t *testing.T) {
	a, b := credentialtest.New(t, "a"), credentialtest.New(t, "b")
	one, two := newMaterial(t, a, "one"), newMaterial(t, b, "two")
	nonsense := filepath.Join(t.TempDir(), "nonsense")
	writeFile(t, nonsense, "nonsense")
	f := func(name string, files TLS, want string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			_, serverErr := files.Server(discard, "h2")
			if serverErr == nil || !strings.Contains(serverErr.Error(), want) {
				t.Errorf("server's error is %v, want one with %q", serverErr, want)
			}
			if _, err := files.Client("x", discard); files.Cert != "" && err == nil {
				t.Error("client has no error")
			}
		})
	}
	f("nothing", TLS{}, "needs a certificate")
	f("certificate without key", TLS{Cert: one.cert}, "go together")
	f("missing file", TLS{Cert: one.cert, Key: filepath.Join(t.TempDir(), "none")}, "no such file")
	f("key of another", TLS{Cert: one.cert, Key: two.key}, "private key does not match")
	f("CA is nonsense", TLS{CA: nonsense, Cert: one.cert, Key: one.key}, "as PEM")
	f("certificate is nonsense", TLS{Cert: nonsense, Key: one.key}, "PEM")
}

// handshake tells whether two ends accept each other.
func handshake(t *testing.T, server, client *tls.Config) error {
	t.Helper()
	near, far := connect(t)
	defer near.Close()
	defer far.Close()
	served := make(chan error, 1)
	go func() {
		s := tls.Server(far, server)
		err := s.Handshake()
		if err == nil {
			_, err = s.Write([]byte("x"))
		}
		_ = far.Close()
		served <- err
	}()
	c := tls.Client(near, client)
	err := c.Handshake()
	if err == nil {
		// In TLS 1.3 a client learns only now that its certificate was refused.
		_, err = c.Read(make([]byte, 1))
	}
	_ = near.Close()
	if serverErr := <-served; err == nil {
		err = serverErr
	}
	return err
}

// connect returns the two ends of a loopback connection that lasts five seconds at most.
func connect(t *testing.T) (near, far net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if near, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if far, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	deadline := time.Now().Add(5 * time.Second)
	_ = near.SetDeadline(deadline)
	_ = far.SetDeadline(deadline)
	return near, far
}

func TestHandshakes(t *testing.T) {
	ours, theirs := credentialtest.New(t, "ours"), credentialtest.New(t, "theirs")
	server, agent, stranger := newMaterial(t, ours, "server"), newMaterial(t, ours, "agent"), newMaterial(t, theirs, "stranger")
	plain := TLS{Cert: server.cert, Key: server.key}
	mutual := TLS{CA: server.ca, Cert: server.cert, Key: server.key}
	f := func(name string, serverFiles, clientFiles TLS, serverName string, want bool) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			s, err := serverFiles.Server(discard, "h2")
			if err != nil {
				t.Fatal(err)
			}
			c, err := clientFiles.Client(serverName, discard)
			if err != nil {
				t.Fatal(err)
			}
			if err := handshake(t, s, c()); (err == nil) != want {
				t.Errorf("handshake: %v, want success %v", err, want)
			}
		})
	}
	f("server alone", plain, TLS{CA: agent.ca}, "server", true)
	f("by address", plain, TLS{CA: agent.ca}, "127.0.0.1", true)
	f("other name", plain, TLS{CA: agent.ca}, "other", false)
	f("other authority", plain, TLS{CA: stranger.ca}, "server", false)
	f("system's authorities", plain, TLS{}, "server", false)
	f("mutual", mutual, TLS{CA: agent.ca, Cert: agent.cert, Key: agent.key}, "server", true)
	f("mutual without certificate", mutual, TLS{CA: agent.ca}, "server", false)
	f("mutual with a stranger", mutual, TLS{CA: agent.ca, Cert: stranger.cert, Key: stranger.key}, "server", false)
}

func TestOldTLSIsRefused(t *testing.T) {
	m := newMaterial(t, credentialtest.New(t, "a"), "server")
	server, err := TLS{Cert: m.cert, Key: m.key}.Server(discard, "h2")
	if err != nil {
		t.Fatal(err)
	}
	client, err := TLS{CA: m.ca}.Client("server", discard)
	if err != nil {
		t.Fatal(err)
	}
	old := client()
	old.MinVersion, old.MaxVersion = tls.VersionTLS12, tls.VersionTLS12
	if err := handshake(t, server, old); err == nil {
		t.Error("TLS 1.2 is accepted")
	}
}

// Certificates and authorities change while both ends run; a certificate without its key changes nothing.
func TestRotation(t *testing.T) {
	before, after := credentialtest.New(t, "before"), credentialtest.New(t, "after")
	m := newMaterial(t, before, "server")
	current, err := TLS{CA: m.ca, Cert: m.cert, Key: m.key}.open(discard)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	current.now = func() time.Time { return now }
	serial := func() string {
		now = now.Add(lookEvery)
		return current.get().certificate.Leaf.SerialNumber.String()
	}
	first := serial()
	after.Issue("server", m.cert, filepath.Join(t.TempDir(), "key-elsewhere"))
	if got := serial(); got != first {
		t.Error("certificate changed before its key did")
	}
	after.Issue("server", m.cert, m.key)
	if got := serial(); got == first {
		t.Error("certificate did not change")
	}
	roots := current.get().roots
	after.WriteCA(m.ca)
	serial()
	if current.get().roots.Equal(roots) {
		t.Error("authority did not change")
	}
}
