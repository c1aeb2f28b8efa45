package query

import (
	"fmt"
	"net/netip"
	"regexp"
	"regexp/syntax"
	"slices"
	"strings"
	"time"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/operators"

	"github.com/seine-net/seine/internal/flow"
)

// foldable are the functions that constants may be computed by, as in 10 * 1024 * 1024.
var foldable = []string{
	operators.Add, operators.Subtract, operators.Multiply, operators.Divide, operators.Modulo, operators.Negate,
	"timestamp", "duration",
}

// constant computes an expression without fields.
func (f *filter) constant(x ast.Expr) (any, error) {
	if x.Kind() == ast.LiteralKind {
		return x.AsLiteral().Value(), nil
	}
	if err := f.checkFoldable(x); err != nil {
		return nil, err
	}
	program, err := f.env.PlanProgram(ast.NewCheckedAST(ast.NewAST(x, f.ast.SourceInfo()), f.ast.TypeMap(), f.ast.ReferenceMap()))
	if err != nil {
		return nil, f.refuse(x, ValueError, "", "constant cannot be computed: "+err.Error())
	}
	value, _, err := program.Eval(cel.NoVars())
	if err != nil {
		return nil, f.refuse(x, ValueError, "", "constant cannot be computed: "+err.Error())
	}
	return value.Value(), nil
}

func (f *filter) checkFoldable(x ast.Expr) error {
	switch x.Kind() {
	case ast.LiteralKind:
		return nil
	case ast.IdentKind:
		return f.refuse(x, UnsupportedError, "compare with a constant; "+supported, "fields are not compared with each other")
	case ast.CallKind:
	default:
		return f.unsupported(x, "this")
	}
	call := x.AsCall()
	if call.IsMemberFunction() || !slices.Contains(foldable, call.FunctionName()) {
		return f.unsupported(x, written(call.FunctionName()))
	}
	for _, arg := range call.Args() {
		if err := f.checkFoldable(arg); err != nil {
			return err
		}
	}
	return nil
}

// addConstant computes a constant and adds it to what the field is compared with, in the form of the field's column.
func (f *filter) addConstant(x *Expr, constant ast.Expr) error {
	value, err := f.constant(constant)
	if err != nil {
		return err
	}
	switch value := value.(type) {
	case int64:
		x.Numbers = append(x.Numbers, value)
		return nil
	case bool:
		x.Numbers = append(x.Numbers, flag(value))
		return nil
	case time.Time:
		x.Numbers = append(x.Numbers, nanoseconds(value))
		return nil
	case string:
		return f.addText(x, constant, value)
	}
	return f.refuse(constant, TypeError, typeHint, "constant is of another type than the field")
}

func flag(set bool) int64 {
	if set {
		return 1
	}
	return 0
}

// nanoseconds returns a time as columns have it; those beyond its range become the first and last.
func nanoseconds(t time.Time) int64 {
	switch {
	case t.Before(firstTime):
		return 0
	case t.After(lastTime):
		return lastTime.UnixNano()
	}
	return t.UnixNano()
}

// addText adds a text. What is compared for equality must be a value that the field can have, or nothing would ever
// be found; it is written as the column has it.
func (f *filter) addText(x *Expr, constant ast.Expr, text string) error {
	exact := x.Operator == Equal || x.Operator == In
	if x.Field.Kind == flow.FlagsField {
		return f.addFlags(x, constant, text)
	}
	if exact && text != "" {
		canonical, err := canonicalText(x.Field, text)
		if err != nil {
			return f.refuse(constant, ValueError, err.Error(), fmt.Sprintf("%s is never %q", x.Field.Name, shortened(text)))
		}
		text = canonical
	}
	x.Texts = append(x.Texts, text)
	return nil
}

