package api

import (
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/query"
)

// parametersOf reads the query string of a route strictly: unknown and repeated parameters are refused by name.
func parametersOf(path string, r *http.Request) (url.Values, error) {
	given, err := url.ParseQuery(r.URL.RawQuery)
	if err != nil {
		return nil, badParameter(query.SyntaxError, "escape what stands for itself in no URL as %XX", "query string is malformed: %s", err)
	}
	i := slices.IndexFunc(routes, func(rt route) bool { return rt.path == path })
	known := routes[i].parameters
	for name, values := range given {
		if !slices.ContainsFunc(known, func(p parameter) bool { return p.name == name }) {
			return nil, badParameter(query.UnknownName, "want "+names(known), "no parameter is called %q", shortened(name))
		}
		if len(values) > 1 {
			return nil, badParameter(query.ValueError, "", "parameter %s is given %d times", name, len(values))
		}
	}
	for _, p := range known {
		if p.required && given.Get(p.name) == "" {
			return nil, badParameter(query.ValueError, "for instance "+p.name+"="+url.QueryEscape(p.example), "parameter %s is missing", p.name)
		}
	}
	return given, nil
}

func badParameter(kind query.ErrorKind, hint, format string, args ...any) error {
	return problem(http.StatusBadRequest, kind, hint, format, args...)
}

func names(known []parameter) string {
	var all []string
	for _, p := range known {
		all = append(all, p.name)
	}
	return strings.Join(all, ", ")
}

// requestOf makes a request of parameters.
func requestOf(v url.Values) *query.Request {
	r := &query.Request{
		Dataset: v.Get("dataset"), Last: v.Get("last"), From: v.Get("from"), To: v.Get("to"), Filter: v.Get("filter"),
	}
	if fields := v.Get("fields"); fields != "" {
		r.Fields = strings.Split(fields, ",")
	}
	return r
}

// numberOf reads a whole number from 1 to most.
func numberOf(v url.Values, name string, otherwise, most int) (int, error) {
	text := v.Get(name)
	if text == "" {
		return otherwise, nil
	}
	n, err := strconv.Atoi(text)
	if err != nil || n < 1 || n > most {
		return 0, badParameter(query.ValueError, "", "parameter %s is %q, want 1 to %d", name, shortened(text), most)
	}
	return n, nil
}
