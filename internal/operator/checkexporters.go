package operator

import (
	"fmt"
	"maps"
	"net"
	"regexp"
	"slices"
	"strings"

	"github.com/seine-net/seine/internal/export/valid"
	"github.com/seine-net/seine/internal/operator/flowcollector"
)

var (
	objectName = regexp.MustCompile(`^[a-z0-9]([-a-z0-9.]{0,251}[a-z0-9])?$`)
	keyName    = regexp.MustCompile(`^[-._a-zA-Z0-9]{1,253}$`)
	hostName   = regexp.MustCompile(`^[a-zA-Z0-9]([-a-zA-Z0-9._]{0,251}[a-zA-Z0-9.])?$`)
)

// checkExporters refuses exporters that cannot be. The namespace is that of the server, which mounts what they refer to.
func checkExporters(all []flowcollector.Exporter, namespace string, refuse func(string, ...any)) {
	for i := range all {
		e, at := &all[i], fmt.Sprintf("exporters[%d]", i)
		c := exporterCheck{namespace, refuse}
		switch {
		case e.Type == "Kafka" && e.Kafka != nil:
			c.kafka(at+".kafka", e.Kafka)
		case e.Type == "IPFIX" && e.IPFIX != nil:
			c.ipfix(at+".ipfix", e.IPFIX)
		case e.Type == "OpenTelemetry" && e.OpenTelemetry != nil:
			c.openTelemetry(at+".openTelemetry", e.OpenTelemetry)
		default:
			refuse("%s.type: %s: want %s beside it", at, e.Type, exporterFields[e.Type])
		}
	}
}

// exporterFields are the fields of exporters by their types.
var exporterFields = map[string]string{"Kafka": "kafka", "IPFIX": "ipfix", "OpenTelemetry": "openTelemetry"}

type exporterCheck struct {
	namespace string
	refuse    func(string, ...any)
}

func (c exporterCheck) kafka(at string, k *flowcollector.KafkaExporter) {
	for _, broker := range brokersOf(k.Address) {
		if !valid.Address(broker) {
			c.refuse("%s.address: %q: want host:port, such as kafka.kafka:9092, or several with commas between", at, k.Address)
			break
		}
	}
	if !valid.Topic(k.Topic) {
		c.refuse("%s.topic: %q: want 1 to 249 letters, digits, dots, underscores and hyphens", at, k.Topic)
	}
	c.tls(at+".tls", k.TLS)
	if s := k.SASL; s != nil && mechanisms[s.Type] != "" {
		c.reference(at+".sasl.clientIDReference", "file", fileOf(s.ClientIDReference))
		c.reference(at+".sasl.clientSecretReference", "file", fileOf(s.ClientSecretReference))
	}
}

func (c exporterCheck) ipfix(at string, x *flowcollector.IPFIXExporter) {
	c.host(at, x.TargetHost)
	if x.EnterpriseID != nil && *x.EnterpriseID == valid.ReverseEnterprise {
		c.refuse("%s.enterpriseID: %d: want another: RFC 5103 has it for the reverse elements of IANA", at, valid.ReverseEnterprise)
	}
}

func (c exporterCheck) openTelemetry(at string, o *flowcollector.OpenTelemetryExporter) {
	c.host(at, o.TargetHost)
	c.tls(at+".tls", o.TLS)
	seen := make(map[string]bool)
	for _, name := range slices.Sorted(maps.Keys(o.Headers)) {
		lower := strings.ToLower(name)
		switch {
		case !valid.Header(lower):
			c.refuse("%s.headers: %q: want the name of a header: letters, digits and hyphens", at, name)
		case valid.ProtocolHeader(lower):
			c.refuse("%s.headers: %q: want another header: the protocol sets this one", at, name)
		case seen[lower]:
			c.refuse("%s.headers: %q: want it once, in whichever case", at, name)
		case !valid.HeaderValue(o.Headers[name]): // Which may be a secret.
			c.refuse("%s.headers: %q: want a value of printable ASCII", at, name)
		}
		seen[lower] = true
	}
}

func (c exporterCheck) host(at, host string) {
	if !hostName.MatchString(host) && net.ParseIP(strings.Trim(host, "[]")) == nil {
		c.refuse("%s.targetHost: %q: want a name such as collector.netflow, or an IP address", at, host)
	}
}

func (c exporterCheck) tls(at string, t *flowcollector.ClientTLS) {
	if t == nil || !t.Enable {
		return
	}
	if r := t.CACert; r != nil && r.Name != "" && !t.InsecureSkipVerify {
		c.reference(at+".caCert", "certFile", certOf(r))
	}
	if r := t.UserCert; r != nil && r.Name != "" {
		c.reference(at+".userCert", "certFile", certOf(r))
		c.reference(at+".userCert", "certKey", keyOfCert(r))
	}
}

// reference refuses one that names no key of a Secret or ConfigMap that the server can mount.
func (c exporterCheck) reference(at, keyField string, r reference) {
	switch {
	case r.kind == "":
		c.refuse("%s.type: want secret or configmap", at)
	case !objectName.MatchString(r.name):
		c.refuse("%s.name: %q: want the name of a Secret or ConfigMap", at, r.name)
	case !keyName.MatchString(r.key):
		c.refuse("%s.%s: %q: want the name of a key of %s", at, keyField, r.key, r.name)
	case r.namespace != "" && r.namespace != c.namespace:
		c.refuse("%s.namespace: %q: want it left out, or %s: pods mount what is in their own namespace, so copy %s %s there",
			at, r.namespace, c.namespace, r.kind, r.name)
	}
}
