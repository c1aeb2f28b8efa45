package ui

import (
	"compress/gzip"
	"io"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"testing/fstest"
)

const script = "console.log(1)"

func built() *Console {
	return newConsole(fstest.MapFS{
		"app/index.html":          {Data: []byte("<title>Seine</title>")},
		"app/assets/index-1a2.js": {Data: []byte(script)},
		"app/assets/geist.woff2":  {Data: []byte("font")},
		"app/secret.bin":          {Data: []byte("of no known type")},
		"not-built.html":          {Data: []byte("was not built")},
	})
}

func get(c *Console, target string, header ...string) *http.Response {
	r := httptest.NewRequest(http.MethodGet, "/", nil)
	r.URL.Path = target
	for i := 0; i+1 < len(header); i += 2 {
		r.Header.Set(header[i], header[i+1])
	}
	w := httptest.NewRecorder()
	c.ServeHTTP(w, r)
	return w.Result()
}

func body(t *testing.T, r *http.Response) string {
	t.Helper()
	b, err := io.ReadAll(r.Body)
	if err != nil {
		t.Fatal(err)
	}
	return string(b)
}

func TestPaths(t *testing.T) {
	c := built()
	for target, want := range map[string]int{
		"/": 200, "/flows": 200, "/map": 200, "/assets/index-1a2.js": 200, "/assets/geist.woff2": 200,
		"/flows/": 308, "/assets/other.js": 404, "/a/b": 404, "/secret.bin": 404, "/index.html.bak": 404,
		"/../not-built.html": 404, "/assets/../../not-built.html": 404, "/assets/../secret.bin": 404,
	} {
		if got := get(c, target).StatusCode; got != want {
			t.Errorf("%s is answered with %d, want %d", target, got, want)
		}
		if has := c.Has(target); has != (want != 404) {
			t.Errorf("%s is there: %t, and answered with %d", target, has, want)
		}
	}
	if to := get(c, "/seine/flows/").Header.Get("Location"); to != "../flows" {
		t.Errorf("a page with a slash leads to %q, want ../flows", to)
	}
}

func TestHeaders(t *testing.T) {
	c := built()
	page := get(c, "/map")
	if got := page.Header.Get("Cache-Control"); got != pageCache {
		t.Errorf("the page is kept %q, want %q", got, pageCache)
	}
	if csp := page.Header.Get("Content-Security-Policy"); csp != policy || strings.Contains(csp, "unsafe") {
		t.Errorf("policy is %q", csp)
	}
	asset := get(c, "/assets/index-1a2.js")
	if got := asset.Header.Get("Cache-Control"); got != assetsCache {
		t.Errorf("assets are kept %q, want %q", got, assetsCache)
	}
	if got := asset.Header.Get("Content-Type"); got != "text/javascript; charset=utf-8" {
		t.Errorf("a script is %q", got)
	}
	if again := get(c, "/map", "If-None-Match", page.Header.Get("ETag")); again.StatusCode != http.StatusNotModified {
		t.Errorf("what the browser has is answered with %d, want 304", again.StatusCode)
	}
}

func TestPacked(t *testing.T) {
	c := built()
	plain := get(c, "/assets/index-1a2.js")
	if got := body(t, plain); got != script {
		t.Errorf("plain script is %q", got)
	}
	small := get(c, "/assets/index-1a2.js", "Accept-Encoding", "gzip, br")
	unpacked, err := gzip.NewReader(small.Body)
	if err != nil {
		t.Fatal(err)
	}
	if got, _ := io.ReadAll(unpacked); string(got) != script {
		t.Errorf("packed script is %q", got)
	}
	if font := get(c, "/assets/geist.woff2", "Accept-Encoding", "gzip"); font.Header.Get("Content-Encoding") != "" {
		t.Error("a font, which is packed already, is packed again")
	}
}

func TestNotBuilt(t *testing.T) {
	c := newConsole(fstest.MapFS{"not-built.html": {Data: []byte("was not built")}})
	for _, target := range []string{"/", "/flows"} {
		if got := body(t, get(c, target)); got != "was not built" {
			t.Errorf("%s shows %q, want the page that says why", target, got)
		}
	}
}

// TestThisBinary holds whether or not the console is in it.
func TestThisBinary(t *testing.T) {
	r := get(New(), "/")
	if r.StatusCode != http.StatusOK || !strings.Contains(body(t, r), "<title>Seine") {
		t.Errorf("this binary's page is answered with %d", r.StatusCode)
	}
}
