package api

import (
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net/http"
	"slices"
	"strings"
	"time"

	"github.com/seine-net/seine/internal/api/format"
	"github.com/seine-net/seine/internal/query"
)

// blockWriter writes blocks in one format. Close writes what comes last.
type blockWriter interface {
	Write(*query.Block) error
	Close() error
}

// exportFormats are the formats of an export.
var exportFormats = []struct {
	name, media string
	open        func(io.Writer, *query.Plan) (blockWriter, error)
}{
	{"csv", "text/csv; charset=utf-8", func(w io.Writer, p *query.Plan) (blockWriter, error) {
		return format.NewCSV(w, p.Columns())
	}},
	{"ndjson", "application/x-ndjson", func(w io.Writer, p *query.Plan) (blockWriter, error) {
		return format.NewNDJSON(w, p.Columns()), nil
	}},
	{"netobserv", "application/x-ndjson", func(w io.Writer, p *query.Plan) (blockWriter, error) {
		return format.NewNetObserv(w, p.Columns())
	}},
	{"parquet", "application/vnd.apache.parquet", func(w io.Writer, p *query.Plan) (blockWriter, error) {
		return format.NewParquet(w, p.Fields)
	}},
}

func exportNames() (all []string) {
	for _, f := range exportFormats {
		all = append(all, f.name)
	}
	return all
}

func exportMedia() (all []string) {
	for _, f := range exportFormats {
		if !slices.Contains(all, f.media) {
			all = append(all, f.media)
		}
	}
	return all
}

// export answers GET /api/v1/export.
func (a *API) export(w http.ResponseWriter, r *http.Request) error {
	v, err := parametersOf("/api/v1/export", r)
	if err != nil {
		return err
	}
	i, err := exportFormat(v.Get("format"))
	if err != nil {
		return err
	}
	compiled, err := compile(r, requestOf(v))
	if err != nil {
		return err
	}
	compiled.Plan.Limit = 0
	release, err := a.exports.take(r.Context())
	if err != nil {
		return err
	}
	defer release()
	if err := a.exportHeader(w, exportFormats[i].media, v.Get("format")); err != nil {
		return err
	}
	out := &exportBody{to: a.pace(w, a.limits.ExportTime)}
	ctx, cancel := context.WithTimeoutCause(r.Context(), a.limits.ExportTime, errTooSlow)
	defer cancel()
	err = late(ctx, a.stream(ctx, compiled.Plan, out, exportFormats[i].open))
	if err != nil && out.begun && r.Context().Err() == nil {
		a.config.Log.Error("export not completed", "error", err)
		return http.ErrAbortHandler
	}
	if err != nil {
		w.Header().Del("Content-Disposition")
	}
	return err
}

func exportFormat(name string) (int, error) {
	for i, f := range exportFormats {
		if f.name == name {
			return i, nil
		}
	}
	return 0, badParameter(query.UnknownName, "want one of "+strings.Join(exportNames(), ", "), "no format is called %q", shortened(name))
}

func (a *API) exportHeader(w http.ResponseWriter, media, name string) error {
	losses, err := json.Marshal(a.losses())
	if err != nil {
		return err
	}
	h := w.Header()
	h.Set("Content-Type", media)
	h.Set("Content-Disposition", fmt.Sprintf(`attachment; filename="seine-%s.%s"`, time.Now().UTC().Format("20060102-150405"), name))
	h.Set("Seine-Losses", string(losses))
	return nil
}

// exportBody notes whether anything went out, after which no error can be told but by breaking off.
type exportBody struct {
	to    io.Writer
	begun bool
}

// Write passes on.
func (b *exportBody) Write(p []byte) (int, error) {
	b.begun = true
	return b.to.Write(p)
}

// stream writes the answer to a plan. What the engine leaves out makes it an error, since nobody would notice.
func (a *API) stream(ctx context.Context, plan *query.Plan, to io.Writer, open func(io.Writer, *query.Plan) (blockWriter, error)) error {
	out, err := open(to, plan)
	if err != nil {
		return err
	}
	summary, err := a.config.Engine.Query(ctx, plan, out.Write)
	if err != nil {
		return err
	}
	if summary.Truncated {
		return problem(http.StatusInternalServerError, kindInternal, "ask for a shorter period", "export is cut by %s", summary.Cut)
	}
	return out.Close()
}
