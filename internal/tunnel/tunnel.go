package tunnel

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedauthorization "k8s.io/client-go/kubernetes/typed/authorization/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/portforward"
	"k8s.io/client-go/transport/spdy"
)

// selector finds the pods of servers, whatever their release is called.
const selector = "app.kubernetes.io/part-of=seine,app.kubernetes.io/component=server"

// usual are namespaces to look in for those who may not look in all.
var usual = []string{"seine", "netobserv"}

// apiPort is where the server's pod serves the API.
const apiPort = 8080

// Tunnel is a way to a server, which lasts until the context of Open ends.
type Tunnel struct {
	// URL is of this machine's loopback.
	URL string
	// Token is a bearer token; empty if none was found.
	Token string
}

// Open finds the server, in the namespace or, if that is empty, wherever it is, and opens a way to it.
func Open(ctx context.Context, cfg *rest.Config, namespace string) (*Tunnel, error) {
	core, err := typedcorev1.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	access, err := typedauthorization.NewForConfig(cfg)
	if err != nil {
		return nil, fmt.Errorf("make a client of the API server: %w", err)
	}
	pod, err := (&search{core, access.SubjectAccessReviews()}).find(ctx, namespace)
	if err != nil {
		return nil, err
	}
	token, err := tokenOf(ctx, cfg, core, pod)
	if err != nil {
		return nil, err
	}
	port, err := forward(ctx, cfg, core, pod)
	if err != nil {
		return nil, fmt.Errorf("forward a port to pod %s/%s: %w", pod.Namespace, pod.Name, err)
	}
	return &Tunnel{URL: fmt.Sprintf("https://127.0.0.1:%d", port), Token: token}, nil
}

// search looks for the server.
type search struct {
	core   *typedcorev1.CoreV1Client
	access typedauthorization.SubjectAccessReviewInterface
}

// find returns a running server, a ready one if there is. The user's token goes to it: a pod that he did not name the
// namespace of must be one that an administrator made the server, as anybody may start a pod with its labels.
func (s *search) find(ctx context.Context, namespace string) (*corev1.Pod, error) {
	in := []string{namespace}
	if namespace == "" {
		in = append(in, usual...)
	}
	var refusals []error
	for _, n := range in {
		list, err := s.core.Pods(n).List(ctx, metav1.ListOptions{LabelSelector: selector})
		if err != nil {
			refusals = append(refusals, err)
			continue
		}
		pods := list.Items
		if namespace == "" {
			if pods, err = s.trusted(ctx, pods); err != nil {
				return nil, err
			}
		}
		if pod := best(pods); pod != nil {
			return pod, nil
		}
	}
	if len(refusals) == len(in) {
		return nil, fmt.Errorf("look for Seine's server: %w", refusals[len(refusals)-1])
	}
	return nil, fmt.Errorf("no running server of Seine is in %s of the cluster: a pod with the labels %s", where(namespace), selector)
}

// trusted leaves out pods whose account may not review tokens, which the server's may: only who administers the cluster
// grants that. To ask for it takes rights that few users have; for the others there must be one namespace alone.
func (s *search) trusted(ctx context.Context, pods []corev1.Pod) ([]corev1.Pod, error) {
	allowed := make(map[string]bool)
	var namespaces []string
	var kept []corev1.Pod
	for i := range pods {
		account := fmt.Sprintf("system:serviceaccount:%s:%s", pods[i].Namespace, pods[i].Spec.ServiceAccountName)
		if _, asked := allowed[account]; !asked {
			allowed[account] = s.mayReview(ctx, account)
		}
		if allowed[account] {
			kept = append(kept, pods[i])
			namespaces = append(namespaces, pods[i].Namespace)
		}
	}
	slices.Sort(namespaces)
	if namespaces = slices.Compact(namespaces); len(namespaces) > 1 {
		return nil, fmt.Errorf("servers of Seine are in the namespaces %s: say by --server-namespace which to trust with your token", strings.Join(namespaces, ", "))
	}
	return kept, nil
}

