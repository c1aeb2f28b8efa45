package operator

import (
	"cmp"
	"context"
	"fmt"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// The conditions of a FlowCollector.
const (
	conditionReady = "Ready"
	// conditionWithoutEffect is true where the spec says what does nothing here; the message names it.
	conditionWithoutEffect = "FieldsWithoutEffect"
	// conditionDefaults tells where Seine's own default is not NetObserv's.
	conditionDefaults = "DefaultsApplied"
)

// findings are what is to be told in the status.
type findings struct {
	refused, without []string
	failed           error
	// agent and server say what of them is not there yet; empty, all is.
	agent, server string
}

// look tells what of the rendered workloads is not ready.
func (r *reconciler) look(ctx context.Context, objects []*unstructured.Unstructured) (agent, server string, err error) {
	for _, o := range objects {
		key := client.ObjectKeyFromObject(o)
		switch o.GetKind() {
		case "DaemonSet":
			var d appsv1.DaemonSet
			if err := client.IgnoreNotFound(r.client.Get(ctx, key, &d)); err != nil {
				return "", "", fmt.Errorf("look at DaemonSet %s: %w", key, err)
			}
			if s := d.Status; s.ObservedGeneration < d.Generation || s.NumberReady < s.DesiredNumberScheduled || s.DesiredNumberScheduled == 0 {
				agent = fmt.Sprintf("%d of %d agents are ready", s.NumberReady, s.DesiredNumberScheduled)
				if s.DesiredNumberScheduled == 0 {
					agent = "no node is to have an agent: see its nodeSelector and affinity"
				}
			}
		case "StatefulSet":
			var s appsv1.StatefulSet
			if err := client.IgnoreNotFound(r.client.Get(ctx, key, &s)); err != nil {
				return "", "", fmt.Errorf("look at StatefulSet %s: %w", key, err)
			}
			if s.Status.ReadyReplicas == 0 {
				server = "the server is not ready"
			}
		}
	}
	return agent, server, nil
}

// tell writes the status if it changed.
func (r *reconciler) tell(ctx context.Context, fc *flowcollector.FlowCollector, f *findings) error {
	before := fc.Status.DeepCopy()
	fc.Status.Namespace = namespaceOf(fc)
	for _, c := range conditions(fc, f) {
		c.ObservedGeneration = fc.Generation
		meta.SetStatusCondition(&fc.Status.Conditions, c)
	}
	if equality.Semantic.DeepEqual(before, &fc.Status) {
		return nil
	}
	if err := r.client.Status().Update(ctx, fc, client.FieldOwner(managedBy)); err != nil {
		return fmt.Errorf("write the FlowCollector's status: %w", err)
	}
	if len(f.refused) > 0 {
		r.log.Warn("a FlowCollector is refused", "fields", f.refused)
	}
	return nil
}

func conditions(fc *flowcollector.FlowCollector, f *findings) []metav1.Condition {
	ready := metav1.Condition{Type: conditionReady, Status: metav1.ConditionFalse}
	switch {
	case len(f.refused) > 0:
		ready.Reason, ready.Message = "Invalid", "nothing was changed: "+strings.Join(f.refused, "; ")
	case f.failed != nil:
		ready.Reason, ready.Message = "Failed", f.failed.Error()
	case fc.Spec.Execution != nil && fc.Spec.Execution.Mode == "OnHold":
		ready.Reason, ready.Message = "OnHold", "spec.execution.mode is OnHold: agents and server are removed, what is stored stays"
	case f.agent != "" || f.server != "":
		ready.Reason, ready.Message = "Progressing", strings.Trim(f.server+"; "+f.agent, "; ")
	default:
		ready.Status, ready.Reason, ready.Message = metav1.ConditionTrue, "Running", "agents and server are ready"
	}
	return []metav1.Condition{ready, unheeded(f.without), defaults(fc)}
}

func unheeded(without []string) metav1.Condition {
	c := metav1.Condition{Type: conditionWithoutEffect, Status: metav1.ConditionFalse, Reason: "None", Message: "every field has its effect"}
	if len(without) > 0 {
		c.Status, c.Reason, c.Message = metav1.ConditionTrue, "Ignored", shortened(strings.Join(without, "; "))
	}
	return c
}

// defaults tells what Seine does where nothing is said and NetObserv does otherwise.
func defaults(fc *flowcollector.FlowCollector) metav1.Condition {
	var all []string
	e := ebpf(fc)
	if e.Sampling == nil {
		all = append(all, "agent.ebpf.sampling 1, every packet (NetObserv: 50)")
	}
	if e.CacheActiveTimeout == "" {
		all = append(all, "agent.ebpf.cacheActiveTimeout 5s (NetObserv: 15s)")
	}
	if e.ExcludeInterfaces == nil {
		all = append(all, "agent.ebpf.excludeInterfaces none (NetObserv: lo)")
	}
	c := metav1.Condition{Type: conditionDefaults, Status: metav1.ConditionFalse, Reason: "None"}
	if len(all) > 0 {
		c.Status, c.Reason = metav1.ConditionTrue, "SeineDefaults"
	}
	c.Message = cmp.Or(strings.Join(all, "; "), "all that differs was said")
	return c
}

// shortened keeps a message within what a condition takes.
func shortened(text string) string {
	const most = 32000
	return strings.ToValidUTF8(text[:min(len(text), most)], "")
}
