package ipfix

import (
	"bytes"
	"context"
	"fmt"
	"log/slog"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"github.com/netsampler/goflow2/v2/decoders/netflow"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

func quiet() *slog.Logger { return slog.New(slog.DiscardHandler) }

func open(t *testing.T, c *Config, p *query.Plan) *Target {
	t.Helper()
	target, err := Open(c, p, quiet())
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = target.Close() })
	return target
}

// send sends records, none of which may be refused.
func send(t *testing.T, target *Target, p *query.Plan, records ...flow.Record) {
	t.Helper()
	if refused, err := target.Send(t.Context(), blockOf(t, p, records...)); err != nil || refused != 0 {
		t.Fatalf("send: %d refused, %v", refused, err)
	}
}

// TestRoundTrip has every element of every template come as it was sent, by either transport.
func TestRoundTrip(t *testing.T) {
	records := samples()
	for _, r := range querytest.RandomRecords(1, 500) {
		if family(r.Src.Addr) > 0 && family(r.Src.Addr) == family(r.Dst.Addr) && family(r.Src.Addr) == family(r.Backend.Addr) {
			records = append(records, r)
		}
	}
	if len(records) < 100 {
		t.Fatalf("only %d records", len(records))
	}
	for transport, c := range map[string]*collector{tcp: collectTCP(t, nil, nil), udp: collectUDP(t)} {
		t.Run(transport, func(t *testing.T) {
			p := plan(t)
			target := open(t, &Config{Collector: c.address, Transport: transport}, p)
			found := map[uint16]map[key]bool{}
			for part := range slices.Chunk(records, 20) { // No more than a socket's buffer holds.
				send(t, target, p, part...)
				for i, got := range c.take(len(part)) {
					same(t, got, &part[i])
					found[got.template] = map[key]bool{}
					for k := range got.values {
						found[got.template][k] = true
					}
				}
			}
			hasEvery(t, found)
		})
	}
}

// family is 0 where there is no address, which random records have, too.
func family(a netip.Addr) int { return a.Unmap().BitLen() }

// hasEvery wants all templates used, each with the elements that it is documented with.
func hasEvery(t *testing.T, found map[uint16]map[key]bool) {
	t.Helper()
	enterprises := map[owner]uint32{iana: 0, reverse: 29305, private: 2}
	for shape := range uint16(shapeCount) {
		for i := range elements {
			e := &elements[i]
			k := key{enterprises[e.owner], e.number}
			if has := found[256+shape][k]; has != (e.in&(1<<shape) != 0) {
				t.Errorf("template %d, element %s %v: came: %v", 256+shape, e.name, k, has)
			}
		}
	}
	for k := range expected {
		if !slices.ContainsFunc([]uint16{256, 257, 258, 259}, func(id uint16) bool { return found[id][k] }) {
			t.Errorf("element %v came in no template", k)
		}
	}
}

// TestNames has the names of IANA's elements be those of another's list.
func TestNames(t *testing.T) {
	for i := range elements {
		e := &elements[i]
		number, in := netflowNames[e.name]
		if e.owner == iana && (!in || number != e.number) {
			t.Errorf("%s is %d here, %d in the other list", e.name, e.number, number)
		}
	}
}

var netflowNames = map[string]uint16{
	"flowStartMilliseconds": netflow.IPFIX_FIELD_flowStartMilliseconds, "flowEndMilliseconds": netflow.IPFIX_FIELD_flowEndMilliseconds,
	"sourceIPv4Address": netflow.IPFIX_FIELD_sourceIPv4Address, "destinationIPv4Address": netflow.IPFIX_FIELD_destinationIPv4Address,
	"sourceIPv6Address": netflow.IPFIX_FIELD_sourceIPv6Address, "destinationIPv6Address": netflow.IPFIX_FIELD_destinationIPv6Address,
	"sourceTransportPort": netflow.IPFIX_FIELD_sourceTransportPort, "destinationTransportPort": netflow.IPFIX_FIELD_destinationTransportPort,
	"protocolIdentifier": netflow.IPFIX_FIELD_protocolIdentifier, "icmpTypeCodeIPv4": netflow.IPFIX_FIELD_icmpTypeCodeIPv4,
	"icmpTypeCodeIPv6": netflow.IPFIX_FIELD_icmpTypeCodeIPv6, "postNATSourceIPv4Address": netflow.IPFIX_FIELD_postNATSourceIPv4Address,
	"postNATDestinationIPv4Address": netflow.IPFIX_FIELD_postNATDestinationIPv4Address, "postNATSourceIPv6Address": netflow.IPFIX_FIELD_postNATSourceIPv6Address,
	"postNATDestinationIPv6Address": netflow.IPFIX_FIELD_postNATDestinationIPv6Address, "postNAPTSourceTransportPort": netflow.IPFIX_FIELD_postNAPTSourceTransportPort,
	"postNAPTDestinationTransportPort": netflow.IPFIX_FIELD_postNAPTDestinationTransportPort, "octetDeltaCount": netflow.IPFIX_FIELD_octetDeltaCount,
	"packetDeltaCount": netflow.IPFIX_FIELD_packetDeltaCount, "layer2OctetDeltaCount": netflow.IPFIX_FIELD_layer2OctetDeltaCount,
	"droppedOctetDeltaCount": netflow.IPFIX_FIELD_droppedOctetDeltaCount, "droppedPacketDeltaCount": netflow.IPFIX_FIELD_droppedPacketDeltaCount,
	"tcpControlBits": netflow.IPFIX_FIELD_tcpControlBits, "biflowDirection": netflow.IPFIX_FIELD_biflowDirection,
	"interfaceName": netflow.IPFIX_FIELD_interfaceName, "selectorAlgorithm": netflow.IPFIX_FIELD_selectorAlgorithm,
	"samplingProbability": netflow.IPFIX_FIELD_samplingProbability, "samplingInterval": netflow.IPFIX_FIELD_samplingInterval,
}

