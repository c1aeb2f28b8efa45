package export

import (
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

// explain tells of a file that does not fit, in the file's terms: the line, the member and those that there are.
func explain(err error) error {
	var mismatch *yaml.TypeError
	if !errors.As(err, &mismatch) {
		return fmt.Errorf("want exporters as YAML or JSON: %w", err)
	}
	var all []string
	for _, text := range mismatch.Errors {
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
