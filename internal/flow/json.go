package flow

import (
	"strings"
	"unicode/utf8"
)

// JSON writes records as NDJSON: one object a line, nested at the dots of the field names. Fields that a record
// does not have are left out, and so are objects without members. A JSON may be shared by goroutines.
type JSON struct{ root []jsonMember }

// jsonMember is a value, or an object where field is nil.
type jsonMember struct {
	name    string
	key     string
	field   *Field
	members []jsonMember
}

// NewJSON returns an encoder of the fields. Members come in the order of the first field below them.
func NewJSON(fields []*Field) *JSON {
	var root []jsonMember
	for _, f := range fields {
		root = insertMember(root, strings.Split(f.Name, "."), f)
	}
	return &JSON{root}
}

func insertMember(members []jsonMember, path []string, f *Field) []jsonMember {
	i := 0
	for i < len(members) && members[i].name != path[0] {
		i++
	}
	if i == len(members) {
		members = append(members, jsonMember{name: path[0], key: `"` + path[0] + `":`})
	}
	if len(path) == 1 {
		members[i].field = f
	} else {
		members[i].members = insertMember(members[i].members, path[1:], f)
	}
	return members
}

// AppendHeader returns dst: NDJSON has no header.
func (j *JSON) AppendHeader(dst []byte) []byte { return dst }

// Append appends the record's line.
func (j *JSON) Append(dst []byte, r *Record) []byte {
	dst, _ = appendMembers(append(dst, '{'), j.root, r)
	return append(dst, '}', '\n')
}

// appendMembers appends the members that the record has, and says whether there was any.
func appendMembers(dst []byte, members []jsonMember, r *Record) ([]byte, bool) {
	start := len(dst)
	for i := range members {
		dst = members[i].append(dst, r)
	}
	if len(dst) == start {
		return dst, false
	}
	return dst[:len(dst)-1], true // Each member ends in a comma, the last one's is too many.
}

func (m *jsonMember) append(dst []byte, r *Record) []byte {
	if m.field != nil {
		return m.appendValue(dst, r)
	}
	start := len(dst)
	dst = append(append(dst, m.key...), '{')
	dst, written := appendMembers(dst, m.members, r)
	if !written {
		return dst[:start]
	}
	return append(dst, '}', ',')
}

func (m *jsonMember) appendValue(dst []byte, r *Record) []byte {
	if m.field.Text != nil && m.field.Presence == IfKnown {
		return m.appendKnown(dst, m.field.Text(r))
	}
	if !m.field.Present(r) {
		return dst
	}
	dst = append(dst, m.key...)
	dst = m.field.appendJSON(dst, r)
	return append(dst, ',')
}

// appendKnown appends a text that may be missing. Most of a record's fields are such, and so are read only once.
func (m *jsonMember) appendKnown(dst []byte, text string) []byte {
	if text == "" {
		return dst
	}
	return append(AppendJSONString(append(dst, m.key...), text), ',')
}

// appendJSON appends the field's value. Only texts can hold characters that need escaping.
func (f *Field) appendJSON(dst []byte, r *Record) []byte {
	switch f.Kind {
	case NameField, TextField:
		return AppendJSONString(dst, f.Text(r))
	case AddrField:
		return append(f.Addr(r).AppendTo(append(dst, '"')), '"')
	case FlagsField:
		return TCPFlags(f.Uint(r)).AppendJSON(dst)
	case TimeField, ProtoField, EnumField:
		return append(f.appendUint(append(dst, '"'), f.Uint(r)), '"')
	}
	return f.appendUint(dst, f.Uint(r))
}

// AppendJSONString appends s in quotation marks as RFC 8259 has it; bytes that are not UTF-8 become U+FFFD.
func AppendJSONString(dst []byte, s string) []byte {
	dst = append(dst, '"')
	plain := 0
	for i := 0; i < len(s); {
		if jsonPlain[s[i]] {
			i++
			continue
		}
		size, escape := jsonEscape(s[i:])
		if escape != "" {
			dst = append(append(dst, s[plain:i]...), escape...)
			plain = i + size
		}
		i += size
	}
	return append(append(dst, s[plain:]...), '"')
}

// jsonPlain has the bytes that stand for themselves whatever follows: ASCII without an escape sequence.
var jsonPlain = func() (plain [256]bool) {
	for c, escape := range jsonEscapes {
		plain[c] = escape == ""
	}
	return plain
}()

// jsonEscape returns the size of the first character and its escape sequence, empty if it needs none.
func jsonEscape(s string) (int, string) {
	c := s[0]
	if c < utf8.RuneSelf {
		return 1, jsonEscapes[c]
	}
	r, size := utf8.DecodeRuneInString(s)
	if r == utf8.RuneError && size == 1 {
		return 1, `\ufffd`
	}
	return size, ""
}

// jsonEscapes has the sequences of the characters that may not stand in a JSON string as they are.
var jsonEscapes = func() (escapes [utf8.RuneSelf]string) {
	const hex = "0123456789abcdef"
	for c := range 0x20 {
		escapes[c] = `\u00` + string(hex[c>>4]) + string(hex[c&0xf])
	}
	escapes['"'], escapes['\\'] = `\"`, `\\`
	escapes['\n'], escapes['\r'], escapes['\t'] = `\n`, `\r`, `\t`
	return escapes
}()
