package otlp

import (
	"cmp"
	"context"
	"crypto/tls"
	"fmt"
	"log/slog"
	"net/url"
	"time"

	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/query"
)

const (
	// sendTime bounds a request with its answer, dialTime the way to the collector.
	sendTime, dialTime = 10 * time.Second, 5 * time.Second
)

// transport takes requests to the collector.
type transport interface {
	send(ctx context.Context, request []byte) answer
	close() error
}

// Target is a collector. One goroutine calls it.
type Target struct {
	config    *Config
	log       *slog.Logger
	encoder   *encoder
	headers   *headers
	transport transport
	now       func() time.Time

	// maxBytes bounds a request: what is configured, or less where the collector took no such requests.
	maxBytes int
	// size is that of the last request.
	size int
	// block is the one that is being delivered, next its row that is to be sent next, refused how many before it were.
	block         *query.Block
	next, refused int
	// until is when the collector wants to be asked again.
	until time.Time
	// told says that the log has the words in which the collector refuses rows.
	told bool
}

// Open checks the configuration and reads the files that it names. It connects to nobody.
func Open(c *Config, plan *query.Plan, log *slog.Logger) (*Target, error) {
	c = c.withDefaults()
	endpoint, err := c.check()
	if err != nil {
		return nil, err
	}
	h, err := openHeaders(c, log)
	if err != nil {
		return nil, err
	}
	t := &Target{config: c, log: log, encoder: newEncoder(plan, c.Version), headers: h, now: time.Now, maxBytes: c.MaxMessageBytes}
	if t.transport, err = c.open(endpoint, h, log); err != nil {
		return nil, err
	}
	if h.areSecret() && endpoint.Scheme == "http" && !credential.IsLoopback(endpoint.Host) {
		log.Warn("the secret for the collector goes over the network as it is: its endpoint is without TLS", "endpoint", endpoint.Host)
	}
	return t, nil
}

func (c *Config) open(endpoint *url.URL, h *headers, log *slog.Logger) (transport, error) {
	var configOf func(address string) *tls.Config
	if endpoint.Scheme == "https" {
		var err error
		if configOf, err = cmp.Or(c.TLS, &credential.Client{}).Open(log); err != nil {
			return nil, fmt.Errorf("tls: %w", err)
		}
	}
	if c.Protocol == httpProtocol {
		return newHTTP(c, endpoint, h, configOf), nil
	}
	return newGRPC(c, endpoint.Host, h, configOf)
}

// Send delivers the rows of a block and returns how many the collector will never take. After an error the same block
// goes on with the row where it stopped.
func (t *Target) Send(ctx context.Context, rows *query.Block) (refused int, err error) {
	if t.block != rows {
		t.block, t.next, t.refused = rows, 0, 0
	}
	if wait := t.until.Sub(t.now()); wait > 0 {
		return 0, fmt.Errorf("collector %s: asks to be left alone for %v more", t.config.Address(), wait.Round(time.Second))
	}
	for t.next < rows.Rows {
		if err := t.sendPart(ctx, rows); err != nil {
			return 0, fmt.Errorf("collector %s: %w", t.config.Address(), err)
		}
	}
	t.block = nil
	return t.refused, nil
}

// sendPart sends as many rows as a request may have.
func (t *Target) sendPart(ctx context.Context, rows *query.Block) error {
	request, next := t.encoder.encode(make([]byte, 0, t.size), rows, t.next, t.maxBytes, uint64(t.now().UnixNano()))
	t.size = len(request)
	if next == t.next {
		t.refuse(t.next+1, 1, fmt.Sprintf("a row has more than %d bytes", t.maxBytes))
		return nil
	}
	sending, cancel := context.WithTimeout(ctx, sendTime)
	defer cancel()
	a := t.transport.send(sending, request)
	a.message = t.headers.hide(a.message)
	switch {
	case ctx.Err() != nil && a.fate != taken:
		return ctx.Err()
	case a.fate == later && sending.Err() != nil:
		return fmt.Errorf("no answer within %v: %s", sendTime, a.message)
	case a.fate == later:
		t.until = t.now().Add(min(a.wait, maxWait))
		return fmt.Errorf("%s", a.message)
	case a.fate == smaller && next-t.next > 1 && t.maxBytes > minMessageBytes:
		t.maxBytes = max(min(t.maxBytes, len(request))/2, minMessageBytes)
		t.log.Warn("the collector takes no requests as large as max_message_bytes, so they are made smaller",
			"collector", t.config.Address(), "max_message_bytes", t.config.MaxMessageBytes, "bytes", t.maxBytes, "answer", a.message)
	case a.fate == taken:
		t.refuse(next, min(a.rejected, next-t.next), a.message)
	default:
		t.refuse(next, next-t.next, a.message)
	}
	return nil
}

// refuse goes on after rows of which the collector did not take some. What it says of that is told once, until it takes
// a request as a whole.
func (t *Target) refuse(next, refused int, message string) {
	if refused == 0 {
		t.told = false
	} else if !t.told {
		t.told = true
		t.log.Warn("the collector refuses rows", "collector", t.config.Address(), "rows", refused, "answer", message)
	}
	t.next, t.refused = next, t.refused+refused
}

// Close ends the connection.
func (t *Target) Close() error { return t.transport.close() }
