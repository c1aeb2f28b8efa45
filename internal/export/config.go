package export

import (
	"bytes"
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
		kind, err := e.kind()
		if err != nil {
			return fmt.Errorf("exporters[%d]: %w", i, err)
		}
		if e.Name == "" {
			e.Name = kind
		}
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

func (e *Entry) kind() (string, error) {
	var kinds []string
	for kind, set := range map[string]bool{"kafka": e.Kafka != nil, "ipfix": e.IPFIX != nil, "otlp": e.OTLP != nil} {
		if set {
			kinds = append(kinds, kind)
		}
	}
	if len(kinds) != 1 {
		return "", fmt.Errorf("has %d of kafka, ipfix and otlp: want one, %s", len(kinds), exampleOfEntry)
	}
	return kinds[0], nil
}

// Open makes the exporters of a file. They follow the source from now on, and send once they Run. A target that cannot
// be reached now is no error.
func (f *File) Open(source Source, log *slog.Logger) ([]*Exporter, error) {
	var all []*Exporter
	for i := range f.Exporters {
		e, err := f.Exporters[i].open(source, log)
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

func (e *Entry) open(source Source, log *slog.Logger) (*Exporter, error) {
	compiled, err := query.Compile(&query.Request{Dataset: e.Dataset, Filter: e.Filter, Fields: e.Fields}, time.Now())
	if err != nil {
		return nil, err
	}
	if e.QueueMiB == 0 {
		e.QueueMiB = defaultQueue
	}
	if e.QueueMiB < 1 || e.QueueMiB > maxQueue {
		return nil, fmt.Errorf("queue_mib %d: want 1 to %d", e.QueueMiB, maxQueue)
	}
	target, address, err := e.target(compiled.Plan, log)
	if err != nil {
		return nil, err
	}
	kind, _ := e.kind()
	from := source.Follow(compiled.Plan.Dataset, e.QueueMiB<<20)
	return newExporter(Status{Name: e.Name, Kind: kind, Address: address}, compiled.Plan, from, target, log), nil
}

// target opens the one that the entry has.
func (e *Entry) target(plan *query.Plan, log *slog.Logger) (t Target, address string, err error) {
	switch {
	case e.Kafka != nil:
		t, err = kafka.Open(e.Kafka, plan, log)
		return t, e.Kafka.Address(), err
	case e.IPFIX != nil:
		t, err = ipfix.Open(e.IPFIX, plan, log)
		return t, e.IPFIX.Address(), err
	}
	t, err = otlp.Open(e.OTLP, plan, log)
	return t, e.OTLP.Address(), err
}
