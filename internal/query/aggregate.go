package query

import (
	"github.com/seine-net/seine/internal/columns"
)

// of computes the measure from the rows of a group, which are of so many seconds.
func (m *Measure) of(rows []row, seconds float64, estimate bool) value {
	rows = m.chosen(rows)
	switch m.Aggregation {
	case Count:
		return value{number: int64(len(rows))}
	case Constant:
		return value{float: m.Constant}
	case Plus, Minus, Times, Divided:
		a, b := &m.Args[0], &m.Args[1]
		return m.compute(a.asFloat(a.of(rows, seconds, estimate)), b.asFloat(b.of(rows, seconds, estimate)))
	}
	values, sampled := m.values(rows)
	result := m.aggregate(values, seconds, estimate)
	if m.Aggregation == CountDistinct {
		result.estimated, result.counted = estimate, result.number
	} else {
		result.estimated = sampled && IsScaled(m.Field)
	}
	return result
}

// chosen returns the rows for which the measure's condition holds.
func (m *Measure) chosen(rows []row) []row {
	if m.Where == nil {
		return rows
	}
	var chosen []row
	for _, r := range rows {
		if holds(m.Where, r) {
			chosen = append(chosen, r)
		}
	}
	return chosen
}

// asFloat returns a value of the measure as one to compute with.
func (m *Measure) asFloat(v value) value {
	if !m.IsFloat() {
		v.float, v.number = float64(v.number), 0
	}
	return v
}

func (m *Measure) compute(a, b value) value {
	result := value{estimated: a.estimated || b.estimated, counted: a.counted + b.counted}
	result.float, result.null = m.Compute(a.float, b.float)
	result.null = result.null || a.null || b.null
	if result.null {
		result.float = 0
	}
	return result
}

// Compute does what the measure does with the values of its Args. A division by 0 is null.
func (m *Measure) Compute(a, b float64) (result float64, null bool) {
	switch m.Aggregation {
	case Plus:
		return a + b, false
	case Minus:
		return a - b, false
	case Times:
		return a * b, false
	}
	if b == 0 {
		return 0, true
	}
	return a / b, false
}

// values returns the values that the rows have, scaled where the measure wants it, and says whether any of these rows
// was sampled.
func (m *Measure) values(rows []row) (values []value, sampled bool) {
	scaled := IsScaled(m.Field) && (m.Aggregation == Sum || m.Aggregation == Average || m.Aggregation == Rate)
	for _, r := range rows {
		v := r.get(m.Field)
		if v.null || columns.IsText(m.Field) && v.text == "" {
			continue
		}
		sampling := r.sampling()
		sampled = sampled || sampling > 1
		if scaled && sampling > 1 {
			v.number = columns.MultiplySaturating(v.number, sampling)
		}
		values = append(values, v)
	}
	return values, sampled
}

// sampling returns N where one packet in N was counted, and 1 or less where nothing is to be multiplied.
func (r row) sampling() int64 {
	if r.dataset.Sampling == nil {
		return 0
	}
	return r.get(r.dataset.Sampling).number
}

func (m *Measure) aggregate(values []value, seconds float64, estimate bool) value {
	switch m.Aggregation {
	case Sum:
		return value{number: sum(values)}
	case Rate:
		return value{float: float64(sum(values)) / seconds}
	case CountDistinct:
		return value{number: distinct(values, estimate)}
	}
	if len(values) == 0 {
		return value{null: true}
	}
	switch m.Aggregation {
	case Min:
		return extreme(values, -1)
	case Max:
		return extreme(values, 1)
	case Average:
		return value{float: float64(sum(values)) / float64(len(values))}
	}
	sketch := NewSketch()
	for _, v := range values {
		sketch.Add(v.number)
	}
	quantile, _ := sketch.Quantile(m.Quantile)
	return value{float: quantile}
}

func sum(values []value) int64 {
	var total int64
	for _, v := range values {
		total = columns.AddSaturating(total, v.number)
	}
	return total
}

// extreme returns the largest value, or the smallest if the sign is negative.
func extreme(values []value, sign int) value {
	best := values[0]
	for _, v := range values {
		if compareValues(v, best)*sign > 0 {
			best = v
		}
	}
	return best
}

func distinct(values []value, estimate bool) int64 {
	if estimate {
		return estimated(values)
	}
	seen := make(map[value]bool)
	for _, v := range values {
		seen[v] = true
	}
	return int64(len(seen))
}

func estimated(values []value) int64 {
	sketch := NewDistinct()
	for _, v := range values {
		if v.text != "" {
			sketch.AddText(v.text)
		} else {
			sketch.AddNumber(v.number)
		}
	}
	return sketch.Count()
}

// append adds a value to a column, which has Floats, or what its kind says.
func (c *Column) append(v value, float bool) {
	rows := max(len(c.Texts), len(c.Ints), len(c.Floats))
	switch {
	case float:
		c.Floats = append(c.Floats, v.float)
	case columns.IsTextKind(c.Kind):
		c.Texts = append(c.Texts, v.text)
	default:
		c.Ints = append(c.Ints, v.number)
	}
	c.Estimated = c.Estimated || v.estimated
	if v.null && c.Null == nil {
		c.Null = make([]bool, rows)
	}
	if c.Null != nil {
		c.Null = append(c.Null, v.null)
	}
}
