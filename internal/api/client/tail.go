package client

import (
	"bufio"
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// maxEvent bounds one event, in bytes.
const maxEvent = 64 << 20

// Event is something that a live stream tells: rows, or how many of them were lost because they were read too slowly.
type Event struct {
	Rows *query.Answer
	Lost uint64
}

// Tail follows rows as they are stored, until the context ends, the handler returns an error, or the stream breaks. Begun
// is called once nothing that is stored from then on is missed.
func (c *Client) Tail(ctx context.Context, dataset, filter string, fields []string, begun func() error, handle func(Event) error) error {
	parameters := make(url.Values)
	if dataset != "" {
		parameters.Set("dataset", dataset)
	}
	if filter != "" {
		parameters.Set("filter", filter)
	}
	if len(fields) > 0 {
		parameters.Set("fields", strings.Join(fields, ","))
	}
	response, err := c.do(ctx, http.MethodGet, "/api/v1/tail", parameters, nil)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	if err := begun(); err != nil {
		return err
	}
	err = events(response.Body, handle)
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if errors.Is(err, io.EOF) {
		return &Unreachable{c.config.URL, errors.New("the server ended the stream")}
	}
	return err
}

// events reads server-sent events as our server writes them: an event and one line of data.
func events(from io.Reader, handle func(Event) error) error {
	lines := bufio.NewScanner(from)
	lines.Buffer(make([]byte, 64<<10), maxEvent)
	var name string
	for lines.Scan() {
		field, value, _ := bytes.Cut(lines.Bytes(), []byte(": "))
		switch string(field) {
		case "event":
			name = string(value)
		case "data":
			event, err := decodeEvent(name, value)
			if err != nil {
				return err
			}
			if err := handle(event); err != nil {
				return err
			}
		}
	}
	if err := lines.Err(); err != nil {
		return fmt.Errorf("read live stream: %w", err)
	}
	return io.EOF
}

func decodeEvent(name string, data []byte) (e Event, err error) {
	switch name {
	case "rows":
		var told answer
		if err := json.Unmarshal(data, &told); err != nil {
			return e, fmt.Errorf("read live stream: %w", err)
		}
		e.Rows, err = told.decode()
	case "lost":
		var told struct {
			Rows uint64 `json:"rows"`
		}
		err = json.Unmarshal(data, &told)
		e.Lost = told.Rows
	}
	return e, err
}
