package api

import "net/http"

// metrics answers GET /metrics.
func (a *API) metrics(w http.ResponseWriter, r *http.Request) error {
	if _, err := parametersOf("/metrics", r); err != nil {
		return err
	}
	if a.config.Metrics == nil {
		return problem(http.StatusNotFound, kindNotFound, "", "this server has no metrics")
	}
	a.config.Metrics.ServeHTTP(a.pace(w, answerTime), r)
	return nil
}
