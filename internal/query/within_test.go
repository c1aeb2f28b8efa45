package query_test

import (
	"testing"

	"github.com/apache/arrow-go/v18/arrow"

	"github.com/seine-net/seine/internal/query"
)

// TestWithin leaves the rows with an end in the namespaces, whatever the filter takes, and those of the earlier period.
func TestWithin(t *testing.T) {
	records := shop()[:4]
	for i, ends := range [][3]string{{"shop", "db", "db"}, {"web", "shop", ""}, {"web", "db", "shop"}, {"web", "db", "db"}} {
		records[i].Src.Namespace, records[i].Dst.Namespace, records[i].Backend.Namespace = ends[0], ends[1], ends[2]
	}
	batches := []arrow.RecordBatch{batchOf(records...)}
	f := func(filter string, want int, namespaces ...string) {
		t.Helper()
		c := compile(t, query.Request{Filter: filter})
		c.Within(namespaces)
		if b, _ := query.Evaluate(c.Plan, batches); b.Rows != want {
			t.Errorf("filter %q within %q: %d rows, want %d", filter, namespaces, b.Rows, want)
		}
	}
	f("", 3, "shop")
	f(`src.namespace == "shop" || src.namespace == "web"`, 3, "shop")
	f(`src.namespace == "web"`, 2, "shop")
	f("", 4, "shop", "db")
	f("", 0, "nowhere")
	f("", 0)
	compared := compile(t, query.Request{Measures: []string{"count()"}, Compare: "1h"})
	compared.Within([]string{"shop"})
	if compared.Compare.Filter == nil || compared.Plan.Filter == nil {
		t.Error("a period of a comparison is not within the namespaces")
	}
}
