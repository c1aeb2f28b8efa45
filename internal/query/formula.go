package query

import (
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// The bounds of a measure: its text in bytes, and how deep parentheses go and how many operators it has.
const (
	maxMeasure   = 8 << 10
	maxOperators = 32
)

// parseMeasure reads a measure such as "sum(total.bytes)", "count(dst.port == 443) / count()" or
// "p99.9(total.bytes, nat != \"none\")":
//
//	sum    = product { ("+" | "-") product }
//	product = value { ("*" | "/") value }
//	value  = number | "(" sum ")" | name "(" [arguments] ")"
func parseMeasure(d *columns.Dataset, text string) (Measure, error) {
	p := &measureParser{dataset: d, text: text}
	if len(text) > maxMeasure {
		return Measure{}, p.refuse(TooLargeError, "", "measure has %d bytes, want at most %d", len(text), maxMeasure)
	}
	m, err := p.sum()
	if err == nil && p.next() != 0 {
		err = p.unexpected()
	}
	if err == nil && m.isConstant() {
		err = p.refuse(SyntaxError, measureHint, "there is no measure in %q", shortened(text))
	}
	m.Name = text
	return m, err
}

// isConstant says that no row has to do with the measure.
func (m *Measure) isConstant() bool {
	constant := true
	m.All(func(part *Measure) { constant = constant && (part.Args != nil || part.Aggregation == Constant) })
	return constant
}

// measureParser reads one measure.
type measureParser struct {
	dataset *columns.Dataset
	text    string
	// at is the offset of what is read next, in bytes.
	at int
	// operators counts them, and the parentheses that are open.
	operators int
}

// argument is a part of a measure's text, which begins at the offset.
type argument struct {
	text   string
	offset int
}

// refuse returns an error at the present position.
func (p *measureParser) refuse(kind ErrorKind, hint, format string, args ...any) error {
	err := refuse(kind, "measures", hint, format, args...)
	err.Position = positionAt([]byte(p.text), int64(p.at))
	return err
}

func (p *measureParser) unexpected() error {
	if p.next() == 0 {
		return p.refuse(SyntaxError, measureHint, "measure %q ends early", shortened(p.text))
	}
	return p.refuse(SyntaxError, measureHint, "measure %q is not understood from %q on", shortened(p.text), shortened(p.text[p.at:]))
}

// next skips space and returns the next byte, 0 at the end.
func (p *measureParser) next() byte {
	for p.at < len(p.text) && strings.IndexByte(" \t\r\n", p.text[p.at]) >= 0 {
		p.at++
	}
	if p.at == len(p.text) {
		return 0
	}
	return p.text[p.at]
}

func (p *measureParser) sum() (Measure, error) {
	return p.chain(p.product, map[byte]Aggregation{'+': Plus, '-': Minus})
}

func (p *measureParser) product() (Measure, error) {
	return p.chain(p.value, map[byte]Aggregation{'*': Times, '/': Divided})
}

// chain reads operands that are joined by operators, from left to right.
func (p *measureParser) chain(operand func() (Measure, error), operators map[byte]Aggregation) (Measure, error) {
	left, err := operand()
	for err == nil {
		operator, ok := operators[p.next()]
		if !ok {
			break
		}
		if err = p.count(); err != nil {
			break
		}
		p.at++
		var right Measure
		if right, err = operand(); err == nil {
			left = Measure{Aggregation: operator, Args: []Measure{left, right}}
		}
	}
	return left, err
}

// count bounds how much a measure computes, and how deep.
func (p *measureParser) count() error {
	if p.operators++; p.operators > maxOperators {
		return p.refuse(TooLargeError, "ask for several measures", "measure has more than %d operators and parentheses", maxOperators)
	}
	return nil
}

func (p *measureParser) value() (Measure, error) {
	switch c := p.next(); {
	case c == '(':
		return p.parentheses()
	case c >= '0' && c <= '9':
		return p.number()
	case c >= 'a' && c <= 'z':
		return p.call()
	}
	return Measure{}, p.unexpected()
}

func (p *measureParser) parentheses() (Measure, error) {
	if err := p.count(); err != nil {
		return Measure{}, err
	}
	p.at++
	m, err := p.sum()
	if err == nil && p.next() != ')' {
		return m, p.unexpected()
	}
	p.at++
	return m, err
}

func (p *measureParser) number() (Measure, error) {
	digits := p.span("0123456789.")
	value, err := strconv.ParseFloat(digits, 64)
	if err != nil {
		return Measure{}, p.refuse(ValueError, "want a number such as 100 or 0.5", "%q is no number", shortened(digits))
	}
	return Measure{Name: digits, Aggregation: Constant, Constant: value}, nil
}

// span reads as many of some characters as there are.
func (p *measureParser) span(of string) string {
	rest := p.text[p.at:]
	part := rest[:len(rest)-len(strings.TrimLeft(rest, of))]
	p.at += len(part)
	return part
}

// call reads a name with its arguments.
func (p *measureParser) call() (Measure, error) {
	start := p.at
	name := p.span(nameCharacters)
	if p.next() != '(' {
		return Measure{}, p.refuse(SyntaxError, measureHint, "%q has no parentheses: want a measure of it", shortened(name))
	}
	end := closing(p.text, p.at)
	if end < 0 {
		return Measure{}, p.refuse(SyntaxError, measureHint, "measure %q is not closed", shortened(p.text[start:]))
	}
	var arguments []argument
	offset := p.at + 1
	for _, part := range splitOutside(p.text[offset:end], ',') {
		arguments = append(arguments, argument{part, offset})
		offset += len(part) + 1
	}
	m, err := p.aggregate(name, arguments)
	p.at = end + 1
	m.Name = p.text[start:p.at]
	return m, err
}

// closing returns the place of the parenthesis that closes the one at a place, -1 if none does.
func closing(text string, open int) int {
	depth := 0
	for i, c := range outside(text[open:]) {
		switch c {
		case '(':
			depth++
		case ')':
			if depth--; depth == 0 {
				return open + i
			}
		}
	}
	return -1
}

// SplitNames cuts a list of names at the commas that are in no parentheses.
func SplitNames(text string) []string {
	names := splitOutside(text, ',')
	for i, name := range names {
		names[i] = strings.TrimSpace(name)
	}
	return names
}

// splitOutside cuts a text at a character that is in no parentheses, brackets and quotation marks.
func splitOutside(text string, at byte) []string {
	var parts []string
	depth, start := 0, 0
	for i, c := range outside(text) {
		switch {
		case c == '(' || c == '[':
			depth++
		case c == ')' || c == ']':
			depth--
		case c == at && depth == 0:
			parts = append(parts, text[start:i])
			start = i + 1
		}
	}
	return append(parts, text[start:])
}

// outside gives the places and bytes of a text that are not within the quotation marks of CEL.
func outside(text string) func(func(int, byte) bool) {
	return func(yield func(int, byte) bool) {
		quote := byte(0)
		for i := 0; i < len(text); i++ {
			c := text[i]
			switch {
			case quote != 0 && c == '\\':
				i++
			case quote != 0 && c == quote:
				quote = 0
			case quote != 0:
			case c == '"' || c == '\'':
				quote = c
			case !yield(i, c):
				return
			}
		}
	}
}

// plain makes a number of a time, which is none once it was computed with.
func plain(c Column) Column {
	if c.Kind == flow.TimeField {
		c.Kind, c.Unit = flow.CountField, "nanoseconds"
	}
	return c
}

// computed describes the column of a measure that computes with others. Its unit is that which calculating with units
// gives; what cannot be said so is a plain number.
func (m *Measure) computed() Column {
	a, b := plain(m.Args[0].Column()), plain(m.Args[1].Column())
	c := Column{Name: m.Name, Kind: flow.CountField}
	switch {
	case m.Aggregation == Divided && a.Unit == b.Unit:
	case m.Aggregation == Divided && b.Unit != "" && a.Unit != "":
		c.Unit = a.Unit + "/" + b.Unit
	case a.Unit == b.Unit && m.Aggregation != Times || b.Unit == "":
		c.Kind, c.Unit = a.Kind, a.Unit
	case a.Unit == "" && m.Aggregation != Divided:
		c.Kind, c.Unit = b.Kind, b.Unit
	}
	return c
}
