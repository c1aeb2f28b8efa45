package query

import (
	"cmp"
	"net/netip"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/columns"
)

// holds says whether a condition holds for a row: the plain meaning of Expr.
func holds(x *Expr, r row) bool {
	switch x.Operator {
	case And:
		return !slices.ContainsFunc(x.Args, func(arg *Expr) bool { return !holds(arg, r) })
	case Or:
		return slices.ContainsFunc(x.Args, func(arg *Expr) bool { return holds(arg, r) })
	case Not:
		return !holds(x.Args[0], r)
	}
	v := r.get(x.Field)
	if columns.IsText(x.Field) {
		return textHolds(x, v.text)
	}
	return !v.null && numberHolds(x, v.number)
}

func numberHolds(x *Expr, number int64) bool {
	switch x.Operator {
	case Known:
		return true
	case In:
		return slices.Contains(x.Numbers, number)
	}
	return compares(x.Operator, cmp.Compare(number, x.Numbers[0]))
}

func textHolds(x *Expr, text string) bool {
	switch x.Operator {
	case Known:
		return text != ""
	case In:
		return slices.Contains(x.Texts, text)
	case Contains:
		return strings.Contains(text, x.Texts[0])
	case HasPrefix:
		return strings.HasPrefix(text, x.Texts[0])
	case HasSuffix:
		return strings.HasSuffix(text, x.Texts[0])
	case Matches:
		return x.Regexp.MatchString(text)
	case Within:
		return within(text, x.Prefixes)
	}
	return compares(x.Operator, strings.Compare(text, x.Texts[0]))
}

// compares says whether the outcome of a comparison, negative, 0 or positive, is one that the operator holds for.
func compares(operator Operator, outcome int) bool {
	switch operator {
	case Equal:
		return outcome == 0
	case Less:
		return outcome < 0
	case LessOrEqual:
		return outcome <= 0
	case Greater:
		return outcome > 0
	case GreaterOrEqual:
		return outcome >= 0
	}
	return false
}

// within says whether a text is an address in one of the prefixes. The zone of a link-local address does not count.
func within(text string, prefixes []netip.Prefix) bool {
	address, err := netip.ParseAddr(text)
	if err != nil {
		return false
	}
	address = address.WithZone("")
	return slices.ContainsFunc(prefixes, func(p netip.Prefix) bool { return p.Contains(address) })
}
