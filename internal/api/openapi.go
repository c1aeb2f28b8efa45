package api

import (
	"bytes"
	"encoding/json"
	"fmt"
	"net/http"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/query"
)

// object is a JSON object whose members keep their order.
type object []pair

type pair struct {
	name  string
	value any
}

// MarshalJSON writes the members in their order.
func (o object) MarshalJSON() ([]byte, error) {
	var b bytes.Buffer
	b.WriteByte('{')
	for i, p := range o {
		if i > 0 {
			b.WriteByte(',')
		}
		name, err := json.Marshal(p.name)
		if err != nil {
			return nil, err
		}
		value, err := json.Marshal(p.value)
		if err != nil {
			return nil, err
		}
		b.Write(name)
		b.WriteByte(':')
		b.Write(value)
	}
	b.WriteByte('}')
	return b.Bytes(), nil
}

// OpenAPI returns the description of the API as an OpenAPI 3.1 document (https://spec.openapis.org/oas/v3.1.1.html), made
// from the table of routes and the types of requests and answers.
var OpenAPI = sync.OnceValues(func() ([]byte, error) {
	paths := object{}
	for i := range routes {
		paths = append(paths, pair{routes[i].path, object{{strings.ToLower(routes[i].method), routes[i].operation()}}})
	}
	text, err := json.Marshal(object{
		{"openapi", "3.1.0"},
		{"info", object{
			{"title", "Seine"},
			{"version", "1"},
			{"description", "What the records of connections say. Filters are conditions in CEL over the fields that /api/v1/fields lists."},
			{"license", object{{"name", "Apache-2.0"}, {"identifier", "Apache-2.0"}}},
		}},
		{"servers", []any{object{{"url", "http://127.0.0.1:8080"}}}},
		{"security", []any{object{}, object{{"bearer", []string{}}}}},
		{"paths", paths},
		{"components", object{
			{"schemas", schemas()},
			{"securitySchemes", object{{"bearer", object{{"type", "http"}, {"scheme", "bearer"}}}}},
		}},
	})
	if err != nil {
		return nil, fmt.Errorf("make the OpenAPI document: %w", err)
	}
	var indented bytes.Buffer
	err = json.Indent(&indented, text, "", "  ")
	return append(indented.Bytes(), '\n'), err
})

func (a *API) openAPI(w http.ResponseWriter, _ *http.Request) error {
	text, err := OpenAPI()
	if err != nil {
		return err
	}
	return a.writeJSON(w, text)
}

func (rt *route) operation() object {
	o := object{{"operationId", operationID(rt.path)}, {"description", rt.doc}}
	if rt.open {
		o = append(o, pair{"security", []any{}})
	}
	var parameters []any
	for _, p := range rt.parameters {
		parameters = append(parameters, p.describe())
	}
	if parameters != nil {
		o = append(o, pair{"parameters", parameters})
	}
	if rt.body != "" {
		o = append(o, pair{"requestBody", object{{"required", true}, {"content", content(rt.body, jsonMedia)}}})
	}
	responses := object{{"200", object{{"description", "The answer."}, {"content", content(rt.answer, rt.media...)}}}}
	if rt.open {
		return append(o, pair{"responses", responses})
	}
	refusal := object{{"description", "An error."}, {"content", content("Error", jsonMedia)}}
	return append(o, pair{"responses", append(responses, pair{"default", refusal})})
}

func operationID(path string) string {
	name := path[strings.LastIndexByte(path, '/')+1:]
	return strings.TrimSuffix(name, ".json")
}

func (p *parameter) describe() object {
	schema := object{{"type", "string"}}
	if p.values != nil {
		schema = append(schema, pair{"enum", p.values})
	}
	o := object{{"name", p.name}, {"in", "query"}, {"description", p.doc}}
	if p.required {
		o = append(o, pair{"required", true})
	}
	return append(o, pair{"schema", schema}, pair{"example", p.example})
}

func content(schema string, media ...string) object {
	o := object{}
	for _, m := range media {
		m, _, _ = strings.Cut(m, ";")
		value := object{}
		if schema != "" {
			value = object{{"schema", reference(schema)}}
		}
		o = append(o, pair{m, value})
	}
	return o
}

func reference(name string) object { return object{{"$ref", "#/components/schemas/" + name}} }

