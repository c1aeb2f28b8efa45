package api_test

import (
	"context"
	"net/http"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/server"
)

// scoped admits by two tokens: one sees everything, the other a namespace.
type scoped struct{}

func (scoped) Authorize(_ context.Context, header string) (*api.Scope, error) {
	switch header {
	case "Bearer all":
		return nil, nil
	case "Bearer some":
		return &api.Scope{Namespaces: []string{"shop"}}, nil
	}
	return nil, &api.Forbidden{Err: http.ErrNoCookie}
}

// TestMetrics has the metrics, which tell of all namespaces, for those who may see these alone.
func TestMetrics(t *testing.T) {
	answer := http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { _, _ = w.Write([]byte("seine_ready 1\n")) })
	s := open(t, func(c *api.Config, _ *server.Config) {
		c.Metrics, c.Authenticators = answer, []api.Authenticator{scoped{}}
	})
	f := func(path, token string, want int, text string) {
		t.Helper()
		status, body := s.do("GET", path, "", "Authorization", "Bearer "+token)
		if status != want || !strings.Contains(body, text) {
			t.Errorf("%s of %s: status %d, body %q; want %d and %q", path, token, status, body, want, text)
		}
	}
	f("/metrics", "all", 200, "seine_ready 1\n")
	f("/metrics", "some", 403, "/metrics is for those who may see all namespaces")
	f("/metrics", "none", 403, "forbidden")
	f("/metrics?collect=go", "all", 400, "collect")
	without := open(t, nil)
	if status, body := without.do("GET", "/metrics", ""); status != 404 || !strings.Contains(body, "no metrics") {
		t.Errorf("without metrics: status %d, body %q", status, body)
	}
	if status, _ := without.do("POST", "/metrics", ""); status != 405 {
		t.Errorf("POST: status %d, want 405", status)
	}
}