// canonicalText returns a value in the one form that the column has; the error says what is wanted.
func canonicalText(field *flow.Field, text string) (string, error) {
	switch field.Kind {
	case flow.AddrField:
		address, err := netip.ParseAddr(text)
		if err != nil {
			return "", fmt.Errorf(`want an address; for a network write cidr("10.0.0.0/8").containsIP(%s)`, field.Name)
		}
		return address.Unmap().String(), nil
	case flow.ProtoField:
		proto, err := flow.ParseProto(text)
		if err != nil {
			return "", fmt.Errorf("want TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 0 to 255")
		}
		return proto.String(), nil
	case flow.EnumField:
		if names := field.Enum.Names(); !slices.Contains(names, text) && strings.Trim(text, "0123456789") != "" {
			return "", fmt.Errorf("want one of %s", strings.Join(names, ", "))
		}
	}
	return text, nil
}

// addFlags adds a set of TCP flags, which its column has as a number.
func (f *filter) addFlags(x *Expr, constant ast.Expr, text string) error {
	flags, err := flow.ParseTCPFlags(text)
	if err != nil {
		return f.refuse(constant, ValueError, "want FIN, SYN, RST, PSH, ACK, URG, ECE, CWR, joined by |",
			fmt.Sprintf("%s is never %q", x.Field.Name, shortened(text)))
	}
	switch x.Operator {
	case Equal, In:
		x.Numbers = append(x.Numbers, int64(flags))
		return nil
	case Contains:
		x.Operator = In
		for set := range int64(256) {
			if set&int64(flags) == int64(flags) {
				x.Numbers = append(x.Numbers, set)
			}
		}
		return nil
	}
	return f.refuse(constant, UnsupportedError, `write tcp.flags.contains("SYN|ACK") or tcp.flags == "SYN"`,
		"flags are compared by ==, != and in, and asked for by contains")
}

// textFunction compiles a function of a text field and a constant text.
func (f *filter) textFunction(operator Operator, target, argument ast.Expr) (*Expr, error) {
	field, err := f.field(target)
	if err != nil {
		return nil, err
	}
	x := &Expr{Operator: operator, Field: field}
	if err := f.addConstant(x, argument); err != nil {
		return nil, err
	}
	if operator == Matches {
		if x.Regexp, err = f.pattern(argument, x.Texts[0]); err != nil {
			return nil, err
		}
	}
	return x, nil
}

// pattern compiles a regular expression whose program is small enough: matching takes a step for each of its
// instructions and each byte of the text.
func (f *filter) pattern(at ast.Expr, text string) (*regexp.Regexp, error) {
	if len(text) > maxPattern {
		return nil, f.refuse(at, TooLargeError, "", fmt.Sprintf("regular expression has %d bytes, want at most %d", len(text), maxPattern))
	}
	parsed, err := syntax.Parse(text, syntax.Perl)
	if err != nil {
		return nil, f.refuse(at, ValueError, "want the syntax of RE2, without back-references",
			"regular expression is malformed: "+err.Error())
	}
	program, err := syntax.Compile(parsed.Simplify())
	if err != nil || len(program.Inst) > maxInstructions {
		return nil, f.refuse(at, TooLargeError, "repeat less", "regular expression takes too many steps for each byte of text")
	}
	return regexp.MustCompile(text), nil
}

// containsIP compiles cidr("…").containsIP(field).
func (f *filter) containsIP(network, address ast.Expr) (*Expr, error) {
	field, err := f.field(address)
	if err != nil {
		return nil, err
	}
	if field.Kind != flow.AddrField {
		return nil, f.refuse(address, TypeError, "want an address, such as src.addr", field.Name+" is not an address")
	}
	if network.Kind() != ast.CallKind || network.AsCall().FunctionName() != "cidr" {
		return nil, f.unsupported(network, "this")
	}
	argument := network.AsCall().Args()[0]
	text, err := f.constant(argument)
	if err != nil {
		return nil, err
	}
	prefix, err := netip.ParsePrefix(text.(string))
	if err != nil {
		return nil, f.refuse(argument, ValueError, `want a prefix such as "10.0.0.0/8" or "2001:db8::/32"`,
			fmt.Sprintf("%q is not a network", shortened(text.(string))))
	}
	return &Expr{Operator: Within, Field: field, Prefixes: []netip.Prefix{prefix.Masked()}}, nil
}
