package capture

import (
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"slices"
	"strings"
	"sync"
	"time"
	"unsafe"

	"github.com/cilium/ebpf"
	"github.com/cilium/ebpf/link"
	"github.com/cilium/ebpf/ringbuf"

	"github.com/seine-net/seine/bpf"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

// sockets follows the sockets of TCP and UDP of the host, in all of its network namespaces.
type sockets struct {
	objects bpf.SocketObjects
	closers closers
	reader  *ringbuf.Reader
	owners  *owners
	tell    *link.Iter
	find    *link.Iter
	// restricted tells that not every packet is to be counted: then a connection without packets is none of ours.
	restricted bool
	errorNames []string
	// lacks tells what this kernel cannot give; lacksUDP is why sockets of UDP are not followed.
	lacks    []string
	lacksUDP error
	buffer   []byte
	// nextFind is when owners that are not known are looked for again.
	nextFind time.Time

	flushed chan struct{}
	done    chan struct{}
	mu      sync.Mutex
	ended   []bpf.SocketFacts
	lost    uint64
}

const (
	// maxEnded bounds the closed sockets that wait for the next eviction.
	maxEnded = 1 << 18
	// findEvery is how often open files are searched for the owners of sockets from which nobody has read yet.
	findEvery = 10 * time.Second
	factsSize = int(unsafe.Sizeof(bpf.SocketFacts{}))
)

// tracepoint is where a program is attached, and the feature that needs it; "" is any.
type tracepoint struct {
	name, program, feature string
	// optional is what is lost where the kernel has no such tracepoint, "" where nothing works without it.
	optional string
	of       func(*bpf.SocketObjects) *ebpf.Program
}

var tracepoints = []tracepoint{
	{"inet_sock_set_state", "seine_sock_state", "", "", func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineSockState }},
	{"tcp_rcv_space_adjust", "seine_sock_read", FeatureProcess, "", func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineSockRead }},
	{"tcp_receive_reset", "seine_sock_rst_in", FeatureTCP, "", func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineSockRstIn }},
	{"tcp_retransmit_synack", "seine_sock_synack", FeatureTCP, "", func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineSockSynack }},
	{"tcp_send_reset", "seine_sock_rst_out", FeatureTCP, "", func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineSockRstOut }},
	{
		"inet_sk_error_report", "seine_sock_error", FeatureTCP, "before Linux 5.14 an unreachable server is told by the ICMP error alone, where that passes an interface",
		func(o *bpf.SocketObjects) *ebpf.Program { return o.SeineSockError },
	},
}

// openSockets loads what the features need, and nothing else, and attaches it.
func openSockets(c *Config, log *slog.Logger) (*sockets, error) {
	s := &sockets{
		owners: newOwners(), restricted: c.isRestricted(),
		buffer: make([]byte, 256*factsSize), flushed: make(chan struct{}), done: make(chan struct{}),
	}
	if err := s.open(c); err != nil {
		return nil, errors.Join(err, s.Close())
	}
	if err := s.search(); err != nil {
		log.Warn("sockets older than the agent are not followed", "error", err)
	}
	return s, nil
}

// load loads what the features need, and the programs of UDP or not.
func (s *sockets) load(c *Config, udp bool) error {
	spec, err := bpf.LoadSocket()
	if err != nil {
		return fmt.Errorf("read the embedded BPF object: %w", err)
	}
	err = errors.Join(
		spec.Variables["config_tcp"].Set(c.has(FeatureTCP)), spec.Variables["config_process"].Set(c.has(FeatureProcess)),
		spec.Variables["config_udp"].Set(udp),
	)
	if err != nil {
		return fmt.Errorf("set the programs' switches: %w", err)
	}
	// A connection is a flow on two interfaces or more.
	spec.Maps["seine_sockets"].MaxEntries = max(c.MaxFlows/2, 1)
	s.errorNames = enumNames(spec, "socket_error", "SOCKET_ERROR_")
	for _, p := range tracepoints {
		if p.feature != "" && !c.has(p.feature) {
			disable(spec, p.program)
		}
	}
	for _, p := range datagramPrograms {
		if !udp {
			disable(spec, p.name)
		}
	}
	if err := undisturbed(func() error { return spec.LoadAndAssign(&s.objects, nil) }); err != nil {
		return fmt.Errorf("load the socket programs: %w", err)
	}
	return nil
}

