package credential

import (
	"crypto/tls"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

var discard = slog.New(slog.DiscardHandler)

func writeFile(t *testing.T, path, text string) {
	t.Helper()
	if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}

const (
	tokenOne = "token-one-0123456789"
	tokenTwo = "token-two-0123456789"
)

func TestTokenFiles(t *testing.T) {
	f := func(name, text, wantFirst, wantErr string) {
		t.Run(name, func(t *testing.T) {
			t.Helper()
			path := filepath.Join(t.TempDir(), "tokens")
			writeFile(t, path, text)
			tokens, err := OpenTokens(path, discard)
			if wantErr != "" {
				if err == nil || !strings.Contains(err.Error(), wantErr) {
					t.Fatalf("error is %v, want one with %q", err, wantErr)
				}
				if strings.Contains(err.Error(), "secret") {
					t.Fatalf("error %q tells the token", err)
				}
				return
			}
			if err != nil {
				t.Fatal(err)
			}
			if got := tokens.First(); got != wantFirst {
				t.Errorf("first token is %q, want %q", got, wantFirst)
			}
		})
	}
	f("one", tokenOne+"\n", tokenOne, "")
	f("without a newline", tokenOne, tokenOne, "")
	f("several, comments, carriage returns", "# agents\r\n\r\n"+tokenTwo+"\r\n"+tokenOne+"\r\n", tokenTwo, "")
	f("empty", "", "", "0 tokens")
	f("comments only", "# nothing\n", "", "0 tokens")
	f("short", "# x\nsecret\n", "", "line 2")
	f("with a space", "secret 0123456789abcdef\n", "", "line 1")
	f("not ASCII", "secret-0123456789-äöü\n", "", "line 1")
	f("too many", strings.Repeat(tokenOne+"\n", maxTokens+1), "", "101 tokens")
	f("too large", strings.Repeat("#", maxFile+1), "", "larger than")
}

func TestTokenFileMissing(t *testing.T) {
	if _, err := OpenTokens(filepath.Join(t.TempDir(), "none"), discard); err == nil {
		t.Fatal("no error for a file that is not there")
	}
}

func TestAuthorize(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeFile(t, path, tokenOne+"\n"+tokenTwo+"\n")
	tokens, err := OpenTokens(path, discard)
	if err != nil {
		t.Fatal(err)
	}
	f := func(header string, want bool) {
		t.Helper()
		err := tokens.Authorize(header)
		if (err == nil) != want {
			t.Errorf("%q: error is %v, want accepted %v", header, err, want)
		}
		if err != nil && len(header) > len("Bearer ") && strings.Contains(err.Error(), header[len("Bearer "):]) {
			t.Errorf("%q: error %q tells what was presented", header, err)
		}
	}
	f("Bearer "+tokenOne, true)
	f("bearer "+tokenTwo, true)
	f("Bearer "+tokenOne[:len(tokenOne)-1], false)
	f("Bearer "+tokenOne+"x", false)
	f("Bearer  "+tokenOne, false)
	f("Bearer ", false)
	f("Basic "+tokenOne, false)
	f(tokenOne, false)
	f("", false)
}

// A file that changes is noticed at the next look, one that makes no sense leaves the token before in use.
func TestTokensAreReadAgain(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	writeFile(t, path, tokenOne)
	tokens, err := OpenTokens(path, discard)
	if err != nil {
		t.Fatal(err)
	}
	now := time.Now()
	tokens.current.now = func() time.Time { return now }
	f := func(what, text, want string) {
		t.Helper()
		writeFile(t, path, text)
		now = now.Add(lookEvery)
		if got := tokens.First(); got != want {
			t.Errorf("%s: token is %q, want %q", what, got, want)
		}
	}
	f("changed", tokenTwo, tokenTwo)
	f("nonsense", "short", tokenTwo)
	f("empty", "", tokenTwo)
	f("back", tokenOne, tokenOne)
	writeFile(t, path, tokenTwo)
	if got := tokens.First(); got != tokenOne {
		t.Errorf("within a second the token is %q, want %q: the file was looked at too early", got, tokenOne)
	}
	if err := os.Remove(path); err != nil {
		t.Fatal(err)
	}
	now = now.Add(lookEvery)
	if got := tokens.First(); got != tokenOne {
		t.Errorf("without the file the token is %q, want %q", got, tokenOne)
	}
}

func TestIsLoopback(t *testing.T) {
	f := func(address string, want bool) {
		t.Helper()
		if got := IsLoopback(address); got != want {
			t.Errorf("IsLoopback(%q) = %v, want %v", address, got, want)
		}
	}
	f("127.0.0.1:4317", true)
	f("127.9.9.9:1", true)
	f("[::1]:4317", true)
	f("[::ffff:127.0.0.1]:4317", true)
	f("localhost:4317", true)
	f("localhost.example.org:4317", false)
	f("0.0.0.0:4317", false)
	f("[::]:4317", false)
	f(":4317", false)
	f("192.0.2.1:4317", false)
	f("127.0.0.1", false)
	f("", false)
}

// TestPipeForFile wants an error for a pipe, which would else wait for a writer with every request behind it.
func TestPipeForFile(t *testing.T) {
	path := filepath.Join(t.TempDir(), "tokens")
	if err := syscall.Mkfifo(path, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := read(path); err == nil || !strings.Contains(err.Error(), "not a regular file") {
		t.Errorf("error %v, want that it is no regular file", err)
	}
}

// TestSecretFiles reads one secret, and keeps what is none out of errors.
func TestSecretFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "password")
	for _, c := range []struct{ text, want string }{
		{"hunter2\n", "hunter2"},
		{"with spaces \r\n", "with spaces "},
		{"", ""},
		{"\n", ""},
		{"two\nlines\n", ""},
		{strings.Repeat("x", maxSecret+1), ""},
	} {
		writeFile(t, path, c.text)
		secret, err := OpenSecret(path, discard)
		switch {
		case err == nil && secret.Value() != c.want, err != nil && c.want != "":
			t.Errorf("%.20q gives %v, want %q", c.text, err, c.want)
		case err != nil && (!strings.Contains(err.Error(), "want one line of 1 to 4096 bytes") || strings.Contains(err.Error(), "two")):
			t.Errorf("%.20q gives %v", c.text, err)
		case err == nil && c.want == "":
			t.Errorf("%.20q is taken", c.text)
		}
	}
}

// TestClientConfig names the server by its address unless told otherwise.
func TestClientConfig(t *testing.T) {
	for _, c := range []struct {
		client Client
		want   string
	}{{Client{}, "kafka"}, {Client{ServerName: "broker"}, "broker"}} {
		open, err := c.client.Open(discard)
		if err != nil {
			t.Fatal(err)
		}
		if cfg := open("kafka:9093"); cfg.ServerName != c.want || cfg.InsecureSkipVerify || cfg.MinVersion != tls.VersionTLS12 {
			t.Errorf("server name %q, want %q", cfg.ServerName, c.want)
		}
	}
	if _, err := (&Client{TLS: TLS{CA: "/nowhere/ca.crt"}}).Open(discard); err == nil {
		t.Error("a file that is not there is taken")
	}
}
