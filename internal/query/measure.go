package query

import (
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// measureKinds has the measures by name, but for the quantiles, with the fields that they take.
var measureKinds = map[string]struct {
	aggregation Aggregation
	takes       func(*flow.Field) bool
	fields      string
}{
	"sum":            {Sum, isCounter, "counters, such as total.bytes"},
	"avg":            {Average, isAmount, "amounts, such as total.bytes"},
	"min":            {Min, isOrdered, "amounts and times, such as total.bytes and end"},
	"max":            {Max, isOrdered, "amounts and times, such as total.bytes and end"},
	"count_distinct": {CountDistinct, isKey, "what can be grouped by, such as src.addr"},
}

const measureHint = `want count(), sum(f), avg(f), min(f), max(f), count_distinct(f) or a quantile such as p99(f)`

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

// parseMeasure reads a measure such as "sum(total.bytes)", "count()" or "p99.9(total.bytes)".
func parseMeasure(d *columns.Dataset, text string) (Measure, error) {
	name, rest, opened := strings.Cut(text, "(")
	argument, closed := strings.CutSuffix(rest, ")")
	if !opened || !closed {
		return Measure{}, refuse(SyntaxError, "measures", measureHint, "measure %q is not of the form name(field)", shortened(text))
	}
	if name == "count" {
		return parseCount(text, argument)
	}
	m := Measure{Name: text}
	takes, fields := isAmount, "amounts, such as total.bytes"
	if kind, ok := measureKinds[name]; ok {
		m.Aggregation, takes, fields = kind.aggregation, kind.takes, kind.fields
	} else if m.Quantile, ok = parseQuantile(name); ok {
		m.Aggregation = Quantile
	} else {
		return Measure{}, refuse(UnknownName, "measures", measureHint, "no measure is called %q", shortened(name))
	}
	f, err := findField(d, "measures", argument)
	if err != nil {
		return Measure{}, err
	}
	if !takes(f) {
		return Measure{}, refuse(TypeError, "measures", name+" takes "+fields, "%s does not take %s, which is a %s", name, f.Name, f.Kind)
	}
	m.Field = f
	return m, nil
}

func parseCount(text, argument string) (Measure, error) {
	if argument != "" {
		return Measure{}, refuse(SyntaxError, "measures", "count() counts rows, count_distinct(f) values", "count takes no field")
	}
	return Measure{Name: text, Aggregation: Count}, nil
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
