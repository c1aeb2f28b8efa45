package export

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"regexp"
	"time"

	"go.yaml.in/yaml/v3"

	"github.com/seine-net/seine/internal/export/ipfix"
	"github.com/seine-net/seine/internal/export/kafka"
	"github.com/seine-net/seine/internal/export/otlp"
	"github.com/seine-net/seine/internal/query"
)

// Entry is one exporter as a file says it. One of Kafka, IPFIX and OTLP is set.
type Entry struct {
	// Name tells exporters apart in status and metrics; by default it is the kind.
	Name string `yaml:"name"`
	// Dataset is flows if empty. Filter is a condition in CEL; one that names primary, reporter or node gets the rows of
	// both ends of a connection, all others each connection once. Fields are the fields that go, all if empty.
	Dataset string   `yaml:"dataset"`
	Filter  string   `yaml:"filter"`
	Fields  []string `yaml:"fields"`
	// QueueMiB bounds what waits for the target, 64 if 0.
	QueueMiB int64 `yaml:"queue_mib"`

	Kafka *kafka.Config `yaml:"kafka"`
	IPFIX *ipfix.Config `yaml:"ipfix"`
	OTLP  *otlp.Config  `yaml:"otlp"`
}

// File is a file of exporters.
type File struct {
	Exporters []Entry `yaml:"exporters"`
}

const (
	maxFile        = 1 << 20
	maxExporters   = 16
	defaultQueue   = 64
	maxQueue       = 4096
	exampleOfEntry = "such as {kafka: {brokers: [kafka:9092], topic: flows}}"
)

var nameForm = regexp.MustCompile(`^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$`)

// ReadFile reads a file in YAML or JSON, such as
//
//	exporters:
//	- kafka: {brokers: ["kafka:9092"], topic: flows}
//	  filter: dst.kind == "Service"
//	- name: collector
//	  ipfix: {collector: "10.0.0.5:4739"}
//
// The error of one that makes no sense says where, and what would be accepted.
func ReadFile(path string) (*File, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() { // A pipe that nobody writes to would hold up the start.
		return nil, fmt.Errorf("%s: want a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, err
	}
	if len(text) > maxFile {
		return nil, fmt.Errorf("%s: file has more than %d bytes", path, maxFile)
	}
	file, err := Parse(text)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", path, err)
	}
	return file, nil
}

// Parse reads what ReadFile does.
func Parse(text []byte) (*File, error) {
	var file File
	decoder := yaml.NewDecoder(bytes.NewReader(text))
	decoder.KnownFields(true)
	if err := decoder.Decode(&file); err != nil && !errors.Is(err, io.EOF) {
		return nil, explain(err)
	}
	if err := decoder.Decode(new(yaml.Node)); !errors.Is(err, io.EOF) {
		return nil, errors.New("file has a second document: want one, with all exporters")
	}
	if n := len(file.Exporters); n > maxExporters {
		return nil, fmt.Errorf("exporters has %d entries, want at most %d", n, maxExporters)
	}
	return &file, file.nameAll()
}

// nameAll gives names to those that have none.
func (f *File) nameAll() error {
	seen := make(map[string]bool)
	for i := range f.Exporters {
		e := &f.Exporters[i]
		to, err := e.destination()
		if err != nil {
			return fmt.Errorf("exporters[%d]: %w", i, err)
		}
		e.Name = cmp.Or(e.Name, to.kind)
		if !nameForm.MatchString(e.Name) {
			return fmt.Errorf("exporters[%d].name %q: want lower case letters, digits and -, at most 63", i, e.Name)
		}
		if seen[e.Name] {
			return fmt.Errorf("exporters[%d].name %q: is taken, want another", i, e.Name)
		}
		seen[e.Name] = true
	}
	return nil
}

// destination is where an entry's rows go.
type destination struct {
	kind, address string
	open          func(*query.Plan, *slog.Logger) (Target, error)
}

// destination returns the one that the entry has.
func (e *Entry) destination() (destination, error) {
	var all []destination
	if c := e.Kafka; c != nil {
		open := func(plan *query.Plan, log *slog.Logger) (Target, error) { return kafka.Open(c, plan, log) }
		all = append(all, destination{"kafka", c.Address(), open})
	}
	if c := e.IPFIX; c != nil {
		open := func(plan *query.Plan, log *slog.Logger) (Target, error) { return ipfix.Open(c, plan, log) }
		all = append(all, destination{"ipfix", c.Address(), open})
	}
	if c := e.OTLP; c != nil {
		open := func(plan *query.Plan, log *slog.Logger) (Target, error) { return otlp.Open(c, plan, log) }
		all = append(all, destination{"otlp", c.Address(), open})
	}
	if len(all) != 1 {
		return destination{}, fmt.Errorf("has %d of kafka, ipfix and otlp: want one, %s", len(all), exampleOfEntry)
	}
	return all[0], nil
}

// Open makes the exporters of a file. They follow the source from now on, and send once they Run. A target that cannot
// be reached now is no error. Version is this program's, for targets that tell it.
func (f *File) Open(source Source, version string, log *slog.Logger) ([]*Exporter, error) {
	var all []*Exporter
	for i := range f.Exporters {
		e, err := f.Exporters[i].open(source, version, log)
		if err != nil {
			for _, made := range all {
				made.subscription.Close()
				_ = made.target.Close() // Nothing was sent.
			}
			return nil, fmt.Errorf("exporters[%d] (%s): %w", i, f.Exporters[i].Name, err)
		}
		all = append(all, e)
	}
	return all, nil
}

func (e *Entry) open(source Source, version string, log *slog.Logger) (*Exporter, error) {
	compiled, err := query.Compile(&query.Request{Dataset: e.Dataset, Filter: e.Filter, Fields: e.Fields}, time.Now())
	if err != nil {
		return nil, err
	}
	if e.QueueMiB = cmp.Or(e.QueueMiB, defaultQueue); e.QueueMiB < 1 || e.QueueMiB > maxQueue {
		return nil, fmt.Errorf("queue_mib %d: want 1 to %d", e.QueueMiB, maxQueue)
	}
	if e.OTLP != nil {
		e.OTLP.Version = version
	}
	to, err := e.destination()
	if err != nil {
		return nil, err
	}
	target, err := to.open(compiled.Plan, log)
	if err != nil {
		return nil, fmt.Errorf("%s.%w", to.kind, err)
	}
	from := source.Follow(compiled.Plan.Dataset, e.QueueMiB<<20)
	return newExporter(Status{Name: e.Name, Kind: to.kind, Address: to.address}, compiled.Plan, from, target, log), nil
}
