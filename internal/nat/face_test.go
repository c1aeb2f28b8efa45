package nat

import (
	"testing"

	"github.com/seine-net/seine/internal/flow"
)

// The connection of most tests: a client, the Service that it dials, the Service's backend, and the node's address
// that the client is masqueraded by.
const (
	client  = "10.0.1.1:40000"
	service = "10.96.0.1:80"
	backend = "10.0.2.1:8080"
	masked  = "192.0.2.1:40000"
)

// faceCase is a connection and the pairs of addresses that its packets bear on the node.
type faceCase struct {
	name  string
	entry Entry
	// pairs are from the client's side to the server's.
	pairs [][2]string
	want  string
}

var faceCases = []faceCase{
	{
		"untranslated", entry(client, backend, "", ""),
		[][2]string{{client, backend}},
		"10.0.1.1:40000>10.0.2.1:8080 5/4 vethC none conntrack",
	},
	{
		"DNAT", entry(client, service, backend, ""),
		[][2]string{{client, service}, {client, backend}},
		"10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 5/4 vethC dnat conntrack",
	},
	{
		"SNAT", entry(client, backend, "", masked),
		[][2]string{{client, backend}, {masked, backend}},
		"10.0.1.1:40000>10.0.2.1:8080 as 192.0.2.1:40000 5/4 vethC snat conntrack",
	},
	{
		"DNAT and SNAT", entry(client, service, backend, masked),
		[][2]string{{client, service}, {client, backend}, {masked, backend}},
		"10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 192.0.2.1:40000 5/4 vethC dnat+snat conntrack",
	},
	{
		"hairpin", entry(client, service, "10.0.1.1:8080", masked),
		[][2]string{{client, service}, {client, "10.0.1.1:8080"}, {masked, "10.0.1.1:8080"}},
		"10.0.1.1:40000>10.96.0.1:80>10.0.1.1:8080 as 192.0.2.1:40000 5/4 vethC dnat+snat conntrack",
	},
	{
		"redirect to another port", entry(client, service, "10.96.0.1:8080", ""),
		[][2]string{{client, service}, {client, "10.96.0.1:8080"}},
		"10.0.1.1:40000>10.96.0.1:80>10.96.0.1:8080 5/4 vethC dnat conntrack",
	},
	{
		"IPv6", entry("[fd00:1::1]:40000", "[fd00:96::1]:80", "[fd00:2::1]:8080", "[2001:db8::1]:40001"),
		[][2]string{
			{"[fd00:1::1]:40000", "[fd00:96::1]:80"},
			{"[fd00:1::1]:40000", "[fd00:2::1]:8080"},
			{"[2001:db8::1]:40001", "[fd00:2::1]:8080"},
		},
		"[fd00:1::1]:40000>[fd00:96::1]:80>[fd00:2::1]:8080 as [2001:db8::1]:40001 5/4 vethC dnat+snat conntrack",
	},
}

// path are the interfaces on which the faces are seen, the client's side first.
var path = []uint32{vethC, br0, eth0}

// sightOf is the client's sight of a case's face on its interface. The volume tells the directions apart, and that of
// the client's side from the others'.
func (c *faceCase) sightOf(i int, proto flow.Proto) sight {
	s := seen(c.pairs[i][0], c.pairs[i][1]).on(path[i]).sent(5).got(4)
	s.o.Proto = proto
	return s
}

// TestFacesJoin resolves the connection on one interface at a time and leaves the others bare.
func TestFacesJoin(t *testing.T) {
	for _, proto := range []flow.Proto{flow.TCP, flow.UDP, flow.SCTP} {
		for _, c := range faceCases {
			for where := range c.pairs {
				t.Run(proto.String()+"/"+c.name+"/resolved on "+interfaceNames[path[where]], func(t *testing.T) {
					s := play(t, host{})
					for i := range c.pairs {
						o := c.sightOf(i, proto)
						if i == where {
							o = o.resolved(c.entry.of(proto))
						}
						s.with(o)
					}
					s.gives(proto.String() + " " + c.want).endsWith()
				})
			}
		}
	}
}

// TestFacesJoinLearnt leaves all interfaces bare; conntrack's events tell before or after, and of the next interval.
func TestFacesJoinLearnt(t *testing.T) {
	for _, c := range faceCases {
		sights := make([]event, len(c.pairs))
		for i := range c.pairs {
			sights[i] = c.sightOf(i, flow.TCP)
		}
		t.Run(c.name, func(t *testing.T) {
			play(t, host{}).with(sights...).with(learnt(c.entry).born(100)).gives("TCP " + c.want).
				with(sights...).endsWith("TCP " + c.want)
		})
	}
}

