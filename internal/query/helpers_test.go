package query

import (
	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// emptyRecord returns a batch of one record of which nothing is known.
func emptyRecord() arrow.RecordBatch { return batchOf(flow.Record{}) }

func batchOf(records ...flow.Record) arrow.RecordBatch {
	b := columns.NewBuilder(columns.Flows(), columns.MaxRows)
	b.Append(records)
	return b.NewBatch()
}