// answerShape and columnShape are query.Answer as it is written.
type answerShape struct {
	Columns   []columnShape     `json:"columns"`
	Rows      int               `json:"rows"`
	Truncated bool              `json:"truncated"`
	Cut       string            `json:"cut,omitempty"`
	Scope     string            `json:"scope,omitempty"`
	Other     []int             `json:"other,omitempty"`
	Losses    map[string]uint64 `json:"losses"`
}

type columnShape struct {
	Field     string `json:"field"`
	Kind      string `json:"kind"`
	Unit      string `json:"unit"`
	Estimated bool   `json:"estimated"`
	Values    []any  `json:"values"`
}

// schemaTypes are the schemas by name, with what their members mean where that is not told by the name.
var schemaTypes = []struct {
	name    string
	of      any
	members map[string]string
}{
	{"Request", query.Request{}, map[string]string{
		"dataset":  "What is asked: flows (connections, if not given) or dns (queries).",
		"last":     "How far back from `to` the period begins, such as 90s, 10m, 1h30m, 7d or 2w; an hour if neither this nor `from` is given.",
		"from":     "Begin of the period, RFC 3339; rows whose `end` lies in the period are looked at.",
		"to":       "End of the period, RFC 3339, not included; now if not given.",
		"filter":   "Condition in CEL over the fields.",
		"fields":   "Columns of rows, all if not given; not with measures.",
		"group_by": "What makes the groups: fields, or first(a, b, …), the first of several texts that is known.",
		"measures": "What is computed of each group: count(), or sum, rate, avg, min, max, count_distinct or a quantile such as p99 of a field, each with a condition as its last argument if wanted, joined by + - * /. None asks for rows.",
		"step":     "Length of the buckets that time is divided into; the first column is their begin, time.",
		"order":    "Columns of the answer to sort by, separated by commas, with - in front for descending.",
		"limit":    "Largest number of rows or groups, at most 100000; 100 if not given.",
		"other":    "Adds a group of all that the limit cut.",
		"compare":  "How much earlier the period is that measures are compared with: adds previous(m) and change(m) to each measure m.",
	}},
	{"Answer", answerShape{}, map[string]string{
		"columns":   "The columns: bucket, group keys, measures; or fields.",
		"rows":      "Number of values of each column.",
		"truncated": "Whether a limit left something out.",
		"cut":       "What the answer is truncated by.",
		"scope":     "primary if each connection was counted once, by its primary record: so it is unless the request names primary, reporter or node.",
		"other":     "Places of the rows that hold what the limit cut.",
		"losses":    "What the records lack, by reason, counted since the start of the server.",
	}},
	{"Column", columnShape{}, map[string]string{
		"field":     "Name of a field or measure, or time.",
		"kind":      "Kind of the values, as in /api/v1/fields.",
		"unit":      "Unit of the values, empty where there is none.",
		"estimated": "Whether sampled packets went into values, or distinct values were too many to be counted.",
		"values":    "The values: times in RFC 3339, flags as arrays of names, null for what is not there.",
	}},
	{"Health", Health{}, map[string]string{
		"baseline_from": "Begin of the time compared with; it is baseline_to where there are too few records of then.",
		"findings":      "What was found, the gravest first; of equal ones those that affect more.",
		"notes":         "What could not be looked at.",
		"losses":        "What the records lack, by reason, counted since the start of the server.",
	}},
	{"Finding", health.Finding{}, map[string]string{
		"rule":        "Name of the rule, as in /api/v1/health/rules.",
		"severity":    "critical, warning or info.",
		"subject":     "Whom it is about: kind is edge (src and dst), workload (src), service or resolver (dst), node (src, or dst for what goes to it).",
		"sentence":    "What was found, in words.",
		"value":       "What was found, in the unit.",
		"baseline":    "What it was in the time before; null where that is not known.",
		"since":       "When it began; null where that is not known.",
		"until":       "When it ended, for what is over.",
		"pod":         "The one pod of the server that is to blame, where others of it are well.",
		"dns_name":    "The name that most of the DNS queries are for, where it is of queries that failed.",
		"drop_reason": "Why kernels dropped most packets, where the finding is of that, or that explains it.",
		"drop_nodes":  "The nodes whose kernels dropped the packets.",
		"explains":    "What else was found and follows from it: rules, and at how many edges.",
		"filter":      "Condition in CEL that selects the records behind it.",
		"dataset":     "Dataset that the filter is for.",
		"volume":      "How much was looked at.",
		"affected":    "How much of that was bad.",
		"edges":       "Edges that a finding stands for which is about more than one.",
	}},
	{"HealthRules", HealthRules{}, nil},
	{"HealthRule", health.Rule{}, nil},
	{"Fields", Fields{}, nil},
	{"Field", Field{}, nil},
	{"Values", Values{}, nil},
	{"Status", Status{}, nil},
	{"Readiness", Readiness{}, nil},
	{"Error", query.Error{}, map[string]string{
		"error":    "What is wrong, in words.",
		"kind":     "What is wrong, for programs.",
		"hint":     "What would be accepted.",
		"position": "Where in the text the error is; lines and columns begin at 1.",
	}},
}

