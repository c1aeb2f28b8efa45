package operator

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/reconcile"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// lookAgain is the longest time between two looks at a FlowCollector: certificates end without an event.
const lookAgain = 6 * time.Hour

// reconciler makes the cluster be what its FlowCollector says.
type reconciler struct {
	client client.Client
	// live asks the API server itself: what was just made may not be seen otherwise, and would be made again.
	live     client.Reader
	renderer *renderer
	// base are values of the chart that every FlowCollector starts from.
	base map[string]any
	log  *slog.Logger
}

// Reconcile looks at the FlowCollector after any change of it, or of what it owns.
func (r *reconciler) Reconcile(ctx context.Context, request reconcile.Request) (reconcile.Result, error) {
	fc := &flowcollector.FlowCollector{}
	if err := r.client.Get(ctx, request.NamespacedName, fc); err != nil || fc.DeletionTimestamp != nil {
		return reconcile.Result{}, client.IgnoreNotFound(err) // What it owns goes with it.
	}
	fc = fc.DeepCopy() // The cache's own is not ours to change.
	next, found, err := r.establish(ctx, fc)
	found.refused, found.without, found.failed = check(fc), withoutEffect(fc), err
	if told := r.tell(ctx, fc, &found); apierrors.IsConflict(told) {
		return reconcile.Result{RequeueAfter: time.Second}, err // It was changed meanwhile.
	} else if told != nil {
		return reconcile.Result{}, errors.Join(err, told)
	}
	return reconcile.Result{RequeueAfter: min(max(time.Until(next), time.Minute), lookAgain)}, err
}

// establish applies what a FlowCollector wants, unless something of it is refused. The time is when to look again.
func (r *reconciler) establish(ctx context.Context, fc *flowcollector.FlowCollector) (next time.Time, found findings, err error) {
	next = time.Now().Add(lookAgain)
	if len(check(fc)) > 0 {
		return next, found, nil
	}
	v, err := valuesOf(fc, r.base)
	if err != nil {
		return next, found, err
	}
	objects, err := r.renderer.render(namespaceOf(fc), v)
	if err != nil {
		return next, found, err
	}
	a := &applier{r.client, fc}
	if err := r.ensureNamespace(ctx, a, namespaceOf(fc)); err != nil {
		return next, found, err
	}
	certified, next, err := r.certify(ctx, namespaceOf(fc))
	if err != nil {
		return next, found, err
	}
	objects = append(certified, objects...)
	for _, o := range objects {
		if err := a.apply(ctx, o); err != nil {
			return next, found, err
		}
	}
	found.agent, found.server, err = r.look(ctx, objects)
	if err != nil {
		return next, found, err
	}
	return next, found, a.prune(ctx, objects)
}

// ensureNamespace makes the namespace if it is not there. Then it is removed with the FlowCollector. One that was there
// before is used as it is.
func (r *reconciler) ensureNamespace(ctx context.Context, a *applier, name string) error {
	var there corev1.Namespace
	err := r.live.Get(ctx, client.ObjectKey{Name: name}, &there)
	if err == nil && there.Labels[managedLabel] != managedBy {
		return nil
	}
	if err != nil && !apierrors.IsNotFound(err) {
		return fmt.Errorf("look for namespace %s: %w", name, err)
	}
	o := &unstructured.Unstructured{}
	o.SetAPIVersion("v1")
	o.SetKind("Namespace")
	o.SetName(name)
	// Agents use the network of their node, which the lower Pod Security Standards forbid.
	o.SetLabels(map[string]string{"pod-security.kubernetes.io/enforce": "privileged"})
	return a.apply(ctx, o)
}

// certify returns the Secrets with certificates and tokens.
func (r *reconciler) certify(ctx context.Context, namespace string) ([]*unstructured.Unstructured, time.Time, error) {
	var list corev1.SecretList
	if err := r.live.List(ctx, &list, client.InNamespace(namespace), client.MatchingLabels{managedLabel: managedBy}); err != nil {
		return nil, time.Time{}, fmt.Errorf("list Secrets: %w", err)
	}
	has := make(secrets)
	for i := range list.Items {
		has[list.Items[i].Name] = list.Items[i].Data
	}
	wants, next, err := renew(has, namespace, time.Now())
	if err != nil {
		return nil, next, err
	}
	var objects []*unstructured.Unstructured
	for name, data := range wants {
		secret := &corev1.Secret{
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Secret"},
			ObjectMeta: metav1.ObjectMeta{Name: name, Namespace: namespace}, Data: data,
		}
		object, err := runtime.DefaultUnstructuredConverter.ToUnstructured(secret)
		if err != nil {
			return nil, next, err
		}
		unstructured.RemoveNestedField(object, "metadata", "creationTimestamp")
		objects = append(objects, &unstructured.Unstructured{Object: object})
	}
	return objects, next, nil
}
