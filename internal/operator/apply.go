package operator

import (
	"context"
	"errors"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	policyv1 "k8s.io/api/policy/v1"
	rbacv1 "k8s.io/api/rbac/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/apiutil"
	"sigs.k8s.io/controller-runtime/pkg/controller/controllerutil"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// managedLabel marks what the operator made.
const managedLabel = "app.kubernetes.io/managed-by"

// managed are the kinds of objects that the chart has: what of them is ours and not rendered any more is removed.
var managed = []client.Object{
	&appsv1.DaemonSet{}, &appsv1.StatefulSet{}, &corev1.Service{}, &corev1.ServiceAccount{}, &corev1.Secret{},
	&policyv1.PodDisruptionBudget{}, &networkingv1.NetworkPolicy{},
	&rbacv1.ClusterRole{}, &rbacv1.ClusterRoleBinding{}, &rbacv1.Role{},
}

// applier puts objects of a FlowCollector into the cluster.
type applier struct {
	client client.Client
	owner  *flowcollector.FlowCollector
}

// apply sets the fields that an object has, and leaves others as they are. It makes what is not there.
func (a *applier) apply(ctx context.Context, o *unstructured.Unstructured) error {
	labels := o.GetLabels()
	if labels == nil {
		labels = make(map[string]string)
	}
	labels[managedLabel] = managedBy
	o.SetLabels(labels)
	if err := controllerutil.SetControllerReference(a.owner, o, a.client.Scheme()); err != nil {
		return err
	}
	err := a.client.Apply(ctx, client.ApplyConfigurationFromUnstructured(o), client.FieldOwner(managedBy), client.ForceOwnership)
	if err != nil {
		return fmt.Errorf("apply %s %s: %w", o.GetKind(), client.ObjectKeyFromObject(o), err)
	}
	return nil
}

// prune removes what is ours and not among the objects wanted.
func (a *applier) prune(ctx context.Context, wanted []*unstructured.Unstructured) error {
	keep := make(map[string]bool)
	for _, o := range wanted {
		keep[keyOf(o.GroupVersionKind(), o)] = true
	}
	var errs []error
	for _, kind := range managed {
		errs = append(errs, a.pruneKind(ctx, kind, keep))
	}
	return errors.Join(errs...)
}

func (a *applier) pruneKind(ctx context.Context, kind client.Object, keep map[string]bool) error {
	gvk, err := apiutil.GVKForObject(kind, a.client.Scheme())
	if err != nil {
		return err
	}
	list, err := a.client.Scheme().New(gvk.GroupVersion().WithKind(gvk.Kind + "List"))
	if err != nil {
		return err
	}
	if err := a.client.List(ctx, list.(client.ObjectList), client.MatchingLabels{managedLabel: managedBy}); err != nil {
		return fmt.Errorf("list %s: %w", gvk.Kind, err)
	}
	return eachOf(list, func(o client.Object) error {
		if !isOwned(o, a.owner) || keep[keyOf(gvk, o)] {
			return nil
		}
		if err := a.client.Delete(ctx, o, client.PropagationPolicy("Background")); err != nil && !apierrors.IsNotFound(err) {
			return fmt.Errorf("delete %s %s: %w", gvk.Kind, client.ObjectKeyFromObject(o), err)
		}
		return nil
	})
}

func keyOf(gvk schema.GroupVersionKind, o client.Object) string {
	return gvk.Kind + " " + client.ObjectKeyFromObject(o).String()
}

func isOwned(o client.Object, owner *flowcollector.FlowCollector) bool {
	for _, r := range o.GetOwnerReferences() {
		if r.UID == owner.UID {
			return true
		}
	}
	return false
}

// eachOf calls f with the items of a list.
func eachOf(list runtime.Object, f func(client.Object) error) error {
	var errs []error
	err := meta.EachListItem(list, func(item runtime.Object) error {
		errs = append(errs, f(item.(client.Object)))
		return nil
	})
	return errors.Join(append(errs, err)...)
}
