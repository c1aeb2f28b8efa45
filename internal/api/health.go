package api

import (
	"net/http"
	"net/url"
	"time"

	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/query"
)

// Health is the answer of GET /api/v1/health.
type Health struct {
	health.Report
	Losses map[string]uint64 `json:"losses"`
}

// HealthRules is the answer of GET /api/v1/health/rules.
type HealthRules struct {
	Rules []health.Rule `json:"rules"`
}

// checkWeight is how many times the bytes of a check's answers are counted, since they are kept by their keys.
const checkWeight = 4

// checkHealth answers GET /api/v1/health.
func (a *API) checkHealth(w http.ResponseWriter, r *http.Request) error {
	v, err := parametersOf("/api/v1/health", r)
	if err != nil {
		return err
	}
	request, err := healthRequest(v, time.Now())
	if err != nil {
		return err
	}
	release, err := a.queries.take(r.Context())
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := a.deadline(r.Context())
	defer cancel()
	room := &allowance{from: &a.answers, weight: checkWeight}
	defer room.release()
	request.Take = room.take
	if scope, ok := scopeOf(r); ok {
		request.Namespaces = append([]string{}, scope.Namespaces...)
	}
	report, err := a.checker.Check(ctx, request)
	if err != nil {
		return late(ctx, err)
	}
	return a.encode(w, http.StatusOK, Health{*report, a.losses()})
}

func healthRequest(v url.Values, now time.Time) (r health.Request, err error) {
	r.Filter, r.To = v.Get("filter"), now
	for _, one := range []struct {
		name string
		to   *time.Duration
	}{{"last", &r.Last}, {"baseline", &r.Baseline}} {
		if *one.to, err = spanOf(v, one.name); err != nil {
			return r, err
		}
	}
	if text := v.Get("to"); text != "" {
		if r.To, err = time.Parse(time.RFC3339Nano, text); err != nil {
			return r, badParameter(query.ValueError, "want a time such as 2026-03-01T12:00:00Z", "parameter to is %q", shortened(text))
		}
	}
	return r, r.Check()
}

// spanOf reads a length of time, 0 if it is not given.
func spanOf(v url.Values, name string) (time.Duration, error) {
	text := v.Get(name)
	if text == "" {
		return 0, nil
	}
	d, err := query.ParseDuration(text)
	if err != nil || d <= 0 {
		return 0, badParameter(query.ValueError, "want a length of time such as 15m, 1h or 1d", "parameter %s is %q", name, shortened(text))
	}
	return d, nil
}

// healthRules answers GET /api/v1/health/rules.
func (a *API) healthRules(w http.ResponseWriter, r *http.Request) error {
	if _, err := parametersOf("/api/v1/health/rules", r); err != nil {
		return err
	}
	return a.encode(w, http.StatusOK, HealthRules{a.checker.Rules()})
}
