package operator

import (
	"cmp"
	"fmt"
	"maps"
	"net"
	"slices"
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/operator/flowcollector"
)

// Where the chart mounts what exporters read files of, below the names of Secrets and ConfigMaps.
const (
	secretFolder    = "/etc/seine/exporter-secrets/"
	configMapFolder = "/etc/seine/exporter-configmaps/"
)

// The ports of collectors, if none is given.
const (
	ipfixPort         = 4739
	openTelemetryPort = 4317
)

// mounts are the names of Secrets and ConfigMaps that exporters read files of.
type mounts struct{ secrets, configMaps map[string]bool }

// path returns where a key of a Secret or ConfigMap is a file, and notes that it is to be mounted.
func (m *mounts) path(r reference) string {
	if r.kind == "configmap" {
		m.configMaps[r.name] = true
		return configMapFolder + r.name + "/" + r.key
	}
	m.secrets[r.name] = true
	return secretFolder + r.name + "/" + r.key
}

// setExporters sets the entries of the server's file of exporters, and what is mounted for them.
func (v values) setExporters(all []flowcollector.Exporter) {
	m := mounts{make(map[string]bool), make(map[string]bool)}
	var entries []values
	for i := range all {
		if kind, config := exporterOf(&all[i], &m); config != nil {
			entries = append(entries, values{"name": fmt.Sprintf("%s-%d", strings.ToLower(all[i].Type), i), kind: config})
		}
	}
	v.setPlain("server.exporters", entries)
	v.setPlain("server.exporterSecrets", slices.Sorted(maps.Keys(m.secrets)))
	v.setPlain("server.exporterConfigMaps", slices.Sorted(maps.Keys(m.configMaps)))
}

// exporterOf returns the kind of an exporter, as the server has it, and its configuration; nil if it sends nothing.
func exporterOf(e *flowcollector.Exporter, m *mounts) (kind string, config values) {
	switch {
	case e.Type == "Kafka" && e.Kafka != nil:
		return "kafka", kafkaOf(e.Kafka, m)
	case e.Type == "IPFIX" && e.IPFIX != nil:
		return "ipfix", ipfixOf(e.IPFIX)
	case e.Type == "OpenTelemetry" && e.OpenTelemetry != nil && hasLogs(e.OpenTelemetry):
		return "otlp", openTelemetryOf(e.OpenTelemetry, m)
	}
	return "", nil
}

// kafkaOf has messages in NetObserv's form: who reads the topic of a FlowCollector knows that.
func kafkaOf(k *flowcollector.KafkaExporter, m *mounts) values {
	config := values{"brokers": brokersOf(k.Address), "topic": k.Topic, "format": "netobserv"}
	if k.Compression != "" {
		config["compression"] = k.Compression
	}
	config.setTLS(k.TLS, m)
	if s := k.SASL; s != nil && mechanisms[s.Type] != "" {
		config["sasl"] = values{
			"mechanism": mechanisms[s.Type],
			"user_file": m.path(fileOf(s.ClientIDReference)), "password_file": m.path(fileOf(s.ClientSecretReference)),
		}
	}
	return config
}

// mechanisms of SASL, by what a FlowCollector calls them.
var mechanisms = map[string]string{"Plain": "plain", "ScramSHA512": "scram-sha-512"}

func brokersOf(address string) []string {
	var all []string
	for one := range strings.SplitSeq(address, ",") {
		all = append(all, strings.TrimSpace(one))
	}
	return all
}

func ipfixOf(x *flowcollector.IPFIXExporter) values {
	config := values{"collector": hostPort(x.TargetHost, x.TargetPort, ipfixPort)}
	if x.Transport != "" {
		config["transport"] = strings.ToLower(x.Transport)
	}
	if x.EnterpriseID != nil {
		config["enterprise_id"] = *x.EnterpriseID
	}
	return config
}

// hasLogs says whether records go out as logs, which is all that there is.
func hasLogs(o *flowcollector.OpenTelemetryExporter) bool {
	return o.Logs == nil || o.Logs.Enable == nil || *o.Logs.Enable
}

