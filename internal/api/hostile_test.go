package api_test

import (
	"bufio"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/server"
)

// TestHostileRequests expects each to be answered soon, with a status, a kind and words.
func TestHostileRequests(t *testing.T) {
	s := withRecords(t, 100)
	f := func(name, method, path, body string, wantStatus int, wantKind string, wantWords ...string) {
		t.Helper()
		start := time.Now()
		status, answer := s.do(method, path, body)
		if took := time.Since(start); took > 10*time.Second {
			t.Errorf("%s: took %v", name, took)
		}
		got := refused(t, answer)
		if status != wantStatus || got.Kind != wantKind {
			t.Errorf("%s: status %d, kind %q, error %q; want %d, %q", name, status, got.Kind, got.Error, wantStatus, wantKind)
		}
		for _, word := range wantWords {
			if !strings.Contains(got.Error+" "+got.Hint, word) {
				t.Errorf("%s: error %q, hint %q; want them to contain %q", name, got.Error, got.Hint, word)
			}
		}
		if len(answer) > 4096 {
			t.Errorf("%s: an error of %d bytes", name, len(answer))
		}
	}
	const q = "/api/v1/query"
	filter := func(text string) string { return fmt.Sprintf(`{"measures":["count()"],"filter":%q}`, text) }

	f("no JSON", "POST", q, `{`, 400, "syntax")
	f("empty", "POST", q, ``, 400, "syntax")
	f("other JSON", "POST", q, `[1]`, 400, "type")
	f("two values", "POST", q, `{} {}`, 400, "syntax", "follows")
	f("unknown member", "POST", q, `{"meassures":["count()"]}`, 400, "syntax", "meassures", "measures")
	f("wrong type", "POST", q, `{"limit":"ten"}`, 400, "type", "limit", "whole number")
	f("deep JSON", "POST", q, strings.Repeat(`{"filter":`, 20_000), 400, "syntax")
	f("control characters", "POST", q, "{\"filter\":\"\x1b[2J\"}", 400, "syntax")
	f("huge body", "POST", q, `{"filter":"`+strings.Repeat("a", 8<<20)+`"}`, 400, "too_large", "bytes")
	f("absurd limit", "POST", q, `{"limit":1000000000}`, 400, "value", "100000")
	f("negative limit", "POST", q, `{"limit":-1}`, 400, "value")
	f("backward", "POST", q, `{"from":"2026-03-02T00:00:00Z","to":"2026-03-01T00:00:00Z"}`, 400, "value", "before")
	f("no time", "POST", q, `{"from":"yesterday"}`, 400, "value", "RFC 3339")
	f("beyond time", "POST", q, `{"from":"9999-01-01T00:00:00Z"}`, 400, "value")
	f("tiny step", "POST", q, `{"measures":["count()"],"last":"2000w","step":"1ns"}`, 400, "too_large", "step")
	f("bad duration", "POST", q, `{"last":"-5m"}`, 400, "value")
	f("unknown field", "POST", q, filter(`src.adr == "1"`), 400, "unknown_name", "src.addr")
	f("types", "POST", q, filter(`dst.port == "http"`), 400, "type")
	f("no condition", "POST", q, filter(`1 + 1`), 400, "type")
	f("syntax", "POST", q, filter(`dst.port ==`), 400, "syntax")
	f("deep CEL", "POST", q, filter(strings.Repeat("(", 5000)+"true"+strings.Repeat(")", 5000)), 400, "too_large")
	f("deep not", "POST", q, filter(strings.Repeat("!(", 200)+"primary"+strings.Repeat(")", 200)), 400, "too_large")
	f("long CEL", "POST", q, filter(strings.Repeat("dst.port == 1 || ", 3800)+"primary"), 400, "too_large")
	f("longer CEL", "POST", q, filter(strings.Repeat(" ", 70_000)+"primary"), 400, "too_large", "65536")
	f("long regexp", "POST", q, filter(`src.name.matches("`+strings.Repeat("a?", 2000)+`")`), 400, "too_large")
	f("regexp bomb", "POST", q, filter(`src.name.matches("((a{1,1000}){1,1000}){1,1000}")`), 400, "value")
	f("bad regexp", "POST", q, filter(`src.name.matches("(")`), 400, "value")
	f("comprehension", "POST", q, filter(`[1,2].all(x, x > 0)`), 400, "unknown_name")
	f("many names", "POST", q, `{"fields":[`+strings.Repeat(`"end",`, 5000)+`"end"]}`, 400, "too_large")
	f("twice", "POST", q, `{"fields":["end","end"]}`, 400, "value")
	f("bad measure", "POST", q, `{"measures":["sum(src.addr)"]}`, 400, "type")
	f("bad order", "POST", q, `{"measures":["count()"],"order":"bytes"}`, 400, "unknown_name", "count()")
	f("not stored", "POST", q, `{"fields":["community_id"]}`, 400, "unsupported")
	f("no dataset", "POST", q, `{"dataset":"../etc"}`, 400, "unknown_name")

	f("method", "GET", q, "", 405, "method", "POST")
	f("odd method", "BREW", "/api/v1/fields", "", 405, "method")
	f("no path", "GET", "/api/v1/nothing", "", 404, "not_found", "/api/v1/query")
	f("up", "GET", "/api/v1/../../etc/passwd", "", 404, "not_found")
	f("unknown parameter", "GET", "/api/v1/values?field=proto&max=3", "", 400, "unknown_name", "max", "limit")
	f("twice a parameter", "GET", "/api/v1/values?field=proto&field=nat", "", 400, "value")
	f("missing parameter", "GET", "/api/v1/values", "", 400, "value", "field")
	f("malformed parameters", "GET", "/api/v1/values?field=%zz", "", 400, "syntax")
	f("bad limit", "GET", "/api/v1/values?field=proto&limit=1e9", "", 400, "value", "1000")
	f("values of numbers", "GET", "/api/v1/values?field=dst.port", "", 400, "unsupported")
	f("values of sums", "GET", "/api/v1/values?field=total.bytes", "", 400, "type")
	f("bad export", "GET", "/api/v1/export?format=xml", "", 400, "unknown_name", "csv")
	f("no format", "GET", "/api/v1/export", "", 400, "value", "format")
	f("bad export filter", "GET", "/api/v1/export?format=csv&filter=x", "", 400, "unknown_name")
	f("bad tail filter", "GET", "/api/v1/tail?filter="+url.QueryEscape(`dst.prt == 1`), "", 400, "unknown_name", "dst.port")
	f("bad tail fields", "GET", "/api/v1/tail?fields=nothing", "", 400, "unknown_name")
}

