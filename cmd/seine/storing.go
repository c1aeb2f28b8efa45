package main

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"sync"
	"time"

	"github.com/spf13/pflag"

	"github.com/seine-net/seine/internal/api"
	"github.com/seine-net/seine/internal/api/kubeauth"
	"github.com/seine-net/seine/internal/credential"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/health"
	"github.com/seine-net/seine/internal/metrics"
	"github.com/seine-net/seine/internal/query"
	"github.com/seine-net/seine/internal/server"
	"github.com/seine-net/seine/internal/store/local"
	"github.com/seine-net/seine/ui"
)

const defaultListen = "127.0.0.1:8080"

// storeFlags are the flags of every command that keeps records: where, how much, and where they go on to.
type storeFlags struct {
	dir       string
	maxAge    ageValue
	maxBytes  bytesValue
	exporters string
}

func (f *storeFlags) add(s *pflag.FlagSet, dir bool) {
	f.maxAge, f.maxBytes = ageValue(14*24*time.Hour), bytesValue(10<<30)
	if dir {
		s.StringVar(&f.dir, "data-dir", "", "`FOLDER` to keep records in (default $XDG_STATE_HOME/seine, else ~/.local/state/seine)")
	}
	s.Var(&f.maxAge, "max-age", "how long records are found, such as 12h, 7d or 2w; 0 is without limit. Their bytes are freed up to a day later")
	s.Var(&f.maxBytes, "max-bytes", "how large the files may become before the oldest go, such as 500MiB or 10GiB; 0 is without limit")
	s.StringVar(&f.exporters, "exporters", "", "YAML or JSON `FILE` that names Kafka topics and collectors of IPFIX or OpenTelemetry that records go on to")
}

// open opens the store.
func (f *storeFlags) open(log *slog.Logger) (*local.Store, error) {
	if f.dir == "" {
		dir, err := stateDir()
		if err != nil {
			return nil, err
		}
		f.dir = dir
	}
	return local.Open(local.Config{Dir: f.dir, MaxAge: time.Duration(f.maxAge), MaxBytes: int64(f.maxBytes)}, log)
}

// stateDir is where programs keep what outlives them: https://specifications.freedesktop.org/basedir-spec/latest/.
func stateDir() (string, error) {
	if base := os.Getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "seine"), nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("there is no home folder to keep records in: name one by --data-dir")
	}
	return filepath.Join(home, ".local", "state", "seine"), nil
}

// ageValue is a duration that may be in days or weeks.
type ageValue time.Duration

// String returns whole days as such.
func (v *ageValue) String() string {
	if d := time.Duration(*v); d > 0 && d%(24*time.Hour) == 0 {
		return fmt.Sprintf("%dd", d/(24*time.Hour))
	}
	return time.Duration(*v).String()
}

// Set reads 12h, 7d or 2w.
func (v *ageValue) Set(text string) error {
	d, err := query.ParseDuration(text)
	if err != nil || d < 0 {
		return errors.New("want a time such as 12h, 7d or 2w, or 0")
	}
	*v = ageValue(d)
	return nil
}

// Type is what --help calls the value.
func (v *ageValue) Type() string { return "time" }

// bytesValue is a number of bytes.
type bytesValue int64

var byteUnits = []struct {
	name string
	size int64
}{
	{"TiB", 1 << 40},
	{"GiB", 1 << 30},
	{"MiB", 1 << 20},
	{"KiB", 1 << 10},
	{"TB", 1e12},
	{"GB", 1e9},
	{"MB", 1e6},
	{"kB", 1e3},
	{"B", 1},
	{"", 1},
}

// String returns the number in the largest unit that divides it.
func (v *bytesValue) String() string {
	for _, u := range byteUnits {
		if *v > 0 && int64(*v)%u.size == 0 {
			return fmt.Sprintf("%d%s", int64(*v)/u.size, u.name)
		}
	}
	return "0"
}

