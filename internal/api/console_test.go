package api_test

import (
	"net/http"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/server"
)

// page is a console of one page and one script.
type page struct{}

func (page) Has(path string) bool { return path == "/" || path == "/app.js" }

func (page) ServeHTTP(w http.ResponseWriter, _ *http.Request) {
	w.Header().Set("Cache-Control", "max-age=60")
	_, _ = w.Write([]byte("a page")) // It is the client's matter to take it.
}

// TestConsole expects the console where the API is not, open to everybody, and nothing of the API's behind it.
func TestConsole(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) {
		c.Console = page{}
		c.Authenticators = []api.Authenticator{tokenFile(t, "sesame-of-many-letters\n")}
	})
	f := func(method, path string, want int, text string) {
		t.Helper()
		if status, body := s.do(method, path, ""); status != want || !strings.Contains(string(body), text) {
			t.Errorf("%s %s: status %d, want %d: %.200s", method, path, status, want, body)
		}
	}
	f("GET", "/", 200, "a page")
	f("GET", "/app.js", 200, "a page")
	f("HEAD", "/", 200, "")
	f("POST", "/", 405, `"method"`)
	f("GET", "/other.js", 404, `"not_found"`)
	f("GET", "/api/v1/status", 401, `"unauthorized"`)
	f("GET", "/api/v1/nothing", 401, `"unauthorized"`)
	f("GET", "/healthz", 200, "ok")
}