func openTelemetryOf(o *flowcollector.OpenTelemetryExporter, m *mounts) values {
	scheme := "http://"
	if o.TLS != nil && o.TLS.Enable {
		scheme = "https://"
	}
	config := values{"endpoint": scheme + hostPort(o.TargetHost, o.TargetPort, openTelemetryPort)}
	if o.Protocol != "" {
		config["protocol"] = o.Protocol
	}
	if len(o.Headers) > 0 {
		headers := make(map[string]string)
		for name, value := range o.Headers {
			headers[strings.ToLower(name)] = value
		}
		config["headers"] = headers
	}
	config.setTLS(o.TLS, m)
	return config
}

func hostPort(host string, port *int32, standard int32) string {
	if port == nil {
		port = &standard
	}
	return net.JoinHostPort(strings.Trim(host, "[]"), strconv.Itoa(int(*port)))
}

// setTLS sets TLS, if that is on.
func (v values) setTLS(t *flowcollector.ClientTLS, m *mounts) {
	if t == nil || !t.Enable {
		return
	}
	config := values{}
	if t.InsecureSkipVerify {
		config["insecure_skip_verify"] = true
	}
	if c := t.CACert; c != nil && c.Name != "" && !t.InsecureSkipVerify {
		config["ca"] = m.path(certOf(c))
	}
	if c := t.UserCert; c != nil && c.Name != "" {
		config["cert"], config["key"] = m.path(certOf(c)), m.path(keyOfCert(c))
	}
	v["tls"] = config
}

// reference is a key of a Secret or ConfigMap, whose kind is "secret" or "configmap".
type reference struct{ kind, name, namespace, key string }

func fileOf(r *flowcollector.FileReference) reference {
	if r == nil {
		return reference{}
	}
	return reference{r.Type, r.Name, r.Namespace, r.File}
}

func certOf(r *flowcollector.CertificateReference) reference {
	return reference{r.Type, r.Name, r.Namespace, r.CertFile}
}

func keyOfCert(r *flowcollector.CertificateReference) reference {
	return reference{r.Type, r.Name, r.Namespace, r.CertKey}
}

// exportersWithout names what of exporters does nothing beside what else they say.
func exportersWithout(all []flowcollector.Exporter) []string {
	var found []string
	for i := range all {
		e, at := &all[i], fmt.Sprintf("spec.exporters[%d].", i)
		for _, part := range []struct {
			kind, field string
			given       bool
		}{
			{"Kafka", "kafka", e.Kafka != nil && cmp.Or(e.Kafka.Address, e.Kafka.Topic) != ""},
			{"IPFIX", "ipfix", e.IPFIX != nil && e.IPFIX.TargetHost != ""},
			{"OpenTelemetry", "openTelemetry", e.OpenTelemetry != nil && e.OpenTelemetry.TargetHost != ""},
		} {
			if part.given && part.kind != e.Type {
				found = append(found, at+part.field+": the exporter's type is "+e.Type)
			}
		}
		if k := e.Kafka; k != nil && e.Type == "Kafka" {
			found = append(append(found, tlsWithout(at+"kafka.tls", k.TLS)...), saslWithout(at+"kafka.sasl", k.SASL)...)
		}
		if o := e.OpenTelemetry; o != nil && e.Type == "OpenTelemetry" {
			found = append(found, tlsWithout(at+"openTelemetry.tls", o.TLS)...)
		}
	}
	return found
}

func tlsWithout(at string, t *flowcollector.ClientTLS) []string {
	if t == nil {
		return nil
	}
	ca, user := t.CACert != nil && t.CACert.Name != "", t.UserCert != nil && t.UserCert.Name != ""
	switch {
	case !t.Enable && (ca || user || t.InsecureSkipVerify):
		return []string{at + ": enable is not true"}
	case t.InsecureSkipVerify && ca:
		return []string{at + ".caCert: insecureSkipVerify is true"}
	}
	return nil
}

func saslWithout(at string, s *flowcollector.SASL) []string {
	if s == nil || mechanisms[s.Type] != "" {
		return nil
	}
	if fileOf(s.ClientIDReference).name != "" || fileOf(s.ClientSecretReference).name != "" {
		return []string{at + ": type is neither Plain nor ScramSHA512"}
	}
	return nil
}
