package ctnetlink

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"slices"
	"time"

	"github.com/mdlayher/netlink"
	"golang.org/x/sys/unix"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/nat"
)

const (
	// batchSize is the most events that the sink gets at once, and more than a datagram of a dump holds.
	batchSize = 512
	// maxHeld bounds the events held back during a dump, to about 10 MB; further ones wait in the kernel's queue.
	maxHeld = 1 << 16
	// minPause and pauseFactor bound the work of repeated dumps: to one a second, and to a fifth of the time
	// where the table is so large that a dump takes long.
	minPause    = time.Second
	pauseFactor = 4
)

// Run hands translations to sink until ctx ends or Close is called, and then returns nil; call it once. It calls sink
// from its own goroutine only; sink must not keep the slice. Another error says that the source is of no more use.
//
// First come the entries that existed, then the changes. Start is set where the kernel gave it (sysctl
// net.netfilter.nf_conntrack_timestamp), else on a new entry's event, to the time it was received. End is set on
// destroyed entries only. A change of state shows as the same translation once more. A translation without End never
// follows the one with End unless the connection exists anew.
//
// After an overrun the table is dumped again, so that no living entry is missed; an entry that ended meanwhile is
// never shown with an End, and the same is true of entries older than the source where the sysctl
// net.netfilter.nf_conntrack_events is 2: the kernel then sends events only for entries made while someone listened.
func (s *Source) Run(ctx context.Context, sink func([]nat.Translation)) error {
	stop := context.AfterFunc(ctx, func() {
		s.events.interrupt()
		s.table.interrupt()
	})
	defer stop()
	s.lost = true // What exists already was never told.
	for {
		err := s.step(ctx, sink)
		if ctx.Err() != nil || s.closed.Load() {
			return nil
		}
		if err != nil {
			return err
		}
	}
}

// step hands on the events that wait, or waits for some, and dumps the table if that is due.
func (s *Source) step(ctx context.Context, sink func([]nat.Translation)) error {
	empty, err := s.follow(ctx)
	if len(s.batch) > 0 {
		sink(s.batch)
		s.batch = s.batch[:0]
	}
	// After an overrun the kernel drops all events until its queue has been emptied once (NETLINK_S_CONGESTED):
	// a dump that began earlier would miss them without a further ENOBUFS.
	if err != nil || !s.lost || !empty || time.Now().Before(s.notBefore) {
		return err
	}
	return s.dump(sink)
}

// follow collects events into the batch. It waits for the first one, but not beyond the time of a dump that is due.
func (s *Source) follow(ctx context.Context) (empty bool, err error) {
	if !s.lost {
		s.batch, empty, err = s.collect(s.batch, batchSize, true)
		return empty, err
	}
	if wait := time.Now().Before(s.notBefore); wait {
		s.batch, empty, err = s.collectUntil(ctx, s.notBefore)
	}
	if err == nil && len(s.batch) == 0 {
		s.batch, empty, err = s.collect(s.batch, batchSize, false)
	}
	return empty, err
}

// collectUntil is collect that gives up waiting at a point in time.
func (s *Source) collectUntil(ctx context.Context, end time.Time) (batch []nat.Translation, empty bool, err error) {
	if err := s.events.conn.SetReadDeadline(end); err != nil {
		return s.batch, false, err
	}
	// Setting a deadline may have undone the interrupt of a context that ended before.
	if ctx.Err() != nil {
		return s.batch, false, nil
	}
	batch, empty, err = s.collect(s.batch, batchSize, true)
	if errors.Is(err, os.ErrDeadlineExceeded) {
		err = nil
	}
	return batch, empty, errors.Join(err, s.events.conn.SetReadDeadline(time.Time{}))
}

