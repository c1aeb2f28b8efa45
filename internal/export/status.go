package export

// The states of an exporter.
const (
	// Waiting is one that has not sent anything yet.
	Waiting = "waiting"
	// Live is one whose last block was taken.
	Live = "live"
	// Degraded is one whose last block was not taken; it tries on.
	Degraded = "degraded"
)

// Status is how an exporter does. Counts are rows since the start.
type Status struct {
	Name string `json:"name"`
	// Kind is kafka, ipfix or otlp, Address where the rows go.
	Kind    string `json:"kind"`
	Address string `json:"address"`
	State   string `json:"state"`
	// Detail says why nothing is sent.
	Detail string `json:"detail,omitempty"`
	// Sent rows were taken; Refused ones will never be, such as those that are too large; Lost ones had no room in the queue,
	// or were not taken before the end.
	Sent    uint64 `json:"sent"`
	Refused uint64 `json:"refused"`
	Lost    uint64 `json:"lost"`
	// Failures are attempts that were not taken.
	Failures uint64 `json:"failures"`
	// QueuedBytes wait.
	QueuedBytes uint64 `json:"queued_bytes"`
}

// Status tells the present state.
func (e *Exporter) Status() Status {
	queued, dropped := uint64(e.subscription.Bytes()), e.subscription.Lost()
	e.mu.Lock()
	defer e.mu.Unlock()
	s := e.status
	s.QueuedBytes = queued
	s.Lost += dropped
	return s
}
