// Package ctnetlink learns translations from the kernel's connection tracking table over netlink, in user space
// (net/netfilter/nf_conntrack_netlink.c). It needs no BPF, hence it is the source that every kernel has.
//
// A Source subscribes to the events of one network namespace, dumps the table as it stands, and goes on with the
// events. Every entry becomes one nat.Translation, also where nothing is rewritten, since conntrack knows which end
// of it opened the connection; batches of them go to the caller's sink. The package keeps no table of its own:
// joining translations to flows, and forgetting those whose end was never heard, is left to package nat.
package ctnetlink

import (
	"errors"
	"fmt"
	"log/slog"
	"sync/atomic"
	"time"

	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/nat"
)

// DefaultReceiveBuffer is the size in bytes of the event socket's queue. The kernel doubles it and charges an event
// with about a kilobyte, so that some ten thousand events can wait.
const DefaultReceiveBuffer = 8 << 20

// Config says which table a Source reads and how.
type Config struct {
	// NetNS is a file descriptor of the network namespace; 0 is the one of the thread that calls Open.
	// It may be closed once Open has returned.
	NetNS int
	// ReceiveBuffer is the size of the event socket's queue in bytes; 0 is DefaultReceiveBuffer. Beyond the sysctl
	// net.core.rmem_max it needs CAP_NET_ADMIN in the initial user namespace.
	ReceiveBuffer int
	// Log takes warnings; nil drops them.
	Log *slog.Logger
}

// Stats counts what a Source did since Open.
type Stats struct {
	// Events counts event messages received, Entries the translations parsed from dumps and events.
	Events, Entries uint64
	// Overruns counts the times that the event queue was full and the kernel dropped events (ENOBUFS),
	// Dumps the dumps completed: one at the start, and one after overruns.
	Overruns, Dumps uint64
	// Malformed counts messages that could not be understood.
	Malformed uint64
}

type counters struct {
	events, entries, overruns, dumps, malformed atomic.Uint64
}

// Source reads one connection tracking table.
type Source struct {
	log    *slog.Logger
	events *socket // subscribed to the event groups
	table  *socket // dumps only: their answers shall not wait behind events
	count  counters
	closed atomic.Bool

	// What follows belongs to Run.
	batch     []nat.Translation // to be handed on
	held      []nat.Translation // events that came during a dump
	lost      bool              // there are entries of which no event told
	notBefore time.Time         // the next dump
}

// Open subscribes to the conntrack events of a network namespace. Call Run soon after: until then events only queue.
// An error names what the kernel or the process lacks: the capability, the kernel module, the sysctl.
func Open(cfg Config) (*Source, error) {
	s := &Source{log: cfg.Log, batch: make([]nat.Translation, 0, batchSize)}
	if s.log == nil {
		s.log = slog.New(slog.DiscardHandler)
	}
	if err := s.open(cfg); err != nil {
		s.Close()
		return nil, err
	}
	return s, nil
}

func (s *Source) open(cfg Config) (err error) {
	if s.table, err = dial(cfg.NetNS); err != nil {
		return explain("open netfilter netlink socket", err)
	}
	if err = s.probe(); err != nil {
		return explain("query conntrack over netlink", err)
	}
	if err = checkEvents(cfg.NetNS); err != nil {
		return err
	}
	if s.events, err = dial(cfg.NetNS); err != nil {
		return explain("open netfilter netlink socket", err)
	}
	if err = s.setBuffer(cfg.ReceiveBuffer); err != nil {
		return fmt.Errorf("set receive buffer of conntrack events: %w", err)
	}
	return s.subscribe()
}

// probe asks for the table's statistics, which tells at once whether the kernel would answer a dump. The answer waits
// when the request returns. It claims to be one of many (NLM_F_MULTI) but is alone, so Receive would wait for ever.
func (s *Source) probe() error {
	if _, err := s.table.request(msgGetStats, 0); err != nil {
		return err
	}
	datagram, err := s.table.read(false)
	if err != nil {
		return err
	}
	m, _, err := cutMessage(datagram)
	if err == nil && m.kind() == unix.NLMSG_ERROR && m.errno() != 0 {
		return m.errno()
	}
	return err
}

func (s *Source) setBuffer(want int) error {
	if want == 0 {
		want = DefaultReceiveBuffer
	}
	if err := s.events.conn.SetReadBuffer(want); err != nil {
		return err
	}
	// The kernel reports twice the size it granted, for its own overhead (socket(7), SO_RCVBUF).
	got, err := s.events.conn.ReadBuffer()
	if err == nil && got < want {
		s.log.Warn("conntrack receive buffer is smaller than asked for; raise sysctl net.core.rmem_max",
			"asked_bytes", want, "got_bytes", got/2)
	}
	return err
}

func (s *Source) subscribe() error {
	groups := []uint32{
		unix.NFNLGRP_CONNTRACK_NEW, unix.NFNLGRP_CONNTRACK_UPDATE, unix.NFNLGRP_CONNTRACK_DESTROY,
	}
	for _, group := range groups {
		if err := s.events.conn.JoinGroup(group); err != nil {
			return explain("subscribe to conntrack events", err)
		}
	}
	return nil
}

// Stats returns the counts so far. It may be called at any time, from any goroutine.
func (s *Source) Stats() Stats {
	return Stats{
		Events:    s.count.events.Load(),
		Entries:   s.count.entries.Load(),
		Overruns:  s.count.overruns.Load(),
		Dumps:     s.count.dumps.Load(),
		Malformed: s.count.malformed.Load(),
	}
}

// Close releases the sockets and ends Run. It may be called more than once.
func (s *Source) Close() error {
	s.closed.Store(true)
	var errs []error
	for _, sock := range []*socket{s.events, s.table} {
		if sock != nil {
			errs = append(errs, sock.conn.Close())
		}
	}
	return errors.Join(errs...)
}
