// Package store defines what keeps records: the Engine. Its folder local holds the default one, files on this machine;
// storetest the conformance suite that any engine must pass.
//
// A batch comes from an agent with its sequence number, is durable when Append returns, and is found by queries from
// then on, until retention removes it.
package store

import (
	"context"
	"errors"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/query"
)

// Engine keeps datasets and answers plans. Its methods may be called by several goroutines at once.
type Engine interface {
	// Append keeps a batch, durably once it returns nil. ErrRepeated means that the batch was kept before; ErrFull
	// that there is no room now, and that the batch may be tried again.
	Append(context.Context, Batch) error
	// Query gives the answer to the sink, block by block. It ends early with the sink's error or the context's.
	Query(ctx context.Context, plan *query.Plan, sink func(*query.Block) error) (query.Summary, error)
	// Values returns up to limit distinct values of a text field that begin with the prefix, commonest first.
	Values(ctx context.Context, request ValuesRequest) ([]Value, error)
	// Stats tells what is kept and what was lost. It does not wait for disk.
	Stats() Stats
	// Close makes all that was appended durable and releases the engine.
	Close() error
}

// Batch is rows of one dataset, as package columns builds them.
type Batch struct {
	Dataset string
	// Origin and Sequence tell repeated deliveries: an engine keeps a sequence number of an origin once, and they only
	// grow. An empty origin is never a repeat.
	Origin   string
	Sequence uint64
	// Rows belongs to the caller; an engine that keeps it retains it.
	Rows arrow.RecordBatch
}

// ErrRepeated says that the batch is kept already; ErrFull that there is no room for it now.
var (
	ErrRepeated = errors.New("batch is kept already")
	ErrFull     = errors.New("no room")
)

// ValuesRequest asks for values of a field, for completion.
type ValuesRequest struct {
	// Plan gives the dataset, the time range and the filter; its other members are not looked at.
	Plan   *query.Plan
	Field  string
	Prefix string
	Limit  int
}

// Value is a value and in how many rows it was found.
type Value struct {
	Text string
	Rows int64
}

// Stats is the state of an engine.
type Stats struct {
	// Rows and Bytes are what is kept, on disk and not yet there.
	Rows, Bytes int64
	// Oldest is the smallest end of a kept row, nanoseconds since the epoch.
	Oldest int64
	// Losses counts, by reason, rows that were not kept or are gone before their time.
	Losses map[string]uint64
	// Moved counts rows whose time was too far ahead of this machine's clock, and was set back.
	Moved uint64
	// Notes are sentences about what needs an operator: a file set aside, a full disk.
	Notes []string
}
