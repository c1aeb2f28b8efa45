package api

import (
	"sync/atomic"

	"github.com/seine-net/seine/internal/query"
)

// smallAnswer is how many bytes of each answer do not count against the budget, so that clients who take large answers
// slowly hold up no small ones. How many answers there are at once is bounded by the places of queries.
const smallAnswer = 256 << 10

// comparisonWeight is how many times the bytes of the answers to a comparison's two periods are counted, since putting
// them together keeps each group by its keys, with the values of both periods and the joined line.
const comparisonWeight = 8

// budget bounds the bytes that all answers under way take together.
type budget struct {
	bytes int64
	used  atomic.Int64
}

// take says whether there is room.
func (b *budget) take(bytes int64) bool {
	if b.used.Add(bytes) <= b.bytes {
		return true
	}
	b.used.Add(-bytes)
	return false
}

// allowance is what one answer takes of a budget.
type allowance struct {
	from   *budget
	weight int
	counts int
	held   int64
}

// take takes bytes of an answer. The error, a *Problem, says that other answers leave no room.
func (a *allowance) take(bytes int) error {
	a.counts += bytes * a.weight
	more := max(0, int64(a.counts)-smallAnswer) - a.held
	if !a.from.take(more) {
		return busy("answers under way take all of the %d bytes that there are for them", a.from.bytes)
	}
	a.held += more
	return nil
}

// release gives everything back.
func (a *allowance) release() { a.from.used.Add(-a.held) }

// allow returns the allowance of an answer, and how many bytes the answer may have.
func (a *API) allow(compiled *query.Compiled) (*allowance, int) {
	weight := 1
	if compiled.Compare != nil {
		weight = comparisonWeight
	}
	return &allowance{from: &a.answers, weight: weight}, a.limits.AnswerBytes / weight
}