// TestReplyFirst sees the reply first, on each face alone.
func TestReplyFirst(t *testing.T) {
	c := faceCases[3]
	for i, pair := range c.pairs {
		o := seen(pair[1], pair[0]).on(path[i]).sent(4).got(5).resolved(c.entry)
		want := "10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 as 192.0.2.1:40000 5/4 " +
			interfaceNames[path[i]] + " dnat+snat conntrack"
		play(t, host{}).with(o).endsWith("TCP " + want)
	}
}

// TestUnrelatedStaySeparate looks alike and is another connection each.
func TestUnrelatedStaySeparate(t *testing.T) {
	e := entry(client, service, backend, "")
	play(t, host{}).with(
		seen(client, service).on(vethC).sent(1).resolved(e),
		seen(client, service).on(vethC).sent(2).udp(),
		seen(client, "10.96.0.1:81").on(vethC).sent(3),
		seen("10.0.1.1:40001", backend).on(vethC).sent(4),
		seen(service, backend).on(vethC).sent(5),
	).endsWith(
		"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 1/0 vethC dnat conntrack",
		"UDP 10.0.1.1:40000>10.96.0.1:80 2/0 vethC none port",
		"TCP 10.0.1.1:40000>10.96.0.1:81 3/0 vethC none port",
		"TCP 10.0.1.1:40001>10.0.2.1:8080 4/0 vethC none port",
		"TCP 10.96.0.1:80>10.0.2.1:8080 5/0 vethC none first_packet",
	)
}

// TestZonesWithEqualTuples has two tenants with the same addresses, each in a zone of its own.
func TestZonesWithEqualTuples(t *testing.T) {
	one := entry(client, service, backend, "").inZone(1)
	two := entry(client, service, "10.0.2.2:8080", "").inZone(2)
	play(t, host{}).with(
		seen(client, service).on(vethC).sent(1).resolved(one),
		seen(client, service).on(vethS).sent(2).resolved(two),
		seen(client, backend).on(br0).sent(1),
		seen(client, "10.0.2.2:8080").on(br0).sent(2),
	).gives(
		"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 zone 1 1/0 vethC dnat conntrack",
		"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.2:8080 zone 2 2/0 vethS dnat conntrack",
	)
	// Even both tuples may be equal.
	same := entry(client, backend, "", "")
	play(t, host{}).with(
		seen(client, backend).on(vethC).sent(1).resolved(same.inZone(1)),
		seen(client, backend).on(vethS).sent(2).resolved(same.inZone(2)),
	).endsWith(
		"TCP 10.0.1.1:40000>10.0.2.1:8080 zone 1 1/0 vethC none conntrack",
		"TCP 10.0.1.1:40000>10.0.2.1:8080 zone 2 2/0 vethS none conntrack",
	)
}

// TestZonesLearntAtOnce has two tenants with the same tuple whose entries a source outside told at the same time: the
// opening packets tell the connections apart, later the interfaces that they were counted on.
func TestZonesLearntAtOnce(t *testing.T) {
	const other = "10.0.2.2:8080"
	one, two := entry(client, service, backend, "").inZone(1), entry(client, service, other, "").inZone(2)
	sights := []sight{
		seen(client, service).on(vethC).sent(1).syn(1), seen(client, backend).on(eth0).sent(1).syn(1),
		seen(client, service).on(vethS).sent(2).syn(2), seen(client, other).on(eth1).sent(2).syn(2),
	}
	permute(sights, func(order []sight) {
		s := play(t, host{}).with(learnt(two).born(100), learnt(one).born(100))
		for _, o := range order {
			s.with(o)
		}
		s.gives(
			"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 zone 1 1/0 vethC dnat conntrack",
			"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.2:8080 zone 2 2/0 vethS dnat conntrack")
		s.with(seen(client, service).on(vethC).sent(3), seen(client, service).on(vethS).sent(4)).endsWith(
			"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.1:8080 zone 1 3/0 vethC dnat conntrack",
			"TCP 10.0.1.1:40000>10.96.0.1:80>10.0.2.2:8080 zone 2 4/0 vethS dnat conntrack")
	})
}