// Set reads 500MiB, 10GB or 4096.
func (v *bytesValue) Set(text string) error {
	for _, u := range byteUnits {
		var n int64
		if count, err := fmt.Sscanf(text, "%d"+u.name, &n); err != nil || count != 1 || fmt.Sprintf("%d%s", n, u.name) != text {
			continue
		}
		if n < 0 || n > (1<<62)/u.size {
			break
		}
		*v = bytesValue(n * u.size)
		return nil
	}
	return errors.New("want a size such as 500MiB or 10GiB, or 0")
}

// Type is what --help calls the value.
func (v *bytesValue) Type() string { return "size" }

// apiFlags are the flags of every command that serves the API.
type apiFlags struct {
	listen                   string
	tokenFile                string
	oidcIssuer, oidcAudience string
	kubernetes               bool
	tls                      credential.TLS
	healthRules              string
	metricsMaxEdges          int
}

func (f *apiFlags) add(s *pflag.FlagSet) {
	s.StringVar(&f.listen, "listen", defaultListen, "`HOST:PORT` where the HTTP API is served; beyond loopback it needs tokens or an OpenID Connect issuer")
	s.StringVar(&f.tokenFile, "api-token-file", "", "`FILE` with the bearer tokens that the API accepts, one a line")
	s.BoolVar(&f.kubernetes, "api-kubernetes", false, "admit the bearer tokens of Kubernetes users, who see the namespaces whose pods they may list")
	s.StringVar(&f.oidcIssuer, "oidc-issuer", "", "OpenID Connect issuer whose ID tokens the API accepts, a `URL`")
	s.StringVar(&f.oidcAudience, "oidc-audience", "", "audience that these ID tokens must be for: the client `ID`")
	s.StringVar(&f.tls.Cert, "api-tls-cert", "", "PEM `FILE` with the certificate of the API; without it the API speaks plain HTTP")
	s.StringVar(&f.tls.Key, "api-tls-key", "", "PEM `FILE` with the key of that certificate")
	s.StringVar(&f.healthRules, "health-rules", "", "YAML or JSON `FILE` with thresholds of the rules of health (default those built in)")
	s.IntVar(&f.metricsMaxEdges, "metrics-max-edges", metrics.DefaultMaxKeys, "how many pairs of workloads GET /metrics tells apart, `N`; what is beyond is told as one, other")
	s.StringVar(&f.tls.CA, "api-tls-client-ca", "", "PEM `FILE` with the certificates that must have signed those of the API's clients")
}

func (f *apiFlags) authenticators(log *slog.Logger) ([]api.Authenticator, error) {
	var all []api.Authenticator
	if f.tokenFile != "" {
		tokens, err := credential.OpenTokens(f.tokenFile, log)
		if err != nil {
			return nil, fmt.Errorf("--api-token-file: %w", err)
		}
		all = append(all, api.TokenFile{Tokens: tokens})
	}
	if f.oidcIssuer != "" || f.oidcAudience != "" {
		o, err := api.NewOIDC(f.oidcIssuer, f.oidcAudience)
		if err != nil {
			return nil, fmt.Errorf("--oidc-issuer and --oidc-audience: %w", err)
		}
		all = append(all, o)
	}
	if f.kubernetes {
		if f.tls.Cert == "" && !credential.IsLoopback(f.listen) {
			return nil, fmt.Errorf("--api-kubernetes: users' tokens open the cluster, and %s would take them in plain text: want --api-tls-cert and --api-tls-key, or --listen 127.0.0.1:PORT", f.listen)
		}
		k, err := newKubernetesAuth()
		if err != nil {
			return nil, fmt.Errorf("--api-kubernetes: %w", err)
		}
		all = append(all, k)
	}
	return all, nil
}

func newKubernetesAuth() (api.Authenticator, error) {
	cfg, err := restConfig("")
	if err != nil {
		return nil, err
	}
	return kubeauth.New(cfg)
}

// health are the rules of health.
func (f *apiFlags) health() (*health.Settings, error) {
	if f.healthRules == "" {
		return health.DefaultSettings(), nil
	}
	settings, err := health.ReadSettings(f.healthRules)
	if err != nil {
		return nil, fmt.Errorf("--health-rules %w", err)
	}
	return settings, nil
}

