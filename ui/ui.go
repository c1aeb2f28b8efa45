// Package ui has the web console inside the binary and serves it: the page, its scripts, styles and fonts, and nothing
// of what is recorded. That the page asks from the API, below the same folder.
//
// The console's source is TypeScript in src, which `make build` compiles into dist/app. What is compiled is not
// committed, so that a binary built by Go alone has none; it serves dist/not-built.html, which says so.
package ui

import (
	"bytes"
	"compress/gzip"
	"crypto/sha256"
	"embed"
	"encoding/base64"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
	"sync"
)

//go:embed all:dist
var files embed.FS

// policy allows what the console consists of: files of its own, and requests to where it came from.
// https://www.w3.org/TR/CSP3/.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; font-src 'self'; img-src 'self'; connect-src 'self'; " +
	"worker-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

const (
	pageFile     = "app/index.html"
	notBuiltFile = "not-built.html"
	// assets have a hash of their content in their names, so that they never change.
	assets      = "assets/"
	assetsCache = "public, max-age=31536000, immutable"
	pageCache   = "no-cache"
)

// mediaTypes does not depend on what the machine has in its own table.
var mediaTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".html":  "text/html; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".svg":   "image/svg+xml",
	".txt":   "text/plain; charset=utf-8",
	".woff2": "font/woff2",
}

// Built says whether the console is in this binary.
func Built() bool {
	_, err := fs.Stat(files, "dist/"+pageFile)
	return err == nil
}

// file is one of the console's, as it is sent.
type file struct {
	plain, packed    []byte
	media, tag, kept string
}

// Console serves the console's files to GET and HEAD.
type Console struct {
	files fs.FS
	page  string
	mu    sync.Mutex
	// loaded has the files that were asked for; there are no more of them than the binary holds.
	loaded map[string]*file
}

// New returns the console of this binary.
func New() *Console {
	inside, err := fs.Sub(files, "dist")
	if err != nil {
		panic("BUG: the binary has no folder dist: " + err.Error())
	}
	return newConsole(inside)
}

func newConsole(inside fs.FS) *Console {
	c := &Console{files: inside, page: pageFile, loaded: make(map[string]*file)}
	if _, err := fs.Stat(inside, pageFile); err != nil {
		c.page = notBuiltFile
	}
	return c
}

// ServeHTTP answers with a file, with the page at the path of each of the console's pages, or with 404.
//
// The console works below any path of a proxy, since all that it asks for is relative to the folder of the page. So a
// page has one segment: "flows", never "flows/".
func (c *Console) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	name := strings.TrimPrefix(path.Clean(r.URL.Path), "/")
	switch {
	case name != "" && strings.HasSuffix(r.URL.Path, "/"):
		w.Header().Set("Location", "../"+path.Base(name))
		w.WriteHeader(http.StatusPermanentRedirect)
	case strings.Contains(name, ".") || strings.Contains(name, "/"):
		c.send(w, r, "app/"+name)
	default:
		c.send(w, r, c.page)
	}
}

// Has says whether something is at a path.
func (c *Console) Has(urlPath string) bool {
	name := strings.TrimPrefix(path.Clean(urlPath), "/")
	return !strings.ContainsAny(name, "./") || c.load("app/"+name) != nil
}

func (c *Console) send(w http.ResponseWriter, r *http.Request, name string) {
	f := c.load(name)
	if f == nil {
		http.NotFound(w, r)
		return
	}
	h := w.Header()
	h.Set("Content-Type", f.media)
	h.Set("Cache-Control", f.kept)
	h.Set("ETag", f.tag)
	h.Set("Vary", "Accept-Encoding")
	h.Set("Content-Security-Policy", policy)
	h.Set("Referrer-Policy", "no-referrer")
	h.Set("Cross-Origin-Opener-Policy", "same-origin")
	h.Set("X-Content-Type-Options", "nosniff")
	if r.Header.Get("If-None-Match") == f.tag {
		w.WriteHeader(http.StatusNotModified)
		return
	}
	body := f.plain
	if f.packed != nil && strings.Contains(r.Header.Get("Accept-Encoding"), "gzip") {
		h.Set("Content-Encoding", "gzip")
		body = f.packed
	}
	h.Set("Content-Length", strconv.Itoa(len(body)))
	if r.Method != http.MethodHead {
		_, _ = w.Write(body) // Who does not take it is gone.
	}
}

// load returns a file, nil if there is none. It is packed when it is first asked for.
func (c *Console) load(name string) *file {
	if !fs.ValidPath(name) {
		return nil
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	if f, ok := c.loaded[name]; ok {
		return f
	}
	plain, err := fs.ReadFile(c.files, name)
	media, known := mediaTypes[path.Ext(name)]
	if err != nil || !known {
		return nil
	}
	sum := sha256.Sum256(plain)
	f := &file{plain: plain, media: media, kept: pageCache, tag: `"` + base64.RawURLEncoding.EncodeToString(sum[:12]) + `"`}
	if strings.HasPrefix(name, "app/"+assets) {
		f.kept = assetsCache
	}
	if path.Ext(name) != ".woff2" {
		f.packed = packed(plain)
	}
	c.loaded[name] = f
	return f
}

func packed(plain []byte) []byte {
	var b bytes.Buffer
	w, err := gzip.NewWriterLevel(&b, gzip.BestCompression)
	if err != nil {
		panic("BUG: gzip has no best compression: " + err.Error())
	}
	_, _ = w.Write(plain) // A buffer takes all.
	_ = w.Close()
	return b.Bytes()
}