func TestErrorPosition(t *testing.T) {
	s := open(t, nil)
	_, body := s.do("POST", "/api/v1/query", `{"filter":"primary &&\n  dst.prt == 1"}`)
	got := refused(t, body)
	if got.Position == nil || got.Position.Line != 2 || got.Position.Column != 3 || got.Position.Offset != 13 {
		t.Errorf("got %s, want line 2, column 3, offset 13", body)
	}
}

// TestLimits expects each bound to be told.
func TestLimits(t *testing.T) {
	t.Run("rows", func(t *testing.T) {
		s := withRecords(t, 300)
		status, body := s.do("POST", "/api/v1/query", `{`+period+`,"limit":5,"fields":["end"]}`)
		if status != 200 || !strings.Contains(body, `"rows":5,"truncated":true,"cut":"limit"`) {
			t.Errorf("status %d, body %.500s", status, body)
		}
	})
	t.Run("bytes", func(t *testing.T) {
		s := open(t, func(c *api.Config, _ *server.Config) { c.Limits.AnswerBytes = 10_000 })
		s.fill(querytest.RandomRecords(3, 1000))
		status, body := s.do("POST", "/api/v1/query", `{`+period+`,"limit":1000}`)
		if got := refused(t, body); status != 400 || got.Kind != "too_large" || !strings.Contains(got.Hint, "export") {
			t.Errorf("status %d, body %.500s", status, body)
		}
	})
	t.Run("time", func(t *testing.T) {
		s := open(t, func(c *api.Config, _ *server.Config) {
			c.Engine, c.Limits.QueryTime, c.Limits.ExportTime = stalled{c.Engine}, time.Second, time.Second
			c.Limits.WriteTime = 700 * time.Millisecond // A refusal goes out although the time to write began earlier.
		})
		for _, request := range [][3]string{
			{"POST", "/api/v1/query", `{"measures":["count()"]}`},
			{"POST", "/api/v1/query", `{"measures":["count()"],"compare":"1h"}`},
			{"GET", "/api/v1/values?field=proto", ""},
			{"GET", "/api/v1/export?format=csv", ""},
		} {
			status, body := s.do(request[0], request[1], request[2])
			if got := refused(t, body); status != 504 || got.Kind != "deadline" {
				t.Errorf("%v: status %d, body %s", request, status, body)
			}
		}
	})
}