func schemas() object {
	o := object{}
	for _, s := range schemaTypes {
		schema := schemaOf(reflect.TypeOf(s.of))
		o = append(o, pair{s.name, describeMembers(schema, s.name, s.members)})
	}
	return o
}

// describeMembers adds what members mean.
func describeMembers(schema object, name string, docs map[string]string) object {
	for _, member := range schema[1].value.(object) {
		told, isObject := member.value.(object)
		if doc := docs[member.name]; doc != "" && isObject {
			told = slices.Insert(told, 0, pair{"description", doc})
		}
		if name == "Error" && member.name == "kind" {
			told = append(told, pair{"enum", kindNames()})
		}
		replace(schema[1].value.(object), member.name, told)
	}
	return schema
}

func replace(o object, name string, value any) {
	i := slices.IndexFunc(o, func(p pair) bool { return p.name == name })
	o[i].value = value
}

func kindNames() (names []query.ErrorKind) {
	for _, k := range errorKinds {
		names = append(names, k.kind)
	}
	return names
}

// named are the types that schemas refer to.
var named = map[reflect.Type]string{
	reflect.TypeFor[columnShape](): "Column",
	reflect.TypeFor[Field]():       "Field",
	reflect.TypeFor[Readiness]():   "Readiness",

	reflect.TypeFor[health.Finding](): "Finding",
	reflect.TypeFor[health.Rule]():    "HealthRule",
}

// schemaOf describes a type as encoding/json writes it. It serves the document alone.
func schemaOf(t reflect.Type) object {
	switch {
	case t == reflect.TypeFor[time.Time]():
		return object{{"type", "string"}, {"format", "date-time"}}
	case t.Kind() == reflect.Pointer:
		return schemaOf(t.Elem())
	case t.Kind() == reflect.Slice:
		return object{{"type", "array"}, {"items", referenceOr(t.Elem())}}
	case t.Kind() == reflect.Map:
		return object{{"type", "object"}, {"additionalProperties", referenceOr(t.Elem())}}
	case t.Kind() == reflect.Struct:
		return structSchema(t)
	case t.Kind() == reflect.String:
		return object{{"type", "string"}}
	case t.Kind() == reflect.Bool:
		return object{{"type", "boolean"}}
	case t.Kind() == reflect.Float64:
		return object{{"type", "number"}}
	case t.Kind() == reflect.Interface:
		return object{}
	}
	return object{{"type", "integer"}}
}

func referenceOr(t reflect.Type) object {
	if name, ok := named[t]; ok {
		return reference(name)
	}
	return schemaOf(t)
}

func structSchema(t reflect.Type) object {
	properties, required := object{}, []string{}
	for _, f := range reflect.VisibleFields(t) {
		name, options, _ := strings.Cut(f.Tag.Get("json"), ",")
		if name == "-" || name == "" || shadowed(t, f, name) {
			continue
		}
		properties = append(properties, pair{name, memberSchema(f.Type, options)})
		if options != "omitempty" {
			required = append(required, name)
		}
	}
	o := object{{"type", "object"}, {"properties", properties}}
	if len(required) > 0 {
		o = append(o, pair{"required", required})
	}
	return o
}

// memberSchema describes a member, which is null where a pointer is that is always written.
func memberSchema(t reflect.Type, options string) object {
	if t.Kind() == reflect.Pointer && options != "omitempty" {
		return object{{"anyOf", []any{referenceOr(t.Elem()), object{{"type", "null"}}}}}
	}
	return referenceOr(t)
}

// shadowed says whether a member of an embedded struct gives way to one of the same name outside of it.
func shadowed(t reflect.Type, f reflect.StructField, name string) bool {
	return slices.ContainsFunc(reflect.VisibleFields(t), func(other reflect.StructField) bool {
		tag, _, _ := strings.Cut(other.Tag.Get("json"), ",")
		return tag == name && len(other.Index) < len(f.Index)
	})
}
