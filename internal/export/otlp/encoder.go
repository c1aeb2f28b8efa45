package otlp

import (
	"strings"

	"google.golang.org/protobuf/encoding/protowire"

	"github.com/seine-net/seine/internal/columns"
	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// The numbers of members in opentelemetry-proto: common.proto, resource.proto, logs.proto, and logs_service.proto, whose
// ExportLogsServiceRequest has the resource logs as its only member. The tests decode with the types generated from these.
const (
	requestResourceLogs = 1

	resourceLogsResource = 1
	resourceLogsScope    = 2
	resourceAttributes   = 1
	scopeLogsScope       = 1
	scopeLogsRecord      = 2
	scopeName            = 1
	scopeVersion         = 2
	recordTime           = 1
	recordSeverity       = 2
	recordSeverityText   = 3
	recordBody           = 5
	recordAttribute      = 6
	recordObservedTime   = 11
	recordEventName      = 12
	keyValueKey          = 1
	keyValueValue        = 2
	valueString          = 1
	valueBool            = 2
	valueInt             = 3
	valueArray           = 5
	arrayValues          = 1
	scopeNameText        = "github.com/seine-net/seine"
	serviceNameText      = "seine"
	// resourceLogsOverhead is more than what is around the records of one node, but for its name and the release.
	resourceLogsOverhead  = 256
	severityInfo          = 9
	severityWarn          = 13
	severityInfoText      = "INFO"
	severityWarnText      = "WARN"
	eventFlow, eventQuery = "seine.flow", "seine.dns"
)

// encoder makes requests of rows. It keeps buffers, so one goroutine uses it.
type encoder struct {
	version string
	event   string
	columns []column
	// time, node and source are where rows have theirs.
	time, node, source place
	sentence           *sentence
	troubles           *troubles

	records, record, value, text []byte
}

// column is how the values of one become attributes.
type column struct {
	place int
	kind  flow.FieldKind
	// key is the encoded member of the KeyValue; it is nil for a column that makes no attribute.
	key         []byte
	list, lower bool
}

func newEncoder(plan *query.Plan, version string) *encoder {
	all := plan.Columns()
	at := placesOf(all)
	e := &encoder{
		version: version, event: eventFlow,
		time: at.of(timeField), node: at.of(nodeField), source: at.of(sourceAddress),
		sentence: newSentence(at, plan.Dataset), troubles: newTroubles(at),
	}
	if plan.Dataset == flow.Queries.String() {
		e.event = eventQuery
	}
	for i, f := range plan.Fields {
		if name := attributeName(f); name != "" {
			e.columns = append(e.columns, column{
				place: i, kind: f.Kind, key: encodedKey(name), list: isList(f), lower: f.Kind == flow.ProtoField,
			})
		}
	}
	return e
}

func encodedKey(name string) []byte {
	return protowire.AppendString(protowire.AppendTag(nil, keyValueKey, protowire.BytesType), name)
}

// encode appends a request with the rows of a block from first on, as many as fit into so many bytes, and returns the row
// after the last. A request without a row, of no bytes, says that the first alone does not fit.
func (e *encoder) encode(dst []byte, b *query.Block, first, maxBytes int, observed uint64) (request []byte, next int) {
	for next = first; next < b.Rows; {
		node := e.node.text(b, next)
		around := len(dst) + len(node) + 2*len(e.version) + resourceLogsOverhead
		e.records = e.records[:0]
		for next < b.Rows && e.node.text(b, next) == node {
			e.record = e.appendRecord(e.record[:0], b, next, observed)
			if around+len(e.records)+2+protowire.SizeBytes(len(e.record)) > maxBytes {
				return e.appendResourceLogs(dst, node, e.records), next
			}
			e.records = appendMessage(e.records, scopeLogsRecord, e.record)
			next++
		}
		dst = e.appendResourceLogs(dst, node, e.records)
	}
	return dst, next
}

// appendResourceLogs appends the records that one node made, unless there are none.
func (e *encoder) appendResourceLogs(dst []byte, node string, records []byte) []byte {
	if len(records) == 0 {
		return dst
	}
	var resource []byte
	for _, a := range [][2]string{{"service.name", serviceNameText}, {"service.version", e.version}, {"host.name", node}} {
		if a[1] != "" {
			e.value = appendText(e.value[:0], a[1])
			resource = appendKeyValue(resource, resourceAttributes, encodedKey(a[0]), e.value)
		}
	}
	scope := protowire.AppendString(protowire.AppendTag(nil, scopeName, protowire.BytesType), scopeNameText)
	if e.version != "" {
		scope = protowire.AppendString(protowire.AppendTag(scope, scopeVersion, protowire.BytesType), e.version)
	}
	head := protowire.AppendTag(appendMessage(nil, resourceLogsResource, resource), resourceLogsScope, protowire.BytesType)
	logs := protowire.SizeTag(scopeLogsScope) + protowire.SizeBytes(len(scope)) + len(records)
	dst = protowire.AppendTag(dst, requestResourceLogs, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(head)+protowire.SizeVarint(uint64(logs))+logs))
	dst = append(dst, head...)
	dst = protowire.AppendVarint(dst, uint64(logs))
	return append(appendMessage(dst, scopeLogsScope, scope), records...)
}

