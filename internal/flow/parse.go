package flow

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// ParseProto reads what Proto.String writes: a name, in any case, or a number from 0 to 255.
func ParseProto(text string) (Proto, error) {
	for p, name := range protoNames {
		if name != "" && strings.EqualFold(name, text) {
			return Proto(p), nil
		}
	}
	n, err := strconv.ParseUint(text, 10, 8)
	if err != nil {
		return 0, fmt.Errorf("parse protocol %q: want TCP, UDP, SCTP, ICMP, ICMPv6 or a number from 0 to 255", text)
	}
	return Proto(n), nil
}

// ParseTCPFlags reads what TCPFlags.String writes: names in any case joined by "|". The empty text is the empty set.
func ParseTCPFlags(text string) (TCPFlags, error) {
	var flags TCPFlags
	if text == "" {
		return 0, nil
	}
	for name := range strings.SplitSeq(text, "|") {
		bit := indexFold(flagNames[:], name)
		if bit < 0 {
			return 0, fmt.Errorf("parse TCP flag %q: want %s, joined by |", name, strings.Join(flagNames[:], ", "))
		}
		flags |= 1 << bit
	}
	return flags, nil
}

// ParseNATSource reads what NATSource.String writes.
func ParseNATSource(text string) (NATSource, error) {
	code, err := natSources.parse(text)
	if err != nil {
		return 0, fmt.Errorf("parse NAT source: %w", err)
	}
	return NATSource(code), nil
}

// parse returns the code of a text.
func (e Enum) parse(text string) (uint64, error) {
	for code, v := range e {
		if v.Name == text {
			return uint64(code), nil
		}
	}
	return 0, fmt.Errorf("value %q is not one of %s", text, strings.Join(e.Names(), ", "))
}

func indexFold(names []string, text string) int {
	for i, name := range names {
		if strings.EqualFold(name, text) {
			return i
		}
	}
	return -1
}

// ParseUint reads a value of a field whose storage is UintStorage from the text that CSV has for it, and returns
// what the field's Uint would. The error names the field, the value and what is accepted.
func (f *Field) ParseUint(text string) (uint64, error) {
	n, err := f.parseUint(text)
	if err != nil {
		return 0, fmt.Errorf("parse %s: %w", f.Name, err)
	}
	return n, nil
}

func (f *Field) parseUint(text string) (uint64, error) {
	switch f.Kind {
	case EnumField:
		return f.Enum.parse(text)
	case ProtoField:
		p, err := ParseProto(text)
		return uint64(p), err
	case FlagsField:
		flags, err := ParseTCPFlags(text)
		return uint64(flags), err
	case BoolField:
		return parseBool(text)
	case TimeField:
		return parseTime(text)
	case PortField:
		return parseNumber(text, 16)
	case BytesField, CountField, IDField, DurationField, MoneyField:
		return parseNumber(text, 64)
	}
	return 0, fmt.Errorf("value %q: fields of kind %s are not numbers", text, f.Kind)
}

func parseBool(text string) (uint64, error) {
	switch text {
	case "true":
		return 1, nil
	case "false":
		return 0, nil
	}
	return 0, fmt.Errorf("value %q is not one of true, false", text)
}

func parseTime(text string) (uint64, error) {
	t, err := time.Parse(time.RFC3339Nano, text)
	first, last := time.Unix(0, 0), time.Unix(0, 1<<63-1)
	if err != nil || t.Before(first) || t.After(last) {
		return 0, fmt.Errorf("value %q is not an RFC 3339 time between 1970 and 2262, such as 2026-03-01T12:00:00Z", text)
	}
	return uint64(t.UnixNano()), nil
}

func parseNumber(text string, bits int) (uint64, error) {
	n, err := strconv.ParseUint(text, 10, bits)
	if err != nil {
		return 0, fmt.Errorf("value %q is not a whole number of at most %d bits", text, bits)
	}
	return n, nil
}
