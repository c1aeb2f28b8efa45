package server

import (
	"fmt"
	"math"
	"testing"
)

// TestLossesAreBounded adds up invented reasons and counts beyond what a number holds.
func TestLossesAreBounded(t *testing.T) {
	sum := make(losses)
	for i := range 10 * maxReasons {
		sum.add(Loss{Reason: fmt.Sprint("reason_", i), Count: 1})
	}
	if len(sum) > maxReasons+1 || sum[otherReasons].Count != 9*maxReasons {
		t.Errorf("%d reasons, %d under %s: want at most %d and %d", len(sum), sum[otherReasons].Count, otherReasons, maxReasons+1, 9*maxReasons)
	}
	for range 2 {
		sum.add(Loss{Reason: "reason_0", Count: math.MaxUint64 / 2})
	}
	sum.add(Loss{Reason: "reason_0", Count: 5})
	if got := sum["reason_0"].Count; got != math.MaxUint64 {
		t.Errorf("%d, want the largest number", got)
	}
}
