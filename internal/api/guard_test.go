package api_test

import (
	"crypto"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/go-jose/go-jose/v4"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/server"
)

// TestSites expects pages of other sites, and other names for this machine, to be refused where there are no tokens.
func TestSites(t *testing.T) {
	s := open(t, nil)
	own := strings.TrimPrefix(s.url, "http://")
	f := func(want int, headers ...string) {
		t.Helper()
		for _, request := range [][3]string{
			{"GET", "/api/v1/fields", ""},
			{"POST", "/api/v1/query", `{"measures":["count()"]}`},
			{"GET", "/api/v1/export?format=csv", ""},
		} {
			status, body := s.do(request[0], request[1], request[2], headers...)
			if status != want {
				t.Errorf("%v with %q: status %d, want %d: %.200s", request, headers, status, want, body)
			}
		}
	}
	f(200)
	f(200, "Host", "localhost:8080")
	f(200, "Host", "localhost")
	f(200, "Host", "127.0.0.1")
	f(200, "Host", "[::1]:8080")
	f(200, "Host", "[::1]")
	f(200, "Origin", "http://"+own)
	f(200, "Sec-Fetch-Site", "same-origin")
	f(200, "Sec-Fetch-Site", "none")
	f(403, "Host", "evil.example")
	f(403, "Host", "evil.example:8080")
	f(403, "Host", "localhost.evil.example")
	f(403, "Host", "192.0.2.1")
	f(403, "Host", "0.0.0.0")
	f(403, "Origin", "http://evil.example")
	f(403, "Origin", "null")
	f(403, "Origin", "http://localhost:1")
	f(403, "Sec-Fetch-Site", "cross-site")
	f(403, "Sec-Fetch-Site", "same-site", "Origin", "http://"+own)
	f(403, "Host", "evil.example", "Origin", "http://evil.example", "Sec-Fetch-Site", "same-origin")
	if status, _ := s.do("GET", "/healthz", "", "Host", "probe.example"); status != 200 {
		t.Errorf("healthz: status %d; it answers everybody", status)
	}
}

func TestListenWithoutAuthentication(t *testing.T) {
	s := open(t, nil)
	log := slog.New(slog.DiscardHandler)
	tokens := tokenFile(t, "sixteen-characters")
	f := func(address string, wantRefused bool, authenticators ...api.Authenticator) {
		t.Helper()
		engine := stalled{}
		a, err := api.New(api.Config{Engine: engine, Source: s.server, Log: log, Authenticators: authenticators})
		if err != nil {
			t.Fatal(err)
		}
		l, err := api.Listen(address, a, nil)
		if err == nil {
			_ = l.Close()
		}
		if refused := err != nil && strings.Contains(err.Error(), "authentication"); refused != wantRefused || err != nil && !refused {
			t.Errorf("listen on %q with %d authenticators: error %v, want refused %v", address, len(authenticators), err, wantRefused)
		}
	}
	f("127.0.0.1:0", false)
	f("localhost:0", false)
	f("0.0.0.0:0", true)
	f(":0", true)
	f("[::]:0", true)
	f("192.0.2.1:8080", true)
	f("example.com:80", true)
	f("0.0.0.0:0", false, tokens)
}

