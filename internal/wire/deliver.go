package wire

import (
	"context"
	"time"
)

const (
	// reportEvery is how often an agent says what it knows of itself, and so that it lives.
	reportEvery = 10 * time.Second
	// renewAfter is how long a stream lasts before the agent begins a new one: credentials are checked again, and
	// several servers behind one name share the agents anew.
	renewAfter = time.Hour
)

// outlet is the near end of a stream.
type outlet interface {
	batch(context.Context, item) error
	report(Report) error
}

// pump sends reports and whatever is queued. It returns nil when the stream should end in peace: its time is over and
// all that was sent is acknowledged, or the sender is closing and has nothing left.
func (s *Sender) pump(ctx context.Context, out outlet) error {
	p := pumping{Sender: s, out: out, closing: s.closing}
	reports := time.NewTicker(reportEvery)
	defer reports.Stop()
	p.reports = reports.C
	renew := time.NewTimer(jitter(s.renewAfter))
	defer renew.Stop()
	p.renew = renew.C
	if err := out.report(s.reportNow()); err != nil {
		return err
	}
	for !p.isDone() {
		if err := p.step(ctx); err != nil {
			return err
		}
	}
	return out.report(s.reportNow())
}

// pumping is the state of one stream.
type pumping struct {
	*Sender
	out            outlet
	closing        <-chan struct{}
	reports, renew <-chan time.Time
	renewing       bool
}

func (p *pumping) isDone() bool {
	if p.renewing {
		return p.queue.quiet()
	}
	return p.isClosing() && p.queue.empty()
}

// step does what is due, sends one batch, or waits until there is something to do.
func (p *pumping) step(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.reports:
		return p.out.report(p.reportNow())
	case <-p.renew:
		p.renewing = true
	default:
	}
	if !p.renewing {
		if next, ok := p.queue.take(); ok {
			return p.out.batch(ctx, next)
		}
	}
	return p.wait(ctx)
}

func (p *pumping) wait(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-p.queue.changed:
	case <-p.reports:
		return p.out.report(p.reportNow())
	case <-p.renew:
		p.renewing = true
	case <-p.closing:
		// It stays closed, so it is looked at once.
		p.closing = nil
	}
	return nil
}

func (s *Sender) reportNow() Report {
	var r Report
	if s.config.Report != nil {
		r = s.config.Report()
	}
	r.Dropped = s.queue.dropped()
	return r
}

// inProcess delivers to a handler without a socket.
func (s *Sender) inProcess(ctx context.Context, handler Handler) error {
	session, err := handler.Accept(Agent{Node: s.config.Node, Origin: s.origin, Version: s.config.Version, Protocol: protocol})
	if err != nil {
		return err
	}
	defer session.Close()
	s.connected(protocol, s.config.Version)
	return s.pump(ctx, localOutlet{s, session})
}

// localOutlet is a session in the same process.
type localOutlet struct {
	sender  *Sender
	session Session
}

func (l localOutlet) report(r Report) error {
	l.session.Report(r)
	return nil
}

// batch decodes and hands over.
func (l localOutlet) batch(ctx context.Context, next item) error {
	rows, err := decode(next.dataset, next.payload)
	if err != nil {
		l.sender.refused(next.sequence, err.Error())
		return nil
	}
	defer rows.Release()
	if err := l.session.Ingest(ctx, Delivery{next.sequence, next.dataset, rows, next.dropped}); err != nil {
		return err
	}
	l.sender.acknowledged(next.sequence)
	return nil
}

// acknowledged forgets batches that are durable, refused one that never will be.
func (s *Sender) acknowledged(sequence uint64) {
	if s.queue.acknowledge(sequence) > 0 {
		s.progress.Store(true)
	}
}

func (s *Sender) refused(sequence uint64, text string) {
	s.queue.refuse(sequence)
	s.quiet.Warn("batch refused", "sequence", sequence, "reason", text)
}
