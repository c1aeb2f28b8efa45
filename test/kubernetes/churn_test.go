//go:build e2e

package kubernetes

import (
	"context"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/tools/clientcmd"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/kube"
	"github.com/seine-net/seine/internal/kube/convert"
	"github.com/seine-net/seine/internal/kube/watch"
)

// Pods of no node are written to the API server, 100 a second, each with the address of one that goes: how long names lag.
const (
	churnPods  = 500
	churnPace  = 10 * time.Millisecond
	churnAddrs = 100
)

// checkChurn follows the API server as a server does, while pods come and go, and finds every one of them by its address.
func (s *stage) checkChurn() {
	s.t.Helper()
	s.kubectl("create", "namespace", "churn")
	s.await("the namespace is ready", func() string {
		out, err := s.try("test/cluster/kubectl", "-n", "churn", "get", "serviceaccount", "default")
		if err != nil {
			return out
		}
		return ""
	})
	const kubeconfig = "/tmp/seine-cluster/kubeconfig"
	cfg, err := clientcmd.BuildConfigFromFlags("", kubeconfig)
	if err != nil {
		s.t.Fatal(err)
	}
	cfg.QPS = -1
	core, err := typedcorev1.NewForConfig(cfg)
	if err != nil {
		s.t.Fatal(err)
	}
	index := kube.NewIndex(nil)
	watcher, err := watch.New(watch.Config{Kubeconfig: kubeconfig, Version: "test"}, index, convert.New(nil), slog.New(slog.DiscardHandler))
	if err != nil {
		s.t.Fatal(err)
	}
	ctx, cancel := context.WithCancel(context.Background())
	var group sync.WaitGroup
	group.Go(func() { watcher.Run(ctx) })
	defer group.Wait()
	defer cancel()
	s.await("the first lists", func() string {
		if !watcher.Synced() {
			return "not yet"
		}
		return ""
	})
	lags := s.replacePods(core.Pods("churn"), index)
	slices.Sort(lags)
	s.t.Logf("%d pods, one each %v: named %v after the API server had them, the last %v", churnPods, churnPace, lags[len(lags)/2], lags[len(lags)-1])
	s.kubectl("delete", "namespace", "churn", "--wait=false")
}

// replacePods returns how long after its status each pod was named.
func (s *stage) replacePods(pods typedcorev1.PodInterface, index *kube.Index) []time.Duration {
	s.t.Helper()
	lags := make([]time.Duration, churnPods)
	done := make([]chan struct{}, churnPods) // An address is one pod's after the other.
	errs := make(chan error, churnPods)
	var group sync.WaitGroup
	tick := time.NewTicker(churnPace)
	defer tick.Stop()
	for i := range churnPods {
		<-tick.C
		done[i] = make(chan struct{})
		group.Go(func() {
			defer close(done[i])
			if i >= churnAddrs {
				<-done[i-churnAddrs]
			}
			var err error
			lags[i], err = replacePod(pods, index, i)
			errs <- err
		})
	}
	group.Wait()
	close(errs)
	for err := range errs {
		if err != nil {
			s.t.Fatal(err)
		}
	}
	return lags
}

func churnName(i int) string { return fmt.Sprintf("pod-%d", i) }

func replacePod(pods typedcorev1.PodInterface, index *kube.Index, i int) (time.Duration, error) {
	ctx, cancel := context.WithTimeout(context.Background(), patience)
	defer cancel()
	addr := netip.AddrFrom4([4]byte{10, 99, 0, byte(i % churnAddrs)})
	if i >= churnAddrs {
		if err := pods.Delete(ctx, churnName(i-churnAddrs), metav1.DeleteOptions{GracePeriodSeconds: new(int64(0))}); err != nil {
			return 0, err
		}
	}
	pod, err := pods.Create(ctx, &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Name: churnName(i)},
		Spec:       corev1.PodSpec{NodeName: "nowhere", Containers: []corev1.Container{{Name: "c", Image: "none"}}},
	}, metav1.CreateOptions{})
	if err != nil {
		return 0, err
	}
	pod.Status.Phase, pod.Status.StartTime = corev1.PodRunning, new(metav1.Now())
	pod.Status.PodIP, pod.Status.PodIPs = addr.String(), []corev1.PodIP{{IP: addr.String()}}
	if _, err := pods.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		return 0, err
	}
	begun := time.Now()
	for ; ; time.Sleep(time.Millisecond) {
		q := kube.Query{Addr: addr, Port: 80, Proto: flow.TCP, At: flow.Time(time.Now().UnixNano())}
		if index.Identify(&q).Name == churnName(i) {
			return time.Since(begun), nil
		}
		if ctx.Err() != nil {
			return 0, fmt.Errorf("%s is not named by %s: %w", churnName(i), addr, ctx.Err())
		}
	}
}
