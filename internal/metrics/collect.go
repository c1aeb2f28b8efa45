package metrics

import (
	"cmp"
	"slices"

	"github.com/prometheus/client_golang/prometheus"
	dto "github.com/prometheus/client_model/go"
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
		for slot, values := range g.keys.labels {
			if values == nil {
				continue
			}
			key := g.pairs(values)
			for _, f := range g.families {
				f.collect(key, f.totals[slot*f.width:(slot+1)*f.width], to)
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

// pairs makes the labels of a key, sorted by name as the registry wants them. All series of the key share them.
func (g *group) pairs(values []string) []*dto.LabelPair {
	pairs, sorted := make([]dto.LabelPair, len(values)), make([]*dto.LabelPair, len(values))
	for i, from := range g.order {
		pairs[i].Name, pairs[i].Value = &g.labels[from].name, &values[from]
		sorted[i] = &pairs[i]
	}
	return sorted
}

// sortedByName returns the places of labels in the order of their names.
func sortedByName(labels []label) []int {
	order := make([]int, len(labels))
	for i := range order {
		order[i] = i
	}
	slices.SortFunc(order, func(i, j int) int { return cmp.Compare(labels[i].name, labels[j].name) })
	return order
}

// collect tells the numbers of one key, if there are any.
func (s *sums) collect(key []*dto.LabelPair, totals []int64, to chan<- prometheus.Metric) {
	if !slices.ContainsFunc(totals, func(n int64) bool { return n != 0 }) {
		return
	}
	if s.isHistogram() {
		to <- &histogram{sums: s, labels: key, totals: totals}
		return
	}
	for i, total := range totals {
		if total != 0 || s.whole && s.own[i].GetValue() != otherValue {
			to <- &counter{desc: descs[s.name], labels: s.labelsOf(key, i), value: s.inUnit(total)}
		}
	}
}

// labelsOf puts the family's own label with one of its values among those of the key.
func (s *sums) labelsOf(key []*dto.LabelPair, value int) []*dto.LabelPair {
	if s.own == nil {
		return key
	}
	at, _ := slices.BinarySearchFunc(key, s.label.name, func(p *dto.LabelPair, name string) int { return cmp.Compare(p.GetName(), name) })
	all := make([]*dto.LabelPair, 0, len(key)+1)
	return append(append(append(all, key[:at]...), s.own[value]), key[at:]...)
}

// counter and histogram are metrics as client_golang's own constant ones are, but with labels that series share: there may
// be a hundred thousand of them in a scrape.
type counter struct {
	desc   *prometheus.Desc
	labels []*dto.LabelPair
	value  float64
}

// Desc describes the metric; see prometheus.Metric.
func (c *counter) Desc() *prometheus.Desc { return c.desc }

// Write tells it; see prometheus.Metric.
func (c *counter) Write(to *dto.Metric) error {
	to.Label, to.Counter = c.labels, &dto.Counter{Value: &c.value}
	return nil
}

type histogram struct {
	*sums
	labels []*dto.LabelPair
	totals []int64
}

// Desc describes the metric; see prometheus.Metric.
func (h *histogram) Desc() *prometheus.Desc { return descs[h.name] }

// Write tells it; see prometheus.Metric.
func (h *histogram) Write(to *dto.Metric) error {
	told, count := &dto.Histogram{Bucket: make([]*dto.Bucket, len(h.buckets))}, uint64(0)
	for i, bound := range h.buckets {
		count += uint64(h.totals[i])
		told.Bucket[i] = &dto.Bucket{CumulativeCount: new(count), UpperBound: new(h.inUnit(bound))}
	}
	count += uint64(h.totals[len(h.buckets)])
	told.SampleCount, told.SampleSum = &count, new(h.inUnit(h.totals[len(h.totals)-1]))
	to.Label, to.Histogram = h.labels, told
	return nil
}

// send gives a metric on, or the error that there is in its place.
func send(to chan<- prometheus.Metric, d *prometheus.Desc, m prometheus.Metric, err error) {
	if err != nil {
		m = prometheus.NewInvalidMetric(d, err)
	}
	to <- m
}
