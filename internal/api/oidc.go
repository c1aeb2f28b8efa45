package api

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"github.com/coreos/go-oidc/v3/oidc"
)

const (
	// discoverEvery is the shortest time between two attempts to reach the issuer.
	discoverEvery = 5 * time.Second
	issuerTime    = 10 * time.Second
)

// OIDC admits the bearers of ID tokens (OpenID Connect Core 1.0) that an issuer signed for an audience. The issuer's keys
// are fetched when the first token comes, so that it may be away when we start.
type OIDC struct {
	issuer, audience string
	client           *http.Client

	mu       sync.Mutex
	verifier *oidc.IDTokenVerifier
	tried    time.Time
	failed   error
}

// NewOIDC checks the issuer's URL, which must be https beyond this machine.
func NewOIDC(issuer, audience string) (*OIDC, error) {
	u, err := url.Parse(issuer)
	if err != nil || u.Host == "" || u.Scheme != "https" && (u.Scheme != "http" || !isLoopbackHost(u.Host)) {
		return nil, fmt.Errorf("OpenID Connect issuer %q: want a URL such as https://accounts.example.com", issuer)
	}
	if audience == "" {
		return nil, errors.New("OpenID Connect audience is empty: want the client ID that tokens are made for")
	}
	transport := &http.Transport{
		Proxy: http.ProxyFromEnvironment, DialContext: (&net.Dialer{Timeout: issuerTime}).DialContext,
		MaxResponseHeaderBytes: 64 << 10,
	}
	return &OIDC{issuer: issuer, audience: audience, client: &http.Client{Timeout: issuerTime, Transport: transport}}, nil
}

// Authorize checks signature, issuer, audience and time of a token.
func (o *OIDC) Authorize(ctx context.Context, header string) (*Scope, error) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") {
		return nil, errors.New(`want "Bearer TOKEN" in the header "authorization"`)
	}
	if strings.Count(token, ".") != 2 {
		return nil, errors.New("the bearer token is no ID token")
	}
	verifier, err := o.discover(ctx)
	if err != nil {
		return nil, &Unavailable{err}
	}
	if _, err := verifier.Verify(oidc.ClientContext(ctx, o.client), token); err != nil {
		return nil, fmt.Errorf("the ID token is not accepted: %s", reasonOf(err))
	}
	return nil, nil
}

// reasonOf tells what a bearer may know. Errors of the library can hold parts of the token and of the issuer's answers.
func reasonOf(err error) string {
	if _, ok := errors.AsType[*oidc.TokenExpiredError](err); ok {
		return "it has expired"
	}
	for _, known := range []struct{ part, reason string }{
		{"expected audience", "it is for another audience"},
		{"different provider", "it is of another issuer"},
		{"before the nbf", "it is not valid yet"},
	} {
		if strings.Contains(err.Error(), known.part) {
			return known.reason
		}
	}
	return "its signature or form is not valid"
}

// discover returns the verifier, and asks the issuer for what it needs the first time. Others wait meanwhile: without it
// they could not be answered.
func (o *OIDC) discover(ctx context.Context) (*oidc.IDTokenVerifier, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.verifier != nil || o.failed != nil && time.Since(o.tried) < discoverEvery {
		return o.verifier, o.failed
	}
	o.tried = time.Now()
	// The keys are fetched later, too, so that the context must not end with this request.
	provider, err := oidc.NewProvider(oidc.ClientContext(context.WithoutCancel(ctx), o.client), o.issuer)
	if err != nil {
		o.failed = fmt.Errorf("ask OpenID Connect issuer %s: %w", o.issuer, err)
		return nil, o.failed
	}
	o.failed = nil
	o.verifier = provider.Verifier(&oidc.Config{ClientID: o.audience})
	return o.verifier, nil
}

// Close ends connections to the issuer that wait for another request.
func (o *OIDC) Close() { o.client.CloseIdleConnections() }
