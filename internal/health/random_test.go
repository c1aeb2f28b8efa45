package health

import (
	"encoding/json"
	"math"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

// TestRandom checks records of any values: whatever is found can be written as JSON, and its records asked for.
func TestRandom(t *testing.T) {
	s := newStage(t)
	s.records = querytest.RandomRecords(1, 3000)
	s.flush()
	settings := DefaultSettings()
	for i := range settings.Rules {
		r := &settings.Rules[i]
		r.Info, r.Warning, r.Critical = new(0.0), new(0.0), new(math.Inf(1))
		r.MinVolume, r.MinBad, r.MinIncrease = 0, 0, 0
		if r.Form == Fall {
			r.Critical, r.Info = new(-1.0), new(math.Inf(1))
		}
	}
	to := querytest.Begin.Add(querytest.Span)
	report, err := New(s.store, settings).Check(t.Context(), Request{To: to, Last: 30 * time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	if len(report.Findings) < 10 {
		t.Errorf("%d findings: the test is void", len(report.Findings))
	}
	if _, err := json.Marshal(report); err != nil {
		t.Error(err)
	}
	for _, f := range report.Findings {
		request := &query.Request{Dataset: f.Dataset, Filter: f.Filter, Last: "24h", Measures: []string{"count()"}}
		if _, err := query.Compile(request, to); err != nil {
			t.Errorf("filter %s of a finding: %v", f.Filter, err)
		}
	}
}
