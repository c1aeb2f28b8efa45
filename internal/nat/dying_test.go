package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// lost is a drop of packets that were translated, and whose conntrack entry went with them.
func lost(src, dst string, e Entry, n uint64) word {
	w := fact(src, dst).dropped(n).alone()
	w.f.Entry = &e
	return w
}

// TestDying has SYNs to a Service dropped behind the rewrite: what the client's interface saw and the drop are one record.
func TestDying(t *testing.T) {
	const other = "10.0.2.2:8080"
	one, two := entry(client, service, backend, ""), entry(client, service, other, "")
	syn := seen(client, service).on(vethC).sent(1).syn(1)
	dropped := lost(client, backend, one, 1)
	toOne, toTwo := "TCP "+client+">"+service+">"+backend+" ", "TCP "+client+">"+service+">"+other+" "
	f := func(name string, run func(*script)) { t.Run(name, func(t *testing.T) { run(play(t, host{})) }) }
	f("one record", func(s *script) {
		s.with(syn, dropped).gives(toOne + "1/0 vethC dnat conntrack dropped 1/0").gives()
	})
	f("of a packet that an ICMP redirect is about", func(s *script) {
		redirect := lost("10.0.0.1:0", "10.0.1.1:0", one, 1)
		redirect.f.Proto, redirect.f.Alone = flow.ICMPv4, false
		s.with(syn, redirect).gives("TCP " + client + ">" + service + " 1/0 vethC none syn")
	})
	f("told before", func(s *script) {
		s.with(dropped, syn).endsWith(toOne + "1/0 vethC dnat conntrack dropped 1/0")
	})
	f("packets waited", func(s *script) {
		s.with(syn.at(900, 900)).gives().with(dropped.at(-99, -99)).gives(toOne + "1/0 vethC dnat conntrack dropped 1/0")
	})
	f("a busy machine", func(s *script) {
		s.with(syn.at(100, 100), dropped.at(180, 180)).gives(toOne + "1/0 vethC dnat conntrack dropped 1/0")
	})
	f("no packet seen", func(s *script) { s.with(dropped).gives(toOne + "0/0  dnat conntrack dropped 1/0") })
	f("not translated", func(s *script) {
		s.with(seen(client, backend).on(vethC).sent(1).syn(1), lost(client, backend, entry(client, backend, "", ""), 1)).
			gives("TCP " + client + ">" + backend + " 1/0 vethC none syn dropped 1/0")
	})
	f("the socket tells long after", func(s *script) {
		s.with(syn, dropped).gives(toOne + "1/0 vethC dnat conntrack dropped 1/0")
		for range 20 {
			s.gives()
		}
		s.with(socket(client, service, Active, 7).at(-20000, 100).again(1).alone()).
			gives(toOne + "0/0  dnat conntrack pid 7/0 again 1/0")
	})
	f("the next SYN to the same", func(s *script) {
		s.with(syn, dropped).gives(toOne+"1/0 vethC dnat conntrack dropped 1/0").
			with(syn, dropped).gives(toOne + "1/0 vethC dnat conntrack dropped 1/0")
	})
	f("the next SYN to another", func(s *script) {
		s.with(syn, dropped).gives(toOne+"1/0 vethC dnat conntrack dropped 1/0").
			with(syn, lost(client, other, two, 1)).gives(toTwo+"1/0 vethC dnat conntrack dropped 1/0").
			with(syn, dropped).gives(toOne + "1/0 vethC dnat conntrack dropped 1/0")
	})
	f("the socket tells of the next SYN to another", func(s *script) {
		s.with(syn, dropped).gives(toOne+"1/0 vethC dnat conntrack dropped 1/0").
			with(syn, socket(client, service, Active, 7).at(-901, 100).again(1).alone(), lost(client, other, two, 1)).
			gives(toTwo + "1/0 vethC dnat conntrack pid 7/0 again 1/0 dropped 1/0")
	})
	f("SYNs to both in an interval", func(s *script) {
		s.with(syn.sent(2), dropped, lost(client, other, two, 1).at(190, 190)).gives(toOne + "2/0 vethC dnat conntrack dropped 2/0")
	})
	f("the next SYN arrives", func(s *script) {
		s.with(syn.sent(9).got(8).resolved(two), dropped).gives(toTwo+"9/8 vethC dnat conntrack dropped 1/0").
			with(seen(client, service).on(vethC).sent(5).got(4), seen(client, service).on(br0).sent(5).got(4)).
			gives(toTwo + "5/4 vethC dnat conntrack")
	})
	f("the next SYN arrives at the same", func(s *script) {
		s.with(syn.sent(9).got(8).resolved(one), dropped).gives(toOne + "9/8 vethC dnat conntrack dropped 1/0")
	})
}

// TestDyingConfirmed has an entry live on that was known from a drop alone.
func TestDyingConfirmed(t *testing.T) {
	e := entry(client, service, backend, "")
	for name, told := range map[string]event{
		"packets": seen(client, service).on(vethC).sent(1).resolved(e), "events": learnt(e).born(300),
	} {
		s := play(t, host{}).with(lost(client, backend, e, 1)).with(told)
		if c := s.table.find(&e); c.dying || c.end != 0 {
			t.Errorf("%s: dying %t, ended at %d", name, c.dying, c.end)
		}
	}
}

func TestDyingIsBounded(t *testing.T) {
	s := playWith(t, Config{Locality: host{}, MaxConnections: 1})
	s.with(lost(client, backend, entry(client, service, backend, ""), 1), lost(client, backend, entry(client, "10.96.0.2:80", backend, ""), 1))
	if n := s.table.Stats().Refused; n != 1 {
		t.Errorf("%d refused, want 1", n)
	}
}
