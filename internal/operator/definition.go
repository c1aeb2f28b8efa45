package operator

import (
	"context"
	_ "embed"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/yaml"
)

// crdYAML is the custom resource definition, generated from package flowcollector.
//
//go:embed crd/flows.netobserv.io_flowcollectors.yaml
var crdYAML []byte

// errForeign says that the definition is another operator's.
type errForeign struct{ owner string }

// Error tells what to do, too.
func (e errForeign) Error() string {
	return fmt.Sprintf("the custom resource definition flowcollectors.flows.netobserv.io is not Seine's%s: it and every FlowCollector are left alone; remove the other operator with its definition to use FlowCollectors with Seine", e.owner)
}

// define installs or upgrades the definition of FlowCollector, unless it is another operator's.
func define(ctx context.Context, c client.Client) error {
	wanted := &unstructured.Unstructured{}
	if err := yaml.Unmarshal(crdYAML, &wanted.Object); err != nil {
		return fmt.Errorf("read the custom resource definition: %w", err)
	}
	wanted.SetLabels(map[string]string{managedLabel: managedBy})
	there := &unstructured.Unstructured{}
	there.SetGroupVersionKind(wanted.GroupVersionKind())
	switch err := c.Get(ctx, client.ObjectKeyFromObject(wanted), there); {
	case err == nil && there.GetLabels()[managedLabel] != managedBy:
		return errForeign{ownerOf(there)}
	case err != nil && !apierrors.IsNotFound(err):
		return fmt.Errorf("look for the custom resource definition: %w", err)
	}
	if err := c.Apply(ctx, client.ApplyConfigurationFromUnstructured(wanted), client.FieldOwner(managedBy), client.ForceOwnership); err != nil {
		return fmt.Errorf("install the custom resource definition: %w", err)
	}
	return established(ctx, c, wanted)
}

// established waits until the API server serves the definition.
func established(ctx context.Context, c client.Client, crd *unstructured.Unstructured) error {
	for {
		if err := c.Get(ctx, client.ObjectKeyFromObject(crd), crd); err != nil {
			return fmt.Errorf("look for the custom resource definition: %w", err)
		}
		conditions, _, _ := unstructured.NestedSlice(crd.Object, "status", "conditions")
		for _, one := range conditions {
			if is, ok := one.(map[string]any); ok && is["type"] == "Established" && is["status"] == string(corev1.ConditionTrue) {
				return nil
			}
		}
		select {
		case <-ctx.Done():
			return ctx.Err()
		case <-time.After(200 * time.Millisecond):
		}
	}
}

// ownerOf tells what an object says of its owner.
func ownerOf(o *unstructured.Unstructured) string {
	for _, key := range []string{managedLabel, "app.kubernetes.io/part-of", "olm.managed"} {
		if v := o.GetLabels()[key]; v != "" {
			return fmt.Sprintf(" (%s=%s)", key, v)
		}
	}
	return ""
}
