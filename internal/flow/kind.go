package flow

// FieldKind is the kind of value that a field holds. It decides how the value is stored, written and aligned.
type FieldKind uint8

// The kinds of field.
const (
	TimeField FieldKind = iota + 1
	BytesField
	CountField
	DurationField
	PortField
	IDField
	BoolField
	ProtoField
	EnumField
	FlagsField
	AddrField
	NameField
	TextField
	MoneyField
)

// Storage is the Go type behind a field, and so which of its accessors is set.
type Storage uint8

// The storages: Field.Uint, Field.Text or Field.Addr reads the value.
const (
	UintStorage Storage = iota + 1
	TextStorage
	AddrStorage
)

type kindInfo struct {
	name    string
	storage Storage
	json    string
	width   int
	right   bool
	doc     string
}

var kinds = [...]kindInfo{
	TimeField:     {"time", UintStorage, "string", 12, false, "A moment. RFC 3339 with up to nine decimals, in UTC; nanoseconds since the Unix epoch inside."},
	BytesField:    {"bytes", UintStorage, "number", 10, true, "A number of bytes."},
	CountField:    {"count", UintStorage, "number", 9, true, "A number of things."},
	PortField:     {"port", UintStorage, "number", 9, true, "A port of a transport protocol; 0 where the protocol has none."},
	IDField:       {"id", UintStorage, "number", 9, true, "A number that only identifies: adding such numbers up means nothing."},
	BoolField:     {"bool", UintStorage, "boolean", 7, false, "`true` or `false`."},
	ProtoField:    {"proto", UintStorage, "string", 6, false, "An IP protocol: TCP, UDP, SCTP, ICMP, ICMPv6, else the IANA number in digits."},
	EnumField:     {"enum", UintStorage, "string", 12, false, "One of the values listed with the field."},
	FlagsField:    {"flags", UintStorage, "array", 12, false, "A set of TCP flags: an array of names in JSON, names joined by `|` elsewhere."},
	AddrField:     {"addr", AddrStorage, "string", 15, false, "An IPv4 or IPv6 address."},
	NameField:     {"name", TextStorage, "string", 20, false, "The name of an object; few distinct values in many records."},
	DurationField: {"duration", UintStorage, "number", 9, true, "A length of time, in the field's unit."},
	TextField:     {"text", TextStorage, "string", 30, false, "Any other text."},
	MoneyField:    {"money", UintStorage, "number", 11, true, "An amount of money in pico-USD, 10⁻¹² USD; tables show USD."},
}

// FieldKinds returns all kinds, in their order.
func FieldKinds() []FieldKind {
	var all []FieldKind
	for k := TimeField; int(k) < len(kinds); k++ {
		all = append(all, k)
	}
	return all
}

// String returns the kind's name, as in /api/v1/fields and the reference documentation.
func (k FieldKind) String() string { return kinds[k].name }

// Storage returns how values of the kind are held.
func (k FieldKind) Storage() Storage { return kinds[k].storage }

// JSONType returns the type that the kind has in JSON: "string", "number", "boolean" or "array".
func (k FieldKind) JSONType() string { return kinds[k].json }

// RightAligned says whether columns of the kind are aligned to the right.
func (k FieldKind) RightAligned() bool { return kinds[k].right }

// Doc returns a sentence about the kind.
func (k FieldKind) Doc() string { return kinds[k].doc }