// TestRefused counts rows that no template fits, and sends those beside them.
func TestRefused(t *testing.T) {
	c, p := collectTCP(t, nil, nil), plan(t)
	mixed, none := translated(), translated()
	mixed.Backend.Addr = netip.MustParseAddr("fd00::1")
	none.Src.Addr = netip.Addr{}
	good := translated()
	refused, err := open(t, &Config{Collector: c.address}, p).Send(t.Context(), blockOf(t, p, mixed, good, none))
	if err != nil || refused != 2 {
		t.Fatalf("%d refused, %v; want 2", refused, err)
	}
	same(t, c.take(1)[0], &good)
}

// TestFields sends the elements of chosen fields alone.
func TestFields(t *testing.T) {
	c, p := collectUDP(t), plan(t, "proto", "src.addr", "dst.addr", "dst.port", "backend.name")
	send(t, open(t, &Config{Collector: c.address, Transport: udp, MTU: 120}, p), p, samples()...)
	r := samples()[0]
	got := c.take(len(samples()))[0]
	same(t, got, &r)
	var names []string
	for k := range got.values {
		names = append(names, fmt.Sprint(k.enterprise, " ", k.number))
	}
	slices.Sort(names)
	if want := []string{"0 11", "0 12", "0 4", "0 8", "2 305"}; !slices.Equal(names, want) {
		t.Errorf("got %q, want %q", names, want)
	}
}

// TestNoEnterprise sends IANA's elements alone.
func TestNoEnterprise(t *testing.T) {
	c, p := collectTCP(t, nil, nil), plan(t)
	send(t, open(t, &Config{Collector: c.address, EnterpriseID: new(uint32)}, p), p, translated())
	for k := range c.take(1)[0].values {
		if k.enterprise != 0 && k.enterprise != 29305 {
			t.Errorf("element %v came", k)
		}
	}
}

// TestDomain has the numbers of the configuration in messages and templates.
func TestDomain(t *testing.T) {
	c, p := collectTCP(t, nil, nil), plan(t)
	enterprise := uint32(32473)
	before := time.Now().Unix()
	send(t, open(t, &Config{Collector: c.address, EnterpriseID: &enterprise, ObservationDomain: 1 << 31}, p), p, translated())
	packet := c.decode(c.next())
	if packet.ObservationDomainId != 1<<31 || int64(packet.ExportTime) < before || int64(packet.ExportTime) > time.Now().Unix() {
		t.Errorf("got domain %d, time %d", packet.ObservationDomainId, packet.ExportTime)
	}
	if _, has := c.take(1)[0].values[key{enterprise, 7734}]; !has {
		t.Error("elements do not have the enterprise's number")
	}
}

// TestMTU fills messages up to the last byte, and cuts texts where a record has no room otherwise.
func TestMTU(t *testing.T) {
	p := plan(t)
	records := samples()
	records[0].Src.Labels = strings.Repeat("ä=ö,", 100)
	least := leastMessage(newTemplates(p.Fields, 2))
	for mtu := least; mtu < least+1500; mtu += 7 {
		var sizes []int
		var got bytes.Buffer
		e := encoder{templates: newTemplates(p.Fields, 2), room: mtu, now: time.Now, write: func(m []byte) error {
			sizes = append(sizes, len(m))
			got.Write(m)
			return nil
		}}
		encode(t, &e, p, records)
		if slices.Max(sizes) > mtu {
			t.Fatalf("mtu %d: messages of %v bytes", mtu, sizes)
		}
		if n := countRecords(t, got.Bytes(), records); n != len(records) {
			t.Fatalf("mtu %d: %d records came, want %d", mtu, n, len(records))
		}
	}
}

