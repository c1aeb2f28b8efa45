package client_test

import (
	"errors"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/query"
)

// answering serves one answer to everything.
func answering(t *testing.T, status int, media, body string) *client.Client {
	t.Helper()
	server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
		w.Header().Set("Content-Type", media)
		w.Header().Set("Location", "http://192.0.2.1/")
		w.WriteHeader(status)
		_, _ = w.Write([]byte(body))
	}))
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: server.URL})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

// TestStrangeAnswers expects an error, and no panic, whatever a server answers.
func TestStrangeAnswers(t *testing.T) {
	const media = "application/json"
	f := func(status int, media, body string) {
		t.Helper()
		c := answering(t, status, media, body)
		if _, err := c.Query(t.Context(), &query.Request{}); err == nil {
			t.Errorf("%d %.100q: no error", status, body)
		}
	}
	f(200, media, ``)
	f(200, media, `<html>`)
	f(200, media, `[]`)
	f(200, media, `{"rows":2,"columns":[{"field":"end","kind":"time","values":["2026-03-01T12:00:00Z"]}]}`)
	f(200, media, `{"rows":1,"columns":[{"field":"end","kind":"time","values":["soon"]}]}`)
	f(200, media, `{"rows":1,"columns":[{"field":"x","kind":"bytes","values":["many"]}]}`)
	f(200, media, `{"rows":1,"columns":[{"field":"tcp.flags","kind":"flags","values":[["WAT"]]}]}`)
	f(200, media, `{"rows":-1,"columns":[{"field":"x","kind":"bytes","values":[]}]}`)
	f(302, media, ``)
	f(404, "text/html", `<html>not found</html>`)
	f(500, media, `{}`)
	f(400, media, `{"error":`)
}

// TestNewerServer expects kinds that this release does not know to be shown as they come.
func TestNewerServer(t *testing.T) {
	c := answering(t, 200, "application/json",
		`{"rows":2,"columns":[{"field":"x","kind":"novel","values":["a",7]},{"field":"avg(x)","kind":"bytes","values":[1,2.5]}],"more":1}`)
	got, err := c.Query(t.Context(), &query.Request{})
	if err != nil {
		t.Fatal(err)
	}
	var line []string
	for i := range got.Columns {
		line = append(line, string(got.Columns[i].AppendText(nil, 0)), string(got.Columns[i].AppendText(nil, 1)))
	}
	if text := strings.Join(line, " "); text != "a 7 1 2.5" {
		t.Errorf("got %q", text)
	}
}

func TestRefusal(t *testing.T) {
	c := answering(t, 400, "application/json", `{"error":"no","kind":"syntax","hint":"yes","position":{"line":3,"column":4,"offset":9}}`)
	_, err := c.Query(t.Context(), &query.Request{})
	refused, ok := errors.AsType[*client.Error](err)
	if !ok || refused.Status != 400 || refused.Error() != "no (line 3, column 4); yes" {
		t.Errorf("got %v", err)
	}
}

// TestPlainToTLS expects the URL that would do.
func TestPlainToTLS(t *testing.T) {
	server := httptest.NewUnstartedServer(http.NotFoundHandler())
	server.Config.ErrorLog = log.New(io.Discard, "", 0)
	server.StartTLS()
	t.Cleanup(server.Close)
	c, err := client.New(client.Config{URL: strings.Replace(server.URL, "https", "http", 1)})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	_, err = c.Query(t.Context(), &query.Request{})
	if _, ok := errors.AsType[*client.Unreachable](err); !ok || !strings.Contains(err.Error(), "want "+server.URL) {
		t.Errorf("got %v", err)
	}
}

func TestUnreachable(t *testing.T) {
	c, err := client.New(client.Config{URL: "http://127.0.0.1:1"})
	if err != nil {
		t.Fatal(err)
	}
	_, err = c.Query(t.Context(), &query.Request{})
	if _, ok := errors.AsType[*client.Unreachable](err); !ok {
		t.Errorf("got %v", err)
	}
	for _, url := range []string{"", "127.0.0.1:8080", "ftp://localhost", "http://"} {
		if _, err := client.New(client.Config{URL: url}); err == nil {
			t.Errorf("URL %q: no error", url)
		}
	}
}
