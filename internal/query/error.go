package query

import "fmt"

// ErrorKind is what is wrong with a request.
type ErrorKind string

// The kinds of error: the text is not of the language; a name is no field's; the types do not fit; it is valid, but
// cannot be asked for; a value is none of the field's or member's; a bound is exceeded.
const (
	SyntaxError      ErrorKind = "syntax"
	UnknownName      ErrorKind = "unknown_name"
	TypeError        ErrorKind = "type"
	UnsupportedError ErrorKind = "unsupported"
	ValueError       ErrorKind = "value"
	TooLargeError    ErrorKind = "too_large"
)

// Error is what is wrong with a request, in words for its author.
type Error struct {
	// Member is the member of the request, such as "filter".
	Member  string    `json:"-"`
	Message string    `json:"error"`
	Kind    ErrorKind `json:"kind"`
	// Hint says what would be accepted; it may be empty.
	Hint string `json:"hint,omitempty"`
	// Position is where in the member's text the error is; nil where it is not within a text.
	Position *Position `json:"position,omitempty"`
}

// Position is a place in a text. Lines and columns begin at 1; Offset is the number of characters before.
type Position struct {
	Line   int `json:"line"`
	Column int `json:"column"`
	Offset int `json:"offset"`
}

// Error returns the member, the message and the hint.
func (e *Error) Error() string {
	text := e.Member + ": " + e.Message
	if e.Position != nil {
		text = fmt.Sprintf("%s:%d:%d: %s", e.Member, e.Position.Line, e.Position.Column, e.Message)
	}
	if e.Hint != "" {
		text += "; " + e.Hint
	}
	return text
}

// refuse returns an error about a member of the request.
func refuse(kind ErrorKind, member, hint, format string, args ...any) *Error {
	return &Error{Member: member, Message: fmt.Sprintf(format, args...), Kind: kind, Hint: hint}
}