// mayReview says whether an account may review tokens, as far as the user may know: else it is taken for so.
func (s *search) mayReview(ctx context.Context, account string) bool {
	review, err := s.access.Create(ctx, &authorizationv1.SubjectAccessReview{Spec: authorizationv1.SubjectAccessReviewSpec{
		User: account, Groups: []string{"system:serviceaccounts", "system:authenticated"},
		ResourceAttributes: &authorizationv1.ResourceAttributes{Group: "authentication.k8s.io", Resource: "tokenreviews", Verb: "create"},
	}}, metav1.CreateOptions{})
	return err != nil || review.Status.Allowed
}

func where(namespace string) string {
	if namespace == "" {
		return "any namespace"
	}
	return "namespace " + namespace
}

func best(pods []corev1.Pod) (found *corev1.Pod) {
	for i := range pods {
		if pods[i].Status.Phase != corev1.PodRunning || pods[i].DeletionTimestamp != nil {
			continue
		}
		found = &pods[i]
		for _, c := range found.Status.Conditions {
			if c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue {
				return found
			}
		}
	}
	return found
}

// tokenOf returns the user's own token, else one of the server's.
func tokenOf(ctx context.Context, cfg *rest.Config, core *typedcorev1.CoreV1Client, pod *corev1.Pod) (string, error) {
	own, err := bearer(cfg)
	if err != nil || own != "" {
		return own, err
	}
	for _, v := range pod.Spec.Volumes {
		if v.Name != "tokens" || v.Secret == nil {
			continue
		}
		secret, err := core.Secrets(pod.Namespace).Get(ctx, v.Secret.SecretName, metav1.GetOptions{})
		if err != nil {
			return "", fmt.Errorf("the kubeconfig has no bearer token, and one of the server's cannot be read: %w", err)
		}
		for line := range strings.Lines(string(secret.Data["tokens"])) {
			if line = strings.TrimSpace(line); line != "" && !strings.HasPrefix(line, "#") {
				return line, nil
			}
		}
	}
	return "", nil
}

// bearer returns the token that a kubeconfig's user presents, be it written there, in a file, or made by a program.
func bearer(cfg *rest.Config) (token string, err error) {
	keep := roundTripper(func(r *http.Request) (*http.Response, error) {
		scheme, value, _ := strings.Cut(r.Header.Get("Authorization"), " ")
		if strings.EqualFold(scheme, "Bearer") {
			token = value
		}
		return &http.Response{StatusCode: http.StatusNoContent, Body: http.NoBody, Request: r}, nil
	})
	wrapped, err := rest.HTTPWrappersForConfig(cfg, keep)
	if err != nil {
		return "", fmt.Errorf("read the kubeconfig's user: %w", err)
	}
	request, err := http.NewRequest(http.MethodGet, "https://token.invalid", nil)
	if err != nil {
		return "", err
	}
	answer, err := wrapped.RoundTrip(request)
	if err != nil {
		return "", fmt.Errorf("ask for the kubeconfig's token: %w", err)
	}
	return token, answer.Body.Close()
}

type roundTripper func(*http.Request) (*http.Response, error)

// RoundTrip is part of http.RoundTripper.
func (f roundTripper) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// forward returns a port of this machine's loopback that leads to the pod's, until the context ends.
func forward(ctx context.Context, cfg *rest.Config, core *typedcorev1.CoreV1Client, pod *corev1.Pod) (uint16, error) {
	transport, upgrader, err := spdy.RoundTripperFor(cfg)
	if err != nil {
		return 0, err
	}
	url := core.RESTClient().Post().Resource("pods").Namespace(pod.Namespace).Name(pod.Name).SubResource("portforward").URL()
	dialer := spdy.NewDialer(upgrader, &http.Client{Transport: transport}, http.MethodPost, url)
	ready := make(chan struct{})
	ports := []string{fmt.Sprintf("0:%d", apiPort)}
	f, err := portforward.NewOnAddresses(dialer, []string{"127.0.0.1"}, ports, ctx.Done(), ready, io.Discard, io.Discard)
	if err != nil {
		return 0, err
	}
	ended := make(chan error, 1)
	go func() { ended <- f.ForwardPorts() }()
	select {
	case err := <-ended:
		return 0, errors.Join(err, ctx.Err())
	case <-ready:
	}
	got, err := f.GetPorts()
	if err != nil {
		return 0, err
	}
	return got[0].Local, nil
}
