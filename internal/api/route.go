package api

import (
	"net/http"
	"strings"
)

// route is one path: what it takes and gives. Handlers and documents are made from it.
type route struct {
	method, path string
	doc          string
	// open needs no token: it tells nothing but that the process lives.
	open bool
	// scoped answers within what the asker may see; who may not see everything is refused elsewhere.
	scoped     bool
	parameters []parameter
	// body is the schema of the request's body, answer that of the answer to 200; empty if there is none, or text.
	body, answer string
	// media are the types of the answer to 200.
	media  []string
	handle func(*API, http.ResponseWriter, *http.Request) error
}

// parameter is one of the query string.
type parameter struct {
	name, doc, example string
	required           bool
	values             []string
}

const jsonMedia = "application/json"

// The parameters that several routes share.
var (
	lastParameter   = parameter{name: "last", doc: "How far back from `to` the period begins; an hour if neither this nor `from` is given.", example: "10m"}
	fromParameter   = parameter{name: "from", doc: "Begin of the period, RFC 3339.", example: "2026-03-01T12:00:00Z"}
	toParameter     = parameter{name: "to", doc: "End of the period, RFC 3339; now if not given.", example: "2026-03-01T13:00:00Z"}
	filterParameter = parameter{name: "filter", doc: "Condition in CEL over the fields.", example: `dst.port == 443`}
	fieldsParameter = parameter{name: "fields", doc: "Names of fields, separated by commas; all if not given.", example: "end,src.addr,dst.addr"}
	datasetParam    = parameter{name: "dataset", doc: "What is asked: flows (connections, if not given) or dns (queries).", example: "flows"}
)

var routes []route

// init breaks the circle of routes and the handler that tells of them.
func init() {
	routes = []route{
		{
			method: http.MethodGet, path: "/api/v1/fields", answer: "Fields", media: []string{jsonMedia},
			doc:        "The fields of a dataset: names, kinds, units, meanings, and what each can be used for.",
			parameters: []parameter{datasetParam}, handle: (*API).fields, scoped: true,
		},
		{
			method: http.MethodPost, path: "/api/v1/query", body: "Request", answer: "Answer", media: []string{jsonMedia},
			doc:    "Rows, or measures of groups, in columns. No measures means rows, newest first.",
			handle: (*API).query, scoped: true,
		},
		{
			method: http.MethodGet, path: "/api/v1/values", answer: "Values", media: []string{jsonMedia},
			doc: "The commonest values of a field of texts that begin with a prefix, for completion.",
			parameters: []parameter{
				{name: "field", doc: "Name of the field.", example: "src.namespace", required: true},
				{name: "prefix", doc: "What the values begin with.", example: "sh"},
				{name: "limit", doc: "Largest number of values, at most 1000; 20 if not given.", example: "20"},
				datasetParam, lastParameter, fromParameter, toParameter, filterParameter,
			},
			handle: (*API).values, scoped: true,
		},
		{
			method: http.MethodGet, path: "/api/v1/tail", media: []string{"text/event-stream"},
			doc: "Rows as they are stored, as server-sent events: `rows` has an Answer, `lost` how many rows this client was too slow for. " +
				"Comments in between show that the stream lives.",
			parameters: []parameter{datasetParam, filterParameter, fieldsParameter}, handle: (*API).tail, scoped: true,
		},
		{
			method: http.MethodGet, path: "/api/v1/export", media: exportMedia(),
			doc: "All rows of a period, without a limit, newest first. An export that cannot be completed ends with a broken connection. " +
				"The header Seine-Losses counts what the records lack, as JSON.",
			parameters: []parameter{
				{name: "format", doc: "How the rows are written.", example: "csv", required: true, values: exportNames()},
				datasetParam, lastParameter, fromParameter, toParameter, filterParameter, fieldsParameter,
			},
			handle: (*API).export, scoped: true,
		},
		{
			method: http.MethodGet, path: "/api/v1/health", answer: "Health", media: []string{jsonMedia},
			doc: "What is wrong in the network and with whom, the gravest first: a period is compared with the time before it, by the rules " +
				"in health.md. A finding's `filter` selects the records behind it.",
			parameters: []parameter{
				{name: "last", doc: "How long the period is; 15m if not given.", example: "15m"},
				{name: "baseline", doc: "How long the time before the period is that it is compared with; 1h if not given.", example: "1h"},
				toParameter,
				{name: "filter", doc: "Condition in CEL over the fields that all datasets have: the check looks at these records alone.", example: `src.namespace == "shop"`},
			},
			handle: (*API).checkHealth, scoped: true,
		},
		{
			method: http.MethodGet, path: "/api/v1/health/rules", answer: "HealthRules", media: []string{jsonMedia},
			doc: "The rules of health with the thresholds in force.", handle: (*API).healthRules, scoped: true,
		},
		{
			method: http.MethodGet, path: "/api/v1/status", answer: "Status", media: []string{jsonMedia},
			doc: "The state of the server, its store and its agents, and what was lost.", handle: (*API).status,
		},
		{
			method: http.MethodGet, path: "/metrics", media: []string{"text/plain", "application/openmetrics-text"},
			doc: "Metrics for Prometheus, in its text format, as OpenMetrics or as protocol buffers, as `Accept` has it. They are in metrics.md.", handle: (*API).metrics,
		},
		{
			method: http.MethodGet, path: "/api/v1/openapi.json", media: []string{jsonMedia},
			doc: "This description, as OpenAPI 3.1.", handle: (*API).openAPI, scoped: true,
		},
		{
			method: http.MethodGet, path: "/healthz", open: true, media: []string{"text/plain"},
			doc: "200 while the process lives.", handle: (*API).health,
		},
		{
			method: http.MethodGet, path: "/readyz", open: true, answer: "Readiness", media: []string{jsonMedia},
			doc: "200 when all parts work, else 503 with the reasons.", handle: (*API).ready,
		},
	}
}

func paths() string {
	var all []string
	for _, rt := range routes {
		all = append(all, rt.path)
	}
	return strings.Join(all, ", ")
}
