package api

import (
	"net/http"
	"time"
)

// pieceSize is how much is written at once, in bytes: each piece has its own deadline, so that a slow client is told
// from one that stands still.
const pieceSize = 64 << 10

// pacedWriter writes to a client that must take each piece within a time, and everything before an end.
type pacedWriter struct {
	http.ResponseWriter
	control *http.ResponseController
	piece   time.Duration
	end     time.Time
}

func (a *API) pace(w http.ResponseWriter, whole time.Duration) *pacedWriter {
	return &pacedWriter{w, http.NewResponseController(w), a.limits.WriteTime, time.Now().Add(whole)}
}

// Write writes all, or returns the error of the piece that was not taken.
func (p *pacedWriter) Write(b []byte) (written int, err error) {
	for len(b) > 0 && err == nil {
		n := min(len(b), pieceSize)
		p.extend()
		n, err = p.ResponseWriter.Write(b[:n])
		written += n
		b = b[n:]
	}
	return written, err
}

// Flush sends what is buffered.
func (p *pacedWriter) Flush() error {
	p.extend()
	return p.control.Flush()
}

func (p *pacedWriter) extend() {
	next := time.Now().Add(p.piece)
	if next.After(p.end) {
		next = p.end
	}
	_ = p.control.SetWriteDeadline(next) // Not supported is what only recorders in tests do.
}

// writeJSON answers with a body that is complete.
func (a *API) writeJSON(w http.ResponseWriter, body []byte) error {
	w.Header().Set("Content-Type", "application/json")
	_, _ = a.pace(w, answerTime).Write(append(body, '\n')) // Who does not take it is gone.
	return nil
}

// answerTime is how long a client may take for a whole answer.
const answerTime = 2 * time.Minute
