package ipfix

import (
	"bufio"
	"fmt"
	"io"
	"strconv"
	"strings"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
)

// WriteDocs writes the reference page of the elements in Markdown.
func WriteDocs(w io.Writer) error {
	b := bufio.NewWriter(w)
	least := leastMessage(newTemplates(columns.Flows().Askable(), defaultEnterprise))
	fmt.Fprintf(b, docsIntroduction, firstTemplate, firstTemplate+1, firstTemplate+2, firstTemplate+3, maxText, least, defaultEnterprise)
	for _, part := range []struct {
		title  string
		owners []owner
	}{{"Elements of IANA", []owner{iana, reverse}}, {"Elements of the enterprise", []owner{private}}} {
		fmt.Fprintf(b, "\n## %s\n\n| Element | Number | Type | Field | Templates | Meaning |\n|---|---|---|---|---|---|\n", part.title)
		for i := range elements {
			for _, o := range part.owners {
				if elements[i].owner == o {
					elements[i].document(b)
				}
			}
		}
	}
	return b.Flush()
}

const docsIntroduction = `<!-- Generated from the table of elements in internal/export/ipfix by go generate. Do not edit. -->

# IPFIX

What the exporter [ipfix](../how-to/exporters.md#ipfix) sends: messages of RFC 7011, in which a row of dataset flows is one
bidirectional flow record (RFC 5103). Its source is the client, its destination what it dialled; the *postNAT* elements are
the client as the backend saw it, and the backend. Values of the way from client to server are in the elements
themselves, those of the way back in their reverse ones (enterprise 29305).

There are four templates: %d for IPv4 with ports, %d for IPv6 with ports, %d for ICMP, %d for ICMPv6. Elements stand in the
order of these tables, and those of fields that the exporter does not choose are left out. Numbers that are not known
are 0, texts that are not known are empty, and booleans are 1 for true, 2 for false.

- Over TCP the templates come first in each connection. Over UDP they come first, and again after each template_refresh.
- Sequence numbers count records, from 0 in each connection or, over UDP, from each socket on.
- Texts are cut at %d bytes. Over UDP a record that does not fit into a message of mtu bytes has all its texts cut at 127
  bytes, or at 63, 31 and so on until it does, and the log says so once. With all fields mtu is at least %d.
- Rows whose addresses are not all IPv4 or all IPv6 are refused, and counted. Interfaces in link-local addresses are left out.
- Counters of sampled packets are as they were counted: multiply by samplingInterval.

The elements of the enterprise are under the number that the exporter's enterprise_id says, %d if it says none, which is
NetObserv's default. Their numbers are the stable ids of the [fields](fields.md), or those that NetObserv's exporter has for the
same values. With an enterprise_id of 0 there are none of them.
`

// document writes the element's line.
func (e *element) document(w io.Writer) {
	var fields, meaning []string
	for _, name := range e.fields {
		fields = append(fields, "`"+name+"`")
		if f, ok := flow.FieldByName(name); ok {
			meaning = append(meaning, f.Doc)
		}
	}
	if e.note != "" {
		meaning = append(meaning, e.note)
	}
	number := strconv.Itoa(int(e.number))
	if e.owner == reverse {
		number += ", reverse"
	}
	fmt.Fprintf(w, "| `%s` | %s | %s | %s | %s | %s |\n",
		e.name, number, e.is.name, strings.Join(fields, ", "), e.in, strings.Join(meaning, " "))
}

// String says in words which templates the shapes have.
func (s shapes) String() string {
	names := map[shapes]string{anything: "all", ports: "ports", icmp: "ICMP", ipv4: "IPv4", ipv6: "IPv6"}
	if name, ok := names[s]; ok {
		return name
	}
	var numbers []string
	for i := range shapeCount {
		if s&(1<<i) != 0 {
			numbers = append(numbers, strconv.Itoa(firstTemplate+i))
		}
	}
	return strings.Join(numbers, ", ")
}
