package client

import (
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// answer is query.Answer as JSON.
type answer struct {
	Columns []struct {
		Field     string            `json:"field"`
		Kind      string            `json:"kind"`
		Unit      string            `json:"unit"`
		Estimated bool              `json:"estimated"`
		Values    []json.RawMessage `json:"values"`
	} `json:"columns"`
	Rows      int               `json:"rows"`
	Truncated bool              `json:"truncated"`
	Cut       string            `json:"cut"`
	Scope     string            `json:"scope"`
	Other     []int             `json:"other"`
	Losses    map[string]uint64 `json:"losses"`
}

func (a *answer) decode() (*query.Answer, error) {
	b := &query.Block{Rows: a.Rows}
	for _, c := range a.Columns {
		column := query.Column{Name: c.Field, Unit: c.Unit, Estimated: c.Estimated, Kind: kindOf(c.Kind)}
		if len(c.Values) != a.Rows {
			return nil, fmt.Errorf("read answer: column %q has %d values, want %d", c.Field, len(c.Values), a.Rows)
		}
		if err := decodeValues(&column, c.Values); err != nil {
			return nil, fmt.Errorf("read answer: column %q: %w", c.Field, err)
		}
		b.Columns = append(b.Columns, column)
	}
	for _, row := range a.Other {
		if b.Other == nil {
			b.Other = make([]bool, a.Rows)
		}
		if row >= 0 && row < a.Rows {
			b.Other[row] = true
		}
	}
	return &query.Answer{Block: b, Truncated: a.Truncated, Cut: a.Cut, Primary: a.Scope == "primary", Losses: a.Losses}, nil
}

// kindOf returns the kind with a name; one of a newer server is shown as text.
func kindOf(name string) flow.FieldKind {
	for _, k := range flow.FieldKinds() {
		if k.String() == name {
			return k
		}
	}
	return flow.TextField
}

func decodeValues(c *query.Column, values []json.RawMessage) error {
	for i, raw := range values {
		isNull := string(raw) == "null"
		if isNull {
			if c.Null == nil {
				c.Null = make([]bool, len(values))
			}
			c.Null[i] = true
		}
		if err := decodeValue(c, raw, isNull); err != nil {
			return fmt.Errorf("value %s: %w", raw, err)
		}
	}
	return nil
}

func decodeValue(c *query.Column, raw json.RawMessage, isNull bool) error {
	if columns.IsTextKind(c.Kind) {
		text := ""
		if err := json.Unmarshal(raw, &text); err != nil {
			text = string(raw)
		}
		c.Texts = append(c.Texts, text)
		return nil
	}
	if isNull {
		return appendNumber(c, []byte("0"))
	}
	switch c.Kind {
	case flow.TimeField:
		return appendTime(c, raw)
	case flow.FlagsField:
		return appendFlags(c, raw)
	case flow.BoolField:
		var set int64
		if string(raw) == "true" {
			set = 1
		}
		c.Ints = append(c.Ints, set)
		return nil
	}
	return appendNumber(c, raw)
}

func appendTime(c *query.Column, raw json.RawMessage) error {
	var t time.Time
	if err := json.Unmarshal(raw, &t); err != nil {
		return err
	}
	c.Ints = append(c.Ints, t.UnixNano())
	return nil
}

func appendFlags(c *query.Column, raw json.RawMessage) error {
	var names []string
	if err := json.Unmarshal(raw, &names); err != nil {
		return err
	}
	flags, err := flow.ParseTCPFlags(strings.Join(names, "|"))
	c.Ints = append(c.Ints, int64(flags))
	return err
}

// appendNumber adds a number. Those of a column become floats at the first that has decimals.
func appendNumber(c *query.Column, raw json.RawMessage) error {
	if c.Floats == nil {
		if n, err := strconv.ParseInt(string(raw), 10, 64); err == nil {
			c.Ints = append(c.Ints, n)
			return nil
		}
		c.Floats = []float64{}
		for _, n := range c.Ints {
			c.Floats = append(c.Floats, float64(n))
		}
		c.Ints = nil
	}
	x, err := strconv.ParseFloat(string(raw), 64)
	c.Floats = append(c.Floats, x)
	return err
}
