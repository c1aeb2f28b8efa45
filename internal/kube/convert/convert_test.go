package convert

import (
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
)

// What users write at will is kept short and readable, whatever it is.
func TestPodOfAnybody(t *testing.T) {
	c := New([]string{"note", "team"})
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{
			Name: "web", Namespace: "shop", Labels: map[string]string{"team": "a", "app.kubernetes.io/name": "seine", "app.kubernetes.io/component": "agent"},
			Annotations: map[string]string{"note": "\x1b[2J<script>\n" + strings.Repeat("ü", 1<<17), "other": strings.Repeat("x", 1<<18)},
		},
		Spec: corev1.PodSpec{Containers: []corev1.Container{{Image: strings.Repeat("i", 1<<20)}}},
		Status: corev1.PodStatus{
			PodIP: "not an address", PodIPs: []corev1.PodIP{{IP: ""}, {IP: "10.0.0.1"}, {IP: "::ffff:10.0.0.1"}, {IP: "10.0.0.999"}},
		},
	}
	o := c.Pod(p)
	if n := len(o.Labels); n > 2*maxValue || !strings.HasPrefix(o.Labels, "note=[2J<script>üü") || !strings.HasSuffix(o.Labels, "ü…,team=a") {
		t.Errorf("labels of %d bytes: %.80q", n, o.Labels)
	}
	if n := len(o.Image); n > maxImage+len("…") {
		t.Errorf("an image's name of %d bytes", n)
	}
	if len(o.Addrs) != 1 {
		t.Errorf("addresses are %v", o.Addrs)
	}
	if o.Agent {
		t.Error("a pod with an agent's labels is taken for one")
	}
	p.Spec.HostNetwork = true
	if o := c.Pod(p); !o.Agent || len(o.Addrs) != 0 {
		t.Errorf("an agent on the host's network: %+v", o)
	}
}

// A Service has the addresses that are its own, not those that it asks for.
func TestServiceAddresses(t *testing.T) {
	s := &corev1.Service{Spec: corev1.ServiceSpec{
		ClusterIP: "None", LoadBalancerIP: "198.51.100.1", ExternalIPs: []string{"203.0.113.1", "x"}, Ports: []corev1.ServicePort{{Port: -1, NodePort: 1 << 20}},
	}}
	o := New(nil).Service(s)
	if len(o.Addrs) != 1 || o.Addrs[0].String() != "203.0.113.1" || o.Ports[0].Port != 0 || o.Ports[0].NodePort != 0 {
		t.Errorf("got %+v", o)
	}
	s.Status.LoadBalancer.Ingress = []corev1.LoadBalancerIngress{{IP: "198.51.100.1"}, {Hostname: "lb.example"}}
	if o := New(nil).Service(s); len(o.Addrs) != 2 {
		t.Errorf("once it was given: %v", o.Addrs)
	}
}
