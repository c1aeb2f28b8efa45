package query

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strconv"
	"time"
)

// Request is a question as a user writes it: the body of POST /api/v1/query.
type Request struct {
	// Dataset is "flows" if empty.
	Dataset string `json:"dataset,omitempty"`
	// Last is how far back from To the time range begins, an hour if neither it nor From is given. From and To are
	// RFC 3339 times; To is now if empty.
	Last string `json:"last,omitempty"`
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Filter is a condition in CEL.
	Filter string `json:"filter,omitempty"`
	// Fields are the columns of rows, all if empty; they go only without measures.
	Fields []string `json:"fields,omitempty"`
	// GroupBy are the keys, fields or first(a, b, …) for the first of several texts that is known, and Measures what is computed for each group; without measures rows are asked for.
	GroupBy  []string `json:"group_by,omitempty"`
	Measures []string `json:"measures,omitempty"`
	// Step is the length of the buckets that time is divided into.
	Step string `json:"step,omitempty"`
	// Order names columns of the answer, separated by commas, with "-" in front for a descending order.
	Order string `json:"order,omitempty"`
	// Limit is the largest number of rows or groups, DefaultLimit if 0.
	Limit int `json:"limit,omitempty"`
	// Other adds a group of all that the limit cut.
	Other bool `json:"other,omitempty"`
	// Compare is how much earlier the period is that the measures are compared with.
	Compare string `json:"compare,omitempty"`
}

// The bounds of a request. Larger answers come from the export.
const (
	DefaultLimit = 100
	MaxLimit     = 100_000
	maxBody      = 256 << 10
	maxNames     = 64
	maxBuckets   = 20_000
)

// DecodeRequest reads a request as JSON of at most 256 KiB. Unknown members, and anything after the object, are refused.
func DecodeRequest(r io.Reader) (*Request, error) {
	body, err := io.ReadAll(io.LimitReader(r, maxBody+1))
	if err != nil {
		return nil, fmt.Errorf("read request: %w", err)
	}
	if len(body) > maxBody {
		return nil, refuse(TooLargeError, "request", "", "request has more than %d bytes", maxBody)
	}
	decoder := json.NewDecoder(bytes.NewReader(body))
	decoder.DisallowUnknownFields()
	var request Request
	if err := decoder.Decode(&request); err != nil {
		return nil, malformed(body, err)
	}
	if _, err := decoder.Token(); !errors.Is(err, io.EOF) {
		return nil, refuse(SyntaxError, "request", "send one JSON object", "text follows the request")
	}
	return &request, nil
}

// malformed says where JSON is wrong, where that is known.
func malformed(body []byte, err error) error {
	refused := &Error{Member: "request", Message: err.Error(), Kind: SyntaxError, Hint: requestHint}
	var syntax *json.SyntaxError
	var mismatch *json.UnmarshalTypeError
	switch {
	case errors.As(err, &syntax):
		refused.Position = positionAt(body, syntax.Offset)
	case errors.As(err, &mismatch):
		refused.Message = fmt.Sprintf("member %q is a %s, want %s", mismatch.Field, mismatch.Value, jsonTypes[mismatch.Type.String()])
		refused.Kind = TypeError
		refused.Position = positionAt(body, mismatch.Offset)
	}
	return refused
}

const requestHint = "want a JSON object with members of dataset, last, from, to, filter, fields, group_by, measures, " +
	"step, order, limit, other, compare"

// jsonTypes says in words what a member's Go type wants.
var jsonTypes = map[string]string{
	"string": "a string", "[]string": "an array of strings", "int": "a whole number", "bool": "true or false",
	"query.Request": "an object",
}

// positionAt returns the position after so many bytes.
func positionAt(text []byte, offset int64) *Position {
	runes := []rune(string(text[:min(offset, int64(len(text)))]))
	return positionIn(runes, len(runes))
}

// ParseDuration reads a duration as Go has it ("90s", "1h30m"), or whole days or weeks ("7d", "2w").
func ParseDuration(text string) (time.Duration, error) {
	units := map[byte]time.Duration{'d': 24 * time.Hour, 'w': 7 * 24 * time.Hour}
	if len(text) > 1 {
		if unit, ok := units[text[len(text)-1]]; ok {
			n, err := strconv.ParseUint(text[:len(text)-1], 10, 12)
			if err == nil {
				return time.Duration(n) * unit, nil
			}
		}
	}
	d, err := time.ParseDuration(text)
	if err != nil {
		return 0, fmt.Errorf("duration %q is none such as 30s, 10m, 1h30m, 7d or 2w", shortened(text))
	}
	return d, nil
}
