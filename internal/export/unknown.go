package export

import (
	"cmp"
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"go.yaml.in/yaml/v3"
)

// unknownMember is how the YAML library tells of a member that a Go type does not have.
var unknownMember = regexp.MustCompile(`^(line \d+): field (\S+) not found in type (\S+)$`)

// wrongKind is how the library tells of a value that is none of a Go type.
var wrongKind = regexp.MustCompile("^(line \\d+): cannot unmarshal !!\\S+( `.*`)? into (\\S+)$")

// kinds is what files have for Go types; others are members of their own.
var kinds = map[string]string{
	"[]string":       "a list of texts, such as [a, b]",
	"[]export.Entry": "a list of exporters, " + exampleOfEntry,
	"string":         "a text",
	"bool":           "true or false",
	"int":            "a whole number",
	"int64":          "a whole number",
	"uint32":         "a whole number from 0 to 4294967295",
	"time.Duration":  "a time with its unit, such as 30s or 1m",
}

// explain tells of a file that does not fit, in the file's terms: the line, the member and those that there are.
func explain(err error) error {
	var mismatch *yaml.TypeError
	if !errors.As(err, &mismatch) {
		return fmt.Errorf("want exporters as YAML or JSON: %w", err)
	}
	var all []string
	for _, text := range mismatch.Errors {
		if m := wrongKind.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s: the value%s does not fit: want %s", m[1], m[2], cmp.Or(kinds[m[3]], "members with their values, such as {name: value}"))
		}
		if m := unknownMember.FindStringSubmatch(text); m != nil {
			text = fmt.Sprintf("%s: %s is not known: want %s", m[1], m[2], strings.Join(membersOf(reflect.TypeFor[File](), m[3]), ", "))
		}
		all = append(all, text)
	}
	return errors.New(strings.Join(all, "; "))
}

// membersOf returns the members of the type with a name within another, as files call them.
func membersOf(t reflect.Type, name string) (members []string) {
	for t.Kind() == reflect.Pointer || t.Kind() == reflect.Slice {
		t = t.Elem()
	}
	if t.Kind() != reflect.Struct {
		return nil
	}
	var below []string
	for _, f := range reflect.VisibleFields(t) {
		tag, options, _ := strings.Cut(f.Tag.Get("yaml"), ",")
		switch {
		case !f.IsExported() || options == "inline" || f.Anonymous || tag == "-":
			continue
		case tag == "":
			tag = strings.ToLower(f.Name)
		}
		members = append(members, tag)
		if below == nil {
			below = membersOf(f.Type, name)
		}
	}
	if t.String() == name {
		return slices.Compact(members)
	}
	return below
}
