package query

import (
	"fmt"

	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"
	"cel.dev/cel-go/common/types"

	"github.com/seine-net/seine/internal/flow"
)

// comparisons has the operators that compare a field with a constant, and which it is with the sides exchanged.
var comparisons = map[string]struct{ operator, mirrored Operator }{
	operators.Equals:        {Equal, Equal},
	operators.NotEquals:     {Equal, Equal}, // Of which Not is taken.
	operators.Less:          {Less, Greater},
	operators.LessEquals:    {LessOrEqual, GreaterOrEqual},
	operators.Greater:       {Greater, Less},
	operators.GreaterEquals: {GreaterOrEqual, LessOrEqual},
}

// textOperators has the functions of a text field and a constant text.
var textOperators = map[string]Operator{
	"contains": Contains, "startsWith": HasPrefix, "endsWith": HasSuffix, "matches": Matches,
}

const supported = `want comparisons of a field with a constant (==, !=, <, <=, >, >=, in), .contains(), .startsWith(), ` +
	`.endsWith(), .matches(), cidr("10.0.0.0/8").containsIP(field), known(field), joined by &&, || and !`

// condition compiles what is true or false.
func (f *filter) condition(x ast.Expr) (*Expr, error) {
	if f.conditions++; f.conditions > maxConditions {
		return nil, f.refuse(x, TooLargeError, "in takes a list of values",
			fmt.Sprintf("filter has more than %d conditions", maxConditions))
	}
	switch x.Kind() {
	case ast.IdentKind:
		field, err := f.field(x)
		if err != nil {
			return nil, err
		}
		return &Expr{Operator: Equal, Field: field, Numbers: []int64{1}}, nil
	case ast.CallKind:
		return f.call(x)
	}
	return nil, f.unsupported(x, "this")
}

func (f *filter) unsupported(x ast.Expr, what string) error {
	return f.refuse(x, UnsupportedError, supported, what+" is not supported in filters")
}

func (f *filter) call(x ast.Expr) (*Expr, error) {
	call := x.AsCall()
	name := call.FunctionName()
	switch name {
	case operators.LogicalAnd:
		return f.join(And, call.Args())
	case operators.LogicalOr:
		return f.join(Or, call.Args())
	case operators.LogicalNot:
		return negated(f.condition(call.Args()[0]))
	case operators.In:
		return f.in(x, call.Args()[0], call.Args()[1])
	case "containsIP":
		return f.containsIP(call.Target(), call.Args()[0])
	case "known":
		return f.known(call.Args()[0])
	}
	if operator, ok := textOperators[name]; ok && call.IsMemberFunction() {
		return f.textFunction(operator, call.Target(), call.Args()[0])
	}
	if comparison, ok := comparisons[name]; ok {
		compared, err := f.compare(x, comparison.operator, comparison.mirrored)
		if name == operators.NotEquals {
			return negated(compared, err)
		}
		return compared, err
	}
	return nil, f.unsupported(x, written(name))
}

func negated(x *Expr, err error) (*Expr, error) {
	if err != nil {
		return nil, err
	}
	return &Expr{Operator: Not, Args: []*Expr{x}}, nil
}

// join compiles the parts of And and Or. Parts that are of the same operator become parts of this one, so that a chain
// of conditions is one expression whatever tree the parser makes of it.
func (f *filter) join(operator Operator, parts []ast.Expr) (*Expr, error) {
	joined := &Expr{Operator: operator}
	for _, part := range parts {
		x, err := f.condition(part)
		if err != nil {
			return nil, err
		}
		if x.Operator == operator {
			joined.Args = append(joined.Args, x.Args...)
		} else {
			joined.Args = append(joined.Args, x)
		}
	}
	return joined, nil
}

// compare compiles a comparison of a field with a constant, whichever comes first.
func (f *filter) compare(x ast.Expr, operator, mirrored Operator) (*Expr, error) {
	left, right := x.AsCall().Args()[0], x.AsCall().Args()[1]
	if left.Kind() != ast.IdentKind && right.Kind() == ast.IdentKind {
		left, right, operator = right, left, mirrored
	}
	field, err := f.field(left)
	if err != nil {
		return nil, err
	}
	compared := &Expr{Operator: operator, Field: field}
	if err := f.addConstant(compared, right); err != nil {
		return nil, err
	}
	return compared, nil
}

// field returns the field that an expression names.
func (f *filter) field(x ast.Expr) (*flow.Field, error) {
	if x.Kind() == ast.IdentKind {
		if field, ok := f.dataset.FieldByName(x.AsIdent()); ok {
			return field, nil
		}
	}
	if x.Kind() == ast.LiteralKind && f.ast.GetType(x.ID()) == types.BoolType {
		return nil, f.refuse(x, UnsupportedError, "leave it out", "a constant condition is not supported in filters")
	}
	return nil, f.refuse(x, UnsupportedError, "write a field's name, such as src.addr; "+supported,
		"a field is wanted here")
}

// in compiles "field in [constants]".
func (f *filter) in(x, element, list ast.Expr) (*Expr, error) {
	field, err := f.field(element)
	if err != nil {
		return nil, err
	}
	if list.Kind() != ast.ListKind || list.AsList().Size() == 0 {
		return nil, f.refuse(x, UnsupportedError, `write a list, as in dst.port in [80, 443]`, "in wants a list of constants")
	}
	member := &Expr{Operator: In, Field: field}
	for _, constant := range list.AsList().Elements() {
		if err := f.addConstant(member, constant); err != nil {
			return nil, err
		}
	}
	return member, nil
}

func (f *filter) known(x ast.Expr) (*Expr, error) {
	field, err := f.field(x)
	if err != nil {
		return nil, err
	}
	return &Expr{Operator: Known, Field: field}, nil
}
