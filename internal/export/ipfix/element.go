package ipfix

import (
	"encoding/binary"
	"math"
	"net/netip"
	"unicode/utf8"

	"github.com/seine-net/seine/internal/flow"
	"github.com/seine-net/seine/internal/query"
)

// abstract is an abstract data type (RFC 7012, section 3.1) and the bytes that values take here.
type abstract struct {
	name   string
	length uint16
}

// variable is the length of values that tell their own (RFC 7011, section 7).
const variable = 0xffff

var (
	unsigned8    = abstract{"unsigned8", 1}
	unsigned16   = abstract{"unsigned16", 2}
	unsigned32   = abstract{"unsigned32", 4}
	unsigned64   = abstract{"unsigned64", 8}
	double       = abstract{"float64", 8}
	boolean      = abstract{"boolean", 1}
	milliseconds = abstract{"dateTimeMilliseconds", 8}
	ipv4Address  = abstract{"ipv4Address", 4}
	ipv6Address  = abstract{"ipv6Address", 16}
	text         = abstract{"string", variable}
	// controlBits has the flags that TCP has, in one byte (RFC 7125, section 3), which some collectors want.
	controlBits = abstract{"unsigned16, in one byte", 1}
)

// maxText is the longest text of a record, in bytes: what one byte of length can tell.
const maxText = 254

// row is a row of a block on its way into a message.
type row struct {
	columns []query.Column
	at      int
	// addresses are those of addressFields.
	addresses [4]netip.Addr
	// longest is where texts are cut, in bytes.
	longest int
}

// number returns a value, 0 where the row does not have it.
func (r *row) number(column int) uint64 {
	c := &r.columns[column]
	if c.Null != nil && c.Null[r.at] || c.Ints[r.at] < 0 {
		return 0
	}
	return uint64(c.Ints[r.at])
}

func (r *row) text(column int) string { return r.columns[column].Texts[r.at] }

// A writer appends an element's value, from the columns of the element's fields.
type writer func(dst []byte, r *row, columns []int) []byte

func appendUnsigned8(dst []byte, r *row, columns []int) []byte {
	return append(dst, byte(min(r.number(columns[0]), math.MaxUint8)))
}

func appendUnsigned16(dst []byte, r *row, columns []int) []byte {
	return binary.BigEndian.AppendUint16(dst, uint16(min(r.number(columns[0]), math.MaxUint16)))
}

func appendUnsigned32(dst []byte, r *row, columns []int) []byte {
	return binary.BigEndian.AppendUint32(dst, uint32(min(r.number(columns[0]), math.MaxUint32)))
}

func appendUnsigned64(dst []byte, r *row, columns []int) []byte {
	return binary.BigEndian.AppendUint64(dst, r.number(columns[0]))
}

// appendBoolean writes 1 for true and 2 for false (RFC 7011, section 6.1.5).
func appendBoolean(dst []byte, r *row, columns []int) []byte {
	if r.number(columns[0]) != 0 {
		return append(dst, 1)
	}
	return append(dst, 2)
}

func appendMilliseconds(dst []byte, r *row, columns []int) []byte {
	return binary.BigEndian.AppendUint64(dst, r.number(columns[0])/1e6)
}

// appendNanoseconds writes microseconds as nanoseconds.
func appendNanoseconds(dst []byte, r *row, columns []int) []byte {
	return binary.BigEndian.AppendUint64(dst, r.number(columns[0])*1000)
}

// appendProbability writes 1/N of one packet in N.
func appendProbability(dst []byte, r *row, columns []int) []byte {
	return binary.BigEndian.AppendUint64(dst, math.Float64bits(1/float64(max(r.number(columns[0]), 1))))
}

// appendAlgorithm writes what chose the packets: each is chosen by chance for itself.
func appendAlgorithm(dst []byte, _ *row, _ []int) []byte {
	const uniformProbabilistic = 4 // IANA, "PSAMP Selector Algorithms".
	return binary.BigEndian.AppendUint16(dst, uniformProbabilistic)
}

// appendTypeCode writes type and code of an ICMP message as one number.
func appendTypeCode(dst []byte, r *row, columns []int) []byte {
	return append(dst, byte(r.number(columns[0])), byte(r.number(columns[1])))
}

// appendDirection writes how the ends were told apart (RFC 5103, section 6.3): 1 where the source is the initiator, 0 where
// nothing tells.
func appendDirection(dst []byte, r *row, columns []int) []byte {
	if r.text(columns[0]) == "" {
		return append(dst, 0)
	}
	return append(dst, 1)
}

var protocols = func() map[string]byte {
	all := make(map[string]byte)
	for p := range 256 {
		all[flow.Proto(p).String()] = byte(p)
	}
	return all
}()

func appendProtocol(dst []byte, r *row, columns []int) []byte {
	return append(dst, protocols[r.text(columns[0])])
}

// appendText writes a text after its length.
func appendText(dst []byte, r *row, columns []int) []byte {
	s := cut(r.text(columns[0]), r.longest)
	return append(append(dst, byte(len(s))), s...)
}

// cut shortens a text to at most so many bytes, at the begin of a character.
func cut(s string, most int) string {
	if len(s) <= most {
		return s
	}
	for most > 0 && !utf8.RuneStart(s[most]) {
		most--
	}
	return s[:most]
}

// addressFields are the fields of addresses, which a row has all of one family.
var addressFields = [...]string{"src.addr", "dst.addr", "snat.addr", "backend.addr"}

// The places of addresses in addressFields.
const (
	source = iota
	destination
	postSource
	postDestination
)

func appendIPv4(which int) writer {
	return func(dst []byte, r *row, _ []int) []byte {
		address := r.addresses[which].As4()
		return append(dst, address[:]...)
	}
}

func appendIPv6(which int) writer {
	return func(dst []byte, r *row, _ []int) []byte {
		address := r.addresses[which].As16()
		return append(dst, address[:]...)
	}
}
