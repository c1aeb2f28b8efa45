package live

import (
	"net/netip"
	"os"
	"testing"
	"time"

	tea "charm.land/bubbletea/v2"

	"github.com/seine-net/seine/internal/flow"
)

// noon is when the tests' clock starts.
var noon = time.Unix(1_772_366_400, 0)

// stage is a view on a clock of the test's, without a terminal.
type stage struct {
	t     *testing.T
	view  *View
	model *model
	now   time.Time
}

func newStage(t *testing.T, o Options) *stage {
	t.Helper()
	null, err := os.OpenFile(os.DevNull, os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { null.Close() })
	o.Output, o.Input = null, null
	s := &stage{t: t, now: noon}
	s.view = New(o)
	s.view.now = func() time.Time { return s.now }
	s.model = newModel(s.view)
	s.model.styles = &styles{}
	s.send(s.model.Init())
	return s
}

// send runs a command and gives its message to the model, as bubbletea does.
func (s *stage) send(cmd tea.Cmd) {
	if cmd == nil {
		return
	}
	switch msg := cmd().(type) {
	case tea.BatchMsg:
		for _, c := range msg {
			s.send(c)
		}
	case tickMsg, nil: // The test has its own clock.
	default:
		_, next := s.model.Update(msg)
		s.send(next)
	}
}

func (s *stage) size(w, h int) { s.model.Update(tea.WindowSizeMsg{Width: w, Height: h}) }

// pass moves the clock and lets the model notice.
func (s *stage) pass(d time.Duration) {
	s.now = s.now.Add(d)
	s.send(s.model.tick())
}

var namedKeys = map[string]tea.Key{
	"enter": {Code: tea.KeyEnter}, "esc": {Code: tea.KeyEscape}, "backspace": {Code: tea.KeyBackspace},
	"up": {Code: tea.KeyUp}, "down": {Code: tea.KeyDown}, "pgup": {Code: tea.KeyPgUp}, "pgdown": {Code: tea.KeyPgDown},
	"home": {Code: tea.KeyHome}, "end": {Code: tea.KeyEnd},
	"ctrl+c": {Code: 'c', Mod: tea.ModCtrl}, "ctrl+u": {Code: 'u', Mod: tea.ModCtrl},
}

// keyMsg returns the press of a named key, or text as if it were typed at once.
func keyMsg(name string) tea.KeyPressMsg {
	if k, ok := namedKeys[name]; ok {
		return tea.KeyPressMsg(k)
	}
	if runes := []rune(name); len(runes) == 1 {
		return tea.KeyPressMsg{Code: runes[0], Text: name}
	}
	return tea.KeyPressMsg{Code: tea.KeyExtended, Text: name}
}

// frame returns what is shown.
func (s *stage) frame() string { return s.model.View().Content }

func (s *stage) press(keys ...string) {
	for _, k := range keys {
		_, cmd := s.model.Update(keyMsg(k))
		s.send(cmd)
	}
}

func pod(name string) flow.Identity {
	return flow.Identity{
		Kind: flow.Pod, Namespace: "shop", Name: name, Workload: flow.Workload{Kind: "Deployment", Name: name[:4]},
		Node: "worker-1", Zone: "zone-a", ResolvedBy: flow.ByPodIP,
	}
}

func service(namespace, name string) flow.Identity {
	return flow.Identity{Kind: flow.Service, Namespace: namespace, Name: name, ResolvedBy: flow.ByServiceIP}
}

func endpoint(at string, who flow.Identity) flow.Endpoint {
	a := netip.MustParseAddrPort(at)
	return flow.Endpoint{Addr: a.Addr(), Port: a.Port(), Identity: who}
}

