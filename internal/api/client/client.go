package client

import (
	"bytes"
	"context"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/query"
)

// maxAnswer bounds what is read of an answer, in bytes.
const maxAnswer = 512 << 20

// dialTime is how long a connection may take to be made.
const dialTime = 10 * time.Second

// Config says where the API is and how to be admitted.
type Config struct {
	// URL is such as http://127.0.0.1:8080.
	URL string
	// Token is a bearer token; empty sends none.
	Token string
	// TLS is nil for what the system trusts.
	TLS *tls.Config
	// UserAgent names the program.
	UserAgent string
}

// Client asks an API.
type Client struct {
	config Config
	base   *url.URL
	http   *http.Client
}

// Error is an answer that refuses.
type Error struct {
	Status int
	// Wrong is what the server said.
	Wrong query.Error
}

// Error tells what the server said.
func (e *Error) Error() string {
	w := &e.Wrong
	text := w.Message
	if w.Position != nil {
		text = fmt.Sprintf("%s (line %d, column %d)", text, w.Position.Line, w.Position.Column)
	}
	if w.Hint != "" {
		text += "; " + w.Hint
	}
	return text
}

// Unreachable says that no answer came.
type Unreachable struct {
	URL string
	Err error
}

// Error tells where it was asked, and why no answer came.
func (u *Unreachable) Error() string { return fmt.Sprintf("no server answers at %s: %v", u.URL, u.Err) }

// Unwrap returns the reason.
func (u *Unreachable) Unwrap() error { return u.Err }

// New returns a client. It does not ask yet.
func New(cfg Config) (*Client, error) {
	base, err := url.Parse(cfg.URL)
	if err != nil || base.Host == "" || base.Scheme != "http" && base.Scheme != "https" {
		return nil, fmt.Errorf("API address %q: want a URL such as http://127.0.0.1:8080", cfg.URL)
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: dialTime}).DialContext, TLSClientConfig: cfg.TLS, ForceAttemptHTTP2: true,
		TLSHandshakeTimeout: dialTime, ResponseHeaderTimeout: 2 * time.Minute,
	}
	return &Client{config: cfg, base: base, http: &http.Client{Transport: transport, CheckRedirect: noRedirect}}, nil
}

// noRedirect keeps the token from going elsewhere.
func noRedirect(*http.Request, []*http.Request) error { return http.ErrUseLastResponse }

// Query asks for rows or measures.
func (c *Client) Query(ctx context.Context, request *query.Request) (*query.Answer, error) {
	body, err := json.Marshal(request)
	if err != nil {
		return nil, err
	}
	var told answer
	if err := c.ask(ctx, http.MethodPost, "/api/v1/query", nil, body, &told); err != nil {
		return nil, err
	}
	return told.decode()
}

// Values returns the commonest values of a field that begin with a prefix.
func (c *Client) Values(ctx context.Context, field, prefix string, limit int) ([]api.Value, error) {
	parameters := url.Values{"field": {field}, "prefix": {prefix}, "limit": {strconv.Itoa(limit)}, "last": {"24h"}}
	var told api.Values
	err := c.ask(ctx, http.MethodGet, "/api/v1/values", parameters, nil, &told)
	return told.Values, err
}

// Fields returns what can be asked for.
func (c *Client) Fields(ctx context.Context) (api.Fields, error) {
	var told api.Fields
	err := c.ask(ctx, http.MethodGet, "/api/v1/fields", nil, nil, &told)
	return told, err
}

// Status returns the state of the server and its agents.
func (c *Client) Status(ctx context.Context) (api.Status, error) {
	var told api.Status
	err := c.ask(ctx, http.MethodGet, "/api/v1/status", nil, nil, &told)
	return told, err
}

func (c *Client) ask(ctx context.Context, method, path string, parameters url.Values, body []byte, told any) error {
	response, err := c.do(ctx, method, path, parameters, body)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(told); err != nil {
		return fmt.Errorf("read answer of %s: %w", c.config.URL+path, err)
	}
	return nil
}

// plainToTLS is what net/http's server answers to plain HTTP on a port that speaks TLS (src/net/http/server.go).
var plainToTLS = []byte("Client sent an HTTP request to an HTTPS server.")

// do sends a request. The response is one of success, whose body the caller closes.
func (c *Client) do(ctx context.Context, method, path string, parameters url.Values, body []byte) (*http.Response, error) {
	at := c.base.JoinPath(path)
	at.RawQuery = parameters.Encode()
	request, err := http.NewRequestWithContext(ctx, method, at.String(), bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	if body != nil {
		request.Header.Set("Content-Type", "application/json")
	}
	request.Header.Set("User-Agent", c.config.UserAgent)
	if c.config.Token != "" {
		request.Header.Set("Authorization", "Bearer "+c.config.Token)
	}
	response, err := c.http.Do(request)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if response.StatusCode != http.StatusOK {
		defer response.Body.Close()
		return nil, c.refusal(at, response)
	}
	return response, nil
}

func (c *Client) unreachable(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if inner, ok := errors.AsType[*url.Error](err); ok {
		err = inner.Err
	}
	return &Unreachable{c.config.URL, err}
}

// refusal reads an answer that is none of success.
func (c *Client) refusal(at *url.URL, response *http.Response) error {
	refused := &Error{Status: response.StatusCode}
	body, err := io.ReadAll(io.LimitReader(response.Body, 64<<10))
	if err == nil && strings.HasPrefix(response.Header.Get("Content-Type"), "application/json") {
		err = json.Unmarshal(body, &refused.Wrong)
	}
	if at.Scheme == "http" && response.StatusCode == http.StatusBadRequest && bytes.HasPrefix(body, plainToTLS) {
		return &Unreachable{c.config.URL, fmt.Errorf("it speaks TLS: want https://%s", at.Host)}
	}
	if err != nil || refused.Wrong.Message == "" {
		refused.Wrong.Message = fmt.Sprintf("%s answers %s, not as seine does", c.config.URL, response.Status)
	}
	return refused
}

// Close ends connections that wait for another request.
func (c *Client) Close() { c.http.CloseIdleConnections() }
