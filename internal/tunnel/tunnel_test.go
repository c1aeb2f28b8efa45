package tunnel

import (
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedauthorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
)

// cluster has pods with the labels of servers, and users who may or may not ask what others may do.
type cluster struct {
	// ready says of each namespace's pod whether it is.
	ready map[string]bool
	// reviewers are the accounts that may review tokens; asks says that the user may ask for that.
	reviewers string
	asks      bool
	// listsAll says that the user may list the pods of all namespaces.
	listsAll bool
}

func (c *cluster) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	w.Header().Set("Content-Type", "application/json")
	answer := func(value any) { _ = json.NewEncoder(w).Encode(value) }
	forbidden := func() {
		w.WriteHeader(http.StatusForbidden)
		answer(metav1.Status{TypeMeta: metav1.TypeMeta{Kind: "Status", APIVersion: "v1"}, Status: "Failure", Reason: "Forbidden", Code: 403})
	}
	if strings.HasSuffix(r.URL.Path, "/subjectaccessreviews") {
		if !c.asks {
			forbidden()
			return
		}
		var review authorizationv1.SubjectAccessReview
		_ = json.NewDecoder(r.Body).Decode(&review)
		of := review.Spec.ResourceAttributes
		review.Status.Allowed = of.Resource == "tokenreviews" && of.Verb == "create" && strings.Contains(c.reviewers, review.Spec.User+" ")
		answer(review)
		return
	}
	one, within := strings.CutPrefix(r.URL.Path, "/api/v1/namespaces/")
	one, _, _ = strings.Cut(one, "/")
	if !within && !c.listsAll {
		forbidden()
		return
	}
	list := corev1.PodList{TypeMeta: metav1.TypeMeta{APIVersion: "v1", Kind: "PodList"}}
	for namespace, ready := range c.ready {
		if within && namespace != one {
			continue
		}
		p := corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: namespace, Name: "p"}, Spec: corev1.PodSpec{ServiceAccountName: "seine-server"}}
		p.Status.Phase = corev1.PodRunning
		if ready {
			p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}}
		}
		list.Items = append(list.Items, p)
	}
	answer(list)
}

// Whose pod a user's token goes to: anybody may start one with the server's labels.
func TestFind(t *testing.T) {
	const real = "system:serviceaccount:seine:seine-server "
	f := func(what string, c cluster, namespace, want string) {
		t.Helper()
		server := httptest.NewServer(&c)
		defer server.Close()
		cfg := &rest.Config{Host: server.URL, ContentConfig: rest.ContentConfig{ContentType: "application/json"}}
		core, err := typedcorev1.NewForConfig(cfg)
		if err != nil {
			t.Fatal(err)
		}
		access, err := typedauthorization.NewForConfig(cfg)
		if err != nil {
			t.Fatal(err)
		}
		got := ""
		if pod, err := (&search{core, access.SubjectAccessReviews()}).find(t.Context(), namespace); err != nil {
			got = err.Error()
		} else {
			got = "pod in " + pod.Namespace
		}
		if !strings.Contains(got, want) {
			t.Errorf("%s: got %q, want %q", what, got, want)
		}
	}
	both := map[string]bool{"attack": true, "seine": false}
	f("the only one", cluster{ready: map[string]bool{"seine": true}, reviewers: real, asks: true, listsAll: true}, "", "pod in seine")
	f("another's pod beside it", cluster{ready: both, reviewers: real, asks: true, listsAll: true}, "", "pod in seine")
	f("another's pod alone", cluster{ready: map[string]bool{"attack": true}, reviewers: real, asks: true, listsAll: true}, "", "no running server")
	f("beside it, who may not ask", cluster{ready: both, listsAll: true}, "", "namespaces attack, seine: say by --server-namespace")
	f("who may list the usual namespaces alone", cluster{ready: both}, "", "pod in seine")
	f("the namespace is said", cluster{ready: both, listsAll: true}, "seine", "pod in seine")
	f("another namespace is said", cluster{ready: map[string]bool{"mine": true}}, "mine", "pod in mine")
	f("none", cluster{listsAll: true, asks: true}, "", "no running server of Seine is in any namespace")
	f("two of them", cluster{
		ready: map[string]bool{"seine": true, "netobserv": true}, asks: true, listsAll: true, reviewers: real + "system:serviceaccount:netobserv:seine-server ",
	}, "", "--server-namespace")
}
