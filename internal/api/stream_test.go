package api_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"encoding/json"
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/api/client"
	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/server"
)

// errEnough ends a stream from the client's side.
var errEnough = errors.New("enough")

// TestTail follows with a filter, and expects exactly the rows for which it holds, in columns as queries have them.
func TestTail(t *testing.T) {
	s := open(t, nil)
	records := querytest.RandomRecords(5, 4000)
	const filter = `proto == "TCP" && primary`
	fields := []string{"end", "src.addr", "dst.port", "tcp.flags", "primary", "total.packets"}
	var got [][]string
	want := 0
	for i := range records {
		if records[i].Proto == flow.TCP && records[i].Primary {
			want++
		}
	}
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	err := s.client.Tail(ctx, "", filter, fields, func() error { s.fill(records); return nil }, func(e client.Event) error {
		if e.Lost > 0 {
			t.Errorf("%d rows lost", e.Lost)
		}
		got = append(got, texts(e.Rows.Block)[1:]...)
		if len(got) >= want {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || len(got) != want {
		t.Fatalf("%d rows and %v, want %d", len(got), err, want)
	}
	i := 0
	for j := range records {
		r := &records[j]
		if r.Proto != flow.TCP || !r.Primary {
			continue
		}
		if address := `"` + r.Src.Addr.Unmap().String() + `"`; r.Src.Addr.IsValid() && got[i][1] != address {
			t.Fatalf("row %d: src.addr %s, want %s", i, got[i][1], address)
		}
		i++
	}
}

// TestTailShowsLife expects something at once and from time to time, so that proxies and clients know the stream lives.
func TestTailShowsLife(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) { c.Limits.Heartbeat = 50 * time.Millisecond })
	response := s.send("GET", "/api/v1/tail", nil)
	defer response.Body.Close()
	if got := response.Header.Get("Content-Type"); got != "text/event-stream" {
		t.Errorf("content type %q", got)
	}
	text := make([]byte, len(": following\n\n: nothing new\n\n: nothing new\n\n"))
	if _, err := io.ReadFull(response.Body, text); err != nil || string(text) != ": following\n\n: nothing new\n\n: nothing new\n\n" {
		t.Errorf("got %q: %v", text, err)
	}
}

// TestTailTellsLosses keeps a client from reading and expects that what it got and what it is told it lost are all.
func TestTailTellsLosses(t *testing.T) {
	s := open(t, func(_ *api.Config, c *server.Config) { c.SubscriberBytes = 1 })
	const rounds, each = 8, 2000
	var got, lost uint64
	ctx, stop := context.WithTimeout(t.Context(), time.Minute)
	defer stop()
	begun := func() error {
		for i := range rounds { // The client reads nothing until all are stored.
			s.fill(querytest.RandomRecords(uint64(i), each))
		}
		return nil
	}
	err := s.client.Tail(ctx, "", "primary || !primary", nil, begun, func(e client.Event) error {
		lost += e.Lost
		if e.Rows != nil {
			got += uint64(e.Rows.Rows)
		}
		if got+lost >= rounds*each {
			return errEnough
		}
		return nil
	})
	if !errors.Is(err, errEnough) || got+lost != rounds*each || lost == 0 {
		t.Errorf("%d rows came and %d were lost, want %d together and some lost; %v", got, lost, rounds*each, err)
	}
}

// TestTailers expects those beyond the limit to be sent away, and places to be given back.
func TestTailers(t *testing.T) {
	s := open(t, func(_ *api.Config, c *server.Config) { c.MaxSubscribers = 1 })
	first := s.send("GET", "/api/v1/tail", nil)
	second := s.send("GET", "/api/v1/tail", nil)
	if second.StatusCode != 503 || second.Header.Get("Retry-After") == "" {
		t.Errorf("status %d, want 503 and Retry-After", second.StatusCode)
	}
	second.Body.Close()
	first.Body.Close()
	deadline := time.Now().Add(30 * time.Second)
	for s.server.Status().Subscribers > 0 {
		if time.Now().After(deadline) {
			t.Fatal("the place of a client that is gone is not given back")
		}
		time.Sleep(10 * time.Millisecond)
	}
}

const exportPeriod = "&from=2026-03-01T11:00:00Z&to=2026-03-01T14:00:00Z"

// all is what an export must hold.
func (s *site) all(t *testing.T) *query.Block {
	t.Helper()
	request, err := query.DecodeRequest(strings.NewReader("{" + period + "}"))
	if err != nil {
		t.Fatal(err)
	}
	compiled, err := query.Compile(request, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	compiled.Plan.Limit = 0
	block, _ := query.Evaluate(compiled.Plan, s.batches)
	return block
}

// export returns a body, having checked what comes with it.
func (s *site) export(t *testing.T, format string) []byte {
	t.Helper()
	response := s.send("GET", "/api/v1/export?format="+format+exportPeriod, nil)
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil || response.StatusCode != 200 {
		t.Fatalf("status %d: %v", response.StatusCode, err)
	}
	if response.Header.Get("Seine-Losses") != "{}" || !strings.Contains(response.Header.Get("Content-Disposition"), "."+format) {
		t.Errorf("headers %v, want losses and a file name", response.Header)
	}
	return body
}

// TestExports reads each format with a reader that is not ours, and compares all values.
func TestExports(t *testing.T) {
	s := withRecords(t, 400)
	want := s.all(t)
	t.Run("csv", func(t *testing.T) {
		lines, err := csv.NewReader(bytes.NewReader(s.export(t, "csv"))).ReadAll()
		if err != nil || len(lines) != want.Rows+1 {
			t.Fatalf("%d lines, want %d: %v", len(lines), want.Rows+1, err)
		}
		for row := range want.Rows {
			for i := range want.Columns {
				c := &want.Columns[i]
				if text := string(c.AppendText(nil, row)); lines[row+1][i] != text {
					t.Fatalf("row %d, %s: %q, want %q", row, lines[0][i], lines[row+1][i], text)
				}
			}
		}
	})
	t.Run("ndjson", func(t *testing.T) { checkNDJSON(t, s.export(t, "ndjson"), want) })
	t.Run("parquet", func(t *testing.T) { checkParquet(t, s.export(t, "parquet"), want) })
}

func checkNDJSON(t *testing.T, body []byte, want *query.Block) {
	lines := bytes.Split(bytes.TrimSpace(body), []byte("\n"))
	if len(lines) != want.Rows {
		t.Fatalf("%d lines, want %d", len(lines), want.Rows)
	}
	for row, line := range lines {
		var object map[string]any
		if err := json.Unmarshal(line, &object); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		for i := range want.Columns {
			c := &want.Columns[i]
			expected := string(c.AppendJSON(nil, row))
			if columns.IsTextKind(c.Kind) && c.Texts[row] == "" {
				expected = "null"
			}
			if got := member(line, c.Name); got != expected {
				t.Fatalf("row %d, %s: %s, want %s", row, c.Name, got, expected)
			}
		}
	}
}

// member returns the JSON at a dotted name, null if there is none.
func member(object []byte, name string) string {
	raw := json.RawMessage(object)
	for part := range strings.SplitSeq(name, ".") {
		var members map[string]json.RawMessage
		if json.Unmarshal(raw, &members) != nil || members[part] == nil {
			return "null"
		}
		raw = members[part]
	}
	return string(raw)
}

// checkParquet reads with another library than the one that writes.
func checkParquet(t *testing.T, body []byte, want *query.Block) {
	file, err := parquet.OpenFile(bytes.NewReader(body), int64(len(body)))
	if err != nil {
		t.Fatal(err)
	}
	if file.NumRows() != int64(want.Rows) {
		t.Fatalf("%d rows, want %d", file.NumRows(), want.Rows)
	}
	reader := parquet.NewReader(file)
	defer reader.Close()
	rows := make([]parquet.Row, 1)
	for row := range want.Rows {
		if n, err := reader.ReadRows(rows); n != 1 || err != nil && !errors.Is(err, io.EOF) {
			t.Fatalf("row %d: %v", row, err)
		}
		for _, value := range rows[0] {
			c := &want.Columns[value.Column()]
			if !equalValue(value, c, row) {
				t.Fatalf("row %d, %s: %v, want %s", row, c.Name, value, c.AppendJSON(nil, row))
			}
		}
	}
	leaf, ok := file.Schema().Lookup("end")
	if !ok || !strings.Contains(leaf.Node.Type().String(), "TIMESTAMP") {
		t.Error("end is no timestamp")
	}
}

func equalValue(v parquet.Value, c *query.Column, row int) bool {
	switch {
	case v.IsNull():
		return c.Null != nil && c.Null[row]
	case columns.IsTextKind(c.Kind):
		return string(v.ByteArray()) == c.Texts[row]
	case c.Kind == flow.BoolField:
		return v.Boolean() == (c.Ints[row] != 0)
	}
	return v.Int64() == c.Ints[row]
}

// broken is an engine whose queries fail after some rows.
type broken struct{ stalled }

// Query gives more than is buffered, and fails.
func (broken) Query(_ context.Context, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error) {
	block := &query.Block{Rows: 100_000, Columns: plan.Columns()}
	for i := range block.Columns {
		block.Columns[i].Ints = make([]int64, block.Rows)
	}
	if err := sink(block); err != nil {
		return query.Summary{}, err
	}
	return query.Summary{}, errors.New("disk is gone")
}

// TestExportBreaksOff expects a client to notice that an export is not whole.
func TestExportBreaksOff(t *testing.T) {
	s := open(t, func(c *api.Config, _ *server.Config) { c.Engine = broken{} })
	for _, format := range []string{"csv", "ndjson"} {
		response := s.send("GET", "/api/v1/export?format="+format+"&fields=end", nil)
		body, err := io.ReadAll(response.Body)
		response.Body.Close()
		if err == nil || len(body) == 0 {
			t.Errorf("%s: %d bytes and error %v, want a broken connection", format, len(body), err)
		}
	}
}