func (s *sockets) open(c *Config) (err error) {
	if err := s.loadFollowing(c); err != nil {
		return err
	}
	s.closers = append(s.closers, &s.objects)
	if s.reader, err = ringbuf.NewReader(s.objects.SeineEnded); err != nil {
		return fmt.Errorf("open the ring of closed sockets: %w", err)
	}
	go s.run()
	s.closers = append(s.closers, closeFunc(s.stop))
	for _, p := range tracepoints {
		if p.feature != "" && !c.has(p.feature) {
			continue
		}
		l, err := link.AttachRawTracepoint(link.RawTracepointOptions{Name: p.name, Program: p.of(&s.objects)})
		if p.optional != "" && errors.Is(err, os.ErrNotExist) {
			s.lacks = append(s.lacks, p.optional)
			continue
		}
		if err != nil {
			return fmt.Errorf("attach to %s: %w", p.name, err)
		}
		s.closers = append(s.closers, l)
	}
	return s.attachIterators()
}

func (s *sockets) attachIterators() (err error) {
	o := &s.objects
	if s.tell, err = link.AttachIter(link.IterOptions{Program: o.SeineSockTell, Map: o.SeineSockets}); err != nil {
		return fmt.Errorf("attach the iterator of sockets: %w", err)
	}
	s.closers = append(s.closers, s.tell)
	if s.find, err = link.AttachIter(link.IterOptions{Program: o.SeineSockFind}); err != nil {
		return fmt.Errorf("attach the iterator of files: %w", err)
	}
	s.closers = append(s.closers, s.find)
	return nil
}

// openSockets follows sockets where a feature needs it. Without, all else works.
func (c *Capture) openSockets() {
	if !c.config.has(FeatureTCP) && !c.config.has(FeatureProcess) {
		return
	}
	s, err := openSockets(&c.config, c.log)
	if err != nil {
		c.socketsWhy = explain(err).Error()
		c.log.Warn("sockets are not followed", "error", c.socketsWhy)
		return
	}
	c.sockets = s
	c.closers = append(c.closers, s)
}

// socketFeatures tells what becomes of the features that need sockets.
func (c *Capture) socketFeatures() []Feature {
	all := []Feature{
		{
			Name: FeatureTCP, Means: "tracepoints and iterator",
			Detail: "reads each TCP socket of the host once an interval and as it closes; handshakes, resets and zero windows also from packets",
		},
		{
			Name: FeatureProcess, Means: "tracepoints",
			Detail: "notes who connects, who first reads from an accepted socket, who makes one of UDP, and its control group",
		},
	}
	for i := range all {
		f := &all[i]
		switch {
		case !c.config.has(f.Name):
			f.State, f.Means, f.Detail = Off, "none", "not wanted"
		case c.sockets == nil:
			f.State, f.Means, f.Detail = Off, "none", c.socketsWhy
		default:
			f.State = Live
			if f.Name == FeatureTCP && len(c.sockets.lacks) > 0 {
				f.Detail += "; " + strings.Join(c.sockets.lacks, "; ")
			}
			if f.Name == FeatureProcess && c.sockets.lacksUDP != nil {
				f.State, f.Detail = Degraded, "notes who connects, who first reads from an accepted socket, and its control group; not of UDP: "+
					explain(c.sockets.lacksUDP).Error()
			}
		}
	}
	return all
}

// search reads every open file of the host once, for sockets that were there before and owners that are not known.
func (s *sockets) search() error {
	s.nextFind = time.Now().Add(findEvery)
	files, err := s.find.Open()
	if err != nil {
		return fmt.Errorf("search open files: %w", err)
	}
	_, err = io.Copy(io.Discard, files)
	return errors.Join(err, files.Close())
}

// run reads the ring until it is closed.
func (s *sockets) run() {
	defer close(s.done)
	var rec ringbuf.Record
	for {
		err := s.reader.ReadInto(&rec)
		switch {
		case errors.Is(err, ringbuf.ErrFlushed):
			s.flushed <- struct{}{}
		case err != nil:
			return
		case len(rec.RawSample) >= factsSize:
			s.take((*bpf.SocketFacts)(unsafe.Pointer(unsafe.SliceData(rec.RawSample))))
		}
	}
}

func (s *sockets) take(f *bpf.SocketFacts) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.ended) >= maxEnded {
		s.lost++
		return
	}
	s.ended = append(s.ended, *f)
}

// stop ends the reader.
func (s *sockets) stop() error {
	err := s.reader.Close()
	<-s.done
	return err
}

// evict hands on what is new of each socket.
func (s *sockets) evict(c clock, tell func([]nat.Fact)) error {
	if err := s.reader.Flush(); err != nil {
		return fmt.Errorf("flush the ring of closed sockets: %w", err)
	}
	select {
	case <-s.flushed:
	case <-s.done:
		return errors.New("the reader of closed sockets ended")
	}
	s.mu.Lock()
	ended := s.ended
	s.ended = nil
	s.mu.Unlock()
	s.tellAll(ended, c, tell)
	return s.tellOpen(c, tell)
}

