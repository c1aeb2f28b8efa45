package api_test

import (
	"context"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/store"
)

// plenty answers every plan with the same block many times. Its own blocks take no memory worth mentioning.
type plenty struct {
	store.Engine
	block *query.Block
	times int
	// wait, unless nil, ends each answer.
	given, wait chan struct{}
}

func (p plenty) Query(ctx context.Context, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error) {
	for range p.times {
		if err := sink(p.block); err != nil {
			return query.Summary{}, err
		}
	}
	if p.wait != nil {
		p.given <- struct{}{}
		select {
		case <-p.wait:
		case <-ctx.Done():
		}
	}
	return query.Summary{Rows: int64(p.block.Rows * p.times)}, ctx.Err()
}

const numbersRequest = `{"fields":["src.port","dst.port","fwd.bytes","rev.bytes"],"limit":100000}`

// numbers is a block of numbers of about 10 bytes of JSON each.
func numbers(rows int) *query.Block {
	b := &query.Block{Columns: make([]query.Column, 4), Rows: rows}
	for i := range b.Columns {
		b.Columns[i].Ints = make([]int64, rows)
		for row := range rows {
			b.Columns[i].Ints[row] = 1_000_000_000 + int64(row)
		}
	}
	return b
}

// discarder is a client that takes all and keeps nothing but what the largest piece was.
type discarder struct {
	header         http.Header
	status         int
	bytes, largest int
}

func (d *discarder) Header() http.Header  { return d.header }
func (d *discarder) WriteHeader(code int) { d.status = code }
func (d *discarder) Write(b []byte) (int, error) {
	d.bytes += len(b)
	d.largest = max(d.largest, len(b))
	return len(b), nil
}

// TestAnswerMemory expects a large answer to take little more memory than its values do.
func TestAnswerMemory(t *testing.T) {
	a := newAPI(t, func(c *api.Config) { c.Engine = plenty{Engine: c.Engine, block: numbers(1000), times: 100} })
	ask := func() (*discarder, uint64) {
		request := httptest.NewRequestWithContext(t.Context(), "POST", "http://localhost/api/v1/query", strings.NewReader(numbersRequest))
		var before, after runtime.MemStats
		to := &discarder{header: make(http.Header), status: 200}
		runtime.ReadMemStats(&before)
		a.Handler().ServeHTTP(to, request)
		runtime.ReadMemStats(&after)
		return to, after.TotalAlloc - before.TotalAlloc
	}
	ask() // What is made once, such as the compiler of filters, does not count.
	to, taken := ask()
	const values = 4 * 100_000 * 8
	if to.status != 200 || to.bytes < 4*100_000*10 {
		t.Fatalf("status %d, %d bytes", to.status, to.bytes)
	}
	if bound := uint64(values*3/2 + 1<<20); taken > bound {
		t.Errorf("an answer of %d bytes took %d bytes of memory, want at most %d", to.bytes, taken, bound)
	}
	if to.largest > 64<<10 {
		t.Errorf("a piece has %d bytes", to.largest)
	}
	t.Logf("%d bytes of JSON, %d of values, %d allocated", to.bytes, values, taken)
}

// TestAnswersTogether expects answers beyond the memory for all of them to be refused, small ones to be given, and large
// ones again once others ended.
func TestAnswersTogether(t *testing.T) {
	given, wait := make(chan struct{}), make(chan struct{})
	engine := plenty{block: numbers(10_000), times: 3, given: given, wait: wait} // 3 * 480 KB of values.
	s := open(t, func(c *api.Config, _ *server.Config) {
		engine.Engine = c.Engine
		c.Engine, c.Limits.AnswerBytes = sized{&engine}, 1_500_000
	})
	type result struct {
		status int
		body   string
	}
	results := make(chan result, 3)
	ask := func(request string) {
		status, body := s.do("POST", "/api/v1/query", request)
		results <- result{status, body}
	}
	for range 2 {
		go ask(numbersRequest)
		<-given
	}
	go ask(numbersRequest)
	select {
	case third := <-results:
		if got := refused(t, third.body); third.status != 503 || got.Kind != "busy" {
			t.Errorf("the third large answer has status %d, %.300s", third.status, third.body)
		}
	case <-given:
		t.Error("the third large answer had room")
	case <-time.After(20 * time.Second):
		t.Fatal("no third answer")
	}
	go ask(`{"fields":["src.port","dst.port","fwd.bytes","rev.bytes"],"limit":1}`)
	<-given
	close(wait)
	for range 3 {
		if one := <-results; one.status != 200 {
			t.Errorf("status %d, %.300s", one.status, one.body)
		}
	}
	go func() { <-given }()
	if status, body := s.do("POST", "/api/v1/query", numbersRequest); status != 200 {
		t.Errorf("once all ended: status %d, %.300s", status, body)
	}
}

// sized answers plans with a limit of one row with one small block.
type sized struct{ *plenty }

func (s sized) Query(ctx context.Context, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error) {
	if plan.Limit == 1 {
		return plenty{block: numbers(1), times: 1, given: s.given, wait: s.wait}.Query(ctx, plan, sink)
	}
	return s.plenty.Query(ctx, plan, sink)
}

// newAPI returns an API that is not served.
func newAPI(t *testing.T, change func(*api.Config)) *api.API {
	t.Helper()
	s := open(t, nil)
	cfg := api.Config{Engine: plenty{}, Source: s.server, Log: slog.New(slog.DiscardHandler), Version: "test"}
	change(&cfg)
	a, err := api.New(cfg)
	if err != nil {
		t.Fatal(err)
	}
	return a
}
