package query

import (
	"errors"
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/flow"
)

// measureKinds has the measures by name, but for the quantiles, with the fields that they take.
var measureKinds = map[string]struct {
	aggregation Aggregation
	takes       func(*flow.Field) bool
	fields      string
}{
	"sum":            {Sum, isCounter, "counters, such as total.bytes"},
	"rate":           {Rate, isCounter, "counters, such as total.bytes"},
	"avg":            {Average, isAmount, "amounts, such as total.bytes"},
	"min":            {Min, isOrdered, "amounts and times, such as total.bytes and end"},
	"max":            {Max, isOrdered, "amounts and times, such as total.bytes and end"},
	"count_distinct": {CountDistinct, isKey, "what can be grouped by, such as src.addr"},
}

const measureHint = `want count(), sum(f), rate(f), avg(f), min(f), max(f), count_distinct(f) or a quantile such as p99(f), ` +
	`each with a condition as its last argument if wanted, joined by + - * /`

// isCounter says whether a field counts, so that its values add up.
func isCounter(f *flow.Field) bool { return f.Aggregate == flow.AggSum }

func isAmount(f *flow.Field) bool {
	switch f.Kind {
	case flow.BytesField, flow.CountField, flow.DurationField, flow.MoneyField:
		return true
	}
	return false
}

func isOrdered(f *flow.Field) bool { return isAmount(f) || f.Kind == flow.TimeField }

// isKey says whether rows can be grouped by the field.
func isKey(f *flow.Field) bool { return f.Role != flow.RoleMeasure }

// aggregate makes the measure of a name and its arguments: a field, unless rows are counted, and perhaps a condition.
func (p *measureParser) aggregate(name string, arguments []argument) (Measure, error) {
	m := Measure{Name: name, Aggregation: Count}
	fields := 0
	if name != "count" {
		fields = 1
		if err := p.take(&m, arguments[0]); err != nil {
			return m, err
		}
	}
	switch conditions := arguments[fields:]; {
	case len(conditions) > 1:
		return m, p.refuse(SyntaxError, "join conditions by &&", "%s takes one condition", name)
	case len(conditions) == 1 && (fields > 0 || strings.TrimSpace(conditions[0].text) != ""):
		return m, p.condition(&m, conditions[0])
	}
	return m, nil
}

// take sets the aggregation of a name and the field that it takes.
func (p *measureParser) take(m *Measure, field argument) error {
	takes, fields := isAmount, "amounts, such as total.bytes"
	if kind, ok := measureKinds[m.Name]; ok {
		m.Aggregation, takes, fields = kind.aggregation, kind.takes, kind.fields
	} else if m.Quantile, ok = parseQuantile(m.Name); ok {
		m.Aggregation = Quantile
	} else {
		return p.refuse(UnknownName, measureHint, "no measure is called %q", shortened(m.Name))
	}
	f, err := findField(p.dataset, "measures", strings.TrimSpace(field.text))
	if err != nil {
		return err
	}
	if !takes(f) {
		return p.refuse(TypeError, m.Name+" takes "+fields, "%s does not take %s, which is a %s", m.Name, f.Name, f.Kind)
	}
	m.Field = f
	return nil
}

// condition compiles the condition of a measure.
func (p *measureParser) condition(m *Measure, a argument) (err error) {
	m.Where, err = CompileFilter(p.dataset, a.text)
	if wrong, ok := errors.AsType[*Error](err); ok {
		wrong.Member = "measures"
		if wrong.Position != nil {
			wrong.Position = positionIn([]rune(p.text), wrong.Position.Offset+len([]rune(p.text[:a.offset])))
		}
		if _, isField := p.dataset.FieldByName(strings.TrimSpace(a.text)); isField && m.Aggregation == Count {
			wrong.Hint = "count takes a condition, such as count(dst.port == 443); count_distinct(f) counts values"
		}
	}
	return err
}

// parseQuantile reads "p" and a percentage: p50, p99.9.
func parseQuantile(name string) (float64, bool) {
	digits, ok := strings.CutPrefix(name, "p")
	if !ok || len(digits) > 8 || strings.Trim(digits, "0123456789.") != "" {
		return 0, false
	}
	percent, err := strconv.ParseFloat(digits, 64)
	return percent / 100, err == nil && percent <= 100
}