func tokenFile(t *testing.T, tokens string) api.TokenFile {
	t.Helper()
	path := filepath.Join(t.TempDir(), "tokens")
	if err := os.WriteFile(path, []byte(tokens+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	opened, err := credential.OpenTokens(path, slog.New(slog.DiscardHandler))
	if err != nil {
		t.Fatal(err)
	}
	return api.TokenFile{Tokens: opened}
}

// checkAuth asks with a header and compares the status.
func (s *site) checkAuth(name, header string, want int) {
	s.t.Helper()
	var headers []string
	if header != "" {
		headers = []string{"Authorization", header}
	}
	response := s.send("GET", "/api/v1/fields", nil, headers...)
	defer response.Body.Close()
	if response.StatusCode != want {
		s.t.Errorf("%s: status %d, want %d", name, response.StatusCode, want)
	}
	if asks := response.Header.Get("WWW-Authenticate"); (asks == "Bearer") != (want == 401) {
		s.t.Errorf("%s: WWW-Authenticate %q with status %d", name, asks, response.StatusCode)
	}
}

func TestTokens(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) {
		c.Authenticators = []api.Authenticator{tokenFile(t, "first-token-of-ours\nsecond-token-of-ours")}
	})
	s.checkAuth("first", "Bearer first-token-of-ours", 200)
	s.checkAuth("second", "bearer second-token-of-ours", 200)
	s.checkAuth("none", "", 401)
	s.checkAuth("empty", "Bearer ", 401)
	s.checkAuth("other", "Bearer third-token-of-ours", 401)
	s.checkAuth("shorter", "Bearer first-token-of-our", 401)
	s.checkAuth("longer", "Bearer first-token-of-ours1", 401)
	s.checkAuth("scheme", "Basic first-token-of-ours", 401)
	s.checkAuth("huge", "Bearer "+strings.Repeat("x", 60_000), 401)
	for _, path := range []string{"/api/v1/query", "/api/v1/tail", "/api/v1/export?format=csv", "/api/v1/values", "/api/v1/status", "/api/v1/openapi.json"} {
		method := "GET"
		if path == "/api/v1/query" {
			method = "POST"
		}
		status, body := s.do(method, path, `{}`)
		if got := refused(t, body); status != 401 || got.Kind != "unauthorized" || strings.Contains(body, "token-of-ours") {
			t.Errorf("%s: status %d, body %s", path, status, body)
		}
	}
	for _, path := range []string{"/healthz", "/readyz"} {
		if status, _ := s.do("GET", path, ""); status != 200 {
			t.Errorf("%s: status %d without a token", path, status)
		}
	}
	if status, _ := s.do("GET", "/api/v1/fields", "", "Authorization", "Bearer first-token-of-ours", "Host", "seine.example"); status != 200 {
		t.Errorf("status %d by another name with a token, want 200", status)
	}
}

// issuer is an OpenID Connect provider as far as verification asks one.
type issuer struct {
	*httptest.Server
	down bool

	mu  sync.Mutex
	key *rsa.PrivateKey
	// keyID changes when the key does.
	keyID string
}

// rotate takes another key, and no longer publishes the one before.
func (i *issuer) rotate(t *testing.T, keyID string) {
	t.Helper()
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	i.mu.Lock()
	defer i.mu.Unlock()
	i.key, i.keyID = key, keyID
}

func newIssuer(t *testing.T) *issuer {
	t.Helper()
	i := &issuer{}
	i.rotate(t, "one")
	mux := http.NewServeMux()
	mux.HandleFunc("/.well-known/openid-configuration", func(w http.ResponseWriter, _ *http.Request) {
		if i.down {
			http.Error(w, "down", http.StatusServiceUnavailable)
			return
		}
		_ = json.NewEncoder(w).Encode(map[string]any{
			"issuer": i.URL, "jwks_uri": i.URL + "/keys", "id_token_signing_alg_values_supported": []string{"RS256"},
		})
	})
	mux.HandleFunc("/keys", func(w http.ResponseWriter, _ *http.Request) {
		i.mu.Lock()
		key := jose.JSONWebKey{Key: i.key.Public(), KeyID: i.keyID, Algorithm: "RS256", Use: "sig"}
		i.mu.Unlock()
		_ = json.NewEncoder(w).Encode(jose.JSONWebKeySet{Keys: []jose.JSONWebKey{key}})
	})
	i.Server = httptest.NewServer(mux)
	t.Cleanup(i.Close)
	return i
}

// token signs claims.
func token(t *testing.T, key crypto.PrivateKey, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	return tokenBy(t, "one", key, algorithm, claims)
}

// tokenBy signs claims by a key of a name.
func tokenBy(t *testing.T, keyID string, key crypto.PrivateKey, algorithm jose.SignatureAlgorithm, claims map[string]any) string {
	t.Helper()
	options := (&jose.SignerOptions{}).WithHeader("kid", keyID)
	signer, err := jose.NewSigner(jose.SigningKey{Algorithm: algorithm, Key: key}, options)
	if err != nil {
		t.Fatal(err)
	}
	payload, err := json.Marshal(claims)
	if err != nil {
		t.Fatal(err)
	}
	signed, err := signer.Sign(payload)
	if err != nil {
		t.Fatal(err)
	}
	compact, err := signed.CompactSerialize()
	if err != nil {
		t.Fatal(err)
	}
	return compact
}

