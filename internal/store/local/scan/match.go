package scan

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// MatchText says whether a text fulfils the comparison.
func (c *Comparison) MatchText(text string) bool {
	switch c.Operator {
	case query.Known:
		return text != ""
	case query.Equal, query.In:
		return contains(c.Texts, c.texts, text)
	case query.Contains:
		return strings.Contains(text, c.Texts[0])
	case query.HasPrefix:
		return strings.HasPrefix(text, c.Texts[0])
	case query.HasSuffix:
		return strings.HasSuffix(text, c.Texts[0])
	case query.Matches:
		return c.Regexp.MatchString(text)
	case query.Within:
		return c.within(text)
	}
	return ordered(c.Operator, text, c.Texts[0])
}

func (c *Comparison) within(text string) bool {
	addr, err := netip.ParseAddr(text)
	addr = addr.WithZone("")
	return err == nil && slices.ContainsFunc(c.Prefixes, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// MatchNumber says whether a number that the row has fulfils the comparison.
func (c *Comparison) MatchNumber(n int64) bool {
	switch c.Operator {
	case query.Known:
		return true
	case query.Equal, query.In:
		return contains(c.Numbers, c.numbers, n)
	}
	return ordered(c.Operator, n, c.Numbers[0])
}

func ordered[T cmp.Ordered](o query.Operator, value, constant T) bool {
	switch o {
	case query.Less:
		return value < constant
	case query.LessOrEqual:
		return value <= constant
	case query.Greater:
		return value > constant
	case query.GreaterOrEqual:
		return value >= constant
	}
	return false
}

// ExcludesNumbers says that no number from least to most fulfils the comparison.
func (c *Comparison) ExcludesNumbers(least, most int64) bool {
	outside := func(n int64) bool { return n < least || n > most }
	switch c.Operator {
	case query.Equal, query.In:
		return !slices.ContainsFunc(c.Numbers, func(n int64) bool { return !outside(n) })
	case query.Less, query.LessOrEqual:
		return !c.MatchNumber(least)
	case query.Greater, query.GreaterOrEqual:
		return !c.MatchNumber(most)
	}
	return false
}

// evaluateText asks each text of the dictionary, and reads the rows only where the answers differ.
func (w *worker) evaluateText(c *Comparison, chunk Chunk, mask []bool) (outcome, error) {
	texts, err := chunk.Dictionary(c.Field)
	if err != nil {
		return none, err
	}
	answers := make([]bool, len(texts))
	for i, text := range texts {
		answers[i] = c.MatchText(text)
	}
	switch {
	case !slices.Contains(answers, true):
		return none, nil
	case !slices.Contains(answers, false):
		return all, nil
	}
	codes, err := chunk.Codes(c.Field)
	if err != nil {
		return none, err
	}
	for i, code := range codes {
		mask[i] = answers[code]
	}
	return mixed, nil
}

func (w *worker) evaluateNumber(c *Comparison, chunk Chunk, mask []bool) (outcome, error) {
	values, null, err := w.numbersOf(chunk, c.Field)
	if err != nil {
		return none, err
	}
	switch {
	case c.Operator == query.Known && null == nil:
		return all, nil
	case c.Operator == query.Equal && len(c.Numbers) == 1:
		equalNumber(values, c.Numbers[0], mask)
	default:
		for i, n := range values {
			mask[i] = c.MatchNumber(n)
		}
	}
	for i := range null {
		mask[i] = mask[i] && !null[i]
	}
	return mixed, nil
}

func equalNumber(values []int64, constant int64, mask []bool) {
	mask = mask[:len(values)]
	for i, n := range values {
		mask[i] = n == constant
	}
}

func andMasks(mask, other []bool) {
	for i, set := range other {
		mask[i] = mask[i] && set
	}
}

func orMasks(mask, other []bool) {
	for i, set := range other {
		mask[i] = mask[i] || set
	}
}

// selected appends the numbers of the rows that a mask has.
func selected(rows []int32, mask []bool) []int32 {
	for i, set := range mask {
		if set {
			rows = append(rows, int32(i))
		}
	}
	return rows
}
