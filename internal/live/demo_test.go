package live

import (
	"time"

	"github.com/seine-net/seine/internal/flow"
)

// demoLike is a view with a long title, full texts and nearly as many toggles as the demo has.
var demoLike = Options{
	Title: "demo cluster · 127.0.0.1:6060",
	Summary: func() Summary {
		return Summary{Coverage: 0.8912, MapUse: 0.02, Degraded: []string{"translation by ctnetlink", "listeners by a walk"}}
	},
	Toggles: []Toggle{
		{Key: "1", Name: "payments-slow", Doc: "the payments pods take 400 ms to answer", Set: noFault},
		{Key: "2", Name: "checkout-down", Doc: "the checkout pods refuse connections, though their Service still leads to them", Set: noFault},
		{Key: "3", Name: "dns-silent", Doc: "the DNS servers answer nothing: queries time out", Set: noFault},
		{Key: "4", Name: "packet-loss", Doc: "a tenth of the packets that arrive at worker-2 is dropped", Set: noFault},
		{Key: "5", Name: "service-without-endpoints", Doc: "the Service payments has no endpoints: nodes reject connections to it", Set: noFault},
	},
}

func noFault(bool) error { return nil }

// deployed returns a second of pods with names as a Deployment gives them.
func deployed(now time.Time) []flow.Record {
	front, checkout, pay := pod("frontend-6c9f7d5b8-x2x7q"), pod("checkout-57d8c9b6f4-k9vzt"), pod("payments-7f9d8b6c5-6rd8p")
	dns := flow.Identity{Kind: flow.Pod, Namespace: "kube-system", Name: "dns-5b8f6d7c9-2wq4m", ResolvedBy: flow.ByPodIP}
	toDNS, toPay := service("kube-system", "kube-dns"), service("shop", "payments")
	return []flow.Record{
		record(now, flow.TCP, endpoint("10.244.1.7:40000", front), endpoint("10.96.0.20:80", service("shop", "checkout")),
			endpoint("10.244.2.9:8080", checkout), 3000, 30_000),
		record(now, flow.TCP, endpoint("10.244.2.9:40001", checkout), endpoint("10.96.0.22:80", toPay), endpoint("10.244.1.4:8080", pay), 900, 8000),
		record(now, flow.UDP, endpoint("10.244.1.4:40002", pay), endpoint("10.96.0.10:53", toDNS), endpoint("10.244.2.2:53", dns), 80, 160),
		record(now, flow.TCP, endpoint("10.244.1.7:40003", front), endpoint("10.244.1.4:8080", pay), endpoint("10.244.1.4:8080", pay), 70, 70),
	}
}

// playDemo gives the view a few seconds of the pods.
func (s *stage) playDemo(seconds int) {
	for range seconds {
		s.now = s.now.Add(time.Second)
		s.view.Add(deployed(s.now))
		s.send(s.model.tick())
	}
}
