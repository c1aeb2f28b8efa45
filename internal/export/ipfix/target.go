package ipfix

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/netip"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// tcpMessage is the largest message over tcp. Every record fits: a test has the largest.
const tcpMessage = 32 << 10

// Target sends rows to a collector.
type Target struct {
	config Config
	// secure makes the TLS of a connection; nil is none.
	secure  func(address string) *tls.Config
	log     *slog.Logger
	encoder encoder
	// session is nil while there is no connection.
	session   *session
	announced time.Time
	row       row
	// proto and addresses are the columns by which a row's shape is told; -1 is one that the plan does not have.
	proto     int
	addresses [len(addressFields)]int
	warned    bool
}

// Open makes a target for the rows of a plan. It makes no connection: Send does.
func Open(c *Config, plan *query.Plan, log *slog.Logger) (*Target, error) {
	if plan.Dataset != "flows" {
		return nil, fmt.Errorf("dataset: %q: want flows: records of IPFIX are connections", plan.Dataset)
	}
	full, err := c.withDefaults()
	if err != nil {
		return nil, err
	}
	t := &Target{config: full, log: log}
	if err := t.bind(plan.Fields); err != nil {
		return nil, err
	}
	if c.TLS != nil {
		if t.secure, err = c.TLS.Open(log); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	return t, nil
}

// bind makes the templates, and finds the columns by which rows choose theirs.
func (t *Target) bind(fields []*flow.Field) error {
	for _, name := range []string{"proto", "src.addr", "dst.addr"} {
		if _, found := columnsOf([]string{name}, fields); !found {
			return fmt.Errorf("fields: want %s among them, or no list at all: IPFIX takes no record without it", name)
		}
	}
	at := func(name string) int {
		return slices.IndexFunc(fields, func(f *flow.Field) bool { return f.Name == name })
	}
	t.proto = at("proto")
	for i, name := range addressFields {
		t.addresses[i] = at(name)
	}
	t.encoder = encoder{
		templates: newTemplates(fields, *t.config.EnterpriseID), domain: t.config.ObservationDomain, room: tcpMessage,
		write: t.write, now: time.Now,
	}
	if t.config.Transport == tcp {
		return nil
	}
	if least := leastMessage(t.encoder.templates); t.config.MTU < least {
		return fmt.Errorf("mtu: %d: want %d to %d, as a template of these fields takes so many bytes; with fewer fields it is smaller",
			t.config.MTU, least, largestMTU)
	}
	t.encoder.room = t.config.MTU
	return nil
}

// Send sends the rows. Those without addresses of one family are refused, as no template fits them.
func (t *Target) Send(ctx context.Context, rows *query.Block) (refused int, err error) {
	if err := t.connect(ctx); err != nil {
		return 0, t.failed(err)
	}
	defer context.AfterFunc(ctx, t.session.end)()
	refused, err = t.send(rows)
	if err == nil {
		err = t.session.drain()
	}
	if err != nil {
		return 0, t.failed(cmp.Or(ctx.Err(), err))
	}
	t.tellCuts()
	return refused, nil
}

// connect has a session whose collector knows the templates.
func (t *Target) connect(ctx context.Context) error {
	if t.session != nil && !t.session.alive() {
		t.log.Info("collector of IPFIX ended the connection, making another", "collector", t.config.Collector)
		t.hangUp()
	}
	if t.session == nil {
		return t.begin(ctx)
	}
	if t.config.Transport == udp && t.encoder.now().Sub(t.announced) >= t.config.TemplateRefresh {
		return t.announce()
	}
	return nil
}

// begin makes a session.
func (t *Target) begin(ctx context.Context) (err error) {
	if t.session, err = dial(ctx, &t.config, t.secure); err != nil {
		return err
	}
	t.encoder.restart()
	if t.secure != nil {
		if err := t.session.settle(ctx); err != nil {
			return err
		}
	}
	if err := t.announce(); err != nil || t.config.Transport == udp {
		return err
	}
	return t.session.settle(ctx)
}

func (t *Target) announce() error {
	t.announced = t.encoder.now()
	return t.encoder.announce()
}

func (t *Target) send(rows *query.Block) (refused int, err error) {
	t.row.columns = rows.Columns
	for t.row.at = range rows.Rows {
		shape, ok := t.shape()
		if !ok {
			refused++
			continue
		}
		if err := t.encoder.add(&t.encoder.templates[shape], &t.row); err != nil {
			return 0, err
		}
	}
	return refused, t.encoder.flush()
}

// shape reads the row's addresses and returns the place of its template; false if they are not of one family.
func (t *Target) shape() (int, bool) {
	r := &t.row
	for i, column := range t.addresses {
		if column < 0 {
			continue
		}
		address, err := netip.ParseAddr(r.text(column))
		if err != nil || i > 0 && address.Is4() != r.addresses[source].Is4() {
			return 0, false
		}
		r.addresses[i] = address
	}
	shape := 0
	if !r.addresses[source].Is4() {
		shape++
	}
	if proto := r.text(t.proto); proto == "ICMP" || proto == "ICMPv6" {
		shape += 2
	}
	return shape, true
}

// write is where the encoder's messages go.
func (t *Target) write(message []byte) error { return t.session.write(message) }

// failed gives the session up: the next Send begins another.
func (t *Target) failed(err error) error {
	t.hangUp()
	t.encoder.restart()
	return fmt.Errorf("ipfix collector %s by %s: %w", t.config.Collector, t.config.Transport, err)
}

// tellCuts says once that texts are cut.
func (t *Target) tellCuts() {
	if t.encoder.cuts == 0 || t.warned {
		return
	}
	t.warned = true
	t.log.Warn("records do not fit into messages of IPFIX and have their texts cut: raise mtu, choose fewer fields, or take tcp",
		"collector", t.config.Collector, "mtu", t.config.MTU)
}

func (t *Target) hangUp() {
	if t.session != nil {
		t.session.end()
		t.session = nil
	}
}

// Close ends the connection.
func (t *Target) Close() error {
	t.hangUp()
	return nil
}