// TestBusy fills all places and expects the next to be sent away, and to be served once there is room.
func TestBusy(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) {
		c.Engine = stalled{c.Engine}
		c.Limits = api.Limits{Queries: 2, Wait: 50 * time.Millisecond, QueryTime: time.Second}
	})
	const request = `{"measures":["count()"]}`
	var held sync.WaitGroup
	for range 2 {
		held.Go(func() { s.do("POST", "/api/v1/query", request) })
	}
	defer held.Wait()
	deadline := time.Now().Add(10 * time.Second)
	for {
		if _, body := s.do("GET", "/api/v1/status", ""); strings.Contains(body, `"queries":{"running":2,`) {
			break
		}
		if time.Now().After(deadline) {
			t.Fatal("the queries do not begin")
		}
		time.Sleep(5 * time.Millisecond)
	}
	response := s.send("POST", "/api/v1/query", strings.NewReader(request))
	defer response.Body.Close()
	body, _ := io.ReadAll(response.Body)
	if got := refused(t, string(body)); response.StatusCode != 503 || got.Kind != "busy" || response.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, Retry-After %q, body %s", response.StatusCode, response.Header.Get("Retry-After"), body)
	}
}

// TestSlowClients expects clients that stand still to be left: while they send headers or a body, and while they should
// receive.
func TestSlowClients(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) {
		c.Limits.ReadTime, c.Limits.WriteTime, c.Limits.Exports = 200*time.Millisecond, 300*time.Millisecond, 1
	})
	s.fill(querytest.RandomRecords(4, 20_000))
	address := strings.TrimPrefix(s.url, "http://")
	dial := func(t *testing.T, text string) net.Conn {
		t.Helper()
		c, err := net.Dial("tcp", address)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, text); err != nil {
			t.Fatal(err)
		}
		_ = c.SetReadDeadline(time.Now().Add(30 * time.Second))
		return c
	}
	t.Run("body", func(t *testing.T) {
		c := dial(t, "POST /api/v1/query HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1000\r\n\r\n{")
		response, err := http.ReadResponse(bufio.NewReader(c), nil)
		if err == nil {
			defer response.Body.Close()
			if response.StatusCode != 408 {
				t.Errorf("status %d, want 408", response.StatusCode)
			}
		}
		if _, err := io.Copy(io.Discard, c); err != nil {
			t.Errorf("the connection stays open: %v", err)
		}
	})
	t.Run("export", func(t *testing.T) {
		const path = "/api/v1/export?format=ndjson&from=2026-03-01T11:00:00Z&to=2026-03-01T14:00:00Z"
		c := dial(t, "GET "+path+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		deadline := time.Now().Add(30 * time.Second)
		for running := -1; running != 0; {
			time.Sleep(50 * time.Millisecond)
			_, body := s.do("GET", "/api/v1/status", "")
			if _, err := fmt.Sscanf(body[strings.Index(body, `"exports":`):], `"exports":{"running":%d`, &running); err != nil {
				t.Fatal(err)
			}
			if time.Now().After(deadline) {
				t.Fatal("the export of a client that does not read goes on")
			}
		}
		got, err := io.ReadAll(c)
		if err == nil && strings.HasSuffix(string(got), "0\r\n\r\n") {
			t.Error("the export ended as if it were whole")
		}
	})
}

// TestConnections expects connections beyond the limit to wait until others end.
func TestConnections(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) { c.Limits.Connections = 1 })
	first, err := net.Dial("tcp", strings.TrimPrefix(s.url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	if _, err := io.WriteString(first, "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	if _, err := bufio.NewReader(first).ReadString('\n'); err != nil {
		t.Fatal(err)
	}
	hasty := http.Client{Timeout: 200 * time.Millisecond}
	if response, err := hasty.Get(s.url + "/healthz"); err == nil {
		response.Body.Close()
		t.Error("a second connection was served")
	}
	hasty.CloseIdleConnections()
	_ = first.Close()
	if status, _ := s.do("GET", "/healthz", ""); status != 200 {
		t.Errorf("status %d after the first connection ended", status)
	}
}