// TestExactFit takes a record that fills the message, and cuts it if it is one byte larger.
func TestExactFit(t *testing.T) {
	p := plan(t)
	size := 0
	e := encoder{templates: newTemplates(p.Fields, 2), room: 1 << 16, now: time.Now, write: func(m []byte) error {
		size = len(m)
		return nil
	}}
	encode(t, &e, p, samples()[:1])
	for room, cuts := range map[int]uint64{size: 0, size - 1: 1} {
		e := encoder{templates: newTemplates(p.Fields, 2), room: room, now: time.Now, write: func([]byte) error { return nil }}
		encode(t, &e, p, samples()[:1])
		if e.cuts != cuts {
			t.Errorf("room %d for %d bytes: %d records were cut, want %d", room, size, e.cuts, cuts)
		}
	}
}

// encode announces and encodes records.
func encode(t *testing.T, e *encoder, p *query.Plan, records []flow.Record) {
	t.Helper()
	target := &Target{config: Config{Transport: tcp, EnterpriseID: new(uint32)}}
	if err := target.bind(p.Fields); err != nil {
		t.Fatal(err)
	}
	e.restart()
	if err := e.announce(); err != nil {
		t.Fatal(err)
	}
	target.encoder = *e
	if refused, err := target.send(blockOf(t, p, records...)); err != nil || refused != 0 {
		t.Fatalf("%d refused, %v", refused, err)
	}
	*e = target.encoder
}

// countRecords decodes messages, whose texts must be the begin of those that were sent.
func countRecords(t *testing.T, messages []byte, sent []flow.Record) int {
	t.Helper()
	c, n := newCollector(t), 0
	for len(messages) > 0 {
		length := int(messages[2])<<8 | int(messages[3])
		for _, got := range c.records(c.decode(received{0, messages[:length]})) {
			for k, raw := range got.values {
				if full, isText := want(t, k, &sent[n]).(string); !isText {
					if err := compare(raw, want(t, k, &sent[n])); err != nil {
						t.Fatalf("element %v: %v", k, err)
					}
				} else if !strings.HasPrefix(full, string(raw)) || !utf8.Valid(raw) {
					t.Fatalf("element %v: got %q of %q", k, raw, full)
				}
			}
			n++
		}
		messages = messages[length:]
	}
	return n
}

// TestLongTexts cuts at the documented length, between characters.
func TestLongTexts(t *testing.T) {
	c, p := collectTCP(t, nil, nil), plan(t)
	r := translated()
	r.Src.Labels, r.Src.Image, r.Src.App = strings.Repeat("x", 254), strings.Repeat("x", 255), "x"+strings.Repeat("ä", 200)
	send(t, open(t, &Config{Collector: c.address}, p), p, r)
	got := c.take(1)[0]
	for field, want := range map[string]string{
		"src.labels": r.Src.Labels, "src.image": strings.Repeat("x", 254), "src.app": "x" + strings.Repeat("ä", 126),
	} {
		f, _ := flow.FieldByName(field)
		if got := string(got.values[key{2, uint16(f.ID)}]); got != want {
			t.Errorf("%s: got %d bytes, want %d", field, len(got), len(want))
		}
	}
}

// TestLargest has the largest record fit into a message over tcp.
func TestLargest(t *testing.T) {
	for _, template := range newTemplates(plan(t).Fields, 2) {
		texts := bytes.Count(template.record, []byte{0xff, 0xff})
		if largest := messageHeader + setHeader + template.least + texts*maxText; texts < 50 || largest > tcpMessage {
			t.Errorf("template %d has %d texts: a record may take %d bytes of %d", template.id, texts, largest, tcpMessage)
		}
	}
}

// TestSequence counts records, not templates nor messages, and anew for each connection.
func TestSequence(t *testing.T) {
	c, p := collectTCP(t, nil, nil), plan(t)
	target := open(t, &Config{Collector: c.address}, p)
	many := slices.Repeat(samples(), 100)
	for range 2 {
		send(t, target, p, many...)
		send(t, target, p, many...)
		for records := uint32(0); records < uint32(2*len(many)); {
			packet := c.decode(c.next())
			if packet.SequenceNumber != records {
				t.Fatalf("sequence number %d after %d records", packet.SequenceNumber, records)
			}
			records += uint32(len(c.records(packet)))
		}
		target.hangUp()
	}
}

