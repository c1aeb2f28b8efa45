package otlp

import (
	"bytes"
	"context"
	"crypto/tls"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/klauspost/compress/gzip"
)

const (
	protobufType = "application/x-protobuf"
	// maxAnswer bounds what is read of an answer.
	maxAnswer = 64 << 10
)

// overHTTP sends requests by HTTP.
type overHTTP struct {
	url      string
	headers  *headers
	compress *gzip.Writer
	client   *http.Client
	body     bytes.Buffer
}

// newHTTP connects when it has something to send. configOf is nil for plain text.
func newHTTP(c *Config, endpoint *url.URL, h *headers, configOf func(address string) *tls.Config) *overHTTP {
	dialer := &net.Dialer{Timeout: dialTime}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 1, IdleConnTimeout: time.Minute}
	if configOf != nil {
		transport.DialTLSContext = func(ctx context.Context, network, address string) (net.Conn, error) {
			return (&tls.Dialer{NetDialer: dialer, Config: configOf(address)}).DialContext(ctx, network, address)
		}
	}
	o := &overHTTP{url: endpoint.String(), headers: h, client: &http.Client{
		Transport: transport,
		// Whoever we are sent to is not who the credentials are for.
		CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
	}}
	if c.Compression == gzipped {
		o.compress = gzip.NewWriter(nil)
	}
	return o
}

func (o *overHTTP) send(ctx context.Context, request []byte) answer {
	r, err := o.newRequest(ctx, request)
	if err != nil {
		return answer{fate: later, message: err.Error()}
	}
	response, err := o.client.Do(r)
	if err != nil {
		return answer{fate: later, message: cause(err).Error()}
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxAnswer))
	if err != nil && response.StatusCode == http.StatusOK {
		return answer{fate: later, message: cause(err).Error()}
	}
	return answerOfHTTP(response, body, time.Now())
}

func (o *overHTTP) newRequest(ctx context.Context, request []byte) (*http.Request, error) {
	body := request
	if o.compress != nil {
		o.body.Reset()
		o.compress.Reset(&o.body)
		if _, err := o.compress.Write(request); err != nil {
			return nil, fmt.Errorf("compress request: %w", err)
		}
		if err := o.compress.Close(); err != nil {
			return nil, fmt.Errorf("compress request: %w", err)
		}
		body = bytes.Clone(o.body.Bytes()) // The transport may read on after an error.
	}
	r, err := http.NewRequestWithContext(ctx, http.MethodPost, o.url, bytes.NewReader(body))
	if err != nil {
		return nil, err
	}
	o.headers.each(r.Header.Set)
	r.Header.Set("Content-Type", protobufType)
	r.Header.Set("User-Agent", "seine")
	if o.compress != nil {
		r.Header.Set("Content-Encoding", "gzip")
	}
	return r, nil
}

// cause leaves the method and the URL out of an error of the client.
func cause(err error) error {
	if wrapped, ok := errors.AsType[*url.Error](err); ok {
		return wrapped.Err
	}
	return err
}

// answerOfHTTP follows "Failures" and "Throttling" of OTLP/HTTP.
func answerOfHTTP(response *http.Response, body []byte, now time.Time) answer {
	status := response.StatusCode
	media := response.Header.Get("Content-Type")
	isProtobuf := strings.HasPrefix(media, protobufType)
	switch isSuccess := status >= 200 && status < 300; {
	case isSuccess && isProtobuf:
		return parseResponse(body)
	case isSuccess && strings.HasPrefix(media, "text/html"): // A page to log in, say: whoever has it took no records.
		return answer{fate: later, message: response.Status + " with a web page: want a collector of OTLP there"}
	case isSuccess:
		return answer{fate: taken}
	}
	text := words(body)
	if isProtobuf {
		text = parseStatus(body)
	}
	a := answer{fate: never, message: strings.TrimSuffix(response.Status+": "+strings.TrimSpace(text), ": ")}
	switch status {
	case http.StatusTooManyRequests, http.StatusBadGateway, http.StatusServiceUnavailable, http.StatusGatewayTimeout:
		a.fate, a.wait = later, retryAfter(response.Header.Get("Retry-After"), now)
	case http.StatusUnauthorized, http.StatusForbidden, http.StatusProxyAuthRequired, http.StatusNotFound, http.StatusMethodNotAllowed:
		a.fate = later
	case http.StatusRequestEntityTooLarge:
		a.fate = smaller
	}
	if status < 200 || status >= 300 && status < 400 {
		a.fate = later
	}
	return a
}

// retryAfter reads seconds or a date (RFC 9110, 10.2.3).
func retryAfter(value string, now time.Time) time.Duration {
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	if date, err := http.ParseTime(value); err == nil {
		return max(date.Sub(now), 0)
	}
	return 0
}

func (o *overHTTP) close() error {
	o.client.CloseIdleConnections()
	return nil
}