// appendRecord appends a row's LogRecord.
func (e *encoder) appendRecord(dst []byte, b *query.Block, row int, observed uint64) []byte {
	if e.time >= 0 {
		dst = protowire.AppendFixed64(protowire.AppendTag(dst, recordTime, protowire.Fixed64Type), uint64(b.Columns[e.time].Ints[row]))
	}
	severity, name := uint64(severityInfo), severityInfoText
	if e.troubles.has(b, row) {
		severity, name = severityWarn, severityWarnText
	}
	dst = protowire.AppendVarint(protowire.AppendTag(dst, recordSeverity, protowire.VarintType), severity)
	dst = protowire.AppendString(protowire.AppendTag(dst, recordSeverityText, protowire.BytesType), name)
	e.text = e.sentence.append(e.text[:0], b, row)
	e.value = protowire.AppendBytes(protowire.AppendTag(e.value[:0], valueString, protowire.BytesType), e.text)
	dst = appendMessage(dst, recordBody, e.value)
	dst = e.appendAttributes(dst, b, row)
	dst = protowire.AppendFixed64(protowire.AppendTag(dst, recordObservedTime, protowire.Fixed64Type), observed)
	return protowire.AppendString(protowire.AppendTag(dst, recordEventName, protowire.BytesType), e.event)
}

var networkTypeKey = encodedKey(networkType)

func (e *encoder) appendAttributes(dst []byte, b *query.Block, row int) []byte {
	if address := e.source.text(b, row); address != "" {
		family := "ipv4"
		if strings.Contains(address, ":") {
			family = "ipv6"
		}
		e.value = appendText(e.value[:0], family)
		dst = appendKeyValue(dst, recordAttribute, networkTypeKey, e.value)
	}
	for i := range e.columns {
		c := &e.columns[i]
		values := &b.Columns[c.place]
		if values.Null != nil && values.Null[row] || columns.IsTextKind(c.kind) && values.Texts[row] == "" {
			continue
		}
		e.value = c.appendValue(e.value[:0], values, row)
		dst = appendKeyValue(dst, recordAttribute, c.key, e.value)
	}
	return dst
}

// appendValue appends the members of the AnyValue.
func (c *column) appendValue(dst []byte, values *query.Column, row int) []byte {
	switch {
	case c.list:
		return appendTexts(dst, strings.SplitSeq(values.Texts[row], ","))
	case c.lower:
		return appendText(dst, strings.ToLower(values.Texts[row]))
	case columns.IsTextKind(c.kind):
		return appendText(dst, values.Texts[row])
	case c.kind == flow.FlagsField:
		if values.Ints[row] == 0 {
			return appendMessage(dst, valueArray, nil)
		}
		return appendTexts(dst, strings.SplitSeq(flow.TCPFlags(values.Ints[row]).String(), "|"))
	case c.kind == flow.BoolField:
		return protowire.AppendVarint(protowire.AppendTag(dst, valueBool, protowire.VarintType), uint64(values.Ints[row]))
	}
	return protowire.AppendVarint(protowire.AppendTag(dst, valueInt, protowire.VarintType), uint64(values.Ints[row]))
}

func appendText(dst []byte, text string) []byte {
	return protowire.AppendString(protowire.AppendTag(dst, valueString, protowire.BytesType), text)
}

// appendTexts appends an array.
func appendTexts(dst []byte, texts func(yield func(string) bool)) []byte {
	var array, value []byte
	for text := range texts {
		value = appendText(value[:0], text)
		array = appendMessage(array, arrayValues, value)
	}
	return appendMessage(dst, valueArray, array)
}

// appendMessage appends a member that is a message.
func appendMessage(dst []byte, number protowire.Number, message []byte) []byte {
	return protowire.AppendBytes(protowire.AppendTag(dst, number, protowire.BytesType), message)
}

// appendKeyValue appends a member that is a KeyValue, of an encoded key and the members of an AnyValue.
func appendKeyValue(dst []byte, number protowire.Number, key, value []byte) []byte {
	dst = protowire.AppendTag(dst, number, protowire.BytesType)
	dst = protowire.AppendVarint(dst, uint64(len(key)+protowire.SizeTag(keyValueValue)+protowire.SizeBytes(len(value))))
	return appendMessage(append(dst, key...), keyValueValue, value)
}
