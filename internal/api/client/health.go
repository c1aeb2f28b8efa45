package client

import (
	"context"
	"net/http"
	"net/url"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/health"
)

// HealthRequest says what to check, in words as GET /api/v1/health takes them; what is empty is the server's to choose.
type HealthRequest struct {
	Last, Baseline, To, Filter string
}

// Health asks what is wrong.
func (c *Client) Health(ctx context.Context, r HealthRequest) (*api.Health, error) {
	parameters := url.Values{}
	for name, text := range map[string]string{"last": r.Last, "baseline": r.Baseline, "to": r.To, "filter": r.Filter} {
		if text != "" {
			parameters.Set(name, text)
		}
	}
	told := new(api.Health)
	return told, c.ask(ctx, http.MethodGet, "/api/v1/health", parameters, nil, told)
}

// HealthRules asks for the rules, with the thresholds in force.
func (c *Client) HealthRules(ctx context.Context) ([]health.Rule, error) {
	told := new(api.HealthRules)
	err := c.ask(ctx, http.MethodGet, "/api/v1/health/rules", nil, nil, told)
	return told.Rules, err
}