// collect appends the translations of the events to dst until there are no more or dst holds limit.
// It waits for the first event if asked to. Empty says that the queue was seen empty.
func (s *Source) collect(dst []nat.Translation, limit int, wait bool) (_ []nat.Translation, empty bool, err error) {
	for len(dst) < limit {
		datagram, err := s.events.read(wait)
		switch {
		case err == nil:
			dst = s.addEvents(dst, datagram)
		case errors.Is(err, unix.EAGAIN):
			return dst, true, nil
		case errors.Is(err, unix.ENOBUFS):
			s.overrun()
		default:
			return dst, false, err
		}
		wait = false
	}
	return dst, false, nil
}

func (s *Source) overrun() {
	s.count.overruns.Add(1)
	if !s.lost {
		s.log.Warn("conntrack events were lost; dumping the table again", "overruns", s.count.overruns.Load())
	}
	s.lost = true
}

// addEvents appends the translations in a datagram of events.
func (s *Source) addEvents(dst []nat.Translation, datagram []byte) []nat.Translation {
	for len(datagram) > 0 {
		m, rest, err := cutMessage(datagram)
		if err != nil {
			s.count.malformed.Add(1)
			return dst
		}
		s.count.events.Add(1)
		dst = s.add(dst, m)
		datagram = rest
	}
	return dst
}

// add appends the translation of one message, with the time of receipt where the kernel gave none.
func (s *Source) add(dst []nat.Translation, m message) []nat.Translation {
	t, err := decode(m)
	if err != nil {
		s.count.malformed.Add(1)
		return dst
	}
	switch {
	case m.isNewEvent() && t.Start == 0:
		t.Start = flow.Time(time.Now().UnixNano())
	case m.kind() == msgDelete && t.End == 0:
		t.End = flow.Time(time.Now().UnixNano())
	}
	s.count.entries.Add(1)
	return append(dst, t)
}

// dump hands on the whole table. Events that arrive meanwhile are taken from the kernel's queue, so that a long dump
// does not overrun it, but follow after the dump: its answers are older than they.
func (s *Source) dump(sink func([]nat.Translation)) error {
	began := time.Now()
	s.lost = false
	sequence, err := s.table.request(msgGet, netlink.Dump)
	if err != nil {
		return fmt.Errorf("request conntrack dump: %w", err)
	}
	for done := false; !done; {
		if done, err = s.dumpSome(sequence, sink); err != nil {
			return err
		}
		if s.held, _, err = s.collect(s.held, maxHeld, false); err != nil {
			return err
		}
	}
	s.release(sink)
	s.count.dumps.Add(1)
	pause := max(minPause, pauseFactor*time.Since(began))
	s.notBefore = time.Now().Add(pause + rand.N(pause/4))
	return nil
}

// dumpSome hands on one datagram of the dump.
func (s *Source) dumpSome(sequence uint32, sink func([]nat.Translation)) (done bool, err error) {
	datagram, err := s.table.read(true)
	if err != nil {
		return false, fmt.Errorf("read conntrack dump: %w", err)
	}
	if done, err = s.addDump(datagram, sequence); err != nil {
		return false, fmt.Errorf("dump conntrack table: %w", err)
	}
	if len(s.batch) > 0 {
		sink(s.batch)
		s.batch = s.batch[:0]
	}
	return done, nil
}

// addDump puts the translations in a datagram of a dump into the batch. Done says that it was the last.
func (s *Source) addDump(datagram []byte, sequence uint32) (done bool, err error) {
	for len(datagram) > 0 {
		m, rest, err := cutMessage(datagram)
		if err != nil {
			return false, err
		}
		datagram = rest
		switch {
		case m.sequence() != sequence:
		case m.kind() == unix.NLMSG_DONE || m.kind() == unix.NLMSG_ERROR:
			if errno := m.errno(); errno != 0 {
				return false, errno
			}
			return true, nil
		default:
			s.batch = s.add(s.batch, m)
		}
	}
	return false, nil
}

// release hands on the events held back during the dump, and their memory to the collector.
func (s *Source) release(sink func([]nat.Translation)) {
	for batch := range slices.Chunk(s.held, batchSize) {
		sink(batch)
	}
	s.held = nil
}
