package kubeauth

import (
	"encoding/json"
	"errors"
	"net/http"
	"net/http/httptest"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"github.com/seine-net/seine/internal/api"
)

// rights are the namespaces of users whose token is their name; "*" is all.
var rights = map[string][]string{"admin": {"*"}, "dev": {"shop", "web"}, "guest": nil}

// expired says that the API server takes no token any more.
var expired atomic.Bool

// apiServer answers as Kubernetes' does, and counts what it is asked.
func apiServer(t *testing.T) (*rest.Config, *atomic.Int64) {
	t.Helper()
	var asked atomic.Int64
	answer := func(w http.ResponseWriter, value any) {
		w.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(w).Encode(value)
	}
	mux := http.NewServeMux()
	mux.HandleFunc("POST /apis/authentication.k8s.io/v1/tokenreviews", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var review authenticationv1.TokenReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		_, known := rights[review.Spec.Token]
		known = known && !expired.Load()
		review.Status = authenticationv1.TokenReviewStatus{Authenticated: known, User: authenticationv1.UserInfo{Username: review.Spec.Token}}
		answer(w, review)
	})
	mux.HandleFunc("POST /apis/authorization.k8s.io/v1/subjectaccessreviews", func(w http.ResponseWriter, r *http.Request) {
		asked.Add(1)
		var review authorizationv1.SubjectAccessReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		has, of := rights[review.Spec.User], review.Spec.ResourceAttributes
		review.Status.Allowed = of.Verb == "list" && of.Resource == "pods" && (slices.Contains(has, "*") || of.Namespace != "" && slices.Contains(has, of.Namespace))
		answer(w, review)
	})
	mux.HandleFunc("GET /api/v1/namespaces", func(w http.ResponseWriter, _ *http.Request) {
		list := corev1.NamespaceList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "NamespaceList"}}
		for _, name := range []string{"db", "shop", "web"} {
			list.Items = append(list.Items, corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: name}})
		}
		answer(w, list)
	})
	s := httptest.NewServer(mux)
	t.Cleanup(s.Close)
	return &rest.Config{Host: s.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}, &asked
}

func TestAuthorize(t *testing.T) {
	cfg, asked := apiServer(t)
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	if scope, err := a.Authorize(t.Context(), "Bearer admin"); scope != nil || err != nil {
		t.Errorf("an administrator: %v, %v; want everything", scope, err)
	}
	for range 2 {
		before := asked.Load()
		scope, err := a.Authorize(t.Context(), "bearer dev")
		if err != nil || scope == nil || !slices.Equal(scope.Namespaces, []string{"shop", "web"}) {
			t.Errorf("a user of two namespaces: %v, %v", scope, err)
		}
		if n := asked.Load() - before; n != 0 && n != 5 {
			t.Errorf("%d questions; want 5, or none the second time", n)
		}
	}
	_, err = a.Authorize(t.Context(), "Bearer guest")
	if _, ok := errors.AsType[*api.Forbidden](err); !ok {
		t.Errorf("a user of no namespace: %v; want him forbidden", err)
	}
	for _, header := range []string{"", "Bearer ", "Basic admin", "Bearer stranger"} {
		if scope, err := a.Authorize(t.Context(), header); err == nil {
			t.Errorf("header %q is admitted with %v", header, scope)
		}
	}
}

// TestExpires has a token expire: what was answered counts for half a minute, and no longer; nor is it another's.
func TestExpires(t *testing.T) {
	cfg, _ := apiServer(t)
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	defer expired.Store(false)
	dev, err := a.Authorize(t.Context(), "Bearer dev")
	if err != nil {
		t.Fatal(err)
	}
	if other, err := a.Authorize(t.Context(), "Bearer dev "); err == nil || other != nil {
		t.Errorf("another token with the same beginning: %v, %v", other, err)
	}
	expired.Store(true)
	if again, err := a.Authorize(t.Context(), "Bearer dev"); err != nil || again != dev {
		t.Errorf("within half a minute: %v, %v; want the same answer", again, err)
	}
	for sum, is := range a.kept {
		if left := time.Until(is.until); left > keep {
			t.Errorf("an answer counts for %v more", left)
		}
		is.until = time.Now()
		a.kept[sum] = is
	}
	if again, err := a.Authorize(t.Context(), "Bearer dev"); err == nil {
		t.Errorf("after it: %v; want it refused", again)
	}
	for sum := range a.kept {
		if strings.Contains(string(sum[:]), "dev") {
			t.Error("a token is kept as it is")
		}
	}
}

// TestAway has an API server that does not answer: then nobody is admitted, and it is asked again the next time.
func TestAway(t *testing.T) {
	cfg, _ := apiServer(t)
	cfg.Host = "http://127.0.0.1:1"
	a, err := New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	_, err = a.Authorize(t.Context(), "Bearer admin")
	if _, ok := errors.AsType[*api.Unavailable](err); !ok || len(a.kept) > 0 {
		t.Errorf("got %v, %d answers kept; want it unavailable, and nothing kept", err, len(a.kept))
	}
}
