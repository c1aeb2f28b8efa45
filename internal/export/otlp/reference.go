package otlp

import (
	"bufio"
	"cmp"
	"fmt"
	"io"

	"github.com/seine-net/seine/internal/flow"
)

const docsIntroduction = `<!-- Generated from the field table and internal/export/otlp by go generate. Do not edit. -->

# OpenTelemetry

What the exporter [otlp](../how-to/exporters.md#opentelemetry) sends: a log record for each row of dataset flows or dns.

| Part of the record | Holds |
|---|---|
| resource | ` + "`service.name`: `seine`, `service.version`: the server's release, `host.name`" + `: the node whose agent made the row |
| scope | name ` + "`github.com/seine-net/seine`" + ` and the release |
| event name | ` + "`seine.flow`" + ` for a connection in an interval, ` + "`seine.dns`" + ` for a query |
| time | the row's ` + "`end`" + `; observed time is that of sending |
| severity | WARN (13) where an attempt to connect failed, the kernel dropped packets, or a DNS query failed; else INFO (9) |
| body | a sentence about the row, for people who read logs; do not parse it |
| attributes | the other [fields](fields.md), as below |

Attributes have the names of OpenTelemetry's semantic conventions (1.43) where these mean just the same; those that the
conventions have for an object without a side, such as ` + "`k8s.namespace.name`, have the side before it. All others begin with `seine.`" + `
and go on with the field's name. What a row does not know, and what the exporter's fields leave out, is not there. The source is
the client, the destination what it dialled; who answered is ` + "`seine.backend.*`, the client as the backend saw it `seine.snat.*`" + `.
Addresses are texts, protocols in lower case; a time is nanoseconds since 1970. Counters of sampled packets are as they were
counted: multiply by ` + "`seine.sampling`" + `.

| Attribute | Type | Unit | Field | Meaning | In |
|---|---|---|---|---|---|
| ` + "`" + networkType + "`" + ` | string | | | ` + "`ipv4` or `ipv6`" + `, by the client's address. | flows, dns |
`

// WriteDocs writes the reference page of the attributes in Markdown.
func WriteDocs(w io.Writer) error {
	b := bufio.NewWriter(w)
	fmt.Fprint(b, docsIntroduction)
	for _, f := range flow.Fields() {
		name := attributeName(f)
		if name == "" {
			continue
		}
		unit := f.Unit
		if f.Kind == flow.TimeField {
			unit = "nanoseconds"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s | `%s` | %s | %s |\n", name, attributeType(f), unit, f.Name, f.Doc, cmp.Or(f.Datasets, flow.Connections))
	}
	return b.Flush()
}