// record returns a connection in the second before now.
func record(now time.Time, proto flow.Proto, client, dialled, backend flow.Endpoint, sent, received uint64) flow.Record {
	r := flow.Record{
		Start: flow.Time(now.Add(-900 * time.Millisecond).UnixNano()), End: flow.Time(now.Add(-100 * time.Millisecond).UnixNano()),
		Proto: proto, Src: client, Dst: dialled, Backend: backend, SNAT: client.AddrPort(),
		NATSource: flow.KFunc, OrientedBy: flow.ByConntrack, Reporter: flow.Client,
		Fwd: flow.Volume{Bytes: sent, Packets: sent/1000 + 1}, Rev: flow.Volume{Bytes: received, Packets: received/1000 + 1},
		Node: "worker-1", Iface: "veth1a2b", Primary: true, Sampling: 1,
	}
	if dialled.AddrPort() != backend.AddrPort() {
		r.NAT = flow.DNAT
	}
	if proto == flow.TCP {
		r.TCPFlags = flow.SYN | flow.ACK
	}
	return r
}

// shop returns one second of a small cluster; the n-th differs from the others in ports and volumes.
func shop(now time.Time, n int) []flow.Record {
	front, cart, pay := pod("front-7d9f"), pod("cart-5c6d8"), pod("payments-0")
	var batch []flow.Record
	for i := range 3 {
		client := endpoint("10.244.1.7:40000", front)
		client.Port += uint16(3*n + i)
		batch = append(batch, record(now, flow.TCP, client, endpoint("10.96.0.20:80", service("shop", "cart")),
			endpoint("10.244.2.9:8080", cart), 1000*uint64(n+1), 30_000))
		batch = append(batch, record(now, flow.UDP, client, endpoint("10.96.0.10:53", service("kube-system", "kube-dns")),
			endpoint("10.244.2.2:53", pod("coredns-0")), 80, 160))
	}
	node := flow.Identity{Kind: flow.Node, Name: "worker-1", ResolvedBy: flow.ByNodeIP}
	both := record(now, flow.TCP, endpoint("192.0.2.50:51234", flow.Identity{Kind: flow.External}),
		endpoint("198.51.100.1:30080", node), endpoint("10.244.1.7:8080", front), 4000, 2_500_000)
	both.NAT, both.SNAT, both.Iface = flow.DNAT|flow.SNAT, netip.MustParseAddrPort("10.244.1.1:12345"), "eth0"
	out := endpoint("[2001:db8:85a3::8a2e:370:7334]:8443", flow.Identity{Kind: flow.External})
	direct := record(now, flow.TCP, endpoint("[fd00:10:244:1::7]:40002", front), out, out, 700, 70_000)
	ping := record(now, flow.ICMPv4, endpoint("10.244.1.7:0", front), endpoint("10.244.3.3:0", pay), endpoint("10.244.3.3:0", pay), 98, 98)
	ping.ICMP = flow.ICMP{Type: 8, ID: 4711}
	estimate := record(now, flow.TCP, endpoint("10.244.3.3:5000", pay), endpoint("10.96.0.99:9092",
		service("analytics-platform-production", "kafka-bootstrap")), endpoint("10.244.4.4:9092", pod("kafka-broker-statefulset-0")), 90, 10)
	estimate.Sampling = 50
	return append(batch, both, direct, ping, estimate)
}

// play gives the view a few seconds of the shop.
func (s *stage) play(seconds int) {
	for n := range seconds {
		s.now = s.now.Add(time.Second)
		s.view.Add(shop(s.now, n))
		s.send(s.model.tick())
	}
}

var healthy = Options{
	Title: "seine demo",
	Summary: func() Summary {
		return Summary{Coverage: 0.99984, MapUse: 0.031, Losses: []Loss{{"ring_full", 0}}, Degraded: []string{"translation by ctnetlink"}}
	},
	Toggles: []Toggle{
		{Key: "1", Name: "payments-slow", Doc: "payments take 400 ms", Set: func(bool) error { return nil }},
		{Key: "2", Name: "packet-loss", Doc: "a tenth is dropped", Set: func(bool) error { return errBroken }},
	},
}
