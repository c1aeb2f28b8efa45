package local

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/store"
	"github.com/seine-net/seine/internal/store/local/part"
	"github.com/seine-net/seine/internal/store/local/scan"
)

// Query answers a plan from all rows that were kept before the call, and perhaps some that are kept meanwhile. A file
// that turns out to be damaged is set aside, and the query begins anew unless it has given a block already.
func (s *Store) Query(ctx context.Context, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error) {
	d, ok := columns.ByName(plan.Dataset)
	if !ok {
		return query.Summary{}, fmt.Errorf("query: dataset %q is not known", plan.Dataset)
	}
	for {
		given := false
		summary, err := s.try(ctx, d, plan, func(b *query.Block) error {
			given = true
			return sink(b)
		})
		var damaged *damagedError
		if !errors.As(err, &damaged) {
			return summary, err
		}
		s.damaged(damaged)
		if given {
			return summary, err
		}
	}
}

func (s *Store) try(ctx context.Context, d *columns.Dataset, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error) {
	oldest := s.oldest()
	sources, done := s.sources(d, max(plan.From, oldest), plan.To)
	defer done()
	limits := scan.Limits{Workers: s.config.Workers, Memory: s.config.QueryMemory, Oldest: oldest}
	return scan.Run(ctx, d, plan, sources, limits, sink)
}

// sources returns what may have rows of a range of time, as of now. It is to be given back by calling done.
func (s *Store) sources(d *columns.Dataset, from, to flow.Time) (sources []scan.Source, done func()) {
	var used []*storedFile
	s.mu.Lock()
	for _, t := range s.tables {
		if set := t.sets[d]; set != nil {
			sources = append(sources, set.Snapshot().Sources()...)
		}
	}
	for _, f := range s.files {
		if f.dataset == d && f.last >= from && f.first < to {
			f.users++
			used = append(used, f)
		}
	}
	s.mu.Unlock()
	handles := make([]*handle, len(used))
	for i, f := range used {
		handles[i] = &handle{stored: f}
		for group, bounds := range f.groups {
			sources = append(sources, &groupSource{handles[i], group, bounds})
		}
	}
	return sources, func() {
		for _, h := range handles {
			h.close()
		}
		s.release(used)
	}
}

// handle opens a file when a query first needs it.
type handle struct {
	stored *storedFile
	once   sync.Once
	file   *part.File
	err    error
}

func (h *handle) open() (*part.File, error) {
	h.once.Do(func() { h.file, h.err = part.Open(h.stored.path, h.stored.dataset) })
	return h.file, h.err
}

func (h *handle) close() {
	if h.file != nil {
		_ = h.file.Close() // It was only read.
	}
}

// groupSource is a row group of a file.
type groupSource struct {
	handle *handle
	group  int
	bounds part.Bounds
}

func (g *groupSource) Rows() int                     { return g.bounds.Rows }
func (g *groupSource) Ends() (first, last flow.Time) { return g.bounds.First, g.bounds.Last }

// Excludes leaves errors to Open.
func (g *groupSource) Excludes(c *scan.Comparison) bool {
	file, err := g.handle.open()
	return err == nil && file.Group(g.group).Excludes(c)
}

func (g *groupSource) Open() (scan.Chunk, error) {
	file, err := g.handle.open()
	if err != nil {
		return nil, g.handle.failed(err)
	}
	chunk, err := file.Group(g.group).Open()
	if err != nil {
		return nil, g.handle.failed(err)
	}
	return &checkedChunk{chunk, g.handle}, nil
}

// checkedChunk tells of which file an error is.
type checkedChunk struct {
	scan.Chunk
	handle *handle
}

func (c *checkedChunk) Dictionary(f *flow.Field) ([]string, error) {
	dictionary, err := c.Chunk.Dictionary(f)
	return dictionary, c.handle.failed(err)
}

func (c *checkedChunk) Codes(f *flow.Field) ([]int32, error) {
	codes, err := c.Chunk.Codes(f)
	return codes, c.handle.failed(err)
}

func (c *checkedChunk) Numbers(f *flow.Field) ([]int64, []bool, error) {
	values, null, err := c.Chunk.Numbers(f)
	return values, null, c.handle.failed(err)
}

// damagedError says that a file cannot be read.
type damagedError struct {
	stored *storedFile
	err    error
}

func (e *damagedError) Error() string { return fmt.Sprintf("file %s: %v", e.stored.path, e.err) }
func (e *damagedError) Unwrap() error { return e.err }

// failed wraps an error that is the file's, and not that of the machine.
func (h *handle) failed(err error) error {
	if err == nil || isMachine(err) {
		return err
	}
	return &damagedError{h.stored, err}
}

// damaged sets a file aside, once.
func (s *Store) damaged(e *damagedError) {
	s.mu.Lock()
	before := len(s.files)
	s.files = slices.DeleteFunc(s.files, func(f *storedFile) bool { return f == e.stored })
	known := len(s.files) < before
	s.mu.Unlock()
	if known {
		s.lose(lossDamaged, uint64(e.stored.rows))
		s.setAside(e.stored.path, e.err)
	}
}

// Values returns the commonest texts of a field that begin with the prefix.
func (s *Store) Values(ctx context.Context, r store.ValuesRequest) ([]store.Value, error) {
	d, ok := columns.ByName(r.Plan.Dataset)
	if !ok {
		return nil, fmt.Errorf("list values: dataset %q is not known", r.Plan.Dataset)
	}
	field, ok := d.FieldByName(r.Field)
	if !ok || !columns.IsText(field) {
		return nil, fmt.Errorf("list values: %q is not a field of texts", r.Field)
	}
	filter := &query.Expr{Operator: query.And, Args: []*query.Expr{
		{Operator: query.HasPrefix, Field: field, Texts: []string{r.Prefix}},
		{Operator: query.Known, Field: field},
	}}
	if r.Plan.Filter != nil {
		filter.Args = append(filter.Args, r.Plan.Filter)
	}
	plan := &query.Plan{
		Dataset: r.Plan.Dataset, From: r.Plan.From, To: r.Plan.To, Filter: filter,
		GroupBy:  []*flow.Field{field},
		Measures: []query.Measure{{Name: "count()", Aggregation: query.Count}},
		Order:    []query.Order{{Column: "count()", Descending: true}},
		Limit:    r.Limit,
	}
	var values []store.Value
	_, err := s.Query(ctx, plan, func(b *query.Block) error {
		for i := range b.Rows {
			values = append(values, store.Value{Text: b.Columns[0].Texts[i], Rows: b.Columns[1].Ints[i]})
		}
		return nil
	})
	return values, err
}
