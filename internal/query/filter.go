package query

import (
	"fmt"
	"strconv"
	"strings"
	"sync"

	"cel.dev/cel-go/cel"
	"cel.dev/cel-go/common"
	"cel.dev/cel-go/common/ast"
	"cel.dev/cel-go/common/types"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// The bounds of a filter: of its text in bytes, of how deep and how much the parser makes of it, of its conditions, and
// of regular expressions in bytes and in instructions of their programs. Any text is compiled or refused within a second.
const (
	maxFilter       = 64 << 10
	maxDepth        = 100
	maxNodes        = 20_000
	maxConditions   = 1_000
	maxPattern      = 1_000
	maxInstructions = 2_000
)

// CompileFilter turns a condition in CEL over the dataset's fields into an expression. Errors are of type *Error, with
// the position, and name what can be written instead.
func CompileFilter(d *columns.Dataset, text string) (*Expr, error) {
	if len(text) > maxFilter {
		return nil, refuse(TooLargeError, "filter", "", "filter has %d bytes, want at most %d", len(text), maxFilter)
	}
	env := environments[d.Name]()
	checked, issues := env.Compile(text)
	if issues.Err() != nil {
		return nil, explain(d, issues.Errors()[0], []rune(text))
	}
	f := &filter{dataset: d, text: []rune(text), env: env, ast: checked.NativeRep()}
	whole := f.ast.Expr()
	if kind := f.ast.GetType(whole.ID()); kind != types.BoolType {
		return nil, f.refuse(whole, TypeError, `compare it, as in src.namespace == "shop"`,
			fmt.Sprintf("filter has the type %s, want a condition", kind))
	}
	return f.condition(whole)
}

// filter is the state of compiling one text.
type filter struct {
	dataset    *columns.Dataset
	text       []rune
	env        *cel.Env
	ast        *ast.AST
	conditions int
}

// environments has the declarations of each dataset. Making them takes some milliseconds, so it is done once.
var environments = func() map[string]func() *cel.Env {
	all := make(map[string]func() *cel.Env)
	for _, d := range columns.Datasets() {
		all[d.Name] = sync.OnceValue(func() *cel.Env { return newEnvironment(d) })
	}
	return all
}()

// networkType is what cidr returns.
var networkType = cel.ObjectType("net.CIDR")

// newEnvironment declares the fields as variables and the functions beyond the standard ones. These have no bodies:
// nothing but constants is ever computed by CEL.
func newEnvironment(d *columns.Dataset) *cel.Env {
	options := []cel.EnvOption{
		cel.StdLib(),
		cel.ClearMacros(),
		cel.ParserExpressionSizeLimit(maxFilter),
		cel.ParserRecursionLimit(maxDepth),
		cel.ParserErrorRecoveryLimit(4),
		cel.ExpressionNodeLimit(maxNodes),
		cel.Function("cidr", cel.Overload("cidr_string", []*cel.Type{cel.StringType}, networkType)),
		cel.Function("containsIP", cel.MemberOverload("cidr_contains_ip_string",
			[]*cel.Type{networkType, cel.StringType}, cel.BoolType)),
		cel.Function("known", cel.Overload("known_any", []*cel.Type{cel.TypeParamType("T")}, cel.BoolType)),
	}
	for _, f := range d.Askable() {
		options = append(options, cel.Variable(f.Name, celType(f)))
	}
	env, err := cel.NewCustomEnv(options...)
	if err != nil {
		panic("BUG: the field table makes no CEL environment: " + err.Error())
	}
	return env
}

// celType is the type that a field has in filters. Flags are written as their names.
func celType(f *flow.Field) *cel.Type {
	switch {
	case columns.IsText(f) || f.Kind == flow.FlagsField:
		return cel.StringType
	case f.Kind == flow.BoolField:
		return cel.BoolType
	case f.Kind == flow.TimeField:
		return cel.TimestampType
	}
	return cel.IntType
}

// explain turns an error of CEL's parser or checker into one for the user.
func explain(d *columns.Dataset, err *cel.Error, text []rune) error {
	offset := offsetOf(err.Location, text)
	refused := &Error{Member: "filter", Message: err.Message, Kind: SyntaxError}
	switch message := err.Message; {
	case strings.HasPrefix(message, undeclared):
		name, _, _ := strings.Cut(strings.TrimPrefix(message, undeclared), "'")
		refused.Kind = UnknownName
		offset = beginOf(name, offset, text)
		refused.Message, refused.Hint = unknownName(d, name, text[offset:])
	case strings.HasPrefix(message, mismatch):
		refused.Kind, refused.Hint = TypeError, typeHint
		refused.Message = mismatched(strings.TrimPrefix(message, mismatch))
	case strings.Contains(message, "limit") || strings.Contains(message, "exceed"):
		refused.Kind, refused.Hint = TooLargeError, "ask for less in one filter"
	default:
		refused.Message = malformedSyntax(strings.TrimPrefix(message, "Syntax error: "))
		refused.Hint = `conditions look like src.namespace == "shop" && total.bytes > 1048576`
	}
	if err.Location.Line() > 0 {
		refused.Position = positionIn(text, offset)
	}
	return refused
}

// How the messages of CEL's checker begin that are told apart.
const (
	undeclared = "undeclared reference to '"
	mismatch   = "found no matching overload for '"
)

// mismatched rewrites "_==_' applied to '(string, int)'" of CEL's checker.
func mismatched(message string) string {
	function, arguments, _ := strings.Cut(message, "' applied to '")
	return written(function) + " does not take " + strings.TrimSuffix(arguments, "'")
}

// written returns the name of a function or operator as users write it: CEL calls them "_==_", "@in", "_?_:_".
func written(function string) string { return strings.Trim(function, "_@") }

// malformedSyntax rewrites a message of CEL's parser, which lists all tokens that it expected.
func malformedSyntax(message string) string {
	message, _, _ = strings.Cut(message, " expecting ")
	message = strings.Replace(message, "mismatched input", "unexpected", 1)
	return shortened(strings.Replace(message, "'<EOF>'", "end of the filter", 1))
}

const typeHint = `texts, addresses, protocols and enumerations compare with text in quotation marks, numbers with whole ` +
	`numbers, times with timestamp("2026-03-01T12:00:00Z"), truth values with true and false`

// unknownName explains a name that is no field's and no function's. CEL may have cut it at a dot; it stands whole at the
// begin of the text.
func unknownName(d *columns.Dataset, name string, text []rune) (message, hint string) {
	if f, ok := flow.FieldByName(name); ok && !f.In(d.Rows) {
		return "rows of " + d.Name + " have no field " + f.Name, otherDataset(f, d)
	} else if ok {
		return "field " + f.Name + " is not stored, so it cannot be asked for", ""
	}
	whole := string(text)
	if strings.HasPrefix(whole, name) {
		name = whole[:len(whole)-len(strings.TrimLeft(whole, nameCharacters))]
	}
	if strings.HasPrefix(whole, "(") { // CEL places a function at its arguments.
		return "no function is called " + strconv.Quote(shortened(name)), "known(field) tells whether a row has a field; " + supported
	}
	return "no field or function is called " + strconv.Quote(shortened(name)), didYouMean(d, name)
}

const nameCharacters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_."

// offsetOf returns the number of characters before a location of CEL's, whose lines begin at 1 and columns at 0.
func offsetOf(l common.Location, text []rune) int {
	offset, line := 0, 1
	for offset < len(text) && line < l.Line() {
		if text[offset] == '\n' {
			line++
		}
		offset++
	}
	return min(offset+max(l.Column(), 0), len(text))
}

// beginOf returns where a name begins. CEL places a name with dots at its last one.
func beginOf(name string, offset int, text []rune) int {
	begin := offset - max(strings.LastIndex(name, "."), 0)
	if begin >= 0 && strings.HasPrefix(string(text[begin:]), name) {
		return begin
	}
	return offset
}

// positionIn returns the position after so many characters.
func positionIn(text []rune, offset int) *Position {
	position := &Position{Line: 1, Column: 1, Offset: offset}
	for _, r := range text[:offset] {
		position.Column++
		if r == '\n' {
			position.Line++
			position.Column = 1
		}
	}
	return position
}

// refuse returns an error about a part of the text.
func (f *filter) refuse(at ast.Expr, kind ErrorKind, hint, message string) error {
	offset := offsetOf(f.ast.SourceInfo().GetStartLocation(at.ID()), f.text)
	if at.Kind() == ast.IdentKind {
		offset = beginOf(at.AsIdent(), offset, f.text)
	}
	return &Error{Member: "filter", Message: message, Kind: kind, Hint: hint, Position: positionIn(f.text, offset)}
}