// tellOpen reads the sockets that are open.
func (s *sockets) tellOpen(c clock, tell func([]nat.Fact)) error {
	open, err := s.tell.Open()
	if err != nil {
		return fmt.Errorf("read sockets: %w", err)
	}
	defer open.Close()
	unowned := false
	for {
		n, err := io.ReadFull(open, s.buffer)
		reports := unsafe.Slice((*bpf.SocketFacts)(unsafe.Pointer(unsafe.SliceData(s.buffer))), n/factsSize)
		s.tellAll(reports, c, tell)
		unowned = unowned || s.owners.wanted(reports)
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			break
		}
		if err != nil {
			return fmt.Errorf("read sockets: %w", err)
		}
	}
	if unowned && time.Now().After(s.nextFind) {
		return s.search()
	}
	return nil
}

// factBatch is the number of facts handed on at a time.
const factBatch = 1024

func (s *sockets) tellAll(reports []bpf.SocketFacts, c clock, tell func([]nat.Fact)) {
	batch := make([]nat.Fact, 0, min(len(reports), factBatch))
	for i := range reports {
		switch r := &reports[i]; {
		case r.Role == uint8(bpf.SocketSocketRoleROLE_DATAGRAM):
			batch = append(batch, s.datagram(r, c))
		case r.Role != uint8(bpf.SocketSocketRoleROLE_LISTENER):
			batch = append(batch, s.fact(r, c))
		case r.ListenDrops > 0:
			batch = append(batch, listening(r))
		default:
			continue
		}
		if len(batch) == factBatch {
			tell(batch)
			batch = batch[:0]
		}
	}
	if len(batch) > 0 {
		tell(batch)
	}
}

// fact converts a report. It is the one place that knows both sides' names.
func (s *sockets) fact(r *bpf.SocketFacts, c clock) nat.Fact {
	f := nat.Fact{
		Proto: flow.TCP, NetNS: r.Netns, Last: c.time(r.LastNs), First: c.time(r.LastNs),
		Src:      nat.Point{Addr: r.Tuple.Src.Bytes, Port: r.Tuple.Sport},
		Dst:      nat.Point{Addr: r.Tuple.Dst.Bytes, Port: r.Tuple.Dport},
		Sent:     flow.Faults{Retransmits: uint64(r.Retransmits)},
		Received: flow.Faults{OutOfOrder: uint64(r.OutOfOrder)},
		Socket: &nat.Socket{
			Role: nat.Role(r.Role), TCP: healthOf(r), Process: s.owners.of(&r.Owner, s.objects.SeineCgroups),
			ResetsSent: resetsSent(r), ResetsReceived: r.ResetsReceived,
		},
	}
	if r.StartNs != 0 {
		f.First = c.time(r.StartNs)
	}
	f.Alone = !s.restricted && isTrouble(r, &f.Socket.TCP)
	return f
}

// listening is what a listening socket turned away.
func listening(r *bpf.SocketFacts) nat.Fact {
	return nat.Fact{
		Proto: flow.TCP, NetNS: r.Netns, TurnedAway: r.ListenDrops,
		Src: nat.Point{Addr: r.Tuple.Src.Bytes, Port: r.Tuple.Sport},
	}
}

// isTrouble tells whether a report is worth a record of its own.
func isTrouble(r *bpf.SocketFacts, h *flow.TCPHealth) bool {
	return r.Retransmits > 0 || h.Connect > flow.ConnectOK
}

// losses returns what is missing in facts.
func (s *sockets) losses() []Loss {
	var out []Loss
	for reason, name := range s.errorNames {
		var perCPU []uint64
		if s.objects.SeineSockErr.Lookup(uint32(reason), &perCPU) != nil {
			continue
		}
		var sum uint64
		for _, n := range perCPU {
			sum += n
		}
		out = append(out, Loss{Reason: "sockets_" + name, Count: sum, Detail: socketErrorDetails[name]})
	}
	var missed uint64
	for _, p := range tracepoints {
		if stats, err := p.of(&s.objects).Stats(); err == nil {
			missed += stats.RecursionMisses
		}
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	return append(out,
		Loss{Reason: "socket_events_missed", Count: missed, Detail: "socket events that came while another was looked at: a socket is not followed, or its end not told"},
		Loss{Reason: "socket_ends_dropped", Count: s.lost, Detail: "ends of connections that are not told as there were too many in an interval"},
	)
}

// socketErrorDetails explains the reasons of enum socket_error in bpf/socket.h.
var socketErrorDetails = map[string]string{
	"table_full": "sockets that are not followed as too many are open: no health, no process; raise the map size (--max-flows)",
	"ring_full":  "ends of connections that are not told, as the ring buffer was full",
	"stale":      "sockets whose end was missed",
}

// Close detaches and unloads.
func (s *sockets) Close() error {
	slices.Reverse(s.closers)
	return s.closers.Close()
}
