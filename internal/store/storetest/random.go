package storetest

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"github.com/apache/arrow-go/v18/arrow"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/query/querytest"
	"github.com/seine-net/seine/internal/store"
)

// plansPerStore is how many plans are asked of the same rows.
const plansPerStore = 500

// testRandomPlans compares the answers to random plans over random records with those of query.Evaluate.
func testRandomPlans(t *testing.T, open Open, plans int) {
	for first := 0; first < plans; first += plansPerStore {
		t.Run(fmt.Sprint(first), func(t *testing.T) { comparePlans(t, open, first, min(plans, first+plansPerStore)) })
	}
}

func comparePlans(t *testing.T, open Open, first, last int) {
	dir := t.TempDir()
	e := open(t, dir)
	var batches []arrow.RecordBatch
	for i := range 12 {
		batch := Batch(t, querytest.RandomRecords(uint64(first+i), 10+(first+i*7)%60))
		batches = append(batches, batch)
		mustAppend(t, e, store.Batch{Dataset: "flows", Rows: batch})
		if i == 6 {
			closed(t, e)
			e = open(t, dir)
		}
	}
	defer func() { closed(t, e) }()
	for seed := first; seed < last; seed++ {
		if !ComparePlan(t, e, querytest.RandomPlan(uint64(seed)), batches) {
			t.Logf("notes: %v", e.Stats().Notes)
			t.Fatalf("plan of seed %d, rows of seeds %d to %d", seed, first, first+11)
		}
	}
	if notes := e.Stats().Notes; len(notes) > 0 {
		t.Errorf("got notes %v", notes)
	}
}

// ComparePlan says whether the engine answers as query.Evaluate does, and reports an error otherwise.
func ComparePlan(t testing.TB, e store.Engine, plan *query.Plan, batches []arrow.RecordBatch) bool {
	t.Helper()
	want, wantSummary := query.Evaluate(plan, batches)
	got, summary, err := Collect(e, plan)
	if err != nil {
		t.Error(err)
		return false
	}
	withoutEmptyMarks(want)
	withoutEmptyMarks(got)
	summary.Scanned = wantSummary.Scanned // Whoever skips rows does well.
	options := []cmp.Option{cmpopts.EquateEmpty(), cmpopts.EquateNaNs()}
	if diff := cmp.Diff(want, got, options...) + cmp.Diff(wantSummary, summary); diff != "" {
		t.Errorf("the answer differs (- Evaluate, + engine) for\n%s\n%s", planText(plan), diff)
		return false
	}
	return true
}

// withoutEmptyMarks makes marks nil that mark nothing, since that means the same.
func withoutEmptyMarks(b *query.Block) {
	for i := range b.Columns {
		if !slices.Contains(b.Columns[i].Null, true) {
			b.Columns[i].Null = nil
		}
	}
}

func planText(p *query.Plan) string {
	var text strings.Builder
	fmt.Fprintf(&text, "from %s to %s step %s order %v limit %d other %t", p.From, p.To, p.Step, p.Order, p.Limit, p.Other)
	for _, f := range p.Fields {
		fmt.Fprintf(&text, " field %s", f.Name)
	}
	for _, f := range p.GroupBy {
		fmt.Fprintf(&text, " by %s", f.Name)
	}
	for _, m := range p.Measures {
		fmt.Fprintf(&text, " measure %s", m.Name)
	}
	return text.String() + " where " + exprText(p.Filter)
}

func exprText(x *query.Expr) string {
	switch {
	case x == nil:
		return "all"
	case x.Field != nil:
		return fmt.Sprintf("%s %d %q %v %v %v", x.Field.Name, x.Operator, x.Texts, x.Numbers, x.Prefixes, x.Regexp)
	}
	var args []string
	for _, arg := range x.Args {
		args = append(args, exprText(arg))
	}
	return fmt.Sprintf("%d(%s)", x.Operator, strings.Join(args, ", "))
}