// check checks what the flags hold beyond their types.
func (f *apiFlags) check() error {
	if f.metricsMaxEdges < 0 || f.metricsMaxEdges > metrics.MaxMaxKeys {
		return fmt.Errorf("--metrics-max-edges %d: want %s", f.metricsMaxEdges, accepted["metrics-max-edges"])
	}
	return nil
}

// url is where the API is served.
func (f *apiFlags) url() string {
	if f.tls.Cert != "" {
		return "https://" + f.listen
	}
	return "http://" + f.listen
}

// service is the server's part in this process: store, server and API.
type service struct {
	store     *local.Store
	server    *server.Server
	metrics   *metrics.Metrics
	exporters exporters
	listener  *api.Listener
	url, dir  string
}

// openService opens the store and the API's socket. Ready tells what else does not work.
func openService(s *storeFlags, f *apiFlags, n *names, ready func() []string, log *slog.Logger) (*service, error) {
	if err := f.check(); err != nil {
		return nil, err
	}
	authenticators, err := f.authenticators(log)
	if err != nil {
		return nil, err
	}
	rules, err := f.health()
	if err != nil {
		return nil, err
	}
	engine, err := s.open(log)
	if err != nil {
		return nil, err
	}
	v := &service{store: engine, dir: s.dir}
	if err := v.open(s, f, n, authenticators, rules, ready, log); err != nil {
		return nil, errors.Join(err, engine.Close())
	}
	return v, nil
}

func (v *service) open(
	s *storeFlags, f *apiFlags, n *names, authenticators []api.Authenticator, rules *health.Settings, ready func() []string, log *slog.Logger,
) (err error) {
	cfg := server.Config{Engine: v.store, Log: log}
	n.stages(&cfg)
	if v.server, err = server.New(cfg); err != nil {
		return err
	}
	if v.exporters, err = openExporters(s.exporters, v.server, log); err != nil {
		return err
	}
	v.metrics, err = metrics.New(metrics.Config{
		Source: v.server, Log: log, MaxKeys: f.metricsMaxEdges, Version: versionText(), Ready: ready,
		Exporters: v.exporters.status,
	})
	if err != nil {
		return err
	}
	a, err := api.New(api.Config{
		Engine: v.store, Source: v.server, Log: log, Version: versionText(), Ready: ready, Authenticators: authenticators,
		Health: rules, Console: ui.New(), Metrics: v.metrics.Handler(), Exporters: v.exporters.status,
	})
	if err != nil {
		return err
	}
	var files *credential.TLS
	if f.tls != (credential.TLS{}) {
		files = &f.tls
	}
	if v.listener, err = api.Listen(f.listen, a, files); err != nil {
		return fmt.Errorf("%w: --listen takes another address", err)
	}
	f.listen = v.listener.Addr().String()
	v.url = f.url()
	return nil
}

// serve serves the API, keeps its metrics and exports, until the function that it returns is called, which closes the
// store, too.
func (v *service) serve(log *slog.Logger) (stop func() error) {
	ctx, cancel := context.WithCancel(context.Background())
	ended := make(chan error, 1)
	go func() { ended <- v.listener.Run(ctx) }()
	var parts sync.WaitGroup
	parts.Go(func() { v.metrics.Run(ctx) })
	for _, e := range v.exporters {
		parts.Go(func() { e.Run(ctx) })
	}
	log.Info("serving", "api", v.url, "data_dir", v.dir, "console", consoleText(v.url))
	return func() error {
		cancel()
		err := <-ended
		parts.Wait()
		return errors.Join(err, v.store.Close())
	}
}

// consoleText says where the console is.
func consoleText(url string) string {
	if !ui.Built() {
		return "not built into this binary"
	}
	return url + "/"
}

// both gives records to two sinks, one after the other; the second may be nil.
func both(first, second func([]flow.Record) error) func([]flow.Record) error {
	if second == nil {
		return first
	}
	return func(batch []flow.Record) error {
		if err := first(batch); err != nil {
			return err
		}
		return second(batch)
	}
}
