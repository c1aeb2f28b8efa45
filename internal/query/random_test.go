package query_test

import (
	"math/rand/v2"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
)

// Random plans give the same answer for the same records, in whatever order and batches they come; the generator makes
// the same plan for the same seed, and plans that find something and use every part of a plan.
func TestRandomPlans(t *testing.T) {
	const seeds = 600
	records := querytest.RandomRecords(1, 200)
	whole := []arrow.RecordBatch{batchOf(records...)}
	rng := rand.New(rand.NewPCG(1, 1))
	rng.Shuffle(len(records), func(i, j int) { records[i], records[j] = records[j], records[i] })
	parts := []arrow.RecordBatch{batchOf(records[:50]...), batchOf(records[50:170]...), batchOf(records[170:]...)}
	seen := make(map[string]int)
	for seed := range uint64(seeds) {
		plan := querytest.RandomPlan(seed)
		a, summary := query.Evaluate(plan, whole)
		b, _ := query.Evaluate(querytest.RandomPlan(seed), parts)
		if diff := cmp.Diff(lines(a), lines(b)); diff != "" {
			t.Fatalf("seed %d: answers differ (-whole +parts):\n%s", seed, diff)
		}
		if plan.Limit > 0 && plan.Step == 0 && a.Rows > plan.Limit+1 {
			t.Errorf("seed %d: %d rows with limit %d", seed, a.Rows, plan.Limit)
		}
		count(seen, plan, a, summary)
	}
	for _, what := range []string{"rows", "groups", "step", "other", "cut", "empty", "estimated", "null", "filter", "order"} {
		if seen[what] < seeds/100 {
			t.Errorf("only %d of %d plans have %s", seen[what], seeds, what)
		}
	}
}

func count(seen map[string]int, plan *query.Plan, answer *query.Block, summary query.Summary) {
	has := map[string]bool{
		"rows": len(plan.Measures) == 0, "groups": len(plan.GroupBy) > 0, "step": plan.Step > 0, "other": answer.Other != nil,
		"cut": summary.Truncated, "empty": answer.Rows == 0, "filter": plan.Filter != nil, "order": len(plan.Order) > 0,
	}
	for _, c := range answer.Columns {
		has["estimated"] = has["estimated"] || c.Estimated
		has["null"] = has["null"] || c.Null != nil
	}
	for what, yes := range has {
		if yes {
			seen[what]++
		}
	}
}
