package metrics

import (
	"slices"

	"github.com/prometheus/client_golang/prometheus"
)

// descs are the descriptions of the families, by name.
var descs = func() map[string]*prometheus.Desc {
	all := make(map[string]*prometheus.Desc)
	for i := range families {
		f := &families[i]
		all[f.name] = prometheus.NewDesc(f.name, f.help, labelNames(f.labels()), nil)
	}
	return all
}()

func labelNames(labels []label) (names []string) {
	for _, l := range labels {
		names = append(names, l.name)
	}
	return names
}

// Describe tells of the metrics that are summed from records; see prometheus.Collector.
func (m *Metrics) Describe(to chan<- *prometheus.Desc) {
	for _, d := range descs {
		to <- d
	}
}

// Collect tells the sums as they are now; see prometheus.Collector. Batches wait for the copy alone.
func (m *Metrics) Collect(to chan<- prometheus.Metric) {
	for _, g := range m.snapshot() {
		for _, f := range g.families {
			for slot, values := range g.keys.labels {
				if values != nil {
					f.collect(values, f.totals[slot*f.width:(slot+1)*f.width], to)
				}
			}
		}
	}
}

func (m *Metrics) snapshot() (all []*group) {
	m.mu.Lock()
	defer m.mu.Unlock()
	for _, f := range m.feeds {
		for _, g := range f.groups {
			all = append(all, g.snapshot())
		}
	}
	return all
}

// collect tells the numbers of one key, if there are any.
func (s *sums) collect(key []string, totals []int64, to chan<- prometheus.Metric) {
	if !slices.ContainsFunc(totals, func(n int64) bool { return n != 0 }) {
		return
	}
	if s.isHistogram() {
		s.collectHistogram(key, totals, to)
		return
	}
	values := s.allValues()
	for i, total := range totals {
		labels := key
		if s.label.name != "" {
			labels = append(slices.Clip(key), values[i])
		}
		if total != 0 || s.whole && values[i] != otherValue {
			m, err := prometheus.NewConstMetric(descs[s.name], prometheus.CounterValue, s.inUnit(total), labels...)
			send(to, descs[s.name], m, err)
		}
	}
}

func (s *sums) collectHistogram(key []string, totals []int64, to chan<- prometheus.Metric) {
	buckets, count := make(map[float64]uint64, len(s.buckets)), uint64(0)
	for i, bound := range s.buckets {
		count += uint64(totals[i])
		buckets[s.inUnit(bound)] = count
	}
	count += uint64(totals[len(s.buckets)])
	m, err := prometheus.NewConstHistogram(descs[s.name], count, s.inUnit(totals[len(totals)-1]), buckets, key...)
	send(to, descs[s.name], m, err)
}

// send gives a metric on, or the error that there is in its place.
func send(to chan<- prometheus.Metric, d *prometheus.Desc, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	to <- m
}
