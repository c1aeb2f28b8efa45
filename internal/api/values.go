package api

import (
	"net/http"
	"time"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/store"
)

const (
	defaultValues = 20
	maxValues     = 1000
)

// values answers GET /api/v1/values.
func (a *API) values(w http.ResponseWriter, r *http.Request) error {
	request, err := valuesRequest(r)
	if err != nil {
		return err
	}
	release, err := a.queries.take(r.Context())
	if err != nil {
		return err
	}
	defer release()
	ctx, cancel := a.deadline(r.Context())
	defer cancel()
	values, err := a.config.Engine.Values(ctx, *request)
	if err != nil {
		return late(ctx, err)
	}
	answer := Values{Field: request.Field, Values: make([]Value, len(values)), Losses: a.losses()}
	for i, v := range values {
		answer.Values[i] = Value{v.Text, v.Rows}
	}
	return a.encode(w, http.StatusOK, answer)
}

// Values is the answer of GET /api/v1/values.
type Values struct {
	Field  string            `json:"field"`
	Values []Value           `json:"values"`
	Losses map[string]uint64 `json:"losses"`
}

// Value is a value and in how many rows it was found.
type Value struct {
	Value string `json:"value"`
	Rows  int64  `json:"rows"`
}

func valuesRequest(r *http.Request) (*store.ValuesRequest, error) {
	v, err := parametersOf("/api/v1/values", r)
	if err != nil {
		return nil, err
	}
	limit, err := numberOf(v, "limit", defaultValues, maxValues)
	if err != nil {
		return nil, err
	}
	request := requestOf(v)
	request.Measures, request.GroupBy = []string{"count()"}, []string{v.Get("field")}
	compiled, err := compile(r, request)
	if err != nil {
		return nil, err
	}
	if field := compiled.Plan.GroupBy[0]; !columns.IsText(field) {
		return nil, badParameter(query.UnsupportedError, "values are listed of texts, such as src.namespace",
			"field %s holds numbers", field.Name)
	}
	return &store.ValuesRequest{Plan: compiled.Plan, Field: v.Get("field"), Prefix: v.Get("prefix"), Limit: limit}, nil
}

// fields answers GET /api/v1/fields.
func (a *API) fields(w http.ResponseWriter, r *http.Request) error {
	v, err := parametersOf("/api/v1/fields", r)
	if err != nil {
		return err
	}
	name := v.Get("dataset")
	if name == "" {
		name = columns.Flows().Name
	}
	d, ok := columns.ByName(name)
	if !ok {
		return badParameter(query.UnknownName, "want "+columns.Names(), "no dataset is called %q", shortened(name))
	}
	return a.encode(w, http.StatusOK, describe(d))
}

// Fields is the answer of GET /api/v1/fields.
type Fields struct {
	Dataset string `json:"dataset"`
	// Measures are the forms of measures.
	Measures []string `json:"measures"`
	Fields   []Field  `json:"fields"`
}

// Field tells of one field.
type Field struct {
	ID          uint16   `json:"id"`
	Name        string   `json:"name"`
	Group       string   `json:"group"`
	Kind        string   `json:"kind"`
	Unit        string   `json:"unit"`
	Doc         string   `json:"doc"`
	Example     string   `json:"example"`
	Origin      string   `json:"origin"`
	Role        string   `json:"role"`
	Cardinality string   `json:"cardinality"`
	Mirror      string   `json:"mirror,omitempty"`
	Shown       bool     `json:"shown"`
	GroupBy     bool     `json:"group_by"`
	Measures    []string `json:"measures"`
	Values      []Choice `json:"values,omitempty"`
}

// Choice is a value of an enumeration.
type Choice struct {
	Value string `json:"value"`
	Doc   string `json:"doc"`
}

// measureNames are the measures of a field; any pNN besides p99.
var measureNames = []string{"sum", "rate", "avg", "min", "max", "count_distinct", "p99"}

func describe(d *columns.Dataset) Fields {
	answer := Fields{Dataset: d.Name, Measures: []string{"count()"}}
	for _, name := range measureNames {
		answer.Measures = append(answer.Measures, name+"(field)")
	}
	for _, f := range d.Askable() {
		answer.Fields = append(answer.Fields, describeField(d, f))
	}
	return answer
}

func describeField(d *columns.Dataset, f *flow.Field) Field {
	told := Field{
		ID: uint16(f.ID), Name: f.Name, Group: f.Group, Kind: f.Kind.String(), Unit: f.Unit, Doc: f.Doc, Example: f.Example,
		Origin: string(f.Origin), Role: string(f.Role), Cardinality: string(f.Cardinality), Shown: f.Shown,
		GroupBy: compiles(d, query.Request{GroupBy: []string{f.Name}, Measures: []string{"count()"}}), Measures: []string{},
	}
	for _, name := range measureNames {
		if compiles(d, query.Request{Measures: []string{name + "(" + f.Name + ")"}}) {
			told.Measures = append(told.Measures, name)
		}
	}
	if mirror, ok := d.StoredByID(f.Mirror); ok {
		told.Mirror = mirror.Name
	}
	for _, v := range f.Enum {
		if v.Name != "" {
			told.Values = append(told.Values, Choice{v.Name, v.Doc})
		}
	}
	return told
}

// compiles asks the one who decides.
func compiles(d *columns.Dataset, r query.Request) bool {
	r.Dataset = d.Name
	_, err := query.Compile(&r, time.Now())
	return err == nil
}
