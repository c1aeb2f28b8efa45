package capture

import (
	"errors"
	"fmt"
	"os"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/dns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

const (
	// MaxDNSPorts is the number of ports that can be watched (DNS_PORTS of bpf/dns.bpf.c).
	MaxDNSPorts = 4
	// dnsEvery is how often the ring of DNS messages is emptied when it does not fill up before, clockEvery how often the
	// clocks are compared.
	dnsEvery   = 100 * time.Millisecond
	clockEvery = time.Second
	// dnsHead is the part of an event before the payload.
	dnsHead = int(unsafe.Offsetof(bpf.DNSEvent{}.Payload))
)

// messages hands the packets of DNS on.
type messages struct {
	objects    bpf.DNSObjects
	errorNames []string
	reader     *ringbuf.Reader
	take       func(*dns.Packet)
	flushed    chan struct{}
	done       chan struct{}
	clock      clock
	compared   time.Time
}

// openMessages loads the programs of DNS and begins to read. Attaching them is the interfaces' matter.
func openMessages(ports []uint16, take func(*dns.Packet)) (*messages, error) {
	spec, err := bpf.LoadDNS()
	if err != nil {
		return nil, fmt.Errorf("read the embedded BPF object: %w", err)
	}
	var wanted [MaxDNSPorts]uint16
	copy(wanted[:], ports)
	if err := spec.Variables["config_dns_ports"].Set(wanted); err != nil {
		return nil, fmt.Errorf("set the ports of DNS: %w", err)
	}
	m := &messages{
		errorNames: enumNames(spec, "dns_error", "DNS_ERROR_"), take: take, flushed: make(chan struct{}), done: make(chan struct{}),
	}
	if err := undisturbed(func() error { return spec.LoadAndAssign(&m.objects, nil) }); err != nil {
		return nil, fmt.Errorf("load the BPF programs of DNS: %w", err)
	}
	if m.reader, err = ringbuf.NewReader(m.objects.SeineDns); err != nil {
		return nil, errors.Join(fmt.Errorf("open the ring of DNS messages: %w", err), m.objects.Close())
	}
	go m.run()
	return m, nil
}

func (m *messages) programs() programs {
	o := &m.objects
	return programs{in: o.SeineDnsIn, out: o.SeineDnsOut, inL3: o.SeineDnsInL3, outL3: o.SeineDnsOutL3}
}

// run reads until the reader is closed. The kernel wakes it only where the ring fills up.
func (m *messages) run() {
	defer close(m.done)
	var rec ringbuf.Record
	var p dns.Packet
	for {
		m.reader.SetDeadline(time.Now().Add(dnsEvery))
		err := m.read(&rec, &p)
		switch {
		case errors.Is(err, ringbuf.ErrFlushed):
			m.flushed <- struct{}{}
		case !errors.Is(err, os.ErrDeadlineExceeded):
			return
		}
	}
}

// read hands on what there is, until the reader says why it has no more.
func (m *messages) read(rec *ringbuf.Record, p *dns.Packet) error {
	for {
		if err := m.reader.ReadInto(rec); err != nil {
			return err
		}
		if now := time.Now(); now.Sub(m.compared) > clockEvery {
			m.clock, m.compared = readClock(), now
		}
		if len(rec.RawSample) >= dnsHead {
			e := (*bpf.DNSEvent)(unsafe.Pointer(unsafe.SliceData(rec.RawSample)))
			packet(p, e, rec.RawSample[dnsHead:], m.clock)
			m.take(p)
		}
	}
}

// packet copies an event's head, the only part that is certain to be there.
func packet(p *dns.Packet, e *bpf.DNSEvent, payload []byte, c clock) {
	*p = dns.Packet{
		Src: nat.Point{Addr: e.Src, Port: e.Sport}, Dst: nat.Point{Addr: e.Dst, Port: e.Dport},
		Proto: flow.Proto(e.Proto), Interface: e.Ifindex, Out: e.Egress != 0, Time: c.time(e.TimeNs),
		Seq: e.Seq, Flags: flow.TCPFlags(e.TcpFlags),
		Payload: payload[:min(len(payload), int(e.Captured))], Length: int(e.Length),
	}
}

// flush returns when all that the ring held has been handed on.
func (m *messages) flush() error {
	if err := m.reader.Flush(); err != nil {
		return fmt.Errorf("flush the ring of DNS messages: %w", err)
	}
	select {
	case <-m.flushed:
		return nil
	case <-m.done:
		return errors.New("the reader of DNS messages ended")
	}
}

// dnsErrorDetails explains the reasons of enum dns_error in bpf/dns.bpf.c.
var dnsErrorDetails = map[string]string{
	"ring_full": "DNS packets lost as the ring to user space was full",
	"cut":       "DNS packets of which only the first 4096 bytes of payload were looked at",
	"fragment":  "DNS packets that came in fragments, of which only the first was looked at",
}

func (m *messages) losses() (out []Loss) {
	for reason, name := range m.errorNames {
		out = append(out, Loss{Reason: "dns_" + name, Count: sumOf(m.objects.SeineDnsErrors, reason), Detail: dnsErrorDetails[name]})
	}
	return out
}

// sumOf adds up a counter that each processor has.
func sumOf(counters *ebpf.Map, at int) (sum uint64) {
	var perCPU []uint64
	if counters.Lookup(uint32(at), &perCPU) != nil {
		return 0
	}
	for _, n := range perCPU {
		sum += n
	}
	return sum
}

func (m *messages) Close() error {
	err := m.reader.Close()
	<-m.done
	return errors.Join(err, m.objects.Close())
}

// dnsFeature tells what became of DNS.
func (c *Capture) dnsFeature() Feature {
	f := Feature{Name: "dns", State: Live, Means: "ring", Detail: "messages on ports " + fmt.Sprint(c.config.DNSPorts)}
	switch {
	case c.dnsWhy != nil:
		f.State, f.Means, f.Detail = Degraded, "none", "queries are not seen: "+c.dnsWhy.Error()
	case c.messages == nil:
		f.State, f.Means, f.Detail = Off, "none", "not asked for"
	}
	return f
}
