package scan

import (
	"slices"
	"strings"
)

// texts numbers the distinct texts of a worker, so that keys can be made of them.
type texts struct {
	numbers map[string]uint64
	list    []string
	// room is how many bytes of texts may still be added.
	room int
}

// noRoom is the number of all texts for which there was no room.
const noRoom = ^uint64(0)

// A text costs its bytes and about this many more, in the list and in the map.
const textOverhead = 64

func newTexts(room int) *texts { return &texts{numbers: make(map[string]uint64), room: room} }

func (t *texts) number(text string) uint64 {
	number, ok := t.numbers[text]
	if ok {
		return number
	}
	if t.room -= len(text) + textOverhead; t.room < 0 {
		return noRoom
	}
	text = strings.Clone(text) // The dictionary of a chunk should not live as long as one of its texts.
	number = uint64(len(t.list))
	t.numbers[text] = number
	t.list = append(t.list, text)
	return number
}

// words sets the number of the text of each of the rows. Texts that no row has are not numbered.
func (t *texts) words(dictionary []string, codes, rows []int32, words []uint64) {
	const unknown = noRoom - 1
	numbers := slices.Repeat([]uint64{unknown}, len(dictionary))
	for i, row := range rows {
		code := codes[row]
		number := numbers[code]
		if number == unknown {
			number = t.number(dictionary[code])
			numbers[code] = number
		}
		words[i] = number
	}
}