func TestOIDC(t *testing.T) {
	i := newIssuer(t)
	i.down = true
	o, err := api.NewOIDC(i.URL, "seine")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(o.Close)
	s := open(t, func(c *api.Config, _ *server.Config) {
		c.Authenticators = []api.Authenticator{tokenFile(t, "sixteen-characters"), o}
	})
	claims := func(change ...any) map[string]any {
		c := map[string]any{"iss": i.URL, "aud": "seine", "sub": "someone", "iat": time.Now().Unix(), "exp": time.Now().Add(time.Hour).Unix()}
		for j := 0; j < len(change); j += 2 {
			c[change[j].(string)] = change[j+1]
		}
		return c
	}
	good := token(t, i.key, jose.RS256, claims())
	s.checkAuth("the issuer is away", "Bearer "+good, 503)
	s.checkAuth("another means while the issuer is away", "Bearer sixteen-characters", 200)
	i.down = false
	deadline := time.Now().Add(30 * time.Second)
	for {
		status, _ := s.do("GET", "/api/v1/fields", "", "Authorization", "Bearer "+good)
		if status == 200 {
			break
		}
		if time.Now().After(deadline) {
			t.Fatalf("status %d after the issuer came back", status)
		}
		time.Sleep(200 * time.Millisecond)
	}
	other, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	f := func(name, token string, want int) {
		t.Helper()
		s.checkAuth(name, "Bearer "+token, want)
	}
	f("good", good, 200)
	f("several audiences", token(t, i.key, jose.RS256, claims("aud", []string{"other", "seine"})), 200)
	f("other audience", token(t, i.key, jose.RS256, claims("aud", "grafana")), 401)
	f("no audience", token(t, i.key, jose.RS256, claims("aud", nil)), 401)
	f("other issuer", token(t, i.key, jose.RS256, claims("iss", "https://evil.example")), 401)
	f("expired", token(t, i.key, jose.RS256, claims("exp", time.Now().Add(-time.Hour).Unix())), 401)
	f("not yet", token(t, i.key, jose.RS256, claims("nbf", time.Now().Add(time.Hour).Unix())), 401)
	f("other key", token(t, other, jose.RS256, claims()), 401)
	f("other algorithm", token(t, []byte(strings.Repeat("k", 32)), jose.HS256, claims()), 401)
	f("unsigned", "eyJhbGciOiJub25lIn0.eyJzdWIiOiJ4In0.", 401)
	f("cut", good[:len(good)-5], 401)
	f("no token", "a.b.c", 401)
	s.checkAuth("nothing", "", 401)
	_, body := s.do("GET", "/api/v1/fields", "", "Authorization", "Bearer "+token(t, i.key, jose.RS256, claims("aud", "grafana")))
	if got := refused(t, body); !strings.Contains(got.Error, "another audience") || strings.Contains(body, "grafana") {
		t.Errorf("error %s, want the reason and nothing of the token", body)
	}
	i.rotate(t, "two")
	f("key that is not announced yet", token(t, other, jose.RS256, claims()), 401)
	f("new key", tokenBy(t, "two", i.key, jose.RS256, claims()), 200)
	f("key before", good, 401)
	f("new key's name, other key", tokenBy(t, "two", other, jose.RS256, claims()), 401)
}

func TestNewOIDCRefuses(t *testing.T) {
	f := func(issuer, audience string) {
		t.Helper()
		if _, err := api.NewOIDC(issuer, audience); err == nil {
			t.Errorf("issuer %q, audience %q: no error", issuer, audience)
		}
	}
	f("", "seine")
	f("accounts.example.com", "seine")
	f("http://accounts.example.com", "seine")
	f("ftp://localhost", "seine")
	f("https://accounts.example.com", "")
}
