package dns

import (
	"encoding/binary"
	"errors"
	"net/netip"
	"strconv"
	"strings"

	"github.com/miekg/dns"
)

const (
	headerLength = 12
	// maxQuestions bounds the questions remembered by their bytes, so that names are not made anew each time.
	maxQuestions = 16384
	// maxAnswers bounds the addresses of an answer that are shown, maxAddresses those that are remembered.
	maxAnswers   = 16
	maxAddresses = 64
)

// question is what a query asks for.
type question struct {
	// wire is name, type and class as the message has them; an answer repeats them byte for byte.
	wire       string
	name, kind string
}

// header is what is needed of a message's first bytes (RFC 1035, 4.1.1).
type header struct {
	id        uint16
	response  bool
	opcode    uint8
	questions uint16
}

var errMalformed = errors.New("malformed message")

func readHeader(message []byte) (header, error) {
	if len(message) < headerLength {
		return header{}, errMalformed
	}
	flags := binary.BigEndian.Uint16(message[2:])
	return header{
		id: binary.BigEndian.Uint16(message), response: flags>>15 != 0, opcode: uint8(flags >> 11 & 0xf),
		questions: binary.BigEndian.Uint16(message[4:]),
	}, nil
}

// questionBytes returns the first question of a message. Names in a question are never compressed, as nothing comes
// before them that they could point to.
func questionBytes(message []byte) ([]byte, error) {
	const maxName, typeAndClass = 255, 4
	at := headerLength
	for at < len(message) && message[at] != 0 {
		if message[at] > 63 || at-headerLength > maxName {
			return nil, errMalformed
		}
		at += 1 + int(message[at])
	}
	end := at + 1 + typeAndClass
	if end > len(message) || at-headerLength >= maxName {
		return nil, errMalformed
	}
	return message[headerLength:end], nil
}

// questionOf returns a message's question, the same for the same bytes as long as it is remembered.
func (t *Tracker) questionOf(message []byte) (*question, error) {
	wire, err := questionBytes(message)
	if err != nil {
		return nil, err
	}
	if q := t.questions[string(wire)]; q != nil {
		return q, nil
	}
	name, end, err := dns.UnpackDomainName(wire, 0)
	if err != nil {
		return nil, errMalformed
	}
	q := &question{wire: string(wire), name: plainName(name), kind: typeName(binary.BigEndian.Uint16(wire[end:]))}
	if len(t.questions) >= maxQuestions {
		clear(t.questions)
	}
	t.questions[q.wire] = q
	return q, nil
}

// plainName writes a name in lower case and without the dot at its end, which only the root keeps.
func plainName(name string) string {
	if name == "." {
		return name
	}
	return strings.ToLower(strings.TrimSuffix(name, "."))
}

// typeName and codeName return the number's name, else one as RFC 3597 makes it.
func typeName(number uint16) string {
	if name := dns.TypeToString[number]; name != "" {
		return name
	}
	return "TYPE" + strconv.Itoa(int(number))
}

func codeName(number int) string {
	if name := dns.RcodeToString[number]; name != "" {
		return name
	}
	return "RCODE" + strconv.Itoa(number)
}

// answer is what a response tells.
type answer struct {
	rcode     string
	truncated bool
	addresses []netip.Addr
	records   uint32
	ttl       uint32
}

// readAnswer parses a response. Of one that was cut, what is whole counts.
func readAnswer(message []byte, cut bool) (*answer, error) {
	var m dns.Msg
	if err := m.Unpack(message); err != nil && !cut {
		return nil, errMalformed
	}
	a := &answer{rcode: codeName(m.Rcode), truncated: m.Truncated, records: uint32(len(m.Answer))}
	for i, rr := range m.Answer {
		if ttl := rr.Header().Ttl; i == 0 || ttl < a.ttl {
			a.ttl = ttl
		}
		if address, ok := addressOf(rr); ok && len(a.addresses) < maxAddresses {
			a.addresses = append(a.addresses, address)
		}
	}
	return a, nil
}

func addressOf(rr dns.RR) (netip.Addr, bool) {
	switch rr := rr.(type) {
	case *dns.A:
		address, ok := netip.AddrFromSlice(rr.A)
		return address.Unmap(), ok
	case *dns.AAAA:
		return netip.AddrFromSlice(rr.AAAA)
	}
	return netip.Addr{}, false
}

// listed joins the first addresses.
func (a *answer) listed() string {
	var text strings.Builder
	for i, address := range a.addresses[:min(len(a.addresses), maxAnswers)] {
		if i > 0 {
			text.WriteByte(',')
		}
		text.WriteString(address.String())
	}
	return text.String()
}
