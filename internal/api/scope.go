package api

import (
	"context"
	"net/http"
	"time"

	"github.com/seine-net/seine/internal/query"
)

// Scope is what somebody may see who may not see everything: the connections that have an end in his namespaces.
type Scope struct {
	Namespaces []string
}

type scopeKey struct{}

// withScope keeps with a request what its sender may see.
func withScope(r *http.Request, scope *Scope) *http.Request {
	if scope == nil {
		return r
	}
	return r.WithContext(context.WithValue(r.Context(), scopeKey{}, scope))
}

// compile compiles what a request asks, within what its sender may see.
func compile(r *http.Request, request *query.Request) (*query.Compiled, error) {
	compiled, err := query.Compile(request, time.Now())
	if err != nil {
		return nil, err
	}
	if scope, ok := scopeOf(r); ok {
		compiled.Within(scope.Namespaces)
	}
	return compiled, nil
}

// scopeOf is what the sender may see; false if he may see everything.
func scopeOf(r *http.Request) (*Scope, bool) {
	scope, ok := r.Context().Value(scopeKey{}).(*Scope)
	return scope, ok
}