// TestTemplateRefresh announces templates over udp again when it is time, and at the begin, each within a message.
func TestTemplateRefresh(t *testing.T) {
	c, p := collectUDP(t), plan(t)
	target := open(t, &Config{Collector: c.address, Transport: udp, TemplateRefresh: 30 * time.Second}, p)
	now := time.Now()
	target.encoder.now = func() time.Time { return now }
	records := uint32(0)
	for i, templates := range []bool{true, false, false, true, false} {
		send(t, target, p, translated())
		var got []uint16
		for done := false; !done; {
			packet := c.decode(c.next())
			if packet.SequenceNumber != records {
				t.Errorf("send %d: sequence number %d, want %d", i, packet.SequenceNumber, records)
			}
			if len(packet.FlowSets) != 1 {
				t.Errorf("send %d: %d sets in a message of the smallest size", i, len(packet.FlowSets))
			}
			got, done = append(got, announced(packet)...), len(c.records(packet)) > 0
		}
		records++
		if want := []uint16{256, 257, 258, 259}; templates && !slices.Equal(got, want) || !templates && len(got) > 0 {
			t.Errorf("send %d: templates %v came", i, got)
		}
		now = now.Add(10 * time.Second)
	}
}

// TestConfig refuses what makes no sense, by its name.
func TestConfig(t *testing.T) {
	const good = "127.0.0.1:4739"
	number := func(n uint32) *uint32 { return &n }
	for _, c := range []struct {
		config Config
		want   string
	}{
		{Config{}, `collector: "": want host:port`},
		{Config{Collector: "collector"}, `collector: "collector": want host:port`},
		{Config{Collector: ":4739"}, `collector: ":4739": want host:port`},
		{Config{Collector: "a:0"}, `collector: "a:0": want host:port`},
		{Config{Collector: "a:ipfix"}, `collector: "a:ipfix": want host:port`},
		{Config{Collector: good, Transport: "sctp"}, `transport: "sctp": want tcp or udp`},
		{Config{Collector: good, Transport: udp, TLS: noTLS}, "tls: want transport tcp"},
		{Config{Collector: good, TemplateRefresh: time.Minute}, "template_refresh: 1m0s: want transport udp"},
		{Config{Collector: good, MTU: 1400}, "mtu: 1400: want transport udp"},
		{Config{Collector: good, Transport: udp, TemplateRefresh: time.Millisecond}, "template_refresh: 1ms: want a time from 1s to 24h0m0s"},
		{Config{Collector: good, Transport: udp, TemplateRefresh: -1}, "template_refresh: -1ns: want a time from"},
		{Config{Collector: good, Transport: udp, MTU: -1}, "mtu: -1: want bytes"},
		{Config{Collector: good, Transport: udp, MTU: 65508}, "mtu: 65508: want bytes of a UDP payload, at most 65507"},
		{Config{Collector: good, Transport: udp, MTU: 512}, "mtu: 512: want "},
		{Config{Collector: good, EnterpriseID: number(29305)}, "enterprise_id: 29305: want another"},
		{Config{Collector: good, TLS: missingCA}, "tls: read TLS files: open /nowhere/ca.crt"},
	} {
		if _, err := Open(&c.config, plan(t), quiet()); err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%+v: got %v, want %q", c.config, err, c.want)
		}
	}
	if _, err := Open(&Config{Collector: good}, &query.Plan{Dataset: "dns"}, quiet()); err == nil || !strings.Contains(err.Error(), `dataset: "dns": want flows`) {
		t.Errorf("dataset dns: got %v", err)
	}
	if _, err := Open(&Config{Collector: good}, plan(t, "end", "src.addr"), quiet()); err == nil || !strings.Contains(err.Error(), "fields: want proto among them") {
		t.Errorf("few fields: got %v", err)
	}
}

// TestDocs has the page of the elements be current.
func TestDocs(t *testing.T) {
	var b bytes.Buffer
	if err := WriteDocs(&b); err != nil {
		t.Fatal(err)
	}
	committed, err := os.ReadFile("../../../docs/reference/ipfix.md")
	if err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(string(committed), b.String()); diff != "" {
		t.Errorf("docs/reference/ipfix.md is not current, run go generate ./internal/export/ipfix (- committed, + wanted):\n%s", diff)
	}
}

// TestCancelled ends a Send whose collector takes nothing when its context ends.
func TestCancelled(t *testing.T) {
	c := collectTCP(t, nil, func(_ int, conn net.Conn) { <-t.Context().Done() })
	p := plan(t)
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	target, begin := open(t, &Config{Collector: c.address}, p), time.Now()
	block := blockOf(t, p, slices.Repeat(samples(), 500)...)
	for {
		_, err := target.Send(ctx, block)
		if err == nil && time.Since(begin) < 8*time.Second {
			continue
		}
		if err == nil || !strings.Contains(err.Error(), c.address) || time.Since(begin) > 5*time.Second {
			t.Errorf("got %v after %v", err, time.Since(begin))
		}
		return
	}
}
