package query

import (
	"encoding/binary"
	"math"

	"github.com/DataDog/sketches-go/ddsketch"
	"github.com/axiomhq/hyperloglog"
)

// DistinctLimit is how many values an answer counts exactly before it estimates.
const DistinctLimit = 100_000

// quantileAccuracy is the largest relative error of a quantile.
const quantileAccuracy = 0.01

// Sketch answers for quantiles of numbers that are not negative, with a relative error of at most 1 %, never beyond
// the smallest and the largest of them. Which sketches the values came through before they were merged makes no
// difference. It takes at most about 20 KB.
type Sketch struct {
	sketch      *ddsketch.DDSketch
	least, most float64
}

// NewSketch returns an empty sketch.
func NewSketch() *Sketch {
	s, err := ddsketch.NewDefaultDDSketch(quantileAccuracy)
	if err != nil {
		panic("BUG: the accuracy of sketches is refused: " + err.Error())
	}
	return &Sketch{sketch: s, least: math.Inf(1)}
}

// Add adds a value; a negative one counts as 0.
func (s *Sketch) Add(value int64) {
	v := float64(max(value, 0))
	s.least, s.most = min(s.least, v), max(s.most, v)
	if err := s.sketch.Add(v); err != nil {
		panic("BUG: a 64-bit number is beyond the sketch's range: " + err.Error())
	}
}

// Merge adds what another sketch holds.
func (s *Sketch) Merge(other *Sketch) {
	s.least, s.most = min(s.least, other.least), max(s.most, other.most)
	if err := s.sketch.MergeWith(other.sketch); err != nil {
		panic("BUG: sketches differ in their accuracy: " + err.Error())
	}
}

// Quantile returns the value below which the share q (0 to 1) of the values lies; false if there are none.
func (s *Sketch) Quantile(q float64) (float64, bool) {
	value, err := s.sketch.GetValueAtQuantile(q)
	return min(max(value, s.least), s.most), err == nil
}

// Distinct estimates how many different values were added, with a standard error of 0.8 %. It takes at most 16 KB.
type Distinct struct{ sketch *hyperloglog.Sketch }

// NewDistinct returns a sketch of no values.
func NewDistinct() *Distinct { return &Distinct{hyperloglog.New14()} }

// AddText adds a text.
func (d *Distinct) AddText(text string) { d.sketch.Insert([]byte(text)) }

// AddNumber adds a number.
func (d *Distinct) AddNumber(number int64) {
	d.sketch.Insert(binary.LittleEndian.AppendUint64(nil, uint64(number)))
}

// Merge adds what another sketch holds.
func (d *Distinct) Merge(other *Distinct) {
	if err := d.sketch.Merge(other.sketch); err != nil {
		panic("BUG: sketches differ in their precision: " + err.Error())
	}
}

// Count returns the estimate.
func (d *Distinct) Count() int64 { return int64(d.sketch.Estimate()) }
