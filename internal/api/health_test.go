package api_test

import (
	"encoding/json"
	"net/http"
	"net/url"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/query/querytest"
)

// strict decodes an answer that may have no member that is not known.
func strict[T any](t testing.TB, body string) (told T) {
	t.Helper()
	decoder := json.NewDecoder(strings.NewReader(body))
	decoder.DisallowUnknownFields()
	if err := decoder.Decode(&told); err != nil {
		t.Fatalf("%v in %.500s", err, body)
	}
	return told
}

func TestHealth(t *testing.T) {
	s := withRecords(t, 3000)
	at := querytest.Begin.Add(querytest.Span)
	status, body := s.do(http.MethodGet, "/api/v1/health?last=30m&baseline=1h&to="+url.QueryEscape(at.Format(time.RFC3339)), "")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	told := strict[api.Health](t, body)
	if !told.To.Equal(at) || told.To.Sub(told.From) != 30*time.Minute || !told.BaselineTo.Equal(told.From) || told.Checked.Edges == 0 {
		t.Errorf("got %+v", told.Report)
	}
	for _, f := range told.Findings {
		if f.Sentence == "" || f.Filter == "" || f.Dataset == "" {
			t.Errorf("finding %+v lacks something", f)
		}
		query := `{"dataset":"` + f.Dataset + `","last":"24h","measures":["count()"],"filter":` + quoted(f.Filter) + `}`
		if status, body := s.do(http.MethodPost, "/api/v1/query", query); status != http.StatusOK {
			t.Errorf("filter %s of a finding is refused: %s", f.Filter, body)
		}
	}
}

func quoted(text string) string {
	body, _ := json.Marshal(text)
	return string(body)
}

func TestHealthRefuses(t *testing.T) {
	s := open(t, nil)
	f := func(parameters string, want ...string) {
		t.Helper()
		status, body := s.do(http.MethodGet, "/api/v1/health?"+parameters, "")
		if status != http.StatusBadRequest {
			t.Errorf("%s: status %d: %s", parameters, status, body)
			return
		}
		r := refused(t, body)
		for _, part := range want {
			if !strings.Contains(r.Error+" "+r.Hint, part) {
				t.Errorf("%s: %+v lacks %q", parameters, r, part)
			}
		}
	}
	f("last=soon", "parameter last", `"soon"`, "15m")
	f("last=-5m", "parameter last")
	f("baseline=0s", "parameter baseline")
	f("baseline=30d", "baseline", "720h", "7d")
	f("to=yesterday", "parameter to", "2026-03-01T12:00:00Z")
	f("filter=src.nam%3D%3D%22a%22", "src.nam", "src.name")
	f("since=1h", "since", "last, baseline, to, filter")
}

func TestHealthRules(t *testing.T) {
	s := open(t, nil)
	status, body := s.do(http.MethodGet, "/api/v1/health/rules", "")
	if status != http.StatusOK {
		t.Fatalf("status %d: %s", status, body)
	}
	told := strict[api.HealthRules](t, body)
	if want := health.DefaultSettings().Rules; len(told.Rules) != len(want) || told.Rules[0].Name != want[0].Name || !told.Rules[0].Enabled {
		t.Errorf("got %+v", told.Rules)
	}
}
