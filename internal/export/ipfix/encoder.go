package ipfix

import (
	"encoding/binary"
	"errors"
	"slices"
	"time"

	"github.com/seine-net/seine/internal/export/valid"
	"github.com/seine-net/seine/internal/flow"
)

const (
	version       = 10
	messageHeader = 16
	setHeader     = 4
	// templateSet is the number of sets that hold templates.
	templateSet = 2
	// enterpriseBit marks numbers of elements that an enterprise's follows.
	enterpriseBit = 0x8000
)

// template says how rows of one shape are written.
type template struct {
	id       uint16
	elements []bound
	// record announces the template to the collector.
	record []byte
	// least is the size of a record whose texts are all empty.
	least int
}

// bound is an element whose fields are found in a plan's columns.
type bound struct {
	write   writer
	columns []int
}

// newTemplates makes the templates of the elements whose fields are all among those given.
func newTemplates(fields []*flow.Field, enterprise uint32) []template {
	templates := make([]template, shapeCount)
	for i := range templates {
		templates[i] = newTemplate(i, fields, enterprise)
	}
	return templates
}

func newTemplate(shape int, fields []*flow.Field, enterprise uint32) template {
	t := template{id: uint16(firstTemplate + shape)}
	var specifiers []byte
	for i := range elements {
		e := &elements[i]
		columns, found := columnsOf(e.fields, fields)
		if e.in&(1<<shape) == 0 || !found || e.owner == private && enterprise == 0 {
			continue
		}
		t.elements = append(t.elements, bound{e.write, columns})
		specifiers = e.appendSpecifier(specifiers, enterprise)
		t.least += e.least()
	}
	t.record = binary.BigEndian.AppendUint16(t.record, t.id)
	t.record = binary.BigEndian.AppendUint16(t.record, uint16(len(t.elements)))
	t.record = append(t.record, specifiers...)
	return t
}

// columnsOf returns the places of fields by their names; false if one is not there.
func columnsOf(names []string, fields []*flow.Field) ([]int, bool) {
	var columns []int
	for _, name := range names {
		i := slices.IndexFunc(fields, func(f *flow.Field) bool { return f.Name == name })
		if i < 0 {
			return nil, false
		}
		columns = append(columns, i)
	}
	return columns, true
}

// appendSpecifier appends what a template says of an element (RFC 7011, section 3.2).
func (e *element) appendSpecifier(dst []byte, enterprise uint32) []byte {
	number := e.number
	if e.owner != iana {
		number |= enterpriseBit
	}
	dst = binary.BigEndian.AppendUint16(dst, number)
	dst = binary.BigEndian.AppendUint16(dst, e.is.length)
	switch e.owner {
	case reverse:
		return binary.BigEndian.AppendUint32(dst, valid.ReverseEnterprise)
	case private:
		return binary.BigEndian.AppendUint32(dst, enterprise)
	}
	return dst
}

// least is the fewest bytes that the element's value takes.
func (e *element) least() int {
	if e.is.length == variable {
		return 1
	}
	return int(e.is.length)
}

// leastMessage is the size of a message with any one of the templates, or any one record.
func leastMessage(templates []template) int {
	most := 0
	for i := range templates {
		most = max(most, len(templates[i].record), templates[i].least)
	}
	return messageHeader + setHeader + most
}

// encoder makes messages (RFC 7011, section 3) of at most room bytes and gives each to write.
type encoder struct {
	templates []template
	domain    uint32
	room      int
	write     func(message []byte) error
	now       func() time.Time

	// sequence counts the records of the session's messages before this one.
	sequence uint32
	message  []byte
	// set is where the open set begins, id its number; 0 is none.
	set     int
	id      uint16
	records uint32
	// cuts counts the records whose texts were cut to fit into a message.
	cuts uint64
}

// restart begins a session: numbers of messages count from 0 in each.
func (e *encoder) restart() {
	e.sequence = 0
	e.reset()
}

func (e *encoder) reset() {
	e.message = append(e.message[:0], make([]byte, messageHeader)...)
	e.id, e.records = 0, 0
}

// announce sends all templates.
func (e *encoder) announce() error {
	for i := range e.templates {
		if len(e.message)+setHeader+len(e.templates[i].record) > e.room {
			if err := e.flush(); err != nil {
				return err
			}
		}
		e.open(templateSet)
		e.message = append(e.message, e.templates[i].record...)
	}
	return e.flush()
}

// errTooLarge is of a record that has no room in a message even without its texts.
var errTooLarge = errors.New("BUG: a record is larger than a message")

// add puts a record into the message, and sends the message before if it is full. Texts of a record that is too large
// even for a message of its own are cut shorter and shorter until it fits.
func (e *encoder) add(t *template, r *row) error {
	r.longest = maxText
	if e.fits(t, r) {
		return nil
	}
	if err := e.flush(); err != nil {
		return err
	}
	if e.fits(t, r) {
		return nil
	}
	e.cuts++
	for r.longest > 0 {
		r.longest /= 2
		if e.fits(t, r) {
			return nil
		}
	}
	return errTooLarge
}

// fits appends a record, or leaves the message as it was if that has no room.
func (e *encoder) fits(t *template, r *row) bool {
	length, set, id := len(e.message), e.set, e.id
	e.open(t.id)
	for i := range t.elements {
		e.message = t.elements[i].write(e.message, r, t.elements[i].columns)
	}
	if len(e.message) <= e.room {
		e.records++
		return true
	}
	e.message, e.set, e.id = e.message[:length], set, id
	return false
}

// open begins a set unless it is the one that is open.
func (e *encoder) open(id uint16) {
	if e.id == id {
		return
	}
	e.close()
	e.set, e.id = len(e.message), id
	e.message = binary.BigEndian.AppendUint16(e.message, id)
	e.message = append(e.message, 0, 0)
}

// close writes the length of the open set.
func (e *encoder) close() {
	if e.id != 0 {
		binary.BigEndian.PutUint16(e.message[e.set+2:], uint16(len(e.message)-e.set))
	}
}

// flush sends the message, unless it is empty.
func (e *encoder) flush() error {
	if e.id == 0 {
		return nil
	}
	e.close()
	header := binary.BigEndian.AppendUint16(e.message[:0], version)
	header = binary.BigEndian.AppendUint16(header, uint16(len(e.message)))
	header = binary.BigEndian.AppendUint32(header, uint32(e.now().Unix()))
	header = binary.BigEndian.AppendUint32(header, e.sequence)
	binary.BigEndian.AppendUint32(header, e.domain)
	err := e.write(e.message)
	e.sequence += e.records
	e.reset()
	return err
}
