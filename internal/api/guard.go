package api

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/url"
	"strings"

	"github.com/seine-net/seine/internal/credential"
)

// admit refuses what the route does not take, and whom it does not serve.
func (a *API) admit(rt *route, r *http.Request) (*Scope, error) {
	if r.Method != rt.method && (!rt.open || r.Method != http.MethodHead) {
		return nil, problem(http.StatusMethodNotAllowed, kindMethod, rt.method, "%s does not take the method %q", rt.path, shortened(r.Method))
	}
	if rt.open {
		return nil, nil
	}
	if err := a.checkSite(r); err != nil {
		return nil, err
	}
	scope, err := a.authorize(r)
	if err == nil && scope != nil && !rt.scoped {
		return nil, problem(http.StatusForbidden, kindForbidden, "", "%s is for those who may see all namespaces", rt.path)
	}
	return scope, err
}

// checkSite refuses what a browser sends on behalf of another site. A page elsewhere can make a browser ask us; it tells
// by Sec-Fetch-Site or Origin (https://www.w3.org/TR/fetch-metadata/). By DNS rebinding the page can give us its own
// name, which is why, where no token is asked for, we answer to loopback names alone.
func (a *API) checkSite(r *http.Request) error {
	if len(a.config.Authenticators) == 0 && !isLoopbackHost(r.Host) {
		return problem(http.StatusForbidden, kindForbidden, "ask http://localhost or http://127.0.0.1; other names need a server with tokens",
			"without tokens this server answers on loopback alone, and %q is not a name of it", shortened(r.Host))
	}
	switch r.Header.Get("Sec-Fetch-Site") {
	case "same-origin", "none":
		return nil
	case "":
		if isSameOrigin(r.Header.Get("Origin"), r.Host) {
			return nil
		}
	}
	return problem(http.StatusForbidden, kindForbidden, "", "pages of other sites may not ask here")
}

// isLoopbackHost says whether the Host header of a request is a name of the loopback interface.
func isLoopbackHost(host string) bool {
	if _, _, err := net.SplitHostPort(host); err != nil {
		host = net.JoinHostPort(strings.Trim(host, "[]"), "80")
	}
	return credential.IsLoopback(host)
}

// isSameOrigin compares without the scheme, which a proxy before us may have changed.
func isSameOrigin(origin, host string) bool {
	if origin == "" {
		return true
	}
	u, err := url.Parse(origin)
	return err == nil && u.Host != "" && u.Host == host
}

// Unavailable says that whether somebody is admitted cannot be told now.
type Unavailable struct{ Err error }

// Error tells why.
func (u *Unavailable) Error() string { return u.Err.Error() }

// Unwrap returns the reason.
func (u *Unavailable) Unwrap() error { return u.Err }

// Forbidden says that somebody is known and may see nothing.
type Forbidden struct{ Err error }

// Error tells why.
func (f *Forbidden) Error() string { return f.Err.Error() }

func (a *API) authorize(r *http.Request) (*Scope, error) {
	if len(a.config.Authenticators) == 0 {
		return nil, nil
	}
	header := r.Header.Get("Authorization")
	var refusals []error
	for _, one := range a.config.Authenticators {
		scope, err := one.Authorize(r.Context(), header)
		if err == nil {
			return scope, nil
		}
		refusals = append(refusals, err)
	}
	err := errors.Join(refusals...)
	if unavailable, ok := errors.AsType[*Unavailable](err); ok {
		a.config.Log.Warn("tokens cannot be checked", "error", unavailable.Err)
		return nil, problem(http.StatusServiceUnavailable, kindUnavailable, "", "tokens cannot be checked now")
	}
	if forbidden, ok := errors.AsType[*Forbidden](err); ok {
		return nil, problem(http.StatusForbidden, kindForbidden, "", "%s", forbidden.Error())
	}
	return nil, problem(http.StatusUnauthorized, kindUnauthorized, `send the header "Authorization: Bearer TOKEN"`,
		"%s", strings.ReplaceAll(err.Error(), "\n", "; "))
}

// TokenFile admits the bearers of the tokens in a file.
type TokenFile struct{ *credential.Tokens }

// Authorize checks a token; it takes as long whatever the token is.
func (t TokenFile) Authorize(_ context.Context, header string) (*Scope, error) {
	return nil, t.Tokens.Authorize(header)
}

// shortened cuts a text of the client's for an error.
func shortened(text string) string {
	const most = 80
	if len(text) <= most {
		return text
	}
	return text[:most] + "…"
}
