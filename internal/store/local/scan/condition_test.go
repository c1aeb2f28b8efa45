package scan

import (
	"fmt"
	"testing"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// list returns a comparison with so many constants: the even numbers, and their texts.
func list(n int, name string) *Comparison {
	field, _ := flow.FieldByName(name)
	e := &query.Expr{Operator: query.In, Field: field}
	for i := range n {
		e.Numbers, e.Texts = append(e.Numbers, int64(2*i)), append(e.Texts, fmt.Sprint(2*i))
	}
	return newComparison(e)
}

// Lists of any length hold the same, and long ones are not gone through for each row.
func TestLists(t *testing.T) {
	for _, n := range []int{1, fewValues, fewValues + 1, 10_000} {
		numbers, texts := list(n, "src.port"), list(n, "src.name")
		for i := range int64(2*n + 2) {
			want := i%2 == 0 && i < int64(2*n)
			if numbers.MatchNumber(i) != want || texts.MatchText(fmt.Sprint(i)) != want {
				t.Errorf("list of %d: %d is in it: %t and %t, want %t", n, i, numbers.MatchNumber(i), texts.MatchText(fmt.Sprint(i)), want)
			}
		}
		if long := n > fewValues; (numbers.numbers != nil) != long || (texts.texts != nil) != long {
			t.Errorf("list of %d has sets: %t and %t, want %t", n, numbers.numbers != nil, texts.texts != nil, long)
		}
	}
}

func BenchmarkLists(b *testing.B) {
	for _, n := range []int{4, 10_000} {
		b.Run(fmt.Sprint(n), func(b *testing.B) {
			c := list(n, "src.port")
			for i := range b.N {
				c.MatchNumber(int64(i & 0xffff))
			}
		})
	}
}
