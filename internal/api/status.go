package api

import (
	"encoding/json"
	"net/http"
	"time"

	"github.com/seine-net/seine/internal/export"
	"github.com/seine-net/seine/internal/server"
)

// Status is the answer of GET /api/v1/status.
type Status struct {
	Version string `json:"version"`
	// Readiness tells what does not work.
	Readiness Readiness `json:"readiness"`
	server.Status
	// Store takes the place of the server's member of that name.
	Store   StoreStatus `json:"store"`
	Queries SlotsStatus `json:"queries"`
	Exports SlotsStatus `json:"exports"`
	// Exporters send records on.
	Exporters []export.Status `json:"exporters,omitempty"`
}

// StoreStatus is the state of the store.
type StoreStatus struct {
	Rows  int64 `json:"rows"`
	Bytes int64 `json:"bytes"`
	// Oldest is the earliest end of a row; there is none in an empty store.
	Oldest *time.Time `json:"oldest,omitempty"`
	// Notes are sentences about what needs an operator.
	Notes []string `json:"notes,omitempty"`
}

// Readiness is the answer of GET /readyz.
type Readiness struct {
	Ready bool `json:"ready"`
	// Reasons say what does not work.
	Reasons []string `json:"reasons,omitempty"`
}

func (a *API) status(w http.ResponseWriter, r *http.Request) error {
	if _, err := parametersOf("/api/v1/status", r); err != nil {
		return err
	}
	s := a.config.Source.Status()
	told := Status{
		Version: a.config.Version, Readiness: a.readiness(), Status: s,
		Store:   StoreStatus{Rows: s.Store.Rows, Bytes: s.Store.Bytes, Notes: s.Store.Notes},
		Queries: a.queries.status(), Exports: a.exports.status(),
	}
	if a.config.Exporters != nil {
		told.Exporters = a.config.Exporters()
	}
	if s.Store.Rows > 0 {
		oldest := time.Unix(0, s.Store.Oldest).UTC()
		told.Store.Oldest = &oldest
	}
	return a.encode(w, http.StatusOK, told)
}

func (a *API) readiness() Readiness {
	var reasons []string
	if a.config.Ready != nil {
		reasons = a.config.Ready()
	}
	if waiting := a.config.Source.Status().Waiting; waiting > 0 {
		reasons = append(reasons, "the store has no room")
	}
	return Readiness{Ready: len(reasons) == 0, Reasons: reasons}
}

func (a *API) ready(w http.ResponseWriter, _ *http.Request) error {
	told, status := a.readiness(), http.StatusOK
	if !told.Ready {
		status = http.StatusServiceUnavailable
	}
	return a.encode(w, status, told)
}

func (a *API) health(w http.ResponseWriter, _ *http.Request) error {
	w.Header().Set("Content-Type", "text/plain; charset=utf-8")
	_, _ = w.Write([]byte("ok\n")) // Who does not take it is gone.
	return nil
}

// encode answers with a value as JSON.
func (a *API) encode(w http.ResponseWriter, status int, value any) error {
	body, err := json.Marshal(value)
	if err != nil {
		return err
	}
	w.Header().Set("Content-Type", jsonMedia)
	w.WriteHeader(status)
	_, _ = a.pace(w, answerTime).Write(append(body, '\n')) // Who does not take it is gone.
	return nil
}
