package metrics

import (
	"context"
	"log/slog"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	dto "github.com/prometheus/client_model/go"
	"go.uber.org/goleak"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/store"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var discard = slog.New(slog.DiscardHandler)

// sink is an engine that takes everything; these tests ask it nothing.
type sink struct {
	store.Engine
	stats store.Stats
}

func (s *sink) Append(context.Context, store.Batch) error { return nil }
func (s *sink) Stats() store.Stats                        { return s.stats }

// site is metrics of a server.
type site struct {
	*Metrics
	t      testing.TB
	server *server.Server
	engine *sink
}

func open(t testing.TB, maxKeys int) *site {
	t.Helper()
	s := &site{t: t, engine: &sink{}}
	var err error
	if s.server, err = server.New(server.Config{Engine: s.engine, Log: discard}); err != nil {
		t.Fatal(err)
	}
	if s.Metrics, err = New(Config{Source: s.server, Log: discard, MaxKeys: maxKeys, Version: "test"}); err != nil {
		t.Fatal(err)
	}
	return s
}

// batchOf makes a batch, which is released with the test.
func batchOf(t testing.TB, d *columns.Dataset, records []flow.Record) arrow.RecordBatch {
	t.Helper()
	b := columns.NewBuilder(d, columns.MaxRows)
	b.Append(records)
	rows := b.NewBatch()
	t.Cleanup(rows.Release)
	return rows
}

// take adds records at once.
func (s *site) take(d *columns.Dataset, records []flow.Record) {
	s.t.Helper()
	for _, f := range s.feeds {
		if f.dataset == d {
			s.add(f, batchOf(s.t, d, records), 0)
		}
	}
}

// ingest stores records.
func (s *site) ingest(d *columns.Dataset, records []flow.Record) {
	s.t.Helper()
	if err := s.server.Ingest(context.Background(), d.Name, batchOf(s.t, d, records), "", 0); err != nil {
		s.t.Fatal(err)
	}
}

// series is one number of a metric: its name, its labels and, of a histogram, which number it is.
type series struct {
	name, labels string
}

// gather reads all numbers of the metrics whose names begin with seine.
func (s *site) gather() map[series]float64 {
	s.t.Helper()
	families, err := s.registry.Gather()
	if err != nil {
		s.t.Fatal(err)
	}
	all := make(map[series]float64)
	for _, f := range families {
		for _, m := range f.GetMetric() {
			labels := ""
			for _, l := range m.GetLabel() {
				labels += l.GetName() + "=" + l.GetValue() + ","
			}
			addNumbers(all, f.GetName(), labels, m)
		}
	}
	return all
}

func addNumbers(all map[series]float64, name, labels string, m *dto.Metric) {
	switch {
	case m.GetCounter() != nil:
		all[series{name, labels}] = m.GetCounter().GetValue()
	case m.GetGauge() != nil:
		all[series{name, labels}] = m.GetGauge().GetValue()
	case m.GetHistogram() != nil:
		h := m.GetHistogram()
		all[series{name + "_sum", labels}] = h.GetSampleSum()
		all[series{name + "_count", labels}] = float64(h.GetSampleCount())
		for _, b := range h.GetBucket() {
			all[series{name + "_bucket", labels + "le=" + number(b.GetUpperBound())}] = float64(b.GetCumulativeCount())
		}
	}
}
