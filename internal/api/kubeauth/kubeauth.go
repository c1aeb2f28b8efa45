// Package kubeauth admits to the API whom a Kubernetes cluster knows: the API server says whose a bearer token is
// (TokenReview) and what he may do (SubjectAccessReview). Who may list the pods of all namespaces sees everything; others
// see the connections that have an end in a namespace whose pods they may list.
//
// Answers are kept for half a minute, so that a revoked right counts after that; tokens are kept as hashes alone.
package kubeauth

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"strings"
	"sync"
	"time"

	"golang.org/x/sync/errgroup"
	"golang.org/x/sync/singleflight"
	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedauthentication "k8s.io/client-go/kubernetes/typed/authentication/v1"
	typedauthorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	typedcore "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"

	"github.com/seine-net/seine/internal/api"
)

const (
	// keep is how long an answer counts.
	keep = 30 * time.Second
	// maxKept bounds the answers kept; beyond it all are forgotten.
	maxKept = 1000
	// maxNamespaces bounds how many a user without the right to all is asked about.
	maxNamespaces = 2000
	// parallel is how many questions are under way for one user.
	parallel = 16
	// asking is how long all of a user's questions may take.
	asking = 20 * time.Second
)

// Authenticator asks the API server; it is an api.Authenticator.
type Authenticator struct {
	tokens     typedauthentication.TokenReviewInterface
	access     typedauthorization.SubjectAccessReviewInterface
	namespaces typedcore.NamespaceInterface
	flights    singleflight.Group

	mu   sync.Mutex
	kept map[[sha256.Size]byte]answer
}

// answer is what is known of a token.
type answer struct {
	scope *api.Scope
	err   error
	until time.Time
}

// New returns an authenticator that asks the API server of a configuration. It does not ask yet.
func New(cfg *rest.Config) (*Authenticator, error) {
	cfg = rest.CopyConfig(cfg)
	cfg.QPS, cfg.Burst = 100, 200
	authentication, err := typedauthentication.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	authorization, err := typedauthorization.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	core, err := typedcore.NewForConfig(cfg)
	if err != nil {
		return nil, err
	}
	return &Authenticator{
		tokens: authentication.TokenReviews(), access: authorization.SubjectAccessReviews(), namespaces: core.Namespaces(),
		kept: make(map[[sha256.Size]byte]answer),
	}, nil
}

// Authorize returns the namespaces that the bearer may see, nil for all.
func (a *Authenticator) Authorize(ctx context.Context, header string) (*api.Scope, error) {
	scheme, token, ok := strings.Cut(header, " ")
	if !ok || !strings.EqualFold(scheme, "Bearer") || token == "" {
		return nil, errors.New(`want "Bearer TOKEN" in the header "authorization"`)
	}
	sum := sha256.Sum256([]byte(token))
	if known, ok := a.recall(sum); ok {
		return known.scope, known.err
	}
	// Others with the same token wait for the one answer, whose asker may go away.
	found, err, _ := a.flights.Do(string(sum[:]), func() (any, error) {
		ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), asking)
		defer cancel()
		scope, err := a.ask(ctx, token)
		if _, unknown := errors.AsType[*api.Unavailable](err); !unknown {
			a.remember(sum, answer{scope, err, time.Now().Add(keep)})
		}
		return scope, err
	})
	scope, _ := found.(*api.Scope)
	return scope, err
}

func (a *Authenticator) recall(sum [sha256.Size]byte) (answer, bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	known, ok := a.kept[sum]
	return known, ok && time.Now().Before(known.until)
}

func (a *Authenticator) remember(sum [sha256.Size]byte, is answer) {
	a.mu.Lock()
	defer a.mu.Unlock()
	if len(a.kept) >= maxKept {
		clear(a.kept)
	}
	a.kept[sum] = is
}

func (a *Authenticator) ask(ctx context.Context, token string) (*api.Scope, error) {
	review := &authenticationv1.TokenReview{Spec: authenticationv1.TokenReviewSpec{Token: token}}
	review, err := a.tokens.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return nil, &api.Unavailable{Err: fmt.Errorf("ask the API server whose a token is: %w", err)}
	}
	if !review.Status.Authenticated {
		return nil, errors.New("the bearer token is nobody's whom the Kubernetes cluster knows")
	}
	user := &review.Status.User
	all, err := a.may(ctx, user, "")
	if err != nil || all {
		return nil, err
	}
	return a.some(ctx, user)
}

// may asks whether a user may list the pods of a namespace, "" for all.
func (a *Authenticator) may(ctx context.Context, user *authenticationv1.UserInfo, namespace string) (bool, error) {
	extra := make(map[string]authorizationv1.ExtraValue)
	for key, values := range user.Extra {
		extra[key] = authorizationv1.ExtraValue(values)
	}
	review := &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: user.Username, UID: user.UID, Groups: user.Groups, Extra: extra,
		ResourceAttributes: &authorizationv1.ResourceAttributes{Namespace: namespace, Verb: "list", Resource: "pods"},
	}}
	review, err := a.access.Create(ctx, review, metav1.CreateOptions{})
	if err != nil {
		return false, &api.Unavailable{Err: fmt.Errorf("ask the API server what a user may do: %w", err)}
	}
	return review.Status.Allowed, nil
}

// some finds the namespaces of a user who may not see all.
func (a *Authenticator) some(ctx context.Context, user *authenticationv1.UserInfo) (*api.Scope, error) {
	list, err := a.namespaces.List(ctx, metav1.ListOptions{Limit: maxNamespaces})
	if err != nil {
		return nil, &api.Unavailable{Err: fmt.Errorf("list namespaces: %w", err)}
	}
	allowed := make([]bool, len(list.Items))
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(parallel)
	for i := range list.Items {
		group.Go(func() (err error) {
			allowed[i], err = a.may(ctx, user, list.Items[i].Name)
			return err
		})
	}
	if err := group.Wait(); err != nil {
		return nil, err
	}
	scope := &api.Scope{}
	for i := range allowed {
		if allowed[i] {
			scope.Namespaces = append(scope.Namespaces, list.Items[i].Name)
		}
	}
	if len(scope.Namespaces) == 0 {
		return nil, &api.Forbidden{Err: fmt.Errorf("user %s may list pods in no namespace", user.Username)}
	}
	return scope, nil
}
